/** How long to wait before an attempt that follows a failed one: longer each time, never two clients at the same moment. */

const FIRST_PAUSE_MS = 500;
const LONGEST_MS = 30_000;

export class Pauses {
  readonly #random: () => number;
  #ms = FIRST_PAUSE_MS;

  /** @param random 0 <= answer < 1 */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** @param leastSec that the server asked for @returns ms */
  next(leastSec = 0): number {
    const ms = this.#ms * (0.5 + this.#random());
    this.#ms = Math.min(this.#ms * 2, LONGEST_MS);
    return Math.max(ms, leastSec * 1000 * (1 + this.#random() / 10));
  }

  /** An attempt went well. */
  reset(): void {
    this.#ms = FIRST_PAUSE_MS;
  }
}
