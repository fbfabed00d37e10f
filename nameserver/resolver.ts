/**
 * Questions to other servers: who asks for what is under way already waits for the same answer (so a flood of one name is one
 * question, and nobody can have many open for it to guess at, RFC 5452).
 *
 *   ask() -> Inquiry: server 1 --nothing for tryMs--> server 2 -> ... -> server 1 again, up to MAX_TRIES
 *              |  \-- SERVFAIL, REFUSED, no such port --> the next at once; FORMERR --> the same without EDNS
 *              |-- answer of any of them ------> into the cache, to all who wait
 *              |-- staleAfterMs, and something old is at hand --> that to all who wait; the asking goes on
 *              +-- nobody left, or deadlineMs --> something old, or SERVFAIL; not asked again for FAILURE_SEC
 *
 * Bounds: `maxInquiries` under way, `maxWaiting` who wait in all and `maxOfClient` of one address, which begins no more inquiries than
 * are left for others; beyond, ask() says no.
 */
import { monotonicMs } from '../dataplane/native/index.ts';
import { type DnsMessage, RCODE_FORMAT_ERROR, RCODE_NAME_ERROR } from '../wire/dns/message.ts';
import { type AnswerCache, isServable } from './cache.ts';
import { CachedMessage } from './cached-message.ts';
import type { Counters } from './counters.ts';
import { Exchange } from './exchange.ts';
import type { Question } from './upstream-query.ts';
import type { Upstreams, UpstreamState } from './upstreams.ts';

const FAILURE_SEC = 2; // RFC 9520: at least 1
const MAX_FAILURES = 4_096;
const MAX_TRIES = 4;

/** Times and bounds; others than LIMITS in tests only. */
export interface ResolverLimits {
  readonly tryMs: number;
  /** Resolvers ask again after 5 s. */
  readonly deadlineMs: number;
  /** RFC 8767 5 says 1.8 s. */
  readonly staleAfterMs: number;
  readonly maxInquiries: number;
  readonly maxWaiting: number;
  readonly maxOfClient: number;
}

const LIMITS: ResolverLimits = {
  tryMs: 1_000,
  deadlineMs: 4_500,
  staleAfterMs: 1_500,
  maxInquiries: 1_024,
  maxWaiting: 8_192,
  maxOfClient: 256,
};

/** @param found undefined: nobody knows it @param isStale it was true once */
export type Deliver = (found: CachedMessage | undefined, isStale: boolean) => void;

interface Waiter {
  readonly client: string;
  readonly deliver: Deliver;
}

export class Resolver {
  readonly #cache: AnswerCache;
  readonly #upstreams: Upstreams;
  readonly #counters: Counters;
  readonly #limits: ResolverLimits;
  readonly #inquiries = new Map<string, Inquiry>();
  /** Until when a question is not asked again, in seconds. */
  readonly #failures = new Map<string, number>();
  readonly #clients = new Map<string, number>();
  #waiting = 0;

  constructor(cache: AnswerCache, upstreams: Upstreams, counters: Counters, limits: Partial<ResolverLimits> = {}) {
    this.#cache = cache;
    this.#limits = { ...LIMITS, ...limits };
    this.#upstreams = upstreams;
    this.#counters = counters;
  }

