/** How long to wait before pods are made again in the place of those that ended at once: longer each time, and none after a quiet while. */
const FIRST_MS = 1000;
const LAST_MS = 6 * 60_000;
const QUIET_MS = 2 * LAST_MS;

interface Gate {
  readonly failures: number;
  readonly atMs: number;
}

export class RestartGate {
  readonly #gates = new Map<string, Gate>();

  /** A pod of this key has ended, and is to be made again. */
  note(key: string, nowMs: number): void {
    const before = this.#gates.get(key);
    const isQuiet = before === undefined || nowMs - before.atMs > QUIET_MS;
    this.#gates.set(key, { failures: isQuiet ? 0 : before.failures + 1, atMs: nowMs });
  }

  /** Milliseconds until one may be made. */
  waitMs(key: string, nowMs: number): number {
    const gate = this.#gates.get(key);
    if (gate === undefined) return 0;
    return Math.max(0, gate.atMs + Math.min(FIRST_MS * 2 ** Math.min(gate.failures, 30), LAST_MS) - nowMs);
  }

  /** Who had it is gone. */
  forget(key: string): void {
    this.#gates.delete(key);
  }
}
