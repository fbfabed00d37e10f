/** What every map has that is one hash table in one file. */
import type { HashTable } from './hash-table.ts';
import type { MapFile } from './map-file.ts';

export abstract class TableMap<Table extends HashTable> {
  readonly file: MapFile;
  protected readonly table: Table;

  protected constructor(file: MapFile, table: Table) {
    this.file = file;
    this.table = table;
    if (file.writable) table.prepare();
  }

  close(): void {
    this.file.close();
  }

  /** Entries in it. */
  get count(): number {
    return this.table.count;
  }
}
