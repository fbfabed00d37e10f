/**
 * Longest-prefix match over 128-bit addresses (IPv4 as ::ffff:a.b.c.d, so an IPv4 /24 is a /120): one hash table for
 * all prefixes, keyed by length and masked address, and a bit for each length in use. A lookup tries the lengths in
 * use, longest first; real rule sets use a handful. A length's bit is set before its first entry can be found and
 * cleared after its last one is gone, so a lookup never skips an entry.
 */
import { halfSipHash } from './half-sip-hash.ts';
import { HashTable, hashTableBytes } from './hash-table.ts';
import { type MapFile, W_GENERATION } from './map-file.ts';

// --- specification
const KEY_WORDS = 5; // prefix length, then the four address words
const V4_MAPPED = 0xffff;

// --- implementation: 129 counts and 5 words of bits before the hash table
const LENGTHS = 129;
const BITS_WORD = 132;
const PREAMBLE_WORDS = 144;
const READ_ATTEMPTS = 1000;

export interface LpmShape {
  readonly valueWords: number;
  readonly capacity: number;
}

export function lpmTableBytes(shape: LpmShape): number {
  return PREAMBLE_WORDS * 4 + hashTableBytes({ keyWords: KEY_WORDS, ...shape });
}

export class LpmTable extends HashTable {
  /** How many prefixes there are of each length. */
  readonly #counts: Int32Array;
  /** Bit n of word n >> 5 says that length n is in use. */
  readonly #bits: Int32Array;

  constructor(file: MapFile, byteOffset: number, shape: LpmShape) {
    super(file, byteOffset + PREAMBLE_WORDS * 4, { keyWords: KEY_WORDS, ...shape });
    this.#counts = file.words(byteOffset, LENGTHS);
    this.#bits = file.words(byteOffset + BITS_WORD * 4, 5);
  }

  /**
   * Slot of the longest prefix that holds the address, or -1, while another process may be writing.
   * The address is four words, most significant first.
   */
  match(a0: number, a1: number, a2: number, a3: number): number {
    const { header } = this;
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const before = header[W_GENERATION];
      const slot = this.#matchOnce(a0, a1, a2, a3);
      if ((before & 1) === 0 && Atomics.load(header, W_GENERATION) === before) return slot;
    }
    return this.#matchOnce(a0, a1, a2, a3);
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
    const length = this.rows[slot * this.rowWords + 2];
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
    for (const slot of this.slots()) this.#counts[this.rows[slot * this.rowWords + 2]]++;
    this.#bits.fill(0);
    for (let length = 0; length < LENGTHS; length++) {
      if (this.#counts[length] > 0) this.#bits[length >> 5] |= 1 << (length & 31);
    }
  }

  /** An IPv4 prefix is told apart by its length and last word: two words to hash, not five. */
  protected override hashOfKey(): number {
    const { key } = this;
    const { seed0, seed1 } = this.file;
    if (key[0] < 96 || key[3] !== V4_MAPPED || key[1] !== 0 || key[2] !== 0)
      return halfSipHash(key, 0, KEY_WORDS, seed0, seed1);
    key[3] = key[0]; // length and last word side by side
    const hash = halfSipHash(key, 3, 2, seed0, seed1);
    key[3] = V4_MAPPED;
    return hash;
  }

  #matchOnce(a0: number, a1: number, a2: number, a3: number): number {
    const bits = this.#bits;
    for (let word = 4; word >= 0; word--) {
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
}

/** Mask of the `bits` high bits of a word; none below 1, all above 31. */
function wordMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}
