/**
 * Longest-prefix match over 128-bit addresses (IPv4 as ::ffff:a.b.c.d, so an IPv4 /24 is a /120): one hash table for
 * all prefixes, keyed by length and masked address, and a bit for each length in use. A lookup tries the lengths in
 * use, longest first; real rule sets use a handful. A length's bit is set before its first entry can be found and
 * cleared after its last one is gone, so a lookup never skips an entry.
 */
import * as address from '../../wire/address.ts';
import { halfSipHash } from './half-sip-hash.ts';
import { type HashShape, hashTableBytes, ROW_KEY } from './hash-row.ts';
import { HashTable } from './hash-table.ts';
import type { MapFile } from './map-file.ts';

// --- specification
export const LPM_KEY_WORDS = 5; // prefix length, then the four address words
const KEY_WORDS = LPM_KEY_WORDS;

// --- implementation: 129 counts and 5 words of bits before the hash table
const LENGTHS = 129;
const BITS_WORD = 132;
const PREAMBLE_WORDS = 144;
const PROBE_LIMIT = 256; // as HashTable
// V8 folds a constant of the module's own, but loads and checks an imported one at every use (bench/policy-maps.bench.ts)
const KEY = ROW_KEY;
const V4_MAPPED = address.V4_MAPPED;

type LpmShape = Omit<HashShape, 'keyWords'>;

export function lpmTableBytes(shape: LpmShape): number {
  return PREAMBLE_WORDS * 4 + hashTableBytes({ ...shape, keyWords: KEY_WORDS });
}

export class LpmTable extends HashTable {
  /** How many prefixes there are of each length. */
  readonly #counts: Int32Array;
  /** Bit n of word n >> 5 says that length n is in use. */
  readonly #bits: Int32Array;

  constructor(file: MapFile, byteOffset: number, shape: LpmShape) {
    super(file, byteOffset + PREAMBLE_WORDS * 4, { ...shape, keyWords: KEY_WORDS });
    this.#counts = file.words(byteOffset, LENGTHS);
    this.#bits = file.words(byteOffset + BITS_WORD * 4, 5);
  }

  /** Fills `key` with a prefix; bits beyond the length are dropped. */
  setPrefix(a0: number, a1: number, a2: number, a3: number, length: number): void {
    const { key } = this;
    key[0] = length;
    key[1] = a0 & wordMask(length);
    key[2] = a1 & wordMask(length - 32);
    key[3] = a2 & wordMask(length - 64);
    key[4] = a3 & wordMask(length - 96);
  }

  override publish(slot: number): void {
    const length = this.rows[slot * this.rowWords + KEY];
    const before = this.count;
    this.#bits[length >> 5] |= 1 << (length & 31);
    try {
      super.publish(slot);
    } finally {
      if (this.count > before) this.#counts[length]++;
      else if (this.#counts[length] === 0) this.#bits[length >> 5] &= ~(1 << (length & 31));
    }
  }

  override remove(): boolean {
    const length = this.key[0];
    if (!super.remove()) return false;
    if (--this.#counts[length] <= 0) this.#bits[length >> 5] &= ~(1 << (length & 31));
    return true;
  }

  override recover(): void {
    super.recover();
    this.#counts.fill(0);
    for (const slot of this.slots()) this.#counts[this.rows[slot * this.rowWords + KEY]]++;
    this.#bits.fill(0);
    for (let length = 0; length < LENGTHS; length++) {
      if (this.#counts[length] > 0) this.#bits[length >> 5] |= 1 << (length & 31);
    }
  }

  /** An IPv4 prefix is told apart by its length and last word. */
  protected override hashOfKey(): number {
    const { key } = this;
    const isV4 = key[0] >= 96 && key[3] === V4_MAPPED && key[1] === 0 && key[2] === 0;
    return isV4
      ? hashV4(key[4], key[0], this.seed0, this.seed1)
      : halfSipHash(key, 0, KEY_WORDS, this.seed0, this.seed1);
  }

  /**
   * Slot of the longest prefix that holds the address, or -1. For the writer, or inside a window (`readGeneration`).
   * The address is four words, most significant first.
   */
  match(a0: number, a1: number, a2: number, a3: number): number {
    let top = 4;
    if (a2 === V4_MAPPED && a1 === 0 && a0 === 0) {
      const slot = this.#matchV4(a3);
      if (slot >= 0) return slot;
      top = 2; // of the prefixes shorter than 96, ::/0 and its like hold IPv4 too
    }
    const bits = this.#bits;
    for (let word = top; word >= 0; word--) {
      let left = bits[word];
      while (left !== 0) {
        const bit = 31 - Math.clz32(left);
        left ^= 1 << bit;
        this.setPrefix(a0, a1, a2, a3, (word << 5) | bit);
        const slot = this.find();
        if (slot >= 0) return slot;
      }
    }
    return -1;
  }

  /** The same for IPv4 prefixes, in one loop and without the key array: half the time (bench/policy-maps.bench.ts). */
  #matchV4(a3: number): number {
    const bits = this.#bits;
    let left = bits[3];
    let length = 128;
    if ((bits[4] & 1) === 0) {
      if (left === 0) return -1;
      length = 127 - Math.clz32(left);
      left ^= 1 << (length & 31);
    }
    for (;;) {
      const masked = length === 96 ? 0 : a3 & (-1 << (128 - length));
      const slot = this.#findV4(masked, length);
      if (slot >= 0 || left === 0) return slot;
      length = 127 - Math.clz32(left);
      left ^= 1 << (length & 31);
    }
  }

  #findV4(masked: number, length: number): number {
    const { index, indexMask, slotMask, rows, rowWords } = this;
    const hash = hashV4(masked, length, this.seed0, this.seed1);
    let at = hash & indexMask;
    for (let probes = 0; probes < PROBE_LIMIT; probes++) {
      const word = index[at];
      if (word === 0) return -1;
      if (((word ^ hash) & ~slotMask) === 0) {
        const key = ((word & slotMask) - 1) * rowWords + KEY;
        const isV4 = rows[key + 3] === V4_MAPPED && rows[key + 2] === 0 && rows[key + 1] === 0;
        if (rows[key + 4] === masked && rows[key] === length && isV4) return (word & slotMask) - 1;
      }
      at = (at + 1) & indexMask;
    }
    return -1;
  }
}

/**
 * What `lowbias32` does, with the seed in two places. Prefixes come from the agent, so this is enough to keep apart
 * those that somebody may have chosen (addresses of FQDNs), and it is five times faster than HalfSipHash.
 */
function hashV4(address: number, length: number, seed0: number, seed1: number): number {
  let h = address ^ seed0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) ^ seed1;
  h = Math.imul(h ^ (h >>> 15) ^ Math.imul(length, 0x9e3779b1), 0x846ca68b);
  return h ^ (h >>> 16);
}

/** Mask of the `bits` high bits of a word; none below 1, all above 31. */
export function wordMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}
