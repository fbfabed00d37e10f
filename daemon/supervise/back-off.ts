/** How long to wait before a process that died is started again: not at all, then longer each time that it dies soon. */

const STABLE_MS = 30_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5000;

export class BackOff {
  #ms = 0;

  /** @returns how long to wait this time, ms */
  next(): number {
    const ms = this.#ms;
    this.#ms = ms === 0 ? BACKOFF_FIRST_MS : Math.min(ms * 2, BACKOFF_MAX_MS);
    return ms;
  }

  /** One that has lived for a while is well: its death begins anew. @param ms since its start */
  noteAge(ms: number): void {
    if (ms > STABLE_MS) this.#ms = 0;
  }
}
