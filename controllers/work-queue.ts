/**
 * The keys of objects that a controller is to look at. A key is in it once, however often it was added; it is worked off one after
 * the other, some milliseconds' worth a turn. What fails is tried again, later each time; what asks for it is looked at again
 * after a while. The queue holds no more keys than there are objects, and no timer when there is nothing to wait for.
 */
import type { Clock } from '../apiserver/clock.ts';

/** Of one turn, ms; the others of the thread have their turn then. */
const TURN_MS = 10;
const FIRST_RETRY_MS = 10;
const LAST_RETRY_MS = 60_000;

/** Looks at what the key names. @returns in how many milliseconds to look again; nothing for not before it changes */
export type Work = (key: string) => number | undefined;

export class WorkQueue {
  readonly #work: Work;
  readonly #clock: Clock;
  readonly #ready = new Set<string>();
  /** Key -> what takes its timer back. */
  readonly #waiting = new Map<string, () => void>();
  /** Key -> how often it has failed in a row. */
  readonly #failures = new Map<string, number>();
  #cancelTurn: (() => void) | undefined;
  #isStopped = false;
  #runs = 0;
  #failureCount = 0;
  #lastError = '';

  constructor(work: Work, clock: Clock) {
    this.#work = work;
    this.#clock = clock;
  }

  /** `lastError` is '' when nothing has failed that has not been well since. */
  get counts(): { readonly runs: number; readonly failures: number; readonly lastError: string } {
    return {
      runs: this.#runs,
      failures: this.#failureCount,
      lastError: this.#failures.size === 0 ? '' : this.#lastError,
    };
  }

  add(key: string): void {
    if (this.#isStopped) return;
    this.#ready.add(key);
    this.#cancelTurn ??= this.#clock.after(0, () => this.#turn());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTurn?.();
    for (const cancel of this.#waiting.values()) cancel();
    this.#waiting.clear();
    this.#ready.clear();
  }

  #turn(): void {
    this.#cancelTurn = undefined;
    const endMs = performance.now() + TURN_MS;
    for (const key of this.#ready) {
      this.#ready.delete(key);
      this.#take(key);
      if (performance.now() >= endMs) break;
    }
    if (this.#ready.size > 0) this.#cancelTurn ??= this.#clock.after(0, () => this.#turn());
  }

  #take(key: string): void {
    this.#waiting.get(key)?.();
    this.#waiting.delete(key);
    this.#runs++;
    try {
      const againMs = this.#work(key);
      this.#failures.delete(key);
      if (againMs !== undefined) this.#addAfter(key, againMs);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      this.#failureCount++;
      this.#lastError = `${key}: ${error instanceof Error ? error.message : String(error)}`;
      this.#addAfter(key, Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30), LAST_RETRY_MS));
    }
  }

  #addAfter(key: string, ms: number): void {
    if (this.#isStopped) return;
    const cancel = this.#clock.after(Math.max(1, ms), () => {
      this.#waiting.delete(key);
      this.add(key);
    });
    this.#waiting.set(key, cancel);
  }
}
