/**
 * Which identities does each peer hold? Asked once a peer and once an identity, then kept.
 *
 * A thousand rules about the same peer share one entry, found by the peer's key. When an identity comes or goes, only
 * peers that could hold it are tried: peers are filed under a label that their identities must have (the namespace,
 * mostly) or under their prefix, and only the few without either are tried always. Users of a peer whose set changed
 * are told which identity it was.
 *
 * An entity that an aggregate identity stands for holds every identity of that aggregate, so its users need not hear of
 * each: only those are told of that an aggregate does not stand for ("apart"). Who lists all identities one by one (an L7
 * rule set) is a lister, and hears of every one.
 */
import { aggregateOf } from '../../policy-maps/policy-verdict.ts';
import { OWN_CLUSTER } from './identity.ts';
import { CIDR_GROUP_NAME, CLUSTER, type LabelSet } from '../rule/labels.ts';
import { holds, type Peer } from '../rule/peer.ts';
import { PrefixTree } from '../rule/prefix-tree.ts';
import type { LabelSelector, Requirement } from '../rule/selector.ts';

export interface SelectorUser {
  /** The peer began or ceased to hold the identity. */
  touch(identity: number, peer: CachedPeer): void;
}

export interface CachedPeer {
  readonly peer: Peer;
  readonly identities: ReadonlySet<number>;
  /** Those of `identities` whose aggregate does not stand for the peer. */
  readonly apart: ReadonlySet<number>;
}

interface Entry extends CachedPeer {
  readonly identities: Set<number>;
  readonly apart: Set<number>;
  /** With how often each asked for it. */
  readonly users: Map<SelectorUser, number>;
  readonly listers: Map<SelectorUser, number>;
  /** Labels that it is filed under, if it is not filed under its prefix; undefined = tried always. */
  readonly places: readonly string[] | undefined;
  /** The last round in which it was tried. */
  round: number;
}

export class SelectorCache {
  readonly #peers = new Map<string, Entry>();
  readonly #identities = new Map<number, LabelSet>();
  readonly #heldBy = new Map<number, Set<Entry>>();
  readonly #filed = new Map<string, Set<Entry>>();
  readonly #unfiled = new Set<Entry>();
  readonly #byLabel = new Map<string, Set<number>>();
  /** Peers under their prefix, and identities under theirs. */
  readonly #filedWithin = new PrefixTree<Set<Entry>>();
  readonly #byPrefix = new PrefixTree<Set<number>>();
  #round = 0;

