/**
 * Which identities does each peer hold? A peer holds the identities that its selectors select. The cache asks once for each
 * peer and identity, and keeps the answer.
 *
 * A thousand rules about the same peer share one record, found by the peer's key. When an identity comes or goes, the cache
 * tries only peers that could hold it. It finds them by a label that their identities must have (the namespace, mostly) or
 * by their prefix; the few peers without either are tried on every identity. The cache then tells the users of each peer
 * whose set changed which identity it was.
 *
 * Aggregate identities spare users most of these calls. The map entries of the aggregate `cluster` count for every pod, so a
 * policy about the entity `cluster` needs no entries for the single pods, and is not told of them. It is told of an
 * identity that the peer holds and that none of the peer's aggregates stands for: such an identity is *unaggregated*. An L7 rule
 * set names the single identities, so a user that writes one calls `list` and is told of all of them.
 */
import { aggregateOf, OWN_CLUSTER } from '../../wire/identities.ts';
import { CIDR_GROUP_NAME, CLUSTER, type LabelSet } from '../rule/labels.ts';
import { MultiMap } from '../rule/multi-map.ts';
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
  /** Those of `identities` that no aggregate of the peer stands for. */
  readonly unaggregated: ReadonlySet<number>;
}

interface PeerRecord extends CachedPeer {
  readonly identities: Set<number>;
  readonly unaggregated: Set<number>;
  /** With how often each asked for it. */
  readonly users: Map<SelectorUser, number>;
  /** Those of `users` that list the identities one by one. */
  readonly listingUsers: Map<SelectorUser, number>;
  /** Every identity of the peer has one of these labels (none needed where the prefix finds it); undefined = tried always. */
  readonly indexLabels: readonly string[] | undefined;
  /** The last round in which it was tried. */
  round: number;
}

export class SelectorCache {
  readonly #peers = new Map<string, PeerRecord>();
  readonly #identities = new Map<number, LabelSet>();
  readonly #holders = new Map<number, Set<PeerRecord>>();
  readonly #peersByLabel = new MultiMap<string, PeerRecord>();
  readonly #peersWithoutIndex = new Set<PeerRecord>();
  readonly #identitiesByLabel = new MultiMap<string, number>();
  readonly #peerTree = new PrefixTree<Set<PeerRecord>>();
  readonly #peersByPrefix = new MultiMap(this.#peerTree);
  readonly #identityTree = new PrefixTree<Set<number>>();
  readonly #identitiesByPrefix = new MultiMap(this.#identityTree);
  #round = 0;

