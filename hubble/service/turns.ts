/**
 * One thread serves the event rings and every client. So a stream works in short slices, and of all that have a slice to do one
 * does it in each round of the event loop, in the order in which they asked: what many clients make of work delays each
 * other, and the reading of the rings by one slice at most.
 */

/** How long a slice may take. */
export const SLICE_MS = 4;

export class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Resolves when it is the caller's turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) setImmediate(() => this.#wake());
    });
  }

  #wake(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#wake());
  }
}
