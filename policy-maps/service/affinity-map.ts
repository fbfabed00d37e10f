/**
 * Which backend a client of a service with session affinity had last. The dataplane writes it; the CLI reads it. Full: the
 * client heard of longest ago is forgotten, and gets a backend by choice again.
 */
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ROW_KEY } from '../table/hash-row.ts';
import { LruHashTable, lruHashTableBytes } from '../table/lru-hash-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES } from '../table/map-header.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const AFFINITY_CAPACITY = 65536;

const KEY_WORDS = 5; // client, frontend handle
const AFFINITY_WORDS = 2; // backend, second last used
const V_BACKEND = 0;
const V_USED = 1;

const WORDS = { keyWords: KEY_WORDS, valueWords: AFFINITY_WORDS };
const LAYOUT = tableLayout(
  { kind: 'lb_affinity', capacity: AFFINITY_CAPACITY, maxCapacity: 1 << 20 },
  WORDS,
  lruHashTableBytes,
);

/** Who asks, and for what. */
export interface AffinityFields {
  readonly src0: number;
  readonly src1: number;
  readonly src2: number;
  readonly src3: number;
}

export interface AffinityEntry {
  readonly client: AddressWords;
  readonly frontendHandle: number;
  readonly backend: number;
  /** Monotonic second. */
  readonly lastUsedSec: number;
}

export class AffinityMap extends TableMap<LruHashTable> {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file, new LruHashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /**
   * Row of a client that was heard of within `timeoutSec`; -1 for none. Then `backend(row)`.
   * @param nowSec monotonic seconds
   */
  lookup(f: AffinityFields, frontendHandle: number, timeoutSec: number, nowSec: number): number {
    const { table } = this;
    this.#setKey(f, frontendHandle);
    const row = table.find();
    if (row < 0) return -1;
    const idleSec = nowSec - table.rows[row * table.rowWords + table.valueWord + V_USED];
    return idleSec >= 0 && idleSec <= timeoutSec ? row : -1;
  }

  backend(row: number): number {
    return this.table.rows[row * this.table.rowWords + this.table.valueWord + V_BACKEND];
  }

  /** Remembers what a client got. @param nowSec monotonic seconds */
  note(f: AffinityFields, frontendHandle: number, backend: number, nowSec: number): void {
    const { table } = this;
    this.#setKey(f, frontendHandle);
    table.now = nowSec;
    const row = table.offer();
    if (row < 0) return;
    const at = row * table.rowWords + table.valueWord;
    table.rows[at + V_BACKEND] = backend;
    table.rows[at + V_USED] = nowSec;
  }

  *entries(): Generator<AffinityEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  #setKey(f: AffinityFields, frontendHandle: number): void {
    const { key } = this.table;
    key[0] = f.src0;
    key[1] = f.src1;
    key[2] = f.src2;
    key[3] = f.src3;
    key[4] = frontendHandle;
  }

  #readEntry(slot: number): AffinityEntry {
    const { rows, rowWords, valueWord } = this.table;
    const key = slot * rowWords + ROW_KEY;
    const at = slot * rowWords + valueWord;
    return {
      client: addressAt(rows, key),
      frontendHandle: rows[key + 4],
      backend: rows[at + V_BACKEND],
      lastUsedSec: rows[at + V_USED],
    };
  }
}
