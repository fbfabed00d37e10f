/**
 * Drafts -> entries, identity by identity.
 *
 * Identities that the same peers hold have the same entries but for their number. So the builder works out the entries
 * once for each combination of peers that occurs (the *signature* of an identity), and copies them. The map looks up the
 * aggregate of an identity after the identity itself, so the builder gives an identity no entries when every peer that
 * holds it also holds its aggregate. That is why `cluster` costs the same for ten pods and ten thousand.
 *
 * Each peer has an index of its drafts, so that a combination costs what its peers say and no more.
 */
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { aggregateOf, OWN_CLUSTER } from '../../wire/identities.ts';
import type { NamedDraft, PeerDrafts } from './direction-policy.ts';
import {
  type AuthDrafts,
  authDraftsOf,
  type Cover,
  coverOf,
  type Draft,
  DraftGatherer,
  type Drafts,
  draftKey,
  entryOf,
  inheritAuth,
  uncovered,
  withGeneralAuth,
  withInherited,
} from './map-state.ts';
import { WILDCARD_IDENTITIES } from '../rule/peer.ts';
import type { PortNames } from './port-names.ts';
import type { Origin } from '../rule/rule.ts';
import type { CachedPeer } from '../identity/selector-cache.ts';

/** A draft with the cookie of its rules: an entry but for its identity. */
interface FinishedDraft {
  readonly draft: Draft;
  readonly cookie: number;
}

/** Where in the list of peer drafts those of one peer (or of everyone) stand. */
interface DraftIndex {
  readonly fixed: number[];
  /** Those that name a port, by `protocol/name`, or by `protocol/name/number` if they are about one number only. */
  readonly named: Map<string, number[]>;
}

/** What the drafts of an endpoint policy are made into entries with. */
export interface BuildContext {
  /** Port names that egress drafts mention. */
  readonly names: ReadonlySet<string>;
  readonly portNames: PortNames;
  /** The cookie of a set of origins. */
  readonly cookie: (origins: readonly Origin[]) => number;
}

export class EntryBuilder {
  readonly #peerDrafts: readonly PeerDrafts[];
  readonly #context: BuildContext;
  /** Signatures are lists of indexes into `#peers`. */
  readonly #peers: readonly CachedPeer[];
  readonly #peerIndexes: ReadonlyMap<CachedPeer, number>;
  /** By the peer's index. */
  readonly #draftIndexes: readonly DraftIndex[];
  readonly #draftsOfEveryone: DraftIndex = { fixed: [], named: new Map() };
  /** Indexes of peers that hold an aggregate identity. */
  readonly #aggregatePeers: readonly number[];
  readonly #bySignature = new Map<string, readonly FinishedDraft[]>();
  /** Most drafts are as one rule made them, and share its list of origins. */
  readonly #cookies = new Map<readonly Origin[], number>();
  readonly #wildcard: Cover;
  /** Those of the wildcard's drafts that ask for authentication. */
  readonly #wildcardAuth: AuthDrafts;
  /** What each aggregate identity has, by draft key: its members need not have the same again. */
  readonly #aggregates = new Map<number, ReadonlyMap<number, FinishedDraft>>();

