/** The time, and waiting for it: what works by the clock is given one, so that tests own it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Calls `work` later, not before this returns. It keeps no program alive. @returns a function that takes it back */
  readonly after: (ms: number, work: () => void) => () => void;
}

/** The longest that a timer of Node can wait; who waits longer looks again then. */
const LONGEST_MS = 2 ** 31 - 1;

export const SYSTEM_CLOCK: Clock = {
  nowMs: Date.now,
  after: (ms, work) => {
    if (ms <= 0) {
      const turn = setImmediate(work);
      return () => clearImmediate(turn);
    }
    const timer = setTimeout(work, Math.min(ms, LONGEST_MS)).unref();
    return () => clearTimeout(timer);
  },
};
