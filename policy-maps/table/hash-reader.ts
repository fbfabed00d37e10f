/**
 * The reading side of HashTable (there is the picture): finding a key, and reading whole rows while another process
 * writes.
 *
 * A reader watches the generation word (odd while the writer is at work) over all it reads, value included, and tries
 * again; after READ_ATTEMPTS it takes what it found, which is right if the writer is standing still or dead. Slots read
 * from the file are only ever used as positions in the rows array, where a wild one matches nothing.
 */
import { halfSipHash } from './half-sip-hash.ts';
import { type HashShape, hashIndexWords, hashRowWords, LIVE, ROW_KEY, ROW_STATE, SPARE_ROWS } from './hash-row.ts';
import type { MapFile } from './map-file.ts';
import { READ_ATTEMPTS, W_COUNT, W_GENERATION, W_HIGH_WATER } from './map-header.ts';

// --- implementation
const PROBE_LIMIT = 256;
// V8 folds a constant of the module's own, but loads and checks an imported one at every use (bench/policy-maps.bench.ts)
const STATE = ROW_STATE;
const KEY = ROW_KEY;
const IN_USE = LIVE;
const GENERATION = W_GENERATION;
const ATTEMPTS = READ_ATTEMPTS;

export class HashReader {
  /** Fill this before find, lookup, stage, remove. */
  readonly key: Int32Array;
  /** All rows: the value of slot s begins at word `s * rowWords + valueWord`. */
  readonly rows: Int32Array;
  readonly rowWords: number;
  readonly valueWord: number;
  readonly file: MapFile;
  protected readonly keyWords: number;
  readonly rowCount: number;
  protected readonly seed0: number;
  protected readonly seed1: number;
  protected readonly header: Int32Array;
  /** The index, and the parts of its words: for subclasses that look up in a way of their own. */
  readonly index: Int32Array;
  readonly indexMask: number;
  readonly slotMask: number;
  /** Where the last find() ended, and the hash it looked for: the writer goes on from there. */
  protected foundAt = 0;
  protected foundHash = 0;

  /** The table lies in `file` from `byteOffset` (a multiple of 64) on. */
  constructor(file: MapFile, byteOffset: number, shape: HashShape) {
    const indexWords = hashIndexWords(shape.capacity);
    this.file = file;
    this.header = file.header;
    this.seed0 = file.seed0;
    this.seed1 = file.seed1;
    this.keyWords = shape.keyWords;
    this.rowWords = hashRowWords(shape);
    this.valueWord = KEY + shape.keyWords;
    this.rowCount = shape.capacity + SPARE_ROWS;
    this.key = new Int32Array(shape.keyWords);
    this.index = file.words(byteOffset, indexWords);
    this.rows = file.words(byteOffset + indexWords * 4, this.rowCount * this.rowWords);
    this.indexMask = indexWords - 1;
    this.slotMask = (1 << (32 - Math.clz32(this.rowCount))) - 1;
  }

  get count(): number {
    return this.header[W_COUNT];
  }

  get generation(): number {
    return Atomics.load(this.header, GENERATION);
  }

  /** Slot of `key`, or -1. For the writer, or inside a generation window. */
  find(): number {
    const hash = this.hashOfKey();
    const { index, indexMask, slotMask } = this;
    let at = hash & indexMask;
    this.foundHash = hash;
    for (let probes = 0; probes < PROBE_LIMIT; probes++) {
      const word = index[at];
      if (word === 0) {
        this.foundAt = at;
        return -1;
      }
      if (((word ^ hash) & ~slotMask) === 0 && this.#keyIsAt((word & slotMask) - 1)) {
        this.foundAt = at;
        return (word & slotMask) - 1;
      }
      at = (at + 1) & indexMask;
    }
    this.foundAt = -1;
    return -1;
  }

  /**
   * Opens a window for reading while another process may write: note the generation, read, and if `isUnchanged` says
   * no, read again; but only ATTEMPTS times.
   */
  get readGeneration(): number {
    return this.header[GENERATION];
  }

  /** Whether nothing was written since the window opened. */
  isUnchanged(before: number): boolean {
    return (before & 1) === 0 && Atomics.load(this.header, GENERATION) === before;
  }

  /** Slot of `key`, or -1, while another process may be writing. Its row may be given away after a few more writes. */
  lookup(): number {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = this.readGeneration;
      const slot = this.find();
      if (this.isUnchanged(before)) return slot;
    }
    return this.find();
  }

  /** What `read` makes of every live row, each read whole. For people: it allocates. */
  *describe<Row>(read: (slot: number) => Row): Generator<Row> {
    for (const slot of this.slots()) {
      let row = read(slot);
      for (let attempt = 0, before = -1; attempt < ATTEMPTS && !this.isUnchanged(before); attempt++) {
        before = this.readGeneration;
        row = read(slot);
      }
      if (this.rows[slot * this.rowWords + STATE] === IN_USE) yield row;
    }
  }

  /** Every live slot, lowest first. Rows may change under a reader in another process. */
  *slots(): Generator<number> {
    const end = Math.min(this.header[W_HIGH_WATER], this.rowCount);
    for (let slot = 0; slot < end; slot++) {
      if (this.rows[slot * this.rowWords + STATE] === IN_USE) yield slot;
    }
  }

  /** Copies the key of a row into `key`. */
  loadKey(slot: number): void {
    const first = slot * this.rowWords + KEY;
    for (let i = 0; i < this.keyWords; i++) this.key[i] = this.rows[first + i];
  }

  protected hashOfKey(): number {
    return halfSipHash(this.key, 0, this.keyWords, this.seed0, this.seed1);
  }

  #keyIsAt(slot: number): boolean {
    const { rows, key, keyWords } = this;
    const first = slot * this.rowWords + KEY;
    for (let i = 0; i < keyWords; i++) if (rows[first + i] !== key[i]) return false;
    return true;
  }
}
