/**
 * Finds servers that are this one: they are asked for a name of our own domain that nobody can guess, and when that very question
 * comes to us, what we ask them comes back to us. Without it a loop costs nothing but time (a question that is under way
 * waits for itself), yet each name that is not ours would take until the deadline, and nobody would know why.
 *
 *   probe() --question--> server --question--> us: seen(): it is a loop
 *                           \--answer, not seen--> it is none (any more)
 *
 * Asked again after SOON_MS while a server has not answered, and after AGAIN_MS in any case: servers are told other things.
 */
import { randomBytes } from 'node:crypto';
import { TYPE_TXT } from '../wire/dns/types.ts';
import type { Counters } from './counters.ts';
import { Exchange } from './exchange.ts';
import type { UpstreamState, Upstreams } from './upstreams.ts';
import { labelsOf, wireName } from './wire-name.ts';

const AGAIN_MS = 60_000;
const SOON_MS = 5_000;

interface Asked {
  readonly state: UpstreamState;
  readonly exchange: Exchange;
  isSeen: boolean;
}

export class LoopProbe {
  readonly #upstreams: Upstreams;
  readonly #counters: Counters;
  readonly #say: (text: string) => void;
  /** Label of the name that was asked for -> who was asked, and has not answered. */
  readonly #asked = new Map<string, Asked>();
  #timer: NodeJS.Timeout | undefined;

  constructor(upstreams: Upstreams, counters: Counters, say: (text: string) => void) {
    this.#upstreams = upstreams;
    this.#counters = counters;
    this.#say = say;
  }

  /** Asks every server, now and from time to time, below a domain of ours. */
  probe(domain: string): void {
    this.#forget();
    for (const state of this.#upstreams.states) this.#ask(state, domain);
    this.#timer = setTimeout(() => this.#again(domain), SOON_MS).unref();
  }

  /** Takes the first label of a name of ours that does not exist. */
  seen(label: Uint8Array): void {
    if (this.#asked.size === 0) return;
    const asked = this.#asked.get(Buffer.from(label).toString('latin1'));
    if (asked === undefined) return;
    asked.isSeen = true;
    this.#conclude(asked.state, true);
  }

  #ask(state: UpstreamState, domain: string): void {
    const label = `probe-${randomBytes(12).toString('hex')}`;
    const name = wireName([label, ...labelsOf(domain)]);
    const exchange = new Exchange({
      upstream: state.upstream,
      question: { name, type: TYPE_TXT, isSecure: false, isUnchecked: false },
      hasOpt: true,
      counters: this.#counters,
      onAnswer: () => {
        if (this.#asked.get(label)?.isSeen === false) this.#conclude(state, false);
        this.#asked.delete(label);
      },
      onFailure: () => {}, // stays unanswered
    });
    this.#asked.set(label, { state, exchange, isSeen: false });
    exchange.begin();
  }

  #again(domain: string): void {
    const isAnswered = [...this.#asked.values()].every(({ isSeen }) => isSeen);
    this.#forget();
    if (isAnswered) this.#timer = setTimeout(() => this.probe(domain), AGAIN_MS).unref();
    else this.probe(domain);
  }

  #conclude(state: UpstreamState, isLoop: boolean): void {
    if (state.isLoop === isLoop) return;
    state.isLoop = isLoop;
    this.#say(
      isLoop
        ? `upstream ${state.text} sends our questions back to us: it is not asked`
        : `upstream ${state.text} does not send our questions back any more: it is asked again`,
    );
  }

  #forget(): void {
    clearTimeout(this.#timer);
    for (const { exchange } of this.#asked.values()) exchange.close();
    this.#asked.clear();
  }
}
