/**
 * Connections that the dataplane finds settled, for the agent to hand to the kernel: a ring of rows of conntrack. An offer binds nobody.
 * The agent reads the row itself, and takes it only if all is as it was when it was offered; one that it overlooks, because the ring
 * has gone round, is offered again.
 */
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
const OFFERS = 1024;
const ROW_WORDS = 4;
/** Offers made so far, modulo 2^32. */
const W_HEAD = 48;

const LAYOUT: MapLayout = {
  kind: 'offload_offers',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: OFFERS,
  maxCapacity: OFFERS,
  isPowerOfTwo: true,
  fileBytes: (capacity) => HEADER_BYTES + capacity * ROW_WORDS * 4,
};

/** One connection as it was found. */
export interface Offer {
  readonly isTcp: boolean;
  readonly slot: number;
  readonly slotGeneration: number;
  /** CONFIG_WORLD_GENERATION that it was judged under. */
  readonly world: number;
}

export class OfferMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #words: Int32Array;
  readonly #header: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.#header = file.header;
    this.#words = file.words(HEADER_BYTES, file.capacity * ROW_WORDS);
  }

  get head(): number {
    return Atomics.load(this.#header, W_HEAD);
  }

  push(isTcp: boolean, slot: number, slotGeneration: number, world: number): void {
    const head = this.head;
    const at = (head & (this.capacity - 1)) * ROW_WORDS;
    this.#words[at] = isTcp ? 1 : 0;
    this.#words[at + 1] = slot;
    this.#words[at + 2] = slotGeneration;
    this.#words[at + 3] = world;
    Atomics.store(this.#header, W_HEAD, (head + 1) | 0);
  }

  /** Offers from `from` on; those that the ring has gone past are left out. */
  *since(from: number): Generator<Offer> {
    const { head } = this;
    const missed = ((head - from) | 0) >>> 0;
    for (let at = missed > this.capacity ? (head - this.capacity) | 0 : from; at !== head; at = (at + 1) | 0) {
      const row = (at & (this.capacity - 1)) * ROW_WORDS;
      const [isTcp, slot, slotGeneration, world] = this.#words.subarray(row, row + ROW_WORDS);
      yield { isTcp: isTcp === 1, slot, slotGeneration, world };
    }
  }
}
