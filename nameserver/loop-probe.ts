/**
 * Finds servers that are this one: they are asked for a name of our own domain that nobody can guess, and when that very question
 * comes to us, what we ask them comes back to us. Without it a loop costs nothing but time (a question that is under way
 * waits for itself), yet each name that is not ours would take until the deadline, and nobody would know why.
 *
 *   probe() --question--> server --question--> us: seen(label): isLoop, told once; asked again every AGAIN_MS
 */
import { randomBytes } from 'node:crypto';
import { TYPE_TXT } from '../wire/dns/types.ts';
import type { Counters } from './counters.ts';
import { Exchange } from './exchange.ts';
import type { UpstreamState, Upstreams } from './upstreams.ts';
import { labelsOf, wireName } from './wire-name.ts';

const AGAIN_MS = 30_000;
const ANSWER_MS = 5_000;

export class LoopProbe {
  readonly #upstreams: Upstreams;
  readonly #counters: Counters;
  readonly #say: (text: string) => void;
  /** Label of the name that was asked for -> who was asked. */
  readonly #asked = new Map<string, UpstreamState>();
  readonly #told = new Set<UpstreamState>();
  #timer: NodeJS.Timeout | undefined;

  constructor(upstreams: Upstreams, counters: Counters, say: (text: string) => void) {
    this.#upstreams = upstreams;
    this.#counters = counters;
    this.#say = say;
  }

  /** Asks every server once. */
  probe(domain: string): void {
    clearTimeout(this.#timer);
    this.#asked.clear();
    for (const state of this.#upstreams.states) this.#ask(state, domain);
    this.#timer = setTimeout(() => this.#conclude(domain), ANSWER_MS).unref();
  }

  /** Takes the first label of a name of ours that does not exist. */
  seen(label: Uint8Array): void {
    if (this.#asked.size === 0) return;
    const state = this.#asked.get(Buffer.from(label).toString('latin1'));
    if (state === undefined || state.isLoop) return;
    state.isLoop = true;
    if (this.#told.has(state)) return;
    this.#told.add(state);
    this.#say(`upstream ${state.text} sends our questions back to us: it is not asked`);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #ask(state: UpstreamState, domain: string): void {
    const label = `probe-${randomBytes(12).toString('hex')}`;
    this.#asked.set(label, state);
    const name = wireName([label, ...labelsOf(domain)]);
    const exchange = new Exchange({
      upstream: state.upstream,
      question: { name, type: TYPE_TXT, isSecure: false, isUnchecked: false },
      hasOpt: true,
      counters: this.#counters,
      onAnswer: () => {},
      onFailure: () => {},
    });
    setTimeout(() => exchange.close(), ANSWER_MS).unref();
    exchange.begin();
  }

  /** Who was a loop and did not send the question back this time is asked again. */
  #conclude(domain: string): void {
    this.#timer = this.#upstreams.states.some(({ isLoop }) => isLoop)
      ? setTimeout(() => this.#askLoops(domain), AGAIN_MS).unref()
      : undefined;
    this.#asked.clear();
    for (const state of this.#told) {
      if (state.isLoop) continue;
      this.#told.delete(state);
      this.#say(`upstream ${state.text} does not send our questions back any more: it is asked again`);
    }
  }

  #askLoops(domain: string): void {
    for (const state of this.#upstreams.states) state.isLoop = false;
    this.probe(domain);
  }
}
