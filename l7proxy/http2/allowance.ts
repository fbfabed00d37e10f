/** How often something may happen that is legal but costs more than it should: a bucket that fills with time. */

/** At once, and in the long run. */
const MOST = 1000;
const PER_SECOND = 100;

export class Allowance {
  #left = MOST;
  #sinceMs = 0;

  reset(): void {
    this.#left = MOST;
    this.#sinceMs = 0;
  }

  /** It has happened. @param nowMs of a steady clock @returns false when that was once too often */
  take(nowMs: number): boolean {
    if (this.#sinceMs > 0 && nowMs > this.#sinceMs) {
      this.#left = Math.min(MOST, this.#left + ((nowMs - this.#sinceMs) * PER_SECOND) / 1000);
    }
    this.#sinceMs = nowMs;
    this.#left--;
    return this.#left >= 0;
  }
}
