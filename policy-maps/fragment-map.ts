/**
 * Which ports the fragments of a datagram have: learnt from its first fragment, asked for by the others. Full: the
 * datagram heard of longest ago is forgotten. The dataplane alone reads and writes it.
 */
import type { TupleFields } from './conntrack-map.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import { ROW_KEY } from './table/hash-row.ts';
import { LruHashTable, lruHashTableBytes } from './table/lru-hash-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';

const FRAGMENT_CAPACITY = 8192;
/** How long ports are remembered: RFC 791 and RFC 8200 let reassembly take 15 to 60 s. */
export const FRAGMENT_LIFETIME_SEC = 30;

const KEY_WORDS = 10; // source, destination, id, protocol
const VALUE_WORDS = 2; // ports; second after which it is forgotten

const WORDS = { keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout({ kind: 'frag', capacity: FRAGMENT_CAPACITY, maxCapacity: 65536 }, WORDS, lruHashTableBytes);

/** What the fragments of a datagram have in common; the Frame cursor has these fields. */
export interface FragmentFields extends Omit<TupleFields, 'srcPort' | 'dstPort'> {
  readonly fragmentId: number;
}

export interface FragmentEntry {
  readonly source: AddressWords;
  readonly destination: AddressWords;
  readonly fragmentId: number;
  readonly protocol: number;
  readonly srcPort: number;
  readonly dstPort: number;
}

export class FragmentMap extends TableMap<LruHashTable> {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file, new LruHashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** Remembers the ports of a datagram whose first fragment this is. */
  insert(f: FragmentFields, srcPort: number, dstPort: number, nowSec: number): void {
    const table = this.table;
    this.#setKey(f);
    table.now = nowSec;
    const slot = table.acquire();
    const at = slot * table.rowWords + table.valueWord;
    table.rows[at] = (srcPort << 16) | dstPort;
    table.rows[at + 1] = nowSec + FRAGMENT_LIFETIME_SEC;
  }

  /** Slot of the datagram a fragment belongs to, or -1; then `srcPort(slot)` and `dstPort(slot)`. */
  lookup(f: FragmentFields, nowSec: number): number {
    const table = this.table;
    this.#setKey(f);
    const slot = table.find();
    if (slot < 0 || table.rows[slot * table.rowWords + table.valueWord + 1] - nowSec < 0) return -1;
    return slot;
  }

  srcPort(slot: number): number {
    return this.table.rows[slot * this.table.rowWords + this.table.valueWord] >>> 16;
  }

  dstPort(slot: number): number {
    return this.table.rows[slot * this.table.rowWords + this.table.valueWord] & 0xffff;
  }

  *entries(): Generator<FragmentEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  #readEntry(slot: number): FragmentEntry {
    const { rows, rowWords } = this.table;
    const key = slot * rowWords + ROW_KEY;
    return {
      source: addressAt(rows, key),
      destination: addressAt(rows, key + 4),
      fragmentId: rows[key + 8] >>> 0,
      protocol: rows[key + 9],
      srcPort: this.srcPort(slot),
      dstPort: this.dstPort(slot),
    };
  }

  #setKey(f: FragmentFields): void {
    const { key } = this.table;
    key[0] = f.src0;
    key[1] = f.src1;
    key[2] = f.src2;
    key[3] = f.src3;
    key[4] = f.dst0;
    key[5] = f.dst1;
    key[6] = f.dst2;
    key[7] = f.dst3;
    key[8] = f.fragmentId;
    key[9] = f.protocol;
  }
}
