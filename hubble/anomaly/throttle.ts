/** Keeps anomalies few: the same subject once in a while, and so many of a rule in a minute. */
import { Recent } from './recent.ts';
import type { AnomalyLimits, Finding, RuleName } from './rule.ts';

/** Subjects that are remembered; one that is forgotten may be told again too early, within the limit of its rule. */
const SUBJECTS = 2048;
const PERIOD_MS = 60_000; // a minute

export class Throttle {
  readonly #repeatMs: number;
  readonly #perMinute: number;
  readonly #toldMs = new Recent<number>(SUBJECTS);
  readonly #minutes = new Map<RuleName, { minute: number; told: number }>();

  constructor(limits: AnomalyLimits) {
    this.#repeatMs = limits['repeat-minutes'] * PERIOD_MS;
    this.#perMinute = limits['per-minute'];
  }

  /** Whether it may be told. @param nowMs of any clock that goes on */
  admit({ rule, subject }: Finding, nowMs: number): boolean {
    const key = `${rule} ${subject}`;
    const toldMs = this.#toldMs.get(key);
    if (toldMs !== undefined && nowMs - toldMs < this.#repeatMs) return false;
    const minute = Math.floor(nowMs / PERIOD_MS);
    const last = this.#minutes.get(rule);
    const told = last?.minute === minute ? last.told : 0;
    if (told >= this.#perMinute) return false;
    this.#minutes.set(rule, { minute, told: told + 1 });
    this.#toldMs.set(key, nowMs);
    return true;
  }
}
