/**
 * Rows of words by number, all there from the start and all zero. The first word of a row is its version: odd while the
 * writer changes the row, so that a reader elsewhere never takes half a row for a whole one. The table's generation
 * counts changed rows, and what else its readers are to look at again.
 */
import type { MapFile } from './map-file.ts';
import { READ_ATTEMPTS, W_GENERATION, W_UPDATES } from './map-header.ts';

export function arrayTableBytes(rowWords: number, capacity: number): number {
  return rowWords * capacity * 4;
}

export class ArrayTable {
  readonly words: Int32Array;
  readonly rowWords: number;
  readonly capacity: number;
  readonly #header: Int32Array;

  /** `rowWords` counts the version word. */
  constructor(file: MapFile, byteOffset: number, rowWords: number) {
    this.words = file.words(byteOffset, rowWords * file.capacity);
    this.rowWords = rowWords;
    this.capacity = file.capacity;
    this.#header = file.header;
  }

  /** Moves with every changed row, and with touch(). */
  get generation(): number {
    return Atomics.load(this.#header, W_GENERATION);
  }

  /** Writes a whole row: `row` has rowWords - 1 words. @throws {RangeError} when there is no such row */
  set(index: number, row: Int32Array): void {
    const at = this.#rowAt(index);
    const version = this.words[at] | 1;
    Atomics.store(this.words, at, version);
    this.words.set(row, at + 1);
    Atomics.store(this.words, at, (version + 1) | 0);
    this.#header[W_UPDATES]++;
    Atomics.add(this.#header, W_GENERATION, 1);
  }

  /** Has readers look again though no row has changed. */
  touch(): void {
    Atomics.add(this.#header, W_GENERATION, 1);
  }

  /** Copies a whole row into `row` (rowWords - 1 words). False when the writer died in the middle of it. */
  get(index: number, row: Int32Array): boolean {
    const at = this.#rowAt(index);
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const version = Atomics.load(this.words, at);
      for (let i = 0; i < row.length; i++) row[i] = this.words[at + 1 + i];
      if ((version & 1) === 0 && Atomics.load(this.words, at) === version) return true;
    }
    return false;
  }

  /** The writer is in the middle of this row now, or has died there: it says nothing until it is written again. */
  isUnderWay(index: number): boolean {
    return (Atomics.load(this.words, this.#rowAt(index)) & 1) === 1;
  }

  #rowAt(index: number): number {
    if (!(index >= 0 && index < this.capacity))
      throw new RangeError(`row: found ${index}, wanted 0 to ${this.capacity - 1}`);
    return index * this.rowWords;
  }
}
