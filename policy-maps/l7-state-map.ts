/**
 * What an L7 parser must still know after a restart of the dataplane, when the L7 words of the conntrack row are too few
 * for it: the header tables of HTTP/2, the requests of Kafka that wait for their answers.
 *
 * ```
 *   directory, by conntrack slot          blocks of 64 words
 *   | 0 | block + 1 | 0 | ...             | state slot generation next count | 56 words of the parser |
 *                 `---------------------> | head  ...  next -----------------> | follower ... next 0    |
 * ```
 *
 * A parser's state is 1 to L7_STATE_MAX_WORDS words, and means what the parser wants it to. The dataplane alone reads
 * and writes; `save` and `load` copy, so the parser needs no view of the file:
 *
 *   saveState(words, at)   puts what tells its protocol into `words[at]` as before, and the rest here: `save`. When that
 *                          answers false (the map is full: counted), saveState must answer false too, and the
 *                          connection will not outlive the process.
 *   loadState(words, at)   asks for it: `load`. -1 means that there is nothing: answer false.
 *
 * A state belongs to a connection, that is, to a conntrack slot and its generation (CT_SLOT_GENERATION): what an earlier
 * connection in the slot left is never given out. `forget` frees it with the flow; whatever way a row goes otherwise
 * (eviction, another process), `expire` finds what is left of it.
 *
 * A writer killed in the middle of `save` leaves count 0, which is "nothing". The next one keeps whole states, frees all
 * other blocks and begins the list of free ones anew.
 */
import type { ConntrackMap } from './conntrack-map.ts';
import { CT_ROW_WORDS, CT_SLOT_GENERATION, CT_STATE } from './conntrack-row.ts';
import { LIVE } from './table/hash-row.ts';
import type { MapFile } from './table/map-file.ts';
import {
  HEADER_BYTES,
  type MapLayout,
  W_COUNT,
  W_CURSOR,
  W_EXPIRED,
  W_FREE_HEAD,
  W_FULL,
  W_HIGH_WATER,
  W_REMOVALS,
  W_UPDATES,
} from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';
import { Reservation } from './table/reservation.ts';

/** Default number of blocks: 16 MiB. */
const L7_STATE_CAPACITY = 65536;
/** Words that one connection may keep: both header tables of HTTP/2 at their default size, and 2,000 words. */
export const L7_STATE_MAX_WORDS = 4096;

// --- implementation
const SLOTS = 1 << 20; // of a conntrack map, at most
const BLOCK_WORDS = 64;
const B_STATE = 0;
const B_SLOT = 1;
const B_GENERATION = 2;
/** Next block + 1; 0 = the last. */
const B_NEXT = 3;
/** Of a head: words of the whole state; 0 while they are being written. */
const B_COUNT = 4;
const B_DATA = 8;
const DATA_WORDS = BLOCK_WORDS - B_DATA;
/** B_STATE: 0 = never used; negative = free, -(next free block + 2), or -1 for the last. */
const HEAD = 1;
const FOLLOWER = 2;

const LAYOUT: MapLayout = {
  kind: 'l7_state',
  version: 1,
  keyBytes: 8,
  valueBytes: BLOCK_WORDS * 4,
  capacity: L7_STATE_CAPACITY,
  maxCapacity: 1 << 20,
  fileBytes: (capacity) => HEADER_BYTES + (SLOTS + capacity * BLOCK_WORDS) * 4,
};