  get size(): { peers: number; identities: number } {
    return { peers: this.#peers.size, identities: this.#identities.size };
  }

  /** The cached peer; every `use` needs a `release`. */
  use(peer: Peer, user: SelectorUser): CachedPeer {
    const entry = this.#peers.get(peer.key) ?? this.#add(peer);
    count(entry.users, user, 1);
    return entry;
  }

  /** As `use`, by one who lists the peer's identities one by one. */
  list(peer: Peer, user: SelectorUser): CachedPeer {
    const entry = this.use(peer, user) as Entry;
    count(entry.listers, user, 1);
    return entry;
  }

  /** Takes back one `list`. */
  unlist(cached: CachedPeer, user: SelectorUser): void {
    count((cached as Entry).listers, user, -1);
    this.release(cached, user);
  }

  #add(peer: Peer): Entry {
    const identities = new Set<number>();
    // The same set unless an aggregate stands for some of them.
    const apart = peer.aggregates.length === 0 ? identities : new Set<number>();
    const entry: Entry = {
      peer,
      identities,
      apart,
      users: new Map(),
      listers: new Map(),
      places: this.#placesOf(peer),
      round: 0,
    };
    this.#peers.set(peer.key, entry);
    if (peer.within !== undefined) addTo(this.#filedWithin, peer.within, entry);
    if (entry.places === undefined) this.#unfiled.add(entry);
    for (const place of entry.places ?? []) addTo(this.#filed, place, entry);
    for (const id of this.#candidates(entry)) {
      if (holds(peer, this.#identities.get(id) as LabelSet)) this.#hold(entry, id);
    }
    return entry;
  }

  /** Each label one of which the peer's identities must have; not needed where a prefix tells. */
  #placesOf(peer: Peer): readonly string[] | undefined {
    if (peer.within !== undefined) return [];
    const places: string[] = [];
    for (const selector of peer.anyOf) {
      const found = this.#tellingPlaces(selector);
      if (found === undefined) return undefined;
      places.push(...found);
    }
    return [...new Set(places)];
  }

  /** The labels that tell most: of the requirements the one that the fewest identities meet (or, as yet, peers share). */
  #tellingPlaces(selector: LabelSelector): readonly string[] | undefined {
    const telling = selector.filter((requirement) => valuesOf(requirement) !== undefined);
    // All pods share the cluster, though nobody may have seen a pod yet.
    const own = telling.filter(({ key }) => key !== CLUSTER);
    let best: { places: readonly string[]; identities: number; peers: number } | undefined;
    for (const requirement of own.length > 0 ? own : telling) {
      const places = (valuesOf(requirement) ?? []).map((value) => `${requirement.key}=${value}`);
      const identities = sum(places, (place) => this.#byLabel.get(place)?.size ?? 0);
      const peers = sum(places, (place) => this.#filed.get(place)?.size ?? 0);
      const isBetter =
        best === undefined || identities < best.identities || (identities === best.identities && peers < best.peers);
      if (isBetter) best = { places, identities, peers };
    }
    return best?.places;
  }

  /** Identities that a new peer could hold. */
  *#candidates({ peer, places }: Entry): Iterable<number> {
    if (peer.within !== undefined) for (const ids of this.#byPrefix.inside(peer.within)) yield* ids;
    else if (places === undefined) yield* this.#identities.keys();
    else for (const place of places) yield* this.#byLabel.get(place) ?? [];
  }

  release(cached: CachedPeer, user: SelectorUser): void {
    const entry = cached as Entry;
    count(entry.users, user, -1);
    if (entry.users.size > 0) return;
    this.#peers.delete(entry.peer.key);
    this.#unfiled.delete(entry);
    if (entry.peer.within !== undefined) removeFrom(this.#filedWithin, entry.peer.within, entry);
    for (const place of entry.places ?? []) removeFrom(this.#filed, place, entry);
    for (const id of entry.identities) this.#heldBy.get(id)?.delete(entry);
  }

  addIdentity(id: number, labels: LabelSet): void {
    this.#identities.set(id, labels);
    this.#heldBy.set(id, new Set());
    const places = labelPlaces(labels);
    for (const place of places) addTo(this.#byLabel, place, id);
    for (const prefix of labels.prefixes()) addTo(this.#byPrefix, prefix, id);
    this.#round++;
    this.#tryEach(this.#unfiled, id, labels);
    for (const place of places) this.#tryEach(this.#filed.get(place), id, labels);
    for (const prefix of labels.prefixes()) {
      for (const entries of this.#filedWithin.around(prefix)) this.#tryEach(entries, id, labels);
    }
  }

  /** Peers that may hold the identity; each is tried once in a round, in however many places it is filed. */
  #tryEach(entries: Iterable<Entry> | undefined, id: number, labels: LabelSet): void {
    for (const entry of entries ?? []) {
      if (entry.round === this.#round) continue;
      entry.round = this.#round;
      if (!holds(entry.peer, labels)) continue;
      this.#hold(entry, id);
      tell(entry, id);
    }
  }

  removeIdentity(id: number): void {
    const labels = this.#identities.get(id);
    if (labels === undefined) return;
    for (const place of labelPlaces(labels)) removeFrom(this.#byLabel, place, id);
    for (const prefix of labels.prefixes()) removeFrom(this.#byPrefix, prefix, id);
    for (const entry of this.#heldBy.get(id) ?? []) {
      tell(entry, id);
      entry.identities.delete(id);
      entry.apart.delete(id);
    }
    this.#heldBy.delete(id);
    this.#identities.delete(id);
  }

  /** The labels of a live identity. */
  labels(id: number): LabelSet | undefined {
    return this.#identities.get(id);
  }

  /** Peers that hold the identity now. */
  holders(id: number): ReadonlySet<CachedPeer> {
    return this.#heldBy.get(id) ?? new Set();
  }

  /** Every peer with how many users it has: for `policy selectors`. */
  *entries(): Iterable<{ cached: CachedPeer; users: number }> {
    for (const entry of this.#peers.values()) yield { cached: entry, users: entry.users.size };
  }

  #hold(entry: Entry, id: number): void {
    entry.identities.add(id);
    if (!entry.peer.aggregates.includes(aggregateOf(id, OWN_CLUSTER))) entry.apart.add(id);
    this.#heldBy.get(id)?.add(entry);
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function tell(entry: Entry, id: number): void {
  const listeners = entry.apart.has(id) ? entry.users : entry.listers;
  for (const user of listeners.keys()) user.touch(id, entry);
}

function count<K>(counts: Map<K, number>, key: K, by: 1 | -1): void {
  const next = (counts.get(key) ?? 0) + by;
  if (next > 0) counts.set(key, next);
  else counts.delete(key);
}

/** The values one of which a label must have; labels of some sources have none, so that having the key is enough. */
function valuesOf({ operator, source, key, values }: Requirement): readonly string[] | undefined {
  if (operator === 'In') return values;
  const isBare = source === 'reserved' || source === 'fqdn' || key.startsWith(CIDR_GROUP_NAME);
  return operator === 'Exists' && isBare ? [''] : undefined;
}

function labelPlaces(labels: LabelSet): string[] {
  return labels.texts.map((text) => {
    const name = text.slice(text.indexOf(':') + 1);
    return name.includes('=') ? name : `${name}=`;
  });
}

/** What a Map and a PrefixTree have in common. */
interface Table<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
  delete(key: K): unknown;
}

function addTo<K, V>(table: Table<K, Set<V>>, key: K, value: V): void {
  const set = table.get(key);
  if (set === undefined) table.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<K, V>(table: Table<K, Set<V>>, key: K, value: V): void {
  const set = table.get(key);
  set?.delete(value);
  if (set?.size === 0) table.delete(key);
}
