/**
 * Which addresses of which names are published: the pairs that ipcache, identities and policies speak of already, so that an
 * answer with no others may go on at once. Written by the agent; asked by the dataplane for each address of an answer.
 *
 *   key    hash of the name, 2 words (lower case, wire form) · address, 4 words
 *   value  second of the monotonic clock at which the pair ends
 *
 * A name is kept as 64 bits of a hash keyed by the file's seed. Two names with one hash fail closed: an address is taken for
 * published, and is not reachable.
 *
 * The agent stores a pair after all else that speaks of it, and takes it out first. The dataplane takes a pair as published until
 * its last second; whoever takes it out looks at the clock, and at the ring (dns-events.ts), a second later than that.
 */
import { type AddressWords, addressAt } from './ipcache.ts';
import { halfSipHash } from './table/half-sip-hash.ts';
import { ROW_KEY } from './table/hash-row.ts';
import { HashTable } from './table/hash-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';

const FQDN_CAPACITY = 65536;

const NAME_WORDS = 64; // 255 bytes
const WORDS = { keyWords: 6, valueWords: 1 };
const LAYOUT = tableLayout({ kind: 'fqdn', capacity: FQDN_CAPACITY, maxCapacity: 1 << 20 }, WORDS);
const MAX_SEC = 0x7fffffff;

/** The hash of a name in one file. */
export type NameHash = readonly [number, number];

export interface FqdnEntry {
  readonly name: NameHash;
  readonly address: AddressWords;
  /** Monotonic second. */
  readonly expirySec: number;
}

export class FqdnMap extends TableMap<HashTable> {
  static readonly layout = LAYOUT;
  /** A name, filled up with zeroes to whole words: its end is in it. */
  readonly #words = new Int32Array(NAME_WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** Says whose addresses `lookup` is about. @param bytes wire form in lower case: bytes[0, length), 1 to 255 */
  setName(bytes: Uint8Array, length: number): void {
    const words = (length + 3) >>> 2;
    this.#words[words - 1] = 0;
    for (let i = 0; i < length; i++) this.#bytes[i] = bytes[i];
    const { seed0, seed1 } = this.file;
    const { key } = this.table;
    key[0] = halfSipHash(this.#words, 0, words, seed0, seed1);
    key[1] = halfSipHash(this.#words, 0, words, ~seed1, seed0);
  }

  /** Half of the hash of the name that was set last. */
  get nameHash(): number {
    return this.table.key[0];
  }

  /** The second at which an address of the name ends; 0 when the pair is not published. Allocates nothing. */
  lookup(a0: number, a1: number, a2: number, a3: number): number {
    const { table } = this;
    this.#setAddress(a0, a1, a2, a3);
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      const slot = table.find();
      const expirySec = slot < 0 ? 0 : table.rows[slot * table.rowWords + table.valueWord];
      if (table.isUnchanged(before) || attempt >= READ_ATTEMPTS) return expirySec;
    }
  }

  /** The hash of a name, for the methods of the writer. @param bytes as `setName` */
  hashOf(bytes: Uint8Array, length: number): NameHash {
    this.setName(bytes, length);
    const { key } = this.table;
    return [key[0], key[1]];
  }

  /**
   * Adds a pair, or gives one that is there another end.
   * @param expirySec monotonic second, 1 or more
   * @throws {MapFullError} when it is new and there is no room; nothing has changed then
   */
  set(name: NameHash, address: AddressWords, expirySec: number): void {
    const { table } = this;
    this.#setKey(name, address);
    const found = table.find();
    const slot = found < 0 ? table.stage() : found;
    table.rows[slot * table.rowWords + table.valueWord] = Math.min(expirySec, MAX_SEC);
    if (found < 0) table.publish(slot);
  }

  /** Takes a pair out; false when it was not there. */
  remove(name: NameHash, address: AddressWords): boolean {
    this.#setKey(name, address);
    return this.table.remove();
  }

  *entries(): Generator<FqdnEntry> {
    const { rows, rowWords, valueWord } = this.table;
    yield* this.table.describe((slot) => {
      const key = slot * rowWords + ROW_KEY;
      const expirySec = rows[slot * rowWords + valueWord];
      return { name: [rows[key], rows[key + 1]] as const, address: addressAt(rows, key + 2), expirySec };
    });
  }

  #setKey(name: NameHash, address: AddressWords): void {
    this.table.key[0] = name[0];
    this.table.key[1] = name[1];
    this.#setAddress(...address);
  }

  #setAddress(a0: number, a1: number, a2: number, a3: number): void {
    const { key } = this.table;
    key[2] = a0;
    key[3] = a1;
    key[4] = a2;
    key[5] = a3;
  }
}
