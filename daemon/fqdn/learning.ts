/**
 * Learning for toFQDNs: what DNS answers told pods (the ring `events_dns`), into policies and maps, within the time that the
 * dataplane holds the answers back.
 *
 *     events_dns ──> NameCache ──> kept on disk ──> [out: pairs that are over] ──> compile, publish ──> [in: new pairs]
 *                                                                                                          │
 *     dataplane lets the answers go on  <── poked  <── CONFIG_DNS_PUBLISHED  <─────────────────────────────┘
 *
 * The order is what makes an answer true that a pod has in hand: a pair is in the table of published pairs only while
 * policies, identities and ipcache speak of it. Answers are taken in turn, many at once when many wait.
 *
 * Every COLLECT_MS lookups whose time is over lose their place in the table, and those that nobody is connected to are
 * forgotten by policies (policy/fqdn/name-cache.ts has the life of a lookup).
 *
 * Started before the first publication (`restore`), so that an agent never publishes a world without the names that its
 * predecessor had learnt.
 */
import { readFileSync } from 'node:fs';
import { CONFIG_FQDN_ACTIVE } from '../../policy-maps/config-map.ts';
import { DNS_ASK, type DnsEvent } from '../../policy-maps/dns-events.ts';
import { type Answer, type Lookup, NameCache, type NameCacheLimits } from '../../policy/fqdn/name-cache.ts';
import type { NameTable } from '../../policy/fqdn/name-table.ts';
import {
  addressOf,
  formatForgotten,
  formatKept,
  type KeptAnswer,
  keptOf,
  readKept,
} from '../../policy/fqdn/pre-cache.ts';
import { V4_MAPPED_BITS } from '../../wire/address.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { fqdnRegExp } from '../../wire/fqdn.ts';
import { type Prefix, prefixOf } from '../../wire/prefix.ts';
import type { Log } from '../health/log.ts';
import type { PinnedMaps } from '../publish/pinned-maps.ts';
import { connectedOf } from './connections.ts';
import type { NamePlace } from '../observe/directory-feed.ts';
import { KeptNames } from './kept-names.ts';
import { PublishedPairs } from './published-pairs.ts';

/** While policies have toFQDNs, and answers wait; else. */
const POLL_MS = 4;
const IDLE_POLL_MS = 100;
const COLLECT_MS = 5000;
/** Answers that are published at once. */
const BATCH = 512;
/** Lines of the log about guarded addresses in a minute. */
const GUARD_LINES = 10;
const ADDRESS_BITS = V4_MAPPED_BITS + 32;

export interface LearningSettings {
  readonly limits: NameCacheLimits;
  readonly guard: (name: string, address: Prefix) => boolean;
  /** File of Cilium's pre-cache to begin with; '' for none. */
  readonly preCache: string;
}

export interface LearningOptions {
  readonly settings: LearningSettings;
  /** Where what was learnt is kept. */
  readonly path: string;
  readonly maps: Pick<PinnedMaps, 'config' | 'dnsEvents' | 'fqdn' | 'ctTcp' | 'ctAny'>;
  readonly names: NameTable;
  /** Compiles and publishes what the names have changed. @throws RangeError when there are no identities left */
  readonly publish: () => void;
  /** Tells the dataplane that answers may go on. */
  readonly poke: () => void;
  /** Whether an endpoint is there. */
  readonly hasEndpoint: (id: number) => boolean;
  readonly onProblems: (problems: string[]) => void;
  /** Endpoints that were told other names than before, and for which addresses. */
  readonly onNames: (places: readonly NamePlace[]) => void;
  readonly log: Pick<Log, 'warn'>;
  /** Milliseconds of the monotonic clock, which is the dataplane's, and since 1970. */
  readonly monotonicMs: () => number;
  readonly wallMs: () => number;
}

/** What has happened since the start. */
export interface LearningCounts {
  /** Answers taken in. */
  readonly answers: number;
  /** Pairs that were kept from policies, because their address is of the inside. */
  readonly guarded: number;
  /** Lookups that are gone: their time was over, and nobody connected. */
  readonly collected: number;
  /** Lookups that went before their time because a limit was reached. */
  readonly overLimit: number;
  /** Pairs that found no room in the table of published ones. */
  readonly unplaced: number;
}

export class Learning {
  readonly cache: NameCache;
  readonly #options: LearningOptions;
  readonly #kept: KeptNames;
  readonly #pairs: PublishedPairs;
  readonly #reader: ReturnType<PinnedMaps['dnsEvents']['reader']>;
  readonly #name = new DomainName();
  #poll: NodeJS.Timeout | undefined;
  #collector: NodeJS.Timeout | undefined;
  #answers = 0;
  #guarded = 0;
  #collected = 0;
  #guardMinute = 0;
  #guardLines = 0;
  #publishProblem = '';

