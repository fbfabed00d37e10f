/**
 * Keeps a stream of flows open for one query after the other, whatever happens to the agent.
 *
 *     ask --> filling: what the agent has already, gathered --quiet for SETTLE_MS, or FILL_MS over--> live: flow by flow
 *      ^                                                                                        |
 *      +---- after a wait that doubles (backoff.ts) <---- broken: the stream ended or failed <--+
 *
 * A page that nobody looks at gives its stream up (`rest`): over HTTP/1 a browser has six connections to an agent for all of its tabs, and with
 * six streams no seventh tab would load. When it is looked at again it asks again.
 *
 * A new query ends the stream and asks at once. A question that the agent refuses is not asked again until the query changes. What comes again
 * after a reconnection the store knows by its uuid, so that a short break leaves no gap and nothing twice.
 */
import type { Envelope, Flow, LostEvents } from '../../hubble/flow.ts';
import type { ObserveFilters } from '../../hubble/filter/observe-filter.ts';
import { backoffMs } from '../shell/backoff.ts';
import { type FlowsQuestion, StreamError } from './connect-stream.ts';

/** How many flows are asked for that are there already. */
const FILL_FLOWS = 20_000;
const SETTLE_MS = 150;
const FILL_MS = 3000;

export type StreamState = 'connecting' | 'live' | 'lost' | 'refused' | 'locked';

/** Who is told. */
export interface Listener {
  /** What was there already, when it is all there. */
  filled(flows: readonly Flow[]): void;
  /** What has come since. */
  came(flows: readonly Flow[]): void;
  lost(event: LostEvents): void;
  state(state: StreamState, problem: string, retryMs: number): void;
}

export type Open = (question: FlowsQuestion, signal: AbortSignal) => AsyncIterable<Envelope[]>;

export class Follower {
  readonly #open: Open;
  readonly #listener: Listener;
  readonly #random: () => number;
  #stop = new AbortController();
  #failures = 0;
  #filters: ObserveFilters | undefined;
  #isResting = false;
  #wake: (() => void) | undefined;

  /** @param random from 0 to 1, spreads the tries of many pages */
  constructor(open: Open, listener: Listener, random: () => number = Math.random) {
    this.#open = open;
    this.#listener = listener;
    this.#random = random;
  }

  /** Follows what `filters` want from now on. */
  follow(filters: ObserveFilters): void {
    this.#filters = filters;
    if (this.#isResting) return;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#failures = 0;
    void this.#run(filters, this.#stop.signal);
  }

  /** Gives the stream up, or follows again what was wanted last. */
  rest(isResting: boolean): void {
    if (this.#isResting === isResting) return;
    this.#isResting = isResting;
    if (isResting) this.#stop.abort();
    else if (this.#filters !== undefined) this.follow(this.#filters);
  }

  /** Tries again now, if it waits. */
  retry(): void {
    this.#wake?.();
  }

  async #run({ allow, deny }: ObserveFilters, signal: AbortSignal): Promise<void> {
    const question = { number: FILL_FLOWS, follow: true, whitelist: allow, blacklist: deny };
    while (!signal.aborted) {
      this.#listener.state('connecting', '', 0);
      const problem = await this.#attempt(question, signal);
      if (signal.aborted) return;
      if (problem.isRefused) {
        this.#listener.state('refused', problem.message, 0);
        return;
      }
      const waitMs = backoffMs(++this.#failures, this.#random());
      this.#listener.state(problem.isLocked ? 'locked' : 'lost', problem.message, waitMs);
      await this.#wait(waitMs, signal);
    }
  }

  /** One stream to its end. @returns why it ended */
  async #attempt(question: FlowsQuestion, signal: AbortSignal): Promise<StreamError> {
    const filling = new Filling((flows, isBroken) => {
      // One that breaks while it tells what was there would be asked for again and again, for thousands of flows each time.
      if (!isBroken) this.#failures = 0;
      this.#listener.filled(flows);
    });
    try {
      for await (const batch of this.#open(question, signal)) {
        if (signal.aborted) break;
        const flows = batch.flatMap(({ flow }) => flow ?? []);
        if (!filling.take(flows) && flows.length > 0) this.#listener.came(flows);
        for (const { lost_events: lost } of batch) if (lost !== undefined) this.#listener.lost(lost);
        this.#listener.state('live', '', 0);
      }
      return new StreamError('the agent ended the stream of flows');
    } catch (error) {
      return error instanceof StreamError ? error : new StreamError(`the stream of flows failed: ${String(error)}`);
    } finally {
      filling.end(signal.aborted ? 'void' : 'broken');
    }
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
      signal.addEventListener('abort', done);
    });
  }
}

/** Gathers what a stream tells at its beginning. The protocol does not say where that ends: a pause does. */
class Filling {
  readonly #done: (flows: readonly Flow[], isBroken: boolean) => void;
  readonly #flows: Flow[] = [];
  #isOver = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  readonly #latest = setTimeout(() => this.end(), FILL_MS);

  constructor(done: (flows: readonly Flow[], isBroken: boolean) => void) {
    this.#done = done;
  }

  /** @returns whether it took them */
  take(flows: readonly Flow[]): boolean {
    if (this.#isOver) return false;
    for (const flow of flows) this.#flows.push(flow);
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.end(), SETTLE_MS);
    return true;
  }

  end(why: 'settled' | 'broken' | 'void' = 'settled'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#quiet);
    clearTimeout(this.#latest);
    if (why !== 'void') this.#done(this.#flows, why === 'broken');
  }
}
