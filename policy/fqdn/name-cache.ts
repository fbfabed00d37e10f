/**
 * What endpoints learnt from DNS: which addresses a name has, for how long, and when nobody needs to know it any more.
 *
 * A *lookup* is one address of one name that one endpoint asked for. A *pair* is the same without the endpoint: all lookups
 * of it together. Policies see pairs (name-table.ts): an address that one pod learnt is its name's for all pods of the node,
 * because it is the address that has the identity.
 *
 *     live ──(time to live is over, or too many)──> zombie ──(no connection to it)──> gone
 *       ^                                             |
 *       └───────────────(learnt again)────────────────┘
 *
 *   live    the answer's TTL runs. The pair is one that the dataplane may take for published (`takeChanges`).
 *   zombie  the TTL is over. Policies still know the pair: whoever is connected stays so. The dataplane does not: an answer
 *           that brings it again is new, and waits. A zombie lives through at least one whole round of `collect`, so that who
 *           was told the address a moment before its end has time to connect.
 *   gone    policies have forgotten it.
 *
 * A guarded pair (guard.ts) is known and never given to policies.
 *
 * Limits: a name has `maxAddresses` live ones of an endpoint, an endpoint MAX_OF_ENDPOINT live lookups and `maxZombies`
 * zombies, and there are MAX_LOOKUPS in all. Too many addresses of a name, or lookups of an endpoint, become zombies, those
 * that end first before others; too many zombies are gone, the longest there first. When all is full, the endpoint that has
 * most loses lookups. So who floods loses his own.
 *
 * Pure: times are seconds of a steady clock that the caller reads.
 */
import type { Prefix } from '../../wire/prefix.ts';
import { AddressNames } from './address-names.ts';

// --- implementation
const MAX_OF_ENDPOINT = 8192; // live lookups
const MAX_LOOKUPS = 131_072; // of all endpoints, zombies too
/** A list that is too long is cut by this part of it at once: finding what goes costs a look at all. */
const CUT = 8;
/** An answer may say 68 years; RFC 8767 knows no use for more than a week. */
export const MAX_TTL_SEC = 604_800;

export interface NameCacheLimits {
  /** tofqdns-min-ttl, seconds. */
  readonly minTtlSec: number;
  /** tofqdns-endpoint-max-ip-per-hostname. */
  readonly maxAddresses: number;
  /** tofqdns-max-deferred-connection-deletes. */
  readonly maxZombies: number;
  /** tofqdns-idle-connection-grace-period, seconds that a zombie stays after its last connection. */
  readonly idleGraceSec: number;
}

/** Who is told of pairs: the names that policies see. */
export interface NameSink {
  learn(name: string, prefix: Prefix): void;
  forget(name: string, prefix: Prefix): void;
}

export interface Pair {
  /** Lower case, with its final dot. */
  readonly name: string;
  /** The address as a prefix of its full length. */
  readonly prefix: Prefix;
  readonly isGuarded: boolean;
  /** Lookups of it, and those that are live. */
  lookups: number;
  live: number;
  /** The second at which the last live one ends. */
  expiresSec: number;
}

export interface Lookup {
  readonly endpoint: number;
  readonly pair: Pair;
  lookedUpSec: number;
  expiresSec: number;
  ttlSec: number;
  /** Since when it is a zombie; NEVER while it is live. */
  pendingSec: number;
  /** When a connection to it was seen last. */
  aliveSec: number;
}

/** An answer, or what is left of one that was kept. */
export interface Answer {
  readonly endpoint: number;
  readonly name: string;
  readonly prefixes: readonly Prefix[];
  readonly ttlSec: number;
}

export interface PairChanges {
  /** Live pairs that are new, or end later than before. */
  readonly put: readonly Pair[];
  /** Pairs without a live lookup: the dataplane must forget them before policies do. */
  readonly remove: readonly Pair[];
}

const NEVER = Number.POSITIVE_INFINITY;
const isLive = ({ pendingSec }: Lookup): boolean => pendingSec === NEVER;

/** The lookups of one name of one endpoint. */
interface Name {
  readonly addresses: Map<string, Lookup>;
  live: number;
}

