/**
 * The columns and dictionaries of one table in memory. Rows are only added, so that a query reads those that were there
 * when it came while others are written behind them.
 */
import {
  type Column,
  type ColumnName,
  DICTIONARIES,
  type DictionaryName,
  type FlowRows,
  ID_COLUMN_NAMES,
  type IdColumn,
  MAX_ROWS,
  UUID_BYTES,
} from './columns.ts';
import { Dictionary } from './dictionary.ts';

const DAYS_24 = 2 ** 31; // half of what a time column reaches, in ms

export class FlowTable implements FlowRows {
  readonly baseMs: number;
  readonly firstMs: number;
  rows = 0;
  minMs = Number.POSITIVE_INFINITY;
  maxMs = Number.NEGATIVE_INFINITY;
  readonly time = new Uint32Array(MAX_ROWS);
  readonly nanos = new Uint32Array(MAX_ROWS);
  readonly latency = new Float64Array(MAX_ROWS);
  readonly uuid = new Uint8Array(MAX_ROWS * UUID_BYTES);
  readonly ids: Readonly<Record<IdColumn, Uint16Array>>;
  readonly dictionaries: Readonly<Record<DictionaryName, Dictionary>>;

  /** @param firstMs about the time of the first row: the others must be within 24 days of it */
  constructor(firstMs: number) {
    this.firstMs = Math.floor(firstMs);
    this.baseMs = this.firstMs - DAYS_24;
    const ids = ID_COLUMN_NAMES.map((name) => [name, new Uint16Array(MAX_ROWS)] as const);
    this.ids = Object.fromEntries(ids) as Record<IdColumn, Uint16Array>;
    const dictionaries = DICTIONARIES.map((name) => [name, new Dictionary()] as const);
    this.dictionaries = Object.fromEntries(dictionaries) as Record<DictionaryName, Dictionary>;
  }

  /** The table that another one's rows came from. */
  static withBase(baseMs: number): FlowTable {
    return new FlowTable(baseMs + DAYS_24);
  }

  /** Whether a moment can be told in this table. */
  reaches(ms: number): boolean {
    return ms >= this.baseMs && ms < this.baseMs + 2 * DAYS_24;
  }

  /** Takes back what was written of a row. */
  clear(row: number): void {
    for (const name of ID_COLUMN_NAMES) this.ids[name][row] = 0;
    this.latency[row] = 0;
    this.nanos[row] = 0;
  }

  /** Characters of all dictionaries. */
  get textLength(): number {
    return DICTIONARIES.reduce((sum, name) => sum + this.dictionaries[name].size, 0);
  }

  /** The whole column, of which only the first `rows` are of rows. */
  array(name: ColumnName): Column {
    if (name === 'time' || name === 'nanos' || name === 'latency' || name === 'uuid') return this[name];
    return this.ids[name];
  }

  load(): Promise<void> {
    return Promise.resolve();
  }

  column(name: ColumnName): Promise<Column> {
    return Promise.resolve(this.array(name));
  }

  texts(name: DictionaryName): Promise<readonly string[]> {
    return Promise.resolve(this.dictionaries[name].texts);
  }
}
