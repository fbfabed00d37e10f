/**
 * How often something may be done that every port can ask for: so many times a second for all together, and some more for
 * each port that finds nothing left of that. So a port that takes all there is, takes it from those who want much, and not
 * from those who want little; and all together stay below `perSec + ports x ownPerSec`.
 *
 * Both are token buckets, filled by the clock of the batches. That of a port holds one second's worth; so does the common one, unless
 * it is told otherwise.
 */
import { PORT_CAPACITY } from '../policy-maps/port-map.ts';

/** Events a second of each kind that a port has for itself when all together take more than the rate. */
export const OWN_EVENTS_PER_SEC = 200;

export class Budget {
  readonly #perSec: number;
  readonly #ownPerSec: number;
  readonly #burst: number;
  #common: number;
  /** By port index: what is left of its own, and when that was filled. */
  readonly #own: Float64Array;
  readonly #filledMs = new Float64Array(PORT_CAPACITY);
  #nowMs = 0;
  /** How often nothing was left. */
  refused = 0;

  /** @param burst most that all together may do at once */
  constructor(perSec: number, ownPerSec: number, burst: number = perSec) {
    this.#perSec = perSec;
    this.#ownPerSec = ownPerSec;
    this.#burst = burst;
    this.#common = burst;
    this.#own = new Float64Array(PORT_CAPACITY).fill(ownPerSec);
  }

  /** Once a batch. @param nowMs monotonic */
  beginBatch(nowMs: number): void {
    this.#common = Math.min(this.#burst, this.#common + ((nowMs - this.#nowMs) * this.#perSec) / 1000);
    this.#nowMs = nowMs;
  }

  /** @param port whose frame it is about: its index @returns whether it may be done now; it counts as done then */
  take(port: number): boolean {
    if (this.#common >= 1) {
      this.#common--;
      return true;
    }
    const earned = ((this.#nowMs - this.#filledMs[port]) * this.#ownPerSec) / 1000;
    const left = Math.min(this.#ownPerSec, this.#own[port] + earned);
    this.#filledMs[port] = this.#nowMs;
    this.#own[port] = left >= 1 ? left - 1 : left;
    if (left >= 1) return true;
    this.refused++;
    return false;
  }

  /** Whether half of what all together may do at once is left. */
  get isPlenty(): boolean {
    return this.#common * 2 >= this.#burst;
  }

  /** What was taken once was done `more` times beyond that. */
  spend(more: number): void {
    this.#common = Math.max(0, this.#common - more);
  }
}
