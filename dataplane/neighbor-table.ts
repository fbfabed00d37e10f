/**
 * The MACs of next hops on uplinks, and the frames that wait for one.
 *
 * A set-associative table: a keyed hash of (port, address) names a set of WAYS slots. A new neighbour takes the slot of its
 * set that has not answered and was unused for longest; only where all have answered, one of those. So a scan of the
 * uplink's subnet can neither make the table grow nor push out a neighbour that answers (RFC 6583), nobody can choose
 * addresses that share a set with another's, and a lookup is at most WAYS compares.
 *
 * Life of a slot: incomplete (asked, frames may wait) -> reachable (answered). A reachable one is asked for again every
 * REACHABLE_SEC while in use; its MAC serves on until STALE_SEC have passed without an answer. An answer is believed only
 * from a neighbour that is in the table, that is, one we had frames for.
 */
import { randomBytes } from 'node:crypto';
import { halfSipHash } from '../policy-maps/table/half-sip-hash.ts';

const SETS = 128;
const WAYS = 8;
const PENDING_FRAMES = 4;
const REACHABLE_SEC = 30;
const STALE_SEC = 120;
const RETRY_SEC = 1;
const NEVER = -1_000_000;

/** A frame that waits, virtio-net header first, and what must be known to tell of it if it is given up. */
export interface WaitingFrame {
  readonly bytes: Uint8Array;
  readonly port: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
  readonly srcEndpoint: number;
  /** It waits for the gateway, not for its destination. */
  readonly isForGateway: boolean;
}

export class NeighborTable {
  readonly #port = new Int32Array(SETS * WAYS).fill(-1);
  readonly #words = new Int32Array(SETS * WAYS * 4);
  readonly #confirmedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  readonly #askedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  readonly #usedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  /** Order of the last use. */
  readonly #used = new Float64Array(SETS * WAYS);
  #uses = 0;
  readonly #waiting = new Map<number, WaitingFrame[]>();
  readonly #seed = new Int32Array(new Uint8Array(randomBytes(8)).buffer);
  readonly #hashed = new Int32Array(5);
  readonly #onGivenUp: (frame: WaitingFrame) => void;
  /** High 16 and low 32 bits of the MAC, by slot. */
  readonly macHigh = new Uint16Array(SETS * WAYS);
  readonly macLow = new Int32Array(SETS * WAYS);
  /** Frames dropped because their next hop did not answer, or too many waited for it. */
  dropped = 0;

  /** @param onGivenUp is told of each frame that waited in vain */
  constructor(onGivenUp: (frame: WaitingFrame) => void) {
    this.#onGivenUp = onGivenUp;
  }

  /** @returns the slot of a next hop, which is made when it is new */
  lookup(port: number, w0: number, w1: number, w2: number, w3: number, nowSec: number): number {
    const first = this.#hash(port, w0, w1, w2, w3) * WAYS;
    let oldest = first;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#matches(slot, port, w0, w1, w2, w3)) {
        this.#usedSec[slot] = nowSec;
        this.#used[slot] = ++this.#uses;
        return slot;
      }
      if (this.#givesWayBefore(slot, oldest, nowSec)) oldest = slot;
    }
    this.#forget(oldest);
    this.#port[oldest] = port;
    this.#words[oldest * 4] = w0;
    this.#words[oldest * 4 + 1] = w1;
    this.#words[oldest * 4 + 2] = w2;
    this.#words[oldest * 4 + 3] = w3;
    this.#usedSec[oldest] = nowSec;
    this.#used[oldest] = ++this.#uses;
    return oldest;
  }

  #givesWayBefore(slot: number, other: number, nowSec: number): boolean {
    const hasAnswered = this.isReachable(slot, nowSec);
    if (hasAnswered !== this.isReachable(other, nowSec)) return !hasAnswered;
    return this.#used[slot] < this.#used[other];
  }

  /** Forgets the neighbours on a port that is gone. */
  forgetPort(port: number): void {
    for (const [slot, of] of this.#port.entries()) if (of === port) this.#forget(slot);
  }

  isReachable(slot: number, nowSec: number): boolean {
    return nowSec - this.#confirmedSec[slot] <= STALE_SEC;
  }

  /** Whether it is time to ask for this neighbour (again); notes that it is done. */
  shouldAsk(slot: number, nowSec: number): boolean {
    if (nowSec - this.#confirmedSec[slot] < REACHABLE_SEC || nowSec - this.#askedSec[slot] < RETRY_SEC) return false;
    this.#askedSec[slot] = nowSec;
    return true;
  }

  /** Keeps a frame until the neighbour answers. */
  hold(slot: number, frame: WaitingFrame): void {
    let waiting = this.#waiting.get(slot);
    if (waiting === undefined) this.#waiting.set(slot, (waiting = []));
    if (waiting.length === PENDING_FRAMES) this.#giveUp(waiting.shift());
    waiting.push(frame);
  }

  /**
   * Notes that an address was seen with a MAC.
   * @returns the frames that waited for it; none for an address nobody had asked for
   */
  confirm(
    port: number,
    words: ArrayLike<number>,
    macHigh: number,
    macLow: number,
    nowSec: number,
  ): readonly WaitingFrame[] {
    const first = this.#hash(port, words[0], words[1], words[2], words[3]) * WAYS;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (!this.#matches(slot, port, words[0], words[1], words[2], words[3])) continue;
      this.macHigh[slot] = macHigh;
      this.macLow[slot] = macLow;
      this.#confirmedSec[slot] = nowSec;
      const waiting = this.#waiting.get(slot) ?? [];
      this.#waiting.delete(slot);
      return waiting;
    }
    return [];
  }

  /** Drops the frames of neighbours that have not answered within STALE_SEC of their last use. */
  tick(nowSec: number): void {
    for (const slot of this.#waiting.keys()) {
      if (nowSec - this.#usedSec[slot] > RETRY_SEC * 3) this.#forget(slot);
    }
  }

  #matches(slot: number, port: number, w0: number, w1: number, w2: number, w3: number): boolean {
    const at = slot * 4;
    const words = this.#words;
    return (
      this.#port[slot] === port &&
      words[at + 3] === w3 &&
      words[at + 2] === w2 &&
      words[at + 1] === w1 &&
      words[at] === w0
    );
  }

  #forget(slot: number): void {
    const waiting = this.#waiting.get(slot) ?? [];
    this.#waiting.delete(slot);
    for (const frame of waiting) this.#giveUp(frame);
    this.#port[slot] = -1;
    this.#used[slot] = 0;
    this.#confirmedSec[slot] = this.#askedSec[slot] = this.#usedSec[slot] = NEVER;
  }

  #giveUp(frame: WaitingFrame | undefined): void {
    if (frame === undefined) return;
    this.dropped++;
    this.#onGivenUp(frame);
  }

  #hash(port: number, w0: number, w1: number, w2: number, w3: number): number {
    const words = this.#hashed;
    words[0] = port;
    words[1] = w0;
    words[2] = w1;
    words[3] = w2;
    words[4] = w3;
    return halfSipHash(words, 0, words.length, this.#seed[0], this.#seed[1]) & (SETS - 1);
  }
}