  constructor(peerDrafts: readonly PeerDrafts[], context: BuildContext) {
    this.#peerDrafts = peerDrafts;
    this.#context = context;
    this.#peers = [...new Set(peerDrafts.map(({ cached }) => cached).filter((cached) => cached !== undefined))];
    this.#peerIndexes = new Map(this.#peers.map((cached, index) => [cached, index]));
    this.#draftIndexes = this.#peers.map(() => ({ fixed: [], named: new Map() }));
    peerDrafts.forEach((drafts, at) => addToIndex(this.#indexOf(drafts.cached), drafts, at));
    this.#aggregatePeers = [...this.#peers.keys()].filter((index) => this.#peers[index].peer.aggregates.length > 0);
    const wildcard = this.#draftsOf([], true);
    this.#wildcard = coverOf(wildcard);
    this.#wildcardAuth = authDraftsOf(wildcard);
    for (const id of WILDCARD_IDENTITIES) {
      const drafts = this.#draftsOf(this.#holdersOfAggregate(id), true);
      // An aggregate has the wildcard's drafts itself, so only its own drafts can cover them.
      this.#aggregates.set(id, new Map(this.#finish(uncovered(drafts)).map((one) => [draftKey(one.draft), one])));
    }
  }

  #indexOf(cached: CachedPeer | undefined): DraftIndex {
    return cached === undefined ? this.#draftsOfEveryone : this.#draftIndexes[this.#peerIndexes.get(cached) as number];
  }

  #holdersOfAggregate(aggregate: number): number[] {
    return this.#aggregatePeers.filter((index) => this.#peers[index].peer.aggregates.includes(aggregate));
  }