  constructor(options: LearningOptions) {
    const { settings, names, maps, path } = options;
    this.#options = options;
    this.cache = new NameCache(names, settings.limits, (name, prefix) => this.#isGuarded(name, prefix));
    this.#kept = new KeptNames(path);
    this.#pairs = new PublishedPairs(maps.fqdn);
    this.#reader = maps.dnsEvents.reader(maps.config);
  }

  get counts(): LearningCounts {
    const { overLimit } = this.cache;
    const { unplaced } = this.#pairs;
    return { answers: this.#answers, guarded: this.#guarded, collected: this.#collected, overLimit, unplaced };
  }

  /** What was known before: call it before anything is published. */
  restore(): void {
    const { preCache } = this.#options.settings;
    const answers = [...this.#kept.read(), ...(preCache === '' ? [] : this.#readPreCache(preCache))];
    for (const answer of answers) this.#restore(answer);
    this.#pairs.keepOnly(new Set([...this.cache.entries()].map(({ pair }) => pair).filter(({ live }) => live > 0)));
    this.#rewrite();
    this.#tellProblems();
  }

  /** Begins to learn: call it when what `restore` gave is published. */
  start(): void {
    this.#pairs.put(this.cache.takeChanges().put);
    this.#collector = setInterval(() => this.collect(), COLLECT_MS);
    this.#listen();
  }

  stop(): void {
    clearTimeout(this.#poll);
    clearInterval(this.#collector);
  }

  /** Says whether answers have to wait: call it before policies with toFQDNs are published, and after any is gone. */
  announce(): void {
    const { names, maps } = this.#options;
    maps.config.store(CONFIG_FQDN_ACTIVE, names.hasPatterns ? 1 : 0);
  }

  /** Takes in the answers that have come. @returns how many */
  look(): number {
    if (this.#reader.pending === 0) return 0;
    const answers: Answer[] = [];
    let isAwaited = false;
    let count = 0;
    const nowSec = this.#nowSec;
    for (const event of this.#reader.read(BATCH)) {
      count++;
      isAwaited ||= event.kind === DNS_ASK;
      const answer = this.#answerOf(event);
      if (answer !== undefined) answers.push(answer);
    }
    this.#kept.append(answers.map((answer) => formatKept(this.#keptAnswer(answer, nowSec))));
    const news = answers.map((answer) => this.#newsOf(answer)).filter(({ prefixes }) => prefixes.length > 0);
    for (const answer of answers) this.cache.learn(answer, nowSec);
    this.#settle(news, answers);
    this.#answers += count;
    this.#reader.acknowledge(this.#reader.sequence);
    if (isAwaited) this.#options.poke();
    if (this.#kept.isLong) this.#rewrite();
    return count;
  }

  /** One round: what is over, and what nobody needs. */
  collect(): void {
    // What comes meanwhile has its turn: who asks as fast as this takes in must not keep the agent here.
    const end = this.#reader.sequence + this.#reader.pending;
    while (((end - this.#reader.sequence) | 0) > 0 && this.look() > 0);
    const { maps, hasEndpoint } = this.#options;
    const nowSec = this.#nowSec;
    const connected = connectedOf(this.cache.zombies(), [maps.ctTcp, maps.ctAny], nowSec);
    this.#collected += this.cache.collect(nowSec, connected);
    for (const id of this.cache.endpoints()) if (id !== 0 && !hasEndpoint(id)) this.cache.removeEndpoint(id);
    this.#settle([]);
    if (this.#kept.isLong) this.#rewrite();
  }

  /** Forgets names at once. @param pattern as a policy's matchPattern; '' = all @returns how many lookups */
  clean(pattern: string): number {
    const regexp = pattern === '' ? undefined : fqdnRegExp({ matchPattern: pattern });
    const count = this.cache.clean((name) => regexp?.test(name) ?? true);
    this.#settle([]);
    return count;
  }

  /** When a lookup was made and ends, in milliseconds since 1970. */
  timesOf(lookup: Lookup): KeptAnswer {
    return keptOf(lookup, this.#wallOfSecond0);
  }

  #listen(): void {
    let interval = this.#options.names.hasPatterns ? POLL_MS : IDLE_POLL_MS;
    // More than is taken at once: go on, but let the API and others in between.
    if (this.look() === BATCH) interval = 0;
    this.#poll = setTimeout(() => this.#listen(), interval);
  }

  /** In the order of the essay. @param news of answers that have just been learnt, what policies did not know before */
  #settle(news: readonly Answer[], answers: readonly Answer[] = []): void {
    const { put, remove } = this.cache.takeChanges();
    this.#pairs.remove(remove);
    this.#publishProblem = this.#publish();
    let isPublished = this.#publishProblem === '';
    if (!isPublished && news.length > 0) {
      // Not reachable is what the new ones may be: published is what they are not. What was known before goes on.
      for (const answer of news) this.cache.unlearn(answer);
      this.#pairs.remove(this.cache.takeChanges().remove);
      isPublished = this.#publish() === '';
    }
    if (isPublished) this.#pairs.put(put.filter(({ live }) => live > 0));
    const forgotten = this.cache.takeForgotten();
    this.#kept.append(forgotten.map(formatForgotten));
    const told = answers.flatMap(({ endpoint, prefixes }) => prefixes.map(({ text }) => ({ endpoint, prefix: text })));
    this.#options.onNames([...told, ...forgotten.map(placeOf)]);
    this.#tellProblems();
  }

  /** Names that an endpoint was told for an address; @param prefix of its full length */
  namesOf(endpoint: number, prefix: string): string[] {
    return this.cache.namesOf(endpoint, prefix);
  }

  /** Everything that endpoints were told. */
  *told(): Generator<NamePlace> {
    for (const lookup of this.cache.entries()) yield placeOf(lookup);
  }

  /** @returns why it could not be done, '' when it was */
  #publish(): string {
    try {
      this.#options.publish();
      return '';
    } catch (error) {
      return `names: ${(error as Error).message}: addresses that were learnt are not reachable`;
    }
  }

  #newsOf(answer: Answer): Answer {
    const { name, prefixes } = answer;
    return { ...answer, prefixes: prefixes.filter((prefix) => !this.cache.knows(name, prefix)) };
  }

  #tellProblems(): void {
    this.#options.onProblems([...this.#kept.problems, this.#publishProblem].filter((text) => text !== ''));
  }

  /** undefined when it teaches nothing: of an endpoint that is gone, or a name that no policy can say. */
  #answerOf({ endpoint, name, ttlSec, addresses }: DnsEvent): Answer | undefined {
    if (addresses.length === 0 || !this.#options.hasEndpoint(endpoint)) return undefined;
    if (!this.#name.load(name, 0, name.length, 0) || !this.#name.isPlain) return undefined;
    const prefixes = addresses.map((words) => prefixOf(words, ADDRESS_BITS));
    return { endpoint, name: this.#name.text(), ttlSec: ttlSec >>> 0, prefixes };
  }

  #restore({ lookedUpMs, expiresMs, ...answer }: KeptAnswer): void {
    const secondOf = (ms: number): number => (ms - this.#wallOfSecond0) / 1000;
    const nowSec = this.#nowSec;
    this.cache.restore(answer, { lookedUpSec: secondOf(lookedUpMs), expiresSec: secondOf(expiresMs), nowSec });
  }

  #readPreCache(path: string): KeptAnswer[] {
    try {
      return readKept(readFileSync(path, 'utf8')).answers;
    } catch (error) {
      this.#options.log.warn({ path, reason: (error as Error).message }, 'tofqdns-pre-cache cannot be read');
      return [];
    }
  }

  #keptAnswer(answer: Answer, nowSec: number): KeptAnswer {
    const ttlSec = this.cache.lifetimeOf(answer.ttlSec);
    const lookedUpMs = Math.round(this.#wallOfSecond0 + nowSec * 1000);
    return { ...answer, ttlSec, lookedUpMs, expiresMs: lookedUpMs + ttlSec * 1000 };
  }

  #rewrite(): void {
    this.cache.takeForgotten();
    const wallMs = this.#wallOfSecond0;
    this.#kept.rewrite([...this.cache.entries()].map((lookup) => formatKept(keptOf(lookup, wallMs))));
  }

  #isGuarded(name: string, prefix: Prefix): boolean {
    if (!this.#options.settings.guard(name, prefix)) return false;
    this.#guarded++;
    const minute = Math.floor(this.#nowSec / 60);
    if (minute !== this.#guardMinute) this.#guardLines = 0;
    this.#guardMinute = minute;
    if (this.#guardLines++ < GUARD_LINES) {
      const details = { name, address: addressOf(prefix) };
      this.#options.log.warn(details, 'a name of the outside has an address of the inside: toFQDNs does not allow it');
    }
    return true;
  }

  get #nowSec(): number {
    return Math.floor(this.#options.monotonicMs() / 1000);
  }

  get #wallOfSecond0(): number {
    return this.#options.wallMs() - this.#options.monotonicMs();
  }
}

function placeOf({ endpoint, pair }: Lookup): NamePlace {
  return { endpoint, prefix: pair.prefix.text };
}
