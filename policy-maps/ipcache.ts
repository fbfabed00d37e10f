/**
 * Which identity an address has: longest prefix first. Written by the agent, read by the dataplane for every frame.
 *
 * The addresses of the moment are few, so the answers given last are kept in a small direct-mapped array with the
 * generation of the table they were found under: as long as nothing is written, an address costs one comparison.
 */
import { LPM_KEY_WORDS, LpmTable, lpmTableBytes } from './table/lpm-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';

const IPCACHE_CAPACITY = 512000;

// --- specification: the value, as words
const VALUE_WORDS = 6;
const V_IDENTITY = 0;
const V_TUNNEL = 1; // four address words
const V_KEY_FLAGS = 5; // bits 0-7 encryption key, 8-15 flags

// --- implementation
const FRONT_BITS = 12;
const FRONT_WORDS = 8;

const WORDS = { keyWords: LPM_KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout({ kind: 'ipcache', capacity: IPCACHE_CAPACITY, maxCapacity: 1 << 20 }, WORDS, lpmTableBytes);

/** Four 32-bit words, most significant first; IPv4 as ::ffff:a.b.c.d. */
export type AddressWords = readonly [number, number, number, number];

export interface IpcacheValue {
  readonly identity: number;
  readonly tunnelEndpoint?: AddressWords;
  /** Encryption key id, 0 to 255. */
  readonly key?: number;
  /** 0 to 255. */
  readonly flags?: number;
}

export interface IpcacheEntry extends Required<IpcacheValue> {
  readonly address: AddressWords;
  /** 0 to 128; an IPv4 /24 is 120. */
  readonly prefixLength: number;
}

export class Ipcache extends TableMap<LpmTable> {
  static readonly layout = LAYOUT;
  /** Rows of generation + 1 (odd; 0 = empty), address, identity, in this process's heap. */
  readonly #front = new Int32Array(FRONT_WORDS << FRONT_BITS);

  constructor(file: MapFile) {
    super(file, new LpmTable(file, HEADER_BYTES, { valueWords: VALUE_WORDS, capacity: file.capacity }));
  }

  /** Identity of an address; 0 when no prefix holds it. */
  lookup(a0: number, a1: number, a2: number, a3: number): number {
    const front = this.#front;
    const stamp = this.table.readGeneration + 1;
    const at = ((Math.imul(a3, 0x9e3779b1) ^ Math.imul(a1 ^ a2, 0x85ebca77)) >>> (32 - FRONT_BITS)) * FRONT_WORDS;
    // Fast: asked before, and nothing has changed since.
    const isKnown =
      front[at] === stamp &&
      front[at + 4] === a3 &&
      front[at + 3] === a2 &&
      front[at + 2] === a1 &&
      front[at + 1] === a0;
    if (isKnown) return front[at + 5];
    // Slow: longest prefix first.
    front[at + 1] = a0;
    front[at + 2] = a1;
    front[at + 3] = a2;
    front[at + 4] = a3;
    return this.#learn(at);
  }

  /** The whole entry an address leads to, for people. */
  match(address: AddressWords): IpcacheEntry | undefined {
    const table = this.table;
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      const slot = table.match(...address);
      const entry = slot < 0 ? undefined : this.#readEntry(slot);
      if (table.isUnchanged(before) || attempt > READ_ATTEMPTS) return entry;
    }
  }

  /** Looks up the address at `at` of the front, and keeps the answer there with the generation it is true for. */
  #learn(at: number): number {
    const front = this.#front;
    const table = this.table;
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      const slot = table.match(front[at + 1], front[at + 2], front[at + 3], front[at + 4]);
      const identity = slot < 0 ? 0 : table.rows[slot * table.rowWords + table.valueWord + V_IDENTITY];
      const isSame = table.isUnchanged(before);
      if (!isSame && attempt < READ_ATTEMPTS) continue;
      front[at] = isSame ? before + 1 : 0;
      front[at + 5] = identity;
      return identity;
    }
  }

  /**
   * Adds or replaces a prefix; bits beyond its length are dropped.
   * @throws {MapFullError} when it is new and there is no room
   * @throws {RangeError} when the length is not 0 to 128
   */
  upsert(address: AddressWords, prefixLength: number, value: IpcacheValue): void {
    const table = this.table;
    checkLength(prefixLength);
    table.setPrefix(address[0], address[1], address[2], address[3], prefixLength);
    const slot = table.stage();
    const at = slot * table.rowWords + table.valueWord;
    table.rows[at + V_IDENTITY] = value.identity;
    if (value.tunnelEndpoint !== undefined) table.rows.set(value.tunnelEndpoint, at + V_TUNNEL);
    table.rows[at + V_KEY_FLAGS] = ((value.key ?? 0) & 0xff) | (((value.flags ?? 0) & 0xff) << 8);
    table.publish(slot);
  }

  /** Identity of the longest prefix around this one, itself not counted; 0 when there is none. For the writer. */
  around(address: AddressWords, prefixLength: number): number {
    const { table } = this;
    for (let length = prefixLength - 1; length >= 0; length--) {
      table.setPrefix(address[0], address[1], address[2], address[3], length);
      const slot = table.find();
      if (slot >= 0) return table.rows[slot * table.rowWords + table.valueWord + V_IDENTITY] >>> 0;
    }
    return 0;
  }

  /** Takes a prefix out; false when it was not there. */
  remove(address: AddressWords, prefixLength: number): boolean {
    checkLength(prefixLength);
    this.table.setPrefix(address[0], address[1], address[2], address[3], prefixLength);
    return this.table.remove();
  }

  *entries(): Generator<IpcacheEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  #readEntry(slot: number): IpcacheEntry {
    const { rows, rowWords, valueWord } = this.table;
    const at = slot * rowWords + valueWord;
    const keyAt = at - LPM_KEY_WORDS;
    return {
      prefixLength: rows[keyAt],
      address: addressAt(rows, keyAt + 1),
      identity: rows[at + V_IDENTITY] >>> 0,
      tunnelEndpoint: addressAt(rows, at + V_TUNNEL),
      key: rows[at + V_KEY_FLAGS] & 0xff,
      flags: (rows[at + V_KEY_FLAGS] >>> 8) & 0xff,
    };
  }
}

/** Four words from `at` on, as an address. */
export function addressAt(words: Int32Array, at: number): AddressWords {
  return [words[at], words[at + 1], words[at + 2], words[at + 3]];
}

function checkLength(prefixLength: number): void {
  if (!(prefixLength >= 0 && prefixLength <= 128)) {
    throw new RangeError(`ipcache prefix length: found ${prefixLength}, wanted 0 to 128`);
  }
}
