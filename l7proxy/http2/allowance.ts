/** How often something may happen that is legal but costs more than it should: a bucket that fills with time. */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #sinceMs = 0;

  /** @param most at once @param perSecond in the long run */
  constructor(most: number, perSecond: number) {
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
  }

  reset(): void {
    this.#left = this.#most;
    this.#sinceMs = 0;
  }

  /** It has happened. @param nowMs of a steady clock @returns false when that was once too often */
  take(nowMs: number): boolean {
    if (this.#sinceMs > 0 && nowMs > this.#sinceMs) {
      this.#left = Math.min(this.#most, this.#left + ((nowMs - this.#sinceMs) * this.#perSecond) / 1000);
    }
    this.#sinceMs = nowMs;
    this.#left--;
    return this.#left >= 0;
  }
}
