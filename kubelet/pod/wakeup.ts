/** Something to wait for that others ring: a ring ends all waits, or the next one when nobody waits. */
export class Wakeup {
  #isRung = false;
  readonly #waiting = new Set<() => void>();

  ring(): void {
    if (this.#waiting.size === 0) this.#isRung = true;
    for (const end of this.#waiting) end();
  }

  /** @param ms after which it ends by itself */
  wait(ms: number): Promise<void> {
    if (this.#isRung) {
      this.#isRung = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#waiting.add(end);
    });
  }
}