  /** Inquiries under way, and who waits for them. */
  get load(): { inquiries: number; waiting: number } {
    return { inquiries: this.#inquiries.size, waiting: this.#waiting };
  }

  /**
   * Has a question answered; `deliver` is called once, possibly before this returns.
   * @param key of the cache @param client whom its share is counted for @returns false when there is no room, then it is not
   */
  ask(key: string, question: Question, client: string, deliver: Deliver): boolean {
    const nowMs = monotonicMs();
    const old = this.#staleOf(key, nowMs);
    const failedUntil = this.#failures.get(key);
    if (failedUntil !== undefined && nowMs < 1000 * failedUntil) {
      deliver(old, old !== undefined);
      return true;
    }
    const ofClient = this.#clients.get(client) ?? 0;
    if (this.#waiting >= this.#limits.maxWaiting || ofClient >= this.#limits.maxOfClient) return false;
    let inquiry = this.#inquiries.get(key);
    if (inquiry === undefined) {
      if (this.#inquiries.size + ofClient >= this.#limits.maxInquiries) return false;
      inquiry = new Inquiry(
        question,
        { upstreams: this.#upstreams, counters: this.#counters, limits: this.#limits },
        {
          onAnswer: (message, bytes, start) => this.#answered(key, message, bytes, start),
          onSlow: () => this.#deliverStale(key),
          onFailure: () => this.#failed(key),
        },
      );
      this.#inquiries.set(key, inquiry);
    }
    if (old !== undefined && (inquiry.isSlow || this.#upstreams.isDark(nowMs))) deliver(old, true);
    else {
      inquiry.waiters.push({ client, deliver });
      this.#clients.set(client, ofClient + 1);
      this.#waiting++;
    }
    inquiry.begin();
    return true;
  }

  /** Ends all that is under way; who waits gets nothing. */
  close(): void {
    for (const inquiry of this.#inquiries.values()) inquiry.close();
    this.#inquiries.clear();
  }

  #answered(key: string, message: DnsMessage, bytes: Uint8Array, start: number): void {
    const nowSec = monotonicMs() / 1000;
    const found = new CachedMessage(message, bytes, start, nowSec);
    if (found.ttlSec > 0) this.#cache.set(key, found);
    this.#failures.delete(key);
    this.#end(key, found, false);
  }

  #deliverStale(key: string): void {
    const old = this.#staleOf(key, monotonicMs());
    const inquiry = this.#inquiries.get(key);
    if (old !== undefined && inquiry !== undefined) this.#deliver(inquiry, old, true);
  }

  #failed(key: string): void {
    const nowMs = monotonicMs();
    for (const [failed] of this.#failures) {
      if (this.#failures.size < MAX_FAILURES) break;
      this.#failures.delete(failed);
    }
    this.#failures.delete(key);
    this.#failures.set(key, nowMs / 1000 + FAILURE_SEC);
    const old = this.#staleOf(key, nowMs);
    this.#end(key, old, old !== undefined);
  }

  #end(key: string, found: CachedMessage | undefined, isStale: boolean): void {
    const inquiry = this.#inquiries.get(key);
    this.#inquiries.delete(key);
    if (inquiry !== undefined) this.#deliver(inquiry, found, isStale);
  }

  #deliver(inquiry: Inquiry, found: CachedMessage | undefined, isStale: boolean): void {
    const waiters = inquiry.waiters.splice(0);
    this.#waiting -= waiters.length;
    for (const { client } of waiters) {
      const left = (this.#clients.get(client) ?? 1) - 1;
      if (left === 0) this.#clients.delete(client);
      else this.#clients.set(client, left);
    }
    for (const { deliver } of waiters) deliver(found, isStale);
  }

  #staleOf(key: string, nowMs: number): CachedMessage | undefined {
    const found = this.#cache.get(key);
    return found !== undefined && isServable(found, nowMs / 1000) ? found : undefined;
  }
}

interface InquiryEvents {
  readonly onAnswer: (message: DnsMessage, bytes: Uint8Array, start: number) => void;
  /** Nobody has answered for a while. */
  readonly onSlow: () => void;
  readonly onFailure: () => void;
}

interface InquiryParts {
  readonly upstreams: Upstreams;
  readonly counters: Counters;
  readonly limits: ResolverLimits;
}

/** One question under way. */
class Inquiry {
  readonly waiters: Waiter[] = [];
  isSlow = false;
  readonly #question: Question;
  readonly #events: InquiryEvents;
  readonly #upstreams: Upstreams;
  readonly #counters: Counters;
  readonly #limits: ResolverLimits;
  readonly #exchanges = new Set<Exchange>();
  #order: UpstreamState[] = [];
  #tries = 0;
  #hasBegun = false;
  #isDone = false;
  #tryTimer: NodeJS.Timeout | undefined;
  #slowTimer: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(question: Question, { upstreams, counters, limits }: InquiryParts, events: InquiryEvents) {
    this.#question = question;
    this.#upstreams = upstreams;
    this.#counters = counters;
    this.#limits = limits;
    this.#events = events;
  }

  /** Asks the first server, the first time. */
  begin(): void {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#order = this.#upstreams.order(monotonicMs());
    this.#deadline = setTimeout(() => this.#fail(), this.#limits.deadlineMs);
    this.#slowTimer = setTimeout(() => {
      this.isSlow = true;
      this.#events.onSlow();
    }, this.#limits.staleAfterMs);
    this.#tryNext();
  }

  close(): void {
    this.#isDone = true;
    for (const timer of [this.#deadline, this.#slowTimer, this.#tryTimer]) clearTimeout(timer);
    for (const exchange of this.#exchanges) exchange.close();
    this.#exchanges.clear();
  }

  #tryNext(): void {
    clearTimeout(this.#tryTimer);
    if (this.#isDone) return;
    if (this.#order.length === 0 || this.#tries === Math.max(MAX_TRIES, this.#order.length)) {
      if (this.#exchanges.size === 0) this.#fail();
      return;
    }
    const state = this.#order[this.#tries++ % this.#order.length];
    this.#tryTimer = setTimeout(() => {
      this.#counters.upstreamTimeouts++;
      state.fail(monotonicMs());
      this.#tryNext();
    }, this.#limits.tryMs);
    this.#askOne(state, true);
  }

  #askOne(state: UpstreamState, hasOpt: boolean): void {
    this.#counters.upstreamQueries++;
    const exchange: Exchange = new Exchange({
      upstream: state.upstream,
      question: this.#question,
      hasOpt,
      counters: this.#counters,
      onAnswer: (message, bytes, start) => {
        this.#exchanges.delete(exchange);
        state.succeed();
        if (message.rcode === RCODE_FORMAT_ERROR && hasOpt) this.#askOne(state, false);
        else if (message.rcode !== 0 && message.rcode !== RCODE_NAME_ERROR) this.#tryNext();
        else this.#finish(() => this.#events.onAnswer(message, bytes, start));
      },
      onFailure: () => {
        this.#exchanges.delete(exchange);
        this.#counters.upstreamFailures++;
        state.fail(monotonicMs());
        this.#tryNext();
      },
    });
    this.#exchanges.add(exchange);
    exchange.begin();
  }

  #fail(): void {
    this.#finish(this.#events.onFailure);
  }

  #finish(tell: () => void): void {
    if (this.#isDone) return;
    this.close();
    tell();
  }
}
