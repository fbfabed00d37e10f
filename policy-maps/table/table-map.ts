/** What every map has that is one hash table in one file. */
import { type HashShape, hashTableBytes } from './hash-row.ts';
import type { HashTable } from './hash-table.ts';
import type { MapFile } from './map-file.ts';
import { HEADER_BYTES, type MapLayout } from './map-header.ts';
import { PinnedMap } from './pinned-map.ts';

export abstract class TableMap<Table extends HashTable> extends PinnedMap {
  protected readonly table: Table;

  constructor(file: MapFile, table: Table) {
    super(file);
    this.table = table;
    if (file.writable) table.prepare();
  }

  /** Entries in it. */
  get count(): number {
    return this.table.count;
  }
}

/** Layout of a file that is one hash table, version 1 unless told. @param tableBytes of other tables than HashTable */
export function tableLayout(
  layout: Pick<MapLayout, 'kind' | 'capacity' | 'maxCapacity'> & Partial<Pick<MapLayout, 'version'>>,
  words: Omit<HashShape, 'capacity'>,
  tableBytes: (shape: HashShape) => number = hashTableBytes,
): MapLayout {
  return {
    version: 1,
    ...layout,
    keyBytes: words.keyWords * 4,
    valueBytes: words.valueWords * 4,
    fileBytes: (capacity) => HEADER_BYTES + tableBytes({ ...words, capacity }),
  };
}
