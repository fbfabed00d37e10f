/**
 * The servers that are asked for what is not ours, in which order. Those that answered last come first, as they were listed; one
 * that did not is tried after them for PENALTY_MS, twice as long each time, so that a dead server costs one wait and not one each
 * question. Servers that are this one (their questions come back, see loop-probe.ts) are not asked.
 */
import type { Upstream } from './zone-file.ts';

const PENALTY_MS = 2_000;
const MAX_PENALTY_MS = 60_000;

export class UpstreamState {
  readonly upstream: Upstream;
  isLoop = false;
  #penaltyMs = 0;
  #avoidUntilMs = 0;

  constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  get text(): string {
    return `${this.upstream.address}#${this.upstream.port}`;
  }

  /** For people. */
  describe(nowMs: number): 'asked' | 'avoided' | 'loop' {
    if (this.isLoop) return 'loop';
    return this.isAvoided(nowMs) ? 'avoided' : 'asked';
  }

  isAvoided(nowMs: number): boolean {
    return nowMs < this.#avoidUntilMs;
  }

  succeed(): void {
    this.#penaltyMs = 0;
    this.#avoidUntilMs = 0;
  }

  fail(nowMs: number): void {
    if (this.isAvoided(nowMs)) return;
    this.#penaltyMs = Math.min(MAX_PENALTY_MS, Math.max(PENALTY_MS, 2 * this.#penaltyMs));
    this.#avoidUntilMs = nowMs + this.#penaltyMs;
  }
}

export class Upstreams {
  #states: UpstreamState[] = [];

  get states(): readonly UpstreamState[] {
    return this.#states;
  }

  /** Replaces the list; a server that stays keeps its record. @returns whether it is another */
  set(list: readonly Upstream[]): boolean {
    const next = list.map((upstream) => {
      const state = new UpstreamState(upstream);
      return this.#states.find(({ text }) => text === state.text) ?? state;
    });
    const isOther = next.length !== this.#states.length || next.some((state, i) => state !== this.#states[i]);
    this.#states = next;
    return isOther;
  }

  /** Whom to ask, first to last. */
  order(nowMs: number): UpstreamState[] {
    const usable = this.#states.filter(({ isLoop }) => !isLoop);
    return [...usable.filter((one) => !one.isAvoided(nowMs)), ...usable.filter((one) => one.isAvoided(nowMs))];
  }

  /** Whether nobody has answered lately. */
  isDark(nowMs: number): boolean {
    return this.#states.every((one) => one.isLoop || one.isAvoided(nowMs));
  }
}
