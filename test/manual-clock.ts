/** A clock that a test owns: time stands still until it is told to go on, and what waits for it is done in order. */
import type { Clock } from '../apiserver/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly work: () => void;
}

/** More in one settling is a loop without end. */
const MOST_STEPS = 100_000;

export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  readonly nowMs = (): number => this.#nowMs;

  readonly after = (ms: number, work: () => void): (() => void) => {
    const timer = { dueMs: this.#nowMs + Math.max(0, ms), work };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** What waits. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Does all that is due now, and what that makes due now. */
  settle(): void {
    this.advance(0);
  }

  /** Lets time go on, doing what becomes due at its time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let steps = 0; ; steps++) {
      const next = this.#next(endMs);
      if (next === undefined) break;
      if (steps > MOST_STEPS) throw new Error(`settling: found more than ${MOST_STEPS} steps, wanted an end`);
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.work();
    }
    this.#nowMs = endMs;
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }
}
