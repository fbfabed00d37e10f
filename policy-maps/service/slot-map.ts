/**
 * The backends of each frontend, in blocks that service rows name.
 *
 * ```
 *   block (a power of two of 64-byte units): | version | frontend | members | table length | member ids, ascending | table ids |
 * ```
 *
 * Members are all backends of the frontend. The table is what a choice is made from: the ids of those that take new
 * connections, repeated by weight, or a Maglev table. A block is written whole before a row names it, and is free again
 * once no row does; freed blocks are used again oldest first. A reader that was overtaken by all of that is told by the
 * version (odd while written) and by the frontend, which says whose block this is: it looks the row up again.
 *
 * Written by the agent. Which blocks are free it knows by itself (block-allocator.ts).
 */
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, type MapLayout, W_COUNT, W_GENERATION, W_UPDATES } from '../table/map-header.ts';
import { PinnedMap } from '../table/pinned-map.ts';

/** Units of 64 bytes: 10,000 services of 10 backends, or 1,024 Maglev tables of 16,381 places. */
const SLOT_CAPACITY = 1 << 20;

const UNIT_WORDS = 16;
const B_VERSION = 0;
const B_FRONTEND = 1;
const B_MEMBERS = 2;
const B_TABLE = 3;
const B_FIRST = 4;

/** `pick` and `has` of a block that is not the frontend's any more. */
export const STALE_BLOCK = -1;

const LAYOUT: MapLayout = {
  kind: 'lb_slots',
  version: 1,
  keyBytes: 4,
  valueBytes: UNIT_WORDS * 4,
  capacity: SLOT_CAPACITY,
  maxCapacity: 1 << 24,
  isPowerOfTwo: true,
  fileBytes: (capacity) => HEADER_BYTES + capacity * UNIT_WORDS * 4,
};

export interface Block {
  readonly frontend: number;
  readonly members: readonly number[];
  readonly table: readonly number[];
}

export class SlotMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #words: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.#words = file.words(HEADER_BYTES, file.capacity * UNIT_WORDS);
  }

  /** Told by the writer, for people. */
  set unitsInUse(units: number) {
    this.file.header[W_COUNT] = units;
  }

  /** Units that a block of so many ids takes. */
  static unitsOf(members: number, table: number): number {
    return Math.ceil((B_FIRST + members + table) / UNIT_WORDS);
  }

  /**
   * A backend out of a block's table.
   * @param draw any 32-bit number: random, or the hash of the connection
   * @returns its id, 0 when the table is empty, STALE_BLOCK when this is not the frontend's block
   */
  pick(block: number, frontend: number, draw: number): number {
    const words = this.#words;
    const at = this.#open(block, frontend);
    if (at < 0) return STALE_BLOCK;
    const version = Atomics.load(words, at + B_VERSION);
    const length = words[at + B_TABLE];
    const first = at + B_FIRST + words[at + B_MEMBERS];
    const id = length === 0 ? 0 : words[first + ((draw >>> 0) % length)];
    return this.#isSame(at, version, frontend) ? id : STALE_BLOCK;
  }

  /** @returns 1 when a backend is a member of the frontend, 0 when not, STALE_BLOCK when this is not its block */
  has(block: number, frontend: number, backend: number): number {
    const words = this.#words;
    const at = this.#open(block, frontend);
    if (at < 0) return STALE_BLOCK;
    const version = Atomics.load(words, at + B_VERSION);
    let low = at + B_FIRST;
    let high = low + words[at + B_MEMBERS];
    const end = high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[middle] < backend) low = middle + 1;
      else high = middle;
    }
    const isMember = low < end && words[low] === backend;
    if (!this.#isSame(at, version, frontend)) return STALE_BLOCK;
    return isMember ? 1 : 0;
  }

  /** A whole block, for people and for a writer that takes over; undefined when it is not the frontend's. */
  read(block: number, frontend: number): Block | undefined {
    const words = this.#words;
    const at = this.#open(block, frontend);
    if (at < 0) return undefined;
    const version = Atomics.load(words, at + B_VERSION);
    const first = at + B_FIRST;
    const middle = first + words[at + B_MEMBERS];
    const members = [...words.subarray(first, middle)];
    const table = [...words.subarray(middle, middle + words[at + B_TABLE])];
    return this.#isSame(at, version, frontend) ? { frontend, members, table } : undefined;
  }

  /**
   * Writes a block that no row names. Preconditions: it lies inside the map, and is large enough.
   * @param block unit + 1 @param members ascending
   */
  write(block: number, { frontend, members, table }: Block): void {
    const words = this.#words;
    const at = (block - 1) * UNIT_WORDS;
    const version = words[at + B_VERSION] | 1;
    Atomics.store(words, at + B_VERSION, version);
    words[at + B_FRONTEND] = frontend;
    words[at + B_MEMBERS] = members.length;
    words[at + B_TABLE] = table.length;
    words.set(members, at + B_FIRST);
    words.set(table, at + B_FIRST + members.length);
    Atomics.store(words, at + B_VERSION, (version + 1) | 0);
    this.file.header[W_UPDATES]++;
    Atomics.add(this.file.header, W_GENERATION, 1);
  }

  /** Word where a block begins, if it can be the frontend's; else -1. What is read from the file is held to its bounds. */
  #open(block: number, frontend: number): number {
    if (block < 1 || block > this.capacity) return -1;
    const words = this.#words;
    const at = (block - 1) * UNIT_WORDS;
    const members = words[at + B_MEMBERS];
    const table = words[at + B_TABLE];
    const isInside = members >= 0 && table >= 0 && at + B_FIRST + members + table <= words.length;
    return isInside && words[at + B_FRONTEND] === frontend && (words[at + B_VERSION] & 1) === 0 ? at : -1;
  }

  #isSame(at: number, version: number, frontend: number): boolean {
    const words = this.#words;
    return words[at + B_FRONTEND] === frontend && Atomics.load(words, at + B_VERSION) === version;
  }
}
