/**
 * How much of one thing there is for everybody, and how much of it one endpoint may take.
 *
 * An endpoint may have as much as is free. So one that takes all it can get ends at a half, two of them end at a third each,
 * k at 1/(k+1), and whoever comes last still finds that much. Nobody is held to a fixed part while others want nothing.
 * (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998, with alpha = 1.)
 */
import { ENDPOINT_IDS } from '../../policy-maps/endpoint-map.ts';

export class Shares {
  readonly limit: number;
  used = 0;
  /** Most that was used at one time. */
  peak = 0;
  /** Requests refused: the share of their endpoint was full; of these, that all of it was. */
  refused = 0;
  refusedByAll = 0;
  /** Whose request was refused last. */
  refusedEndpoint = 0;
  readonly #used = new Int32Array(ENDPOINT_IDS);

  /** @param limit at most 2^31 - 1 */
  constructor(limit: number) {
    this.limit = limit;
  }

  /** What an endpoint has. */
  usedBy(endpoint: number): number {
    return this.#used[endpoint];
  }

  /** @returns false when it would be more than the share of the endpoint; nothing has changed then */
  take(endpoint: number, amount: number): boolean {
    const free = this.limit - this.used;
    if (this.#used[endpoint] + amount > free) {
      this.refused++;
      if (amount > free) this.refusedByAll++;
      this.refusedEndpoint = endpoint;
      return false;
    }
    this.used += amount;
    this.#used[endpoint] += amount;
    if (this.used > this.peak) this.peak = this.used;
    return true;
  }

  give(endpoint: number, amount: number): void {
    this.used -= amount;
    this.#used[endpoint] -= amount;
  }
}