  /** The entries of every identity that has any of its own. */
  all(): Map<number, readonly PolicyEntry[]> {
    const entries = new Map<number, readonly PolicyEntry[]>();
    for (const id of WILDCARD_IDENTITIES)
      entries.set(id, entriesFrom(id, [...(this.#aggregates.get(id)?.values() ?? [])]));
    for (const [identity, signature] of this.#signatures()) entries.set(identity, this.#entriesOf(identity, signature));
    for (const [identity, own] of entries) if (own.length === 0) entries.delete(identity);
    return entries;
  }

  /** The entries of one identity (no aggregate). @param holders peers that hold it, of this policy or not */
  one(identity: number, holders: Iterable<CachedPeer>): PolicyEntry[] {
    const signature: number[] = [];
    for (const cached of holders) {
      const index = this.#peerIndexes.get(cached);
      if (index !== undefined) signature.push(index);
    }
    return this.#entriesOf(
      identity,
      signature.sort((a, b) => a - b),
    );
  }

  /** The signature of each identity that may have entries: a peer holds it unaggregated, or its pods name a port. */
  #signatures(): Map<number, number[]> {
    const signatures = new Map<number, number[]>();
    const signatureOf = (identity: number): number[] => {
      const known = signatures.get(identity);
      if (known !== undefined) return known;
      const signature: number[] = [];
      signatures.set(identity, signature);
      return signature;
    };
    this.#peers.forEach(({ unaggregated }, index) => {
      for (const identity of unaggregated) signatureOf(identity).push(index);
    });
    const { names, portNames } = this.#context;
    for (const name of names) for (const identity of portNames.identitiesNaming(name)) signatureOf(identity);
    for (const [identity, signature] of signatures) {
      const aggregate = aggregateOf(identity, OWN_CLUSTER);
      for (const index of this.#aggregatePeers)
        if (this.#peers[index].peer.aggregates.includes(aggregate)) signature.push(index);
      signature.sort((a, b) => a - b);
    }
    return signatures;
  }

  #entriesOf(identity: number, signature: readonly number[]): PolicyEntry[] {
    const aggregate = aggregateOf(identity, OWN_CLUSTER);
    const { names, portNames } = this.#context;
    const ports = names.size === 0 ? '' : portNames.signature(identity, names);
    const isLikeAggregate = signature.every((index) => this.#peers[index].peer.aggregates.includes(aggregate));
    if (ports === '' && isLikeAggregate) return [];
    const key = `${aggregate} ${signature.join(',')}${ports}`;
    let finished = this.#bySignature.get(key);
    if (finished === undefined) {
      finished = this.#finishedFor(identity, signature);
      this.#bySignature.set(key, finished);
    }
    return entriesFrom(identity, finished);
  }

  #finishedFor(identity: number, signature: readonly number[]): FinishedDraft[] {
    const aggregate = this.#aggregates.get(aggregateOf(identity, OWN_CLUSTER));
    const general = (key: number): Draft | undefined => aggregate?.get(key)?.draft;
    const drafts = uncovered(this.#draftsOf(signature, false, identity), this.#wildcard);
    return this.#finish(drafts.map((draft) => withGeneralAuth(draft, general))).filter(
      // What the aggregate says in the same words is found there.
      ({ draft, cookie }) => {
        const same = aggregate?.get(draftKey(draft));
        return same === undefined || same.cookie !== cookie || !isSame(same.draft, draft);
      },
    );
  }

  #finish(drafts: readonly Draft[]): FinishedDraft[] {
    return drafts.map((draft) => ({ draft, cookie: this.#cookieOf(draft.origins) }));
  }

  #cookieOf(origins: readonly Origin[]): number {
    const cookie = this.#cookies.get(origins) ?? this.#context.cookie(origins);
    this.#cookies.set(origins, cookie);
    return cookie;
  }

  /**
   * Everything that the peers of a signature have drafts for.
   * @param withWildcard include what is said about everyone
   * @param identity whose port names are looked up; an aggregate has none
   */
  #draftsOf(signature: readonly number[], withWildcard: boolean, identity?: number): Drafts {
    const gatherer = new DraftGatherer();
    for (const at of this.#find(signature, withWildcard, identity)) {
      const { cached, drafts: fixed, named } = this.#peerDrafts[at];
      for (const draft of fixed) gatherer.add(draft);
      if (named === undefined || identity === undefined) continue;
      for (const draft of this.#resolved(named, identity)) {
        // A rule about everyone's port name becomes a draft of each identity. It takes its authentication from
        // the other rules about everyone, as a draft of the wildcard would.
        gatherer.add(cached === undefined ? withInherited(draft, this.#wildcardAuth) : draft);
      }
    }
    const drafts = gatherer.drafts();
    inheritAuth(drafts);
    return drafts;
  }

  /** Which peer drafts `#draftsOf` goes by, in their order. */
  #find(signature: readonly number[], withWildcard: boolean, identity?: number): number[] {
    const indexes = signature.map((index) => this.#draftIndexes[index]);
    const found = withWildcard ? [...this.#draftsOfEveryone.fixed] : [];
    for (const { fixed } of indexes) for (const at of fixed) found.push(at);
    const { names, portNames } = this.#context;
    if (identity !== undefined && names.size > 0) {
      for (const key of portNames.keysOf(identity)) {
        for (const { named } of [this.#draftsOfEveryone, ...indexes])
          for (const at of named.get(key) ?? []) found.push(at);
      }
    }
    return found.sort((a, b) => a - b);
  }

  /** One draft for each number that the identity gives the name. */
  #resolved({ protocol, name, port, draft }: NamedDraft, identity: number): Draft[] {
    const numbers = this.#context.portNames.portsOf(identity, protocol, name);
    const wanted = port === undefined ? numbers : numbers.filter((number) => number === port);
    return wanted.map((number) => ({ ...draft, port: number, portPrefix: 16, naturalPrefix: 16 }));
  }
}

function addToIndex(index: DraftIndex, { named }: PeerDrafts, at: number): void {
  if (named === undefined) {
    index.fixed.push(at);
    return;
  }
  const { protocol, name, port } = named;
  const key = port === undefined ? `${protocol}/${name}` : `${protocol}/${name}/${port}`;
  const known = index.named.get(key);
  if (known === undefined) index.named.set(key, [at]);
  else known.push(at);
}

function entriesFrom(identity: number, finished: readonly FinishedDraft[]): PolicyEntry[] {
  return finished.map(({ draft, cookie }) => entryOf(draft, identity, cookie));
}

/** Would a packet be treated the same? */
function isSame(a: Draft, b: Draft): boolean {
  return (
    a.precedence === b.precedence &&
    a.ruleSet === b.ruleSet &&
    a.authType === b.authType &&
    a.hasExplicitAuthType === b.hasExplicitAuthType
  );
}
