/**
 * Flows from before those that the stream brought: asked for page by page, as somebody scrolls back, out of the agent's ring and its history.
 *
 *     older: [ ..., page 2, page 1 ]  stream: [ first ... end ]
 *
 * Each page is "the last PAGE_FLOWS until then", then being the oldest that is known. What two pages share, flows of one moment, is known by its
 * uuid. Words of the query the agent cannot look for: pages are read until some flows have them, or MAX_PAGES are through.
 */
import type { Envelope, Flow } from '../../hubble/flow.ts';
import { rfc3339 } from '../../hubble/time.ts';
import type { Query } from '../query/query.ts';
import { boundsOf, wordsAndBounds } from '../query/wanted.ts';

/** The call of the observer API, as stream/connect-stream.ts makes it. */
export type Ask = (
  question: {
    readonly number: number;
    readonly follow: false;
    readonly whitelist: Query['filters']['allow'];
    readonly blacklist: Query['filters']['deny'];
    readonly until?: string;
  },
  signal: AbortSignal,
) => AsyncIterable<readonly Envelope[]>;

const PAGE_FLOWS = 500;
/** Pages that one call reads at most, and how many flows are enough. */
const MAX_PAGES = 8;
const ENOUGH_FLOWS = 100;
const MAX_FLOWS = 50_000;

export class OlderFlows {
  readonly #ask: Ask;
  readonly #query: Query;
  readonly #wants: (flow: Flow) => boolean;
  readonly #sinceMs: number;
  readonly #known = new Set<string>();
  #flows: readonly Flow[] = [];
  #cursor: string;
  #isOver = false;

  /** @param oldest flows that the stream brought, as many as may have one moment; without any, the query's end or now counts */
  constructor(ask: Ask, query: Query, oldest: readonly Flow[], nowMs: number) {
    this.#ask = ask;
    this.#query = query;
    this.#wants = wordsAndBounds(query, nowMs);
    const { sinceMs, untilMs } = boundsOf(query, nowMs);
    this.#sinceMs = sinceMs;
    const first = oldest[0]?.time ?? rfc3339(nowMs);
    this.#cursor = Date.parse(first) > untilMs ? rfc3339(untilMs) : first;
    for (const { uuid } of oldest) if (uuid !== undefined) this.#known.add(uuid);
  }

  /** Oldest first. */
  get flows(): readonly Flow[] {
    return this.#flows;
  }

  /** Nothing is older, or nothing that the query wants. */
  get isWhole(): boolean {
    return this.#isOver || this.isFull;
  }

  /** There is no room for more. */
  get isFull(): boolean {
    return this.#flows.length >= MAX_FLOWS;
  }

  /** How far back everything has been looked at, RFC 3339. */
  get reachedTime(): string {
    return this.#cursor;
  }

  /** Looks further back. @throws StreamError when the agent does not answer, or an AbortError */
  async more(signal: AbortSignal): Promise<void> {
    const had = this.#flows.length;
    for (let page = 0; page < MAX_PAGES && !this.isWhole && this.#flows.length - had < ENOUGH_FLOWS; page++)
      await this.#page(signal);
  }

  async #page(signal: AbortSignal): Promise<void> {
    const { allow: whitelist, deny: blacklist } = this.#query.filters;
    const question = { number: PAGE_FLOWS, follow: false, whitelist, blacklist, until: this.#cursor } as const;
    const page: Flow[] = [];
    for await (const batch of this.#ask(question, signal)) page.push(...batch.flatMap(({ flow }) => flow ?? []));
    const fresh = page.filter(({ uuid }) => uuid === undefined || !this.#known.has(uuid));
    this.#known.clear(); // pages overlap in one moment only
    for (const { uuid } of page) if (uuid !== undefined) this.#known.add(uuid);
    this.#flows = [...fresh.filter(this.#wants), ...this.#flows];
    if (this.#flows.length > MAX_FLOWS) this.#flows = this.#flows.slice(-MAX_FLOWS);
    this.#isOver = page.length < PAGE_FLOWS;
    if (page.length === 0) return;
    // A moment with more flows than a page has would be asked for again and again.
    const oldestMs = Date.parse(page[0].time);
    this.#cursor = fresh.length === 0 ? rfc3339(oldestMs - 1) : page[0].time;
    this.#isOver ||= oldestMs < this.#sinceMs;
  }
}