interface Endpoint {
  readonly names: Map<string, Name>;
  /** By the texts of prefixes. */
  readonly byAddress: AddressNames;
  live: number;
  zombies: number;
}
const newEndpoint = (): Endpoint => ({ names: new Map(), byAddress: new AddressNames(), live: 0, zombies: 0 });

export class NameCache {
  readonly #sink: NameSink;
  readonly #isGuarded: (name: string, prefix: Prefix) => boolean;
  readonly #limits: NameCacheLimits;
  readonly #endpoints = new Map<number, Endpoint>();
  readonly #pairs = new Map<string, Map<string, Pair>>();
  readonly #changed = new Set<Pair>();
  #forgotten: Lookup[] = [];
  #lookups = 0;
  /** Lookups that went before their time because a limit was reached. */
  overLimit = 0;

  constructor(sink: NameSink, limits: NameCacheLimits, isGuarded: (name: string, prefix: Prefix) => boolean) {
    this.#sink = sink;
    this.#limits = limits;
    this.#isGuarded = isGuarded;
  }

  /** How much it holds. */
  get size(): { lookups: number; names: number; zombies: number } {
    let zombies = 0;
    for (const endpoint of this.#endpoints.values()) zombies += endpoint.zombies;
    return { lookups: this.#lookups, names: this.#pairs.size, zombies };
  }

  /** How long a lookup of this TTL lives, in seconds. */
  lifetimeOf(ttlSec: number): number {
    return Math.max(Math.min(Math.max(0, ttlSec), MAX_TTL_SEC), this.#limits.minTtlSec);
  }

  /** What an endpoint was answered. @param answer its name normalized @param nowSec of the caller's clock */
  learn({ endpoint: id, name, prefixes, ttlSec }: Answer, nowSec: number): void {
    const ttl = this.lifetimeOf(ttlSec);
    for (const prefix of prefixes) this.#learn(id, name, prefix, { ttl, nowSec });
    this.#limit(id, name, nowSec);
  }

  /** As `learn`, of an earlier time: what is over becomes a zombie. @param times in seconds of the caller's clock */
  restore(
    { endpoint: id, name, prefixes, ttlSec }: Answer,
    { lookedUpSec, expiresSec, nowSec }: { lookedUpSec: number; expiresSec: number; nowSec: number },
  ): void {
    // Whatever the clock did meanwhile, nothing lives longer than it would have.
    const left = Math.min(expiresSec - nowSec, this.lifetimeOf(ttlSec));
    for (const prefix of prefixes) {
      const lookup = this.#learn(id, name, prefix, { ttl: Math.max(0, left), nowSec });
      lookup.ttlSec = ttlSec;
      lookup.lookedUpSec = Math.min(lookedUpSec, nowSec);
      // From long ago: the first round that finds no connection to it ends it.
      if (left <= 0) this.#retire(lookup, Number.NEGATIVE_INFINITY);
    }
    this.#limit(id, name, nowSec);
  }

  /** What `collect` wants to know the connections of. */
  *zombies(): Generator<Lookup> {
    for (const { names, zombies } of this.#endpoints.values()) {
      if (zombies === 0) continue;
      for (const { addresses } of names.values()) {
        for (const lookup of addresses.values()) if (!isLive(lookup)) yield lookup;
      }
    }
  }

  /**
   * One round: lookups that are over become zombies, zombies of earlier rounds without a connection are gone.
   * @param connected of `zombies()` those that a connection of their endpoint leads to
   * @returns how many are gone
   */
  collect(nowSec: number, connected: ReadonlySet<Lookup>): number {
    let gone = 0;
    for (const endpoint of this.#endpoints.values()) {
      for (const { addresses } of endpoint.names.values()) {
        for (const lookup of addresses.values()) {
          if (isLive(lookup)) {
            if (lookup.expiresSec <= nowSec) this.#retire(lookup, nowSec);
          } else if (connected.has(lookup)) lookup.aliveSec = nowSec;
          else if (Math.max(lookup.pendingSec, lookup.aliveSec) + this.#limits.idleGraceSec < nowSec) {
            this.#forget(lookup);
            gone++;
          }
        }
      }
    }
    for (const id of this.#endpoints.keys()) this.#limitZombies(id);
    return gone;
  }

  /** Forgets what an endpoint learnt: it is gone. */
  removeEndpoint(id: number): void {
    for (const lookup of [...this.#of(id)]) this.#forget(lookup);
  }

  /** Endpoints that have learnt anything. */
  endpoints(): number[] {
    return [...this.#endpoints.keys()];
  }

  /** Whether policies know an address for the name's, whoever learnt it. */
  knows(name: string, { text }: Prefix): boolean {
    return this.#pairs.get(name)?.has(text) ?? false;
  }

  /** Names that an endpoint was told for an address; of 0, those that nobody learnt (a pre-cache). @param text of its prefix */
  namesOf(id: number, text: string): string[] {
    return (this.#endpoints.get(id)?.byAddress.of(text) ?? []).map((name) => name.slice(0, -1));
  }

  /** Takes back what an answer taught its endpoint, and what other answers have taught it of the same addresses. */
  unlearn({ endpoint, name, prefixes }: Answer): void {
    for (const { text } of prefixes) {
      const lookup = this.#endpoints.get(endpoint)?.names.get(name)?.addresses.get(text);
      if (lookup !== undefined) this.#forget(lookup);
    }
  }

  /** Forgets every lookup of the names that `matches` says, zombies too. @returns how many */
  clean(matches: (name: string) => boolean): number {
    const found = [...this.entries()].filter(({ pair }) => matches(pair.name));
    for (const lookup of found) this.#forget(lookup);
    return found.length;
  }

  /** Every lookup. */
  *entries(): Generator<Lookup> {
    for (const id of this.#endpoints.keys()) yield* this.#of(id);
  }

  /** What the dataplane must be told since the last call. */
  takeChanges(): PairChanges {
    const changed = [...this.#changed];
    this.#changed.clear();
    return { put: changed.filter(({ live }) => live > 0), remove: changed.filter(({ live }) => live === 0) };
  }

  /** Lookups that are gone since the last call, for whoever keeps them elsewhere too. */
  takeForgotten(): readonly Lookup[] {
    const forgotten = this.#forgotten;
    this.#forgotten = [];
    return forgotten;
  }

  *#of(id: number): Generator<Lookup> {
    for (const { addresses } of this.#endpoints.get(id)?.names.values() ?? []) yield* addresses.values();
  }

  #learn(id: number, name: string, prefix: Prefix, { ttl, nowSec }: { ttl: number; nowSec: number }): Lookup {
    const endpoint = entryOf(this.#endpoints, id, newEndpoint);
    const known = entryOf(endpoint.names, name, (): Name => ({ addresses: new Map(), live: 0 }));
    const lookup = known.addresses.get(prefix.text) ?? this.#add(endpoint, known, { id, name, prefix });
    if (!isLive(lookup)) {
      lookup.pendingSec = NEVER;
      endpoint.zombies--;
      endpoint.live++;
      known.live++;
      lookup.pair.live++;
    }
    lookup.lookedUpSec = nowSec;
    lookup.ttlSec = ttl;
    lookup.expiresSec = Math.max(lookup.expiresSec, nowSec + ttl);
    const { pair } = lookup;
    if (pair.live === 1 || lookup.expiresSec > pair.expiresSec) {
      pair.expiresSec = lookup.expiresSec;
      this.#changed.add(pair);
    }
    return lookup;
  }

  /** A zombie as yet: whoever adds it brings it to life. */
  #add(
    endpoint: Endpoint,
    { addresses }: Name,
    { id, name, prefix }: { id: number; name: string; prefix: Prefix },
  ): Lookup {
    const pairs = entryOf(this.#pairs, name, () => new Map<string, Pair>());
    const pair = entryOf(pairs, prefix.text, () => {
      const isGuarded = this.#isGuarded(name, prefix);
      if (!isGuarded) this.#sink.learn(name, prefix);
      return { name, prefix, isGuarded, lookups: 0, live: 0, expiresSec: 0 };
    });
    pair.lookups++;
    const lookup: Lookup = {
      endpoint: id,
      pair,
      lookedUpSec: 0,
      expiresSec: 0,
      ttlSec: 0,
      pendingSec: 0,
      aliveSec: Number.NEGATIVE_INFINITY,
    };
    addresses.set(prefix.text, lookup);
    endpoint.byAddress.add(prefix.text, name);
    endpoint.zombies++;
    this.#lookups++;
    return lookup;
  }

  #retire(lookup: Lookup, sinceSec: number): void {
    const endpoint = this.#endpoints.get(lookup.endpoint) as Endpoint;
    const known = endpoint.names.get(lookup.pair.name) as Name;
    lookup.pendingSec = sinceSec;
    known.live--;
    endpoint.live--;
    endpoint.zombies++;
    if (--lookup.pair.live === 0) this.#changed.add(lookup.pair);
  }

  #forget(lookup: Lookup): void {
    if (isLive(lookup)) this.#retire(lookup, 0);
    const { endpoint: id, pair } = lookup;
    const { name, prefix } = pair;
    const endpoint = this.#endpoints.get(id) as Endpoint;
    endpoint.zombies--;
    this.#lookups--;
    this.#forgotten.push(lookup);
    const { addresses } = endpoint.names.get(name) as Name;
    addresses.delete(prefix.text);
    endpoint.byAddress.remove(prefix.text, name);
    if (addresses.size === 0) endpoint.names.delete(name);
    if (endpoint.names.size === 0) this.#endpoints.delete(id);
    if (--pair.lookups > 0) return;
    const pairs = this.#pairs.get(name) as Map<string, Pair>;
    pairs.delete(prefix.text);
    if (pairs.size === 0) this.#pairs.delete(name);
    if (!pair.isGuarded) this.#sink.forget(name, prefix);
  }

  /** After an endpoint has learnt addresses of a name. */
  #limit(id: number, name: string, nowSec: number): void {
    const endpoint = this.#endpoints.get(id);
    const known = endpoint?.names.get(name);
    if (endpoint === undefined || known === undefined) return;
    const tooMany = known.live - this.#limits.maxAddresses;
    if (tooMany > 0) this.#retireFirst([...known.addresses.values()].filter(isLive), tooMany, nowSec);
    if (endpoint.live > MAX_OF_ENDPOINT) {
      const live = [...this.#of(id)].filter(isLive);
      this.#retireFirst(live, Math.ceil(MAX_OF_ENDPOINT / CUT), nowSec);
    }
    this.#limitZombies(id);
    if (this.#lookups > MAX_LOOKUPS) this.#cutLargest();
  }

  #retireFirst(live: Lookup[], count: number, nowSec: number): void {
    live.sort((a, b) => a.expiresSec - b.expiresSec || a.lookedUpSec - b.lookedUpSec);
    for (const lookup of live.slice(0, count)) this.#retire(lookup, nowSec);
    this.overLimit += count;
  }

  #limitZombies(id: number): void {
    const { maxZombies } = this.#limits;
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined || endpoint.zombies <= maxZombies) return;
    const zombies = [...this.#of(id)].filter((lookup) => !isLive(lookup));
    zombies.sort((a, b) => a.pendingSec - b.pendingSec);
    const most = maxZombies - Math.floor(maxZombies / CUT);
    for (const lookup of zombies.slice(0, zombies.length - most)) this.#forget(lookup);
    this.overLimit += zombies.length - most;
  }

  /** There are too many of all endpoints: whoever has most gives a part of his, zombies first. */
  #cutLargest(): void {
    const sizeOf = ({ live, zombies }: Endpoint): number => live + zombies;
    const [id, largest] = [...this.#endpoints].reduce((a, b) => (sizeOf(b[1]) > sizeOf(a[1]) ? b : a));
    const count = Math.ceil(sizeOf(largest) / CUT);
    const all = [...this.#of(id)].sort((a, b) => endOf(a) - endOf(b));
    for (const lookup of all.slice(0, count)) this.#forget(lookup);
    this.overLimit += count;
  }
}

/** For the order in which lookups go: zombies before the living, then who ends first. */
function endOf(lookup: Lookup): number {
  return isLive(lookup) ? lookup.expiresSec : lookup.pendingSec - MAX_TTL_SEC * CUT;
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
