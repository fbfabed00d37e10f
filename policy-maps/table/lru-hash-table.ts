/**
 * A hash table that makes room by itself: when full, it looks at the next SAMPLE rows in turn and gives up the one used
 * longest ago (an approximation of LRU that needs no list). "Used" is a number the owner sets: write `now` before a
 * batch, call `touch`. Values are changed in place: the writer is the only one who needs them to be fresh.
 *
 * Each row has a generation that changes when the row is given to another key, so that a handle kept elsewhere (slot and
 * generation in one word) shows its age.
 */
import { type HashShape, hashTableBytes, LIVE, ROW_STATE } from './hash-row.ts';
import { HashTable } from './hash-table.ts';
import type { MapFile } from './map-file.ts';
import { W_CURSOR, W_EVICTIONS, W_HIGH_WATER } from './map-header.ts';

const SAMPLE = 16; // rows looked at for one eviction
/** Words at the end of each row. */
const OWN_WORDS = 2;

export function lruHashTableBytes(shape: HashShape): number {
  return hashTableBytes({ ...shape, valueWords: shape.valueWords + OWN_WORDS });
}

export class LruHashTable extends HashTable {
  /** The clock of `touch`: any number that does not go back, wrapping at 2^32. */
  now = 0;
  readonly #limit: number;
  readonly #wanted: Int32Array;
  readonly #stampWord: number;
  readonly #generationWord: number;

  constructor(file: MapFile, byteOffset: number, shape: HashShape) {
    super(file, byteOffset, { ...shape, valueWords: shape.valueWords + OWN_WORDS });
    this.#limit = shape.capacity;
    this.#wanted = new Int32Array(shape.keyWords);
    this.#stampWord = this.valueWord + shape.valueWords;
    this.#generationWord = this.#stampWord + 1;
    this.quarantine = 0;
  }

  /** Slot of `key`, made (value all zero) if need be. Evicts when full. */
  acquire(): number {
    const found = this.find();
    if (found >= 0) {
      this.touch(found);
      return found;
    }
    if (this.count >= this.#limit || !this.hasRow()) this.evict();
    const slot = this.stage();
    this.touch(slot);
    this.publish(slot);
    return slot;
  }

  /** As `acquire` without a throw: -1 when there is no place near the key's own (counted). */
  offer(): number {
    let slot = this.find();
    if (slot < 0) {
      if (this.count >= this.#limit || !this.hasRow()) {
        this.evict();
        this.find();
      }
      slot = this.claim();
      if (slot < 0) return -1;
    }
    this.touch(slot);
    return slot;
  }

  touch(slot: number): void {
    this.rows[slot * this.rowWords + this.#stampWord] = this.now;
  }

  /** Changes whenever the row is given to another key. */
  rowGeneration(slot: number): number {
    return this.rows[slot * this.rowWords + this.#generationWord];
  }

  protected override fillRow(slot: number, hash: number): void {
    const at = slot * this.rowWords + this.#generationWord;
    const generation = this.rows[at];
    super.fillRow(slot, hash);
    this.rows[at] = (generation + 1) | 0;
  }

  /** Takes out the row used longest ago among the next SAMPLE live rows. `key` is kept. */
  protected evict(): void {
    const { rows, rowWords, header } = this;
    const end = Math.min(header[W_HIGH_WATER], this.rowCount);
    let hand = header[W_CURSOR];
    let oldest = -1;
    for (let seen = 0, steps = 0; seen < SAMPLE && steps < end; steps++) {
      hand = hand + 1 >= end || hand < 0 ? 0 : hand + 1;
      if (rows[hand * rowWords + ROW_STATE] !== LIVE) continue;
      seen++;
      if (oldest < 0 || this.age(hand) > this.age(oldest)) oldest = hand;
    }
    header[W_CURSOR] = hand;
    if (oldest < 0) return;
    this.#wanted.set(this.key);
    this.loadKey(oldest);
    this.remove();
    this.key.set(this.#wanted);
    header[W_EVICTIONS]++;
  }

  /** How long ago a row was used; the greatest goes first. */
  protected age(slot: number): number {
    return (this.now - this.rows[slot * this.rowWords + this.#stampWord]) >>> 0;
  }
}
