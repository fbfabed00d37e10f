/**
 * Who talks for the first time: a pair of workloads, or a workload with a name or an address outside. What is seen in the
 * learning time is known; a name is known by itself, whatever its addresses.
 */
import type { Flow } from '../flow.ts';
import { attemptOf, isOutside, workloadOf } from './attempt.ts';
import { Recent } from './recent.ts';
import type { Making, Rule } from './rule.ts';

/** Pairs that are known at a time. */
const PAIRS = 8192;

/** Pairs that were seen. */
class Acquaintances {
  readonly #known = new Recent<true>(PAIRS);
  readonly #learntMs: number;

  constructor({ startedMs, limits }: Making) {
    this.#learntMs = startedMs + limits['learning-minutes'] * 60_000;
  }

  get forgotten(): number {
    return this.#known.forgotten;
  }

  has(pair: string): boolean {
    return this.#known.get(pair) === true;
  }

  /** @returns whether that is to be told */
  learn(pair: string, timeMs: number): boolean {
    this.#known.set(pair, true);
    return timeMs >= this.#learntMs;
  }
}

/** A rule about who talks for the first time. */
abstract class Newcomer implements Rule {
  abstract readonly names: Rule['names'];
  protected readonly known: Acquaintances;
  protected readonly making: Making;

  constructor(making: Making) {
    this.making = making;
    this.known = new Acquaintances(making);
  }

  get forgotten(): number {
    return this.known.forgotten;
  }

  abstract take(flow: Flow, timeMs: number): void;
}

export class NewPair extends Newcomer {
  readonly names = ['new-pair'] as const;

  take(flow: Flow, timeMs: number): void {
    const [source, destination] = [workloadOf(flow.source), workloadOf(flow.destination)];
    if (source === '' || destination === '' || attemptOf(flow) === undefined) return;
    const subject = `${source} ${destination}`;
    if (this.known.has(subject) || !this.known.learn(subject, timeMs)) return;
    const text = `${source} talks to ${destination} for the first time`;
    this.making.tell({ rule: 'new-pair', subject, text, flow });
  }
}

export class NewExternal extends Newcomer {
  readonly names = ['new-external'] as const;

  take(flow: Flow, timeMs: number): void {
    const source = workloadOf(flow.source);
    if (source === '' || !isOutside(flow.destination)) return;
    const attempt = attemptOf(flow);
    if (attempt === undefined) return;
    const { destination_names: names = [] } = flow;
    const [place = attempt.destination] = names;
    const places = names.length === 0 ? [place] : names;
    if (places.some((one) => this.known.has(`${source} ${one}`))) return;
    const subject = `${source} ${place}`;
    if (!this.known.learn(subject, timeMs)) return;
    const text = `${source} talks to ${place} outside for the first time`;
    this.making.tell({ rule: 'new-external', subject, text, flow });
  }
}