export class L7StateMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #header: Int32Array;
  readonly #directory: Int32Array;
  readonly #blocks: Int32Array;
  /** Memory for new blocks; a writer's. */
  readonly #memory: Reservation | undefined;

  constructor(file: MapFile) {
    super(file);
    this.#header = file.header;
    this.#directory = file.words(HEADER_BYTES, SLOTS);
    this.#blocks = file.words(HEADER_BYTES + SLOTS * 4, file.capacity * BLOCK_WORDS);
    if (!file.writable) return;
    file.require(this.#directory.byteOffset, this.#directory.byteLength);
    this.#memory = new Reservation(file, this.#blocks, BLOCK_WORDS);
    this.#recover();
  }

  /** Blocks in use. */
  get count(): number {
    return this.#header[W_COUNT];
  }

  /**
   * Keeps state[0, count) for a connection, in place of what was kept for it before.
   * @param slot of its conntrack row @param generation CT_SLOT_GENERATION of the row
   * @returns false when there is no room, or it is more than L7_STATE_MAX_WORDS: counted, and nothing is kept then
   */
  save(slot: number, generation: number, state: Int32Array, count: number): boolean {
    const blocks = this.#blocks;
    if (count < 1 || count > L7_STATE_MAX_WORDS) return this.#refuse(slot);
    let head = this.#headOf(slot);
    if (head < 0) head = this.#begin(slot);
    if (head < 0) return this.#refuse(slot);
    const headAt = head * BLOCK_WORDS;
    blocks[headAt + B_COUNT] = 0;
    blocks[headAt + B_GENERATION] = generation;
    let at = headAt;
    for (let from = 0; ; at = (blocks[at + B_NEXT] - 1) * BLOCK_WORDS) {
      const end = Math.min(count, from + DATA_WORDS);
      for (let to = at + B_DATA; from < end; from++, to++) blocks[to] = state[from];
      if (from === count) break;
      if (blocks[at + B_NEXT] === 0 && !this.#extend(at, slot)) return this.#refuse(slot);
    }
    const rest = blocks[at + B_NEXT] - 1;
    blocks[at + B_NEXT] = 0;
    this.#freeChain(rest);
    blocks[headAt + B_COUNT] = count;
    this.#header[W_UPDATES]++;
    return true;
  }

  /**
   * Copies what was kept for a connection to the front of `state`.
   * @returns how many words; -1 when nothing was kept for it, or more than `state` holds
   */
  load(slot: number, generation: number, state: Int32Array): number {
    const blocks = this.#blocks;
    const head = this.#headOf(slot);
    if (head < 0 || blocks[head * BLOCK_WORDS + B_GENERATION] !== generation) return -1;
    const count = blocks[head * BLOCK_WORDS + B_COUNT];
    if (count < 1 || count > Math.min(L7_STATE_MAX_WORDS, state.length)) return -1;
    let to = 0;
    for (let block = head; this.#holds(block); block = blocks[block * BLOCK_WORDS + B_NEXT] - 1) {
      const end = Math.min(count, to + DATA_WORDS);
      for (let at = block * BLOCK_WORDS + B_DATA; to < end; at++, to++) state[to] = blocks[at];
      if (to === count) return count;
    }
    return -1;
  }

  /** Frees what is kept for the connection in a conntrack slot. False when there is nothing. */
  forget(slot: number): boolean {
    const head = this.#headOf(slot);
    if (head < 0) return false;
    this.#directory[slot] = 0;
    this.#freeChain(head);
    this.#header[W_REMOVALS]++;
    return true;
  }

  /**
   * Looks at the next `budget` blocks, and frees the states of connections that are gone from conntrack.
   * @returns how many went
   */
  expire(conntrack: ConntrackMap, budget: number): number {
    const header = this.#header;
    const end = Math.min(header[W_HIGH_WATER], this.capacity);
    let expired = 0;
    for (let left = Math.min(budget, end); left > 0; left--) {
      if (header[W_CURSOR] >= end || header[W_CURSOR] < 0) header[W_CURSOR] = 0;
      const at = header[W_CURSOR]++ * BLOCK_WORDS;
      if (this.#blocks[at + B_STATE] !== HEAD || this.#isLive(conntrack.words, at)) continue;
      if (this.forget(this.#blocks[at + B_SLOT])) expired++;
    }
    header[W_EXPIRED] += expired;
    return expired;
  }

  #isLive(rows: Int32Array, at: number): boolean {
    const row = this.#blocks[at + B_SLOT] * CT_ROW_WORDS;
    return rows[row + CT_STATE] === LIVE && rows[row + CT_SLOT_GENERATION] === this.#blocks[at + B_GENERATION];
  }

  #refuse(slot: number): false {
    this.#header[W_FULL]++;
    this.forget(slot);
    return false;
  }

  #holds(block: number): boolean {
    return block >= 0 && block < this.capacity;
  }

  /** First block of what is kept for a slot, of whatever generation; -1 for none. */
  #headOf(slot: number): number {
    const block = slot >= 0 && slot < SLOTS ? this.#directory[slot] - 1 : -1;
    if (!this.#holds(block)) return -1;
    const at = block * BLOCK_WORDS;
    return this.#blocks[at + B_STATE] === HEAD && this.#blocks[at + B_SLOT] === slot ? block : -1;
  }

  #begin(slot: number): number {
    const block = slot >= 0 && slot < SLOTS ? this.#take(HEAD, slot) : -1;
    if (block >= 0) this.#directory[slot] = block + 1;
    return block;
  }

  #extend(at: number, slot: number): boolean {
    const block = this.#take(FOLLOWER, slot);
    this.#blocks[at + B_NEXT] = block + 1;
    return block >= 0;
  }

  /** A block nobody uses, or -1. */
  #take(state: number, slot: number): number {
    const header = this.#header;
    const blocks = this.#blocks;
    let block = header[W_FREE_HEAD] - 1;
    if (this.#holds(block)) header[W_FREE_HEAD] = -blocks[block * BLOCK_WORDS + B_STATE] - 1;
    else if (header[W_HIGH_WATER] < this.capacity && this.#hasRoom(header[W_HIGH_WATER]))
      block = header[W_HIGH_WATER]++;
    else return -1;
    const at = block * BLOCK_WORDS;
    blocks[at + B_STATE] = state;
    blocks[at + B_SLOT] = slot;
    blocks[at + B_NEXT] = 0;
    blocks[at + B_COUNT] = 0;
    header[W_COUNT]++;
    return block;
  }

  #hasRoom(block: number): boolean {
    return this.#memory?.hasRoom(block) !== false;
  }

  #freeChain(first: number): void {
    const blocks = this.#blocks;
    for (let block = first; this.#holds(block) && blocks[block * BLOCK_WORDS + B_STATE] > 0; ) {
      const next = blocks[block * BLOCK_WORDS + B_NEXT] - 1;
      this.#free(block);
      this.#header[W_COUNT]--;
      block = next;
    }
  }

  #free(block: number): void {
    this.#blocks[block * BLOCK_WORDS + B_STATE] = -(this.#header[W_FREE_HEAD] + 1);
    this.#header[W_FREE_HEAD] = block + 1;
  }

  /** What a writer does first: whole states stay, every other block becomes free. */
  #recover(): void {
    const header = this.#header;
    const end = Math.min(Math.max(header[W_HIGH_WATER], 0), this.capacity);
    const kept = new Set<number>();
    for (let block = 0; block < end; block++) this.#keep(block, end, kept);
    header[W_HIGH_WATER] = end;
    header[W_FREE_HEAD] = 0;
    header[W_COUNT] = kept.size;
    for (let block = end - 1; block >= 0; block--) if (!kept.has(block)) this.#free(block);
  }

  /** Adds the blocks of a state to `kept`, if `block` is its head and it is whole; else takes it out of the directory. */
  #keep(block: number, end: number, kept: Set<number>): void {
    const blocks = this.#blocks;
    if (blocks[block * BLOCK_WORDS + B_STATE] !== HEAD) return;
    const slot = blocks[block * BLOCK_WORDS + B_SLOT];
    const chain = [block];
    const wanted = Math.ceil(blocks[block * BLOCK_WORDS + B_COUNT] / DATA_WORDS);
    for (let at = block; chain.length < wanted; chain.push(at)) {
      at = blocks[at * BLOCK_WORDS + B_NEXT] - 1;
      const isMine = at >= 0 && at < end && blocks[at * BLOCK_WORDS + B_STATE] === FOLLOWER && !kept.has(at);
      if (!isMine || blocks[at * BLOCK_WORDS + B_SLOT] !== slot || chain.includes(at)) break;
    }
    const isWhole = wanted >= 1 && chain.length === wanted && this.#headOf(slot) === block;
    if (isWhole) for (const one of chain) kept.add(one);
    else if (this.#headOf(slot) === block) this.#directory[slot] = 0;
    if (isWhole) blocks[chain[chain.length - 1] * BLOCK_WORDS + B_NEXT] = 0;
  }
}
