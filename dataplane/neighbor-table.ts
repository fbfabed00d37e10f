/**
 * The MACs of next hops on uplinks, and the frames that wait for one.
 *
 * A set-associative table: the hash of (port, address) names a set of WAYS slots, and a new neighbour takes the slot of
 * its set that was unused for longest. So a scan of the uplink's subnet can neither make the table grow nor push out more
 * than a set (RFC 6583), and a lookup is at most WAYS compares.
 *
 * Life of a slot: incomplete (asked, frames may wait) -> reachable (answered). A reachable one is asked for again every
 * REACHABLE_SEC while in use; its MAC serves on until STALE_SEC have passed without an answer. An answer is believed only
 * from a neighbour that is in the table, that is, one we had frames for.
 */
const SETS = 128;
const WAYS = 8;
const PENDING_FRAMES = 4;
const REACHABLE_SEC = 30;
const STALE_SEC = 120;
const RETRY_SEC = 1;
const NEVER = -1_000_000;

export class NeighborTable {
  readonly #port = new Int32Array(SETS * WAYS).fill(-1);
  readonly #words = new Int32Array(SETS * WAYS * 4);
  readonly #confirmedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  readonly #askedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  readonly #usedSec = new Float64Array(SETS * WAYS).fill(NEVER);
  readonly #waiting = new Map<number, Uint8Array[]>();
  /** High 16 and low 32 bits of the MAC, by slot. */
  readonly macHigh = new Uint16Array(SETS * WAYS);
  readonly macLow = new Int32Array(SETS * WAYS);
  /** Frames dropped because their next hop did not answer, or too many waited for it. */
  dropped = 0;

  /** @returns the slot of a next hop, which is made when it is new */
  lookup(port: number, w0: number, w1: number, w2: number, w3: number, nowSec: number): number {
    const first = hash(port, w0, w1, w2, w3) * WAYS;
    let oldest = first;
    for (let slot = first; slot < first + WAYS; slot++) {
      if (this.#matches(slot, port, w0, w1, w2, w3)) {
        this.#usedSec[slot] = nowSec;
        return slot;
      }
      if (this.#usedSec[slot] < this.#usedSec[oldest]) oldest = slot;
    }
    this.#forget(oldest);
    this.#port[oldest] = port;
    this.#words[oldest * 4] = w0;
    this.#words[oldest * 4 + 1] = w1;
    this.#words[oldest * 4 + 2] = w2;
    this.#words[oldest * 4 + 3] = w3;
    this.#usedSec[oldest] = nowSec;
    return oldest;
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

  /** Keeps a copy of bytes [start, end), virtio-net header included, until the neighbour answers. */
  hold(slot: number, bytes: Uint8Array, start: number, end: number): void {
    let waiting = this.#waiting.get(slot);
    if (waiting === undefined) this.#waiting.set(slot, (waiting = []));
    if (waiting.length === PENDING_FRAMES) {
      waiting.shift();
      this.dropped++;
    }
    waiting.push(bytes.slice(start, end));
  }

  /**
   * Notes that an address was seen with a MAC.
   * @returns the frames that waited for it, virtio-net header first; none for an address nobody had asked for
   */
  confirm(
    port: number,
    words: ArrayLike<number>,
    macHigh: number,
    macLow: number,
    nowSec: number,
  ): readonly Uint8Array[] {
    const first = hash(port, words[0], words[1], words[2], words[3]) * WAYS;
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
    this.dropped += this.#waiting.get(slot)?.length ?? 0;
    this.#waiting.delete(slot);
    this.#port[slot] = -1;
    this.#confirmedSec[slot] = this.#askedSec[slot] = this.#usedSec[slot] = NEVER;
  }
}

function hash(port: number, w0: number, w1: number, w2: number, w3: number): number {
  const mixed = Math.imul(port ^ w0 ^ Math.imul(w1, 0x85ebca6b) ^ Math.imul(w2, 0xc2b2ae35) ^ w3, 0x9e3779b1);
  return (mixed >>> 15) & (SETS - 1);
}