  get size(): { peers: number; identities: number } {
    return { peers: this.#peers.size, identities: this.#identities.size };
  }

  /** The cached peer; every `use` needs a `release`. */
  use(peer: Peer, user: SelectorUser): CachedPeer {
    const record = this.#peers.get(peer.key) ?? this.#add(peer);
    count(record.users, user, 1);
    return record;
  }

  /** As `use`, by a user that lists the peer's identities one by one. */
  list(peer: Peer, user: SelectorUser): CachedPeer {
    const record = this.use(peer, user) as PeerRecord;
    count(record.listingUsers, user, 1);
    return record;
  }

  /** Takes back one `list`. */
  unlist(cached: CachedPeer, user: SelectorUser): void {
    count((cached as PeerRecord).listingUsers, user, -1);
    this.release(cached, user);
  }

  #add(peer: Peer): PeerRecord {
    const identities = new Set<number>();
    // The same set unless an aggregate stands for some of them.
    const unaggregated = peer.aggregates.length === 0 ? identities : new Set<number>();
    const record: PeerRecord = {
      peer,
      identities,
      unaggregated,
      users: new Map(),
      listingUsers: new Map(),
      indexLabels: this.#indexLabelsOf(peer),
      round: 0,
    };
    this.#peers.set(peer.key, record);
    if (peer.within !== undefined) this.#peersByPrefix.add(peer.within, record);
    if (record.indexLabels === undefined) this.#peersWithoutIndex.add(record);
    for (const label of record.indexLabels ?? []) this.#peersByLabel.add(label, record);
    for (const id of this.#candidates(record)) {
      if (holds(peer, this.#identities.get(id) as LabelSet)) this.#hold(record, id);
    }
    return record;
  }

  /** Labels of which every identity of the peer has one; none are needed where a prefix finds the peer. */
  #indexLabelsOf(peer: Peer): readonly string[] | undefined {
    if (peer.within !== undefined) return [];
    const labels = new Set<string>();
    for (const selector of peer.anyOf) {
      const found = this.#rarestLabels(selector);
      if (found === undefined) return undefined;
      for (const label of found) labels.add(label);
    }
    return [...labels];
  }

  /** Of the selector's requirements the one whose labels the fewest identities have (or, as yet, the fewest peers share). */
  #rarestLabels(selector: LabelSelector): readonly string[] | undefined {
    const usable = selector.filter((requirement) => valuesOf(requirement) !== undefined);
    // All pods share the cluster, though nobody may have seen a pod yet.
    const own = usable.filter(({ key }) => key !== CLUSTER);
    let best: { labels: readonly string[]; identities: number; peers: number } | undefined;
    for (const requirement of own.length > 0 ? own : usable) {
      const labels = (valuesOf(requirement) ?? []).map((value) => `${requirement.key}=${value}`);
      const identities = sum(labels, (label) => this.#identitiesByLabel.get(label).size);
      const peers = sum(labels, (label) => this.#peersByLabel.get(label).size);
      const isBetter =
        best === undefined || identities < best.identities || (identities === best.identities && peers < best.peers);
      if (isBetter) best = { labels, identities, peers };
    }
    return best?.labels;
  }

  /** Identities that a new peer could hold. */
  *#candidates({ peer, indexLabels }: PeerRecord): Iterable<number> {
    if (peer.within !== undefined) for (const ids of this.#identityTree.inside(peer.within)) yield* ids;
    else if (indexLabels === undefined) yield* this.#identities.keys();
    else for (const label of indexLabels) yield* this.#identitiesByLabel.get(label);
  }

  release(cached: CachedPeer, user: SelectorUser): void {
    const record = cached as PeerRecord;
    count(record.users, user, -1);
    if (record.users.size > 0) return;
    this.#peers.delete(record.peer.key);
    this.#peersWithoutIndex.delete(record);
    if (record.peer.within !== undefined) this.#peersByPrefix.remove(record.peer.within, record);
    for (const label of record.indexLabels ?? []) this.#peersByLabel.remove(label, record);
    for (const id of record.identities) this.#holders.get(id)?.delete(record);
  }

  addIdentity(id: number, labels: LabelSet): void {
    this.#identities.set(id, labels);
    this.#holders.set(id, new Set());
    const texts = indexTexts(labels);
    for (const text of texts) this.#identitiesByLabel.add(text, id);
    for (const prefix of labels.prefixes()) this.#identitiesByPrefix.add(prefix, id);
    this.#round++;
    this.#tryEach(this.#peersWithoutIndex, id, labels);
    for (const text of texts) this.#tryEach(this.#peersByLabel.get(text), id, labels);
    for (const prefix of labels.prefixes()) {
      for (const records of this.#peerTree.around(prefix)) this.#tryEach(records, id, labels);
    }
  }

  /** Peers that may hold the identity. A peer that several labels lead to is tried once in a round. */
  #tryEach(records: Iterable<PeerRecord>, id: number, labels: LabelSet): void {
    for (const record of records) {
      if (record.round === this.#round) continue;
      record.round = this.#round;
      if (!holds(record.peer, labels)) continue;
      this.#hold(record, id);
      tell(record, id);
    }
  }

  removeIdentity(id: number): void {
    const labels = this.#identities.get(id);
    if (labels === undefined) return;
    for (const text of indexTexts(labels)) this.#identitiesByLabel.remove(text, id);
    for (const prefix of labels.prefixes()) this.#identitiesByPrefix.remove(prefix, id);
    for (const record of this.#holders.get(id) ?? []) {
      tell(record, id);
      record.identities.delete(id);
      record.unaggregated.delete(id);
    }
    this.#holders.delete(id);
    this.#identities.delete(id);
  }

  /** The labels of a live identity. */
  labels(id: number): LabelSet | undefined {
    return this.#identities.get(id);
  }

  /** Peers that hold the identity now. */
  holders(id: number): ReadonlySet<CachedPeer> {
    return this.#holders.get(id) ?? new Set();
  }

  /** Every peer with how many users it has: for `policy selectors`. */
  *entries(): Iterable<{ cached: CachedPeer; users: number }> {
    for (const record of this.#peers.values()) yield { cached: record, users: record.users.size };
  }

  #hold(record: PeerRecord, id: number): void {
    record.identities.add(id);
    if (!record.peer.aggregates.includes(aggregateOf(id, OWN_CLUSTER))) record.unaggregated.add(id);
    this.#holders.get(id)?.add(record);
  }
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function tell(record: PeerRecord, id: number): void {
  const told = record.unaggregated.has(id) ? record.users : record.listingUsers;
  for (const user of told.keys()) user.touch(id, record);
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

/** The labels of an identity as `indexLabels` writes them: without the source, and with `=` even where there is no value. */
function indexTexts(labels: LabelSet): string[] {
  return labels.texts.map((text) => {
    const name = text.slice(text.indexOf(':') + 1);
    return name.includes('=') ? name : `${name}=`;
  });
}
