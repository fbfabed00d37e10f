/**
 * Contributions -> entries, identity by identity.
 *
 * Identities that the same peers hold have the same entries but for their number, so the work is done once for each
 * combination of peers that occurs (a "signature"), and copied. An identity that no peer holds but as a member of its
 * aggregate has no entries: the map looks the aggregate up next. So `cluster` costs the same for ten pods and ten thousand.
 *
 * What each peer contributes is found by the peer, so that a combination costs what its peers say and no more.
 */
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { aggregateOf } from '../../policy-maps/policy-verdict.ts';
import type { Contribution, NamedDraft } from './direction-policy.ts';
import { OWN_CLUSTER } from '../identity/identity.ts';
import {
  type Askers,
  askersAmong,
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

/** An entry but for its identity. */
interface Template {
  readonly draft: Draft;
  readonly cookie: number;
}

/** What one peer (or everyone) contributes, as places in the list of contributions. */
interface Share {
  readonly fixed: number[];
  /** Those that name a port, by `protocol/name`, or by `protocol/name/number` if they are about one number only. */
  readonly named: Map<string, number[]>;
}

export class EntryBuilder {
  readonly #contributions: readonly Contribution[];
  /** Port names that egress contributions mention. */
  readonly #names: ReadonlySet<string>;
  readonly #portNames: PortNames;
  readonly #cookie: (origins: readonly Origin[]) => number;
  /** Peers by their place in signatures, and back. */
  readonly #peers: readonly CachedPeer[];
  readonly #places: ReadonlyMap<CachedPeer, number>;
  /** By the peer's place. */
  readonly #shares: readonly Share[];
  readonly #everyones: Share = { fixed: [], named: new Map() };
  /** Places of peers that an aggregate stands for. */
  readonly #broad: readonly number[];
  readonly #templates = new Map<string, readonly Template[]>();
  /** Most drafts are as one rule made them, and share its list of origins. */
  readonly #cookies = new Map<readonly Origin[], number>();
  readonly #wildcard: Cover;
  /** Of the wildcard, what says something of authentication. */
  readonly #asking: Askers;
  /** What each aggregate identity has, by draft key: an identity need not have the same again. */
  readonly #aggregates = new Map<number, ReadonlyMap<number, Template>>();

  /** @param cookie gives the number of a set of origins */
  constructor(
    contributions: readonly Contribution[],
    names: ReadonlySet<string>,
    portNames: PortNames,
    cookie: (origins: readonly Origin[]) => number,
  ) {
    this.#contributions = contributions;
    this.#names = names;
    this.#portNames = portNames;
    this.#cookie = cookie;
    this.#peers = [...new Set(contributions.map(({ cached }) => cached).filter((cached) => cached !== undefined))];
    this.#places = new Map(this.#peers.map((cached, place) => [cached, place]));
    this.#shares = this.#peers.map(() => ({ fixed: [], named: new Map() }));
    contributions.forEach((contribution, place) => file(this.#shareOf(contribution.cached), contribution, place));
    this.#broad = [...this.#peers.keys()].filter((place) => this.#peers[place].peer.aggregates.length > 0);
    const wildcard = this.#draftsOf([], true);
    this.#wildcard = coverOf(wildcard);
    this.#asking = askersAmong(wildcard);
    for (const id of WILDCARD_IDENTITIES) {
      const held = this.#broad.filter((place) => this.#peers[place].peer.aggregates.includes(id));
      const drafts = this.#draftsOf(held, true);
      // An aggregate holds the wildcard's drafts itself, so it is judged by its own alone.
      this.#aggregates.set(id, new Map(this.#finish(uncovered(drafts)).map((one) => [draftKey(one.draft), one])));
    }
  }

  #shareOf(cached: CachedPeer | undefined): Share {
    return cached === undefined ? this.#everyones : this.#shares[this.#places.get(cached) as number];
  }

  /** The entries of every identity that has any of its own. */
  all(): Map<number, readonly PolicyEntry[]> {
    const entries = new Map<number, readonly PolicyEntry[]>();
    for (const id of WILDCARD_IDENTITIES)
      entries.set(id, this.#copies(id, [...(this.#aggregates.get(id)?.values() ?? [])]));
    for (const [identity, signature] of this.#signatures()) entries.set(identity, this.#entriesOf(identity, signature));
    for (const [identity, own] of entries) if (own.length === 0) entries.delete(identity);
    return entries;
  }

  /** The entries of one identity (no aggregate). @param holders peers that hold it, of this policy or not */
  one(identity: number, holders: Iterable<CachedPeer>): PolicyEntry[] {
    const signature: number[] = [];
    for (const cached of holders) {
      const place = this.#places.get(cached);
      if (place !== undefined) signature.push(place);
    }
    return this.#entriesOf(
      identity,
      signature.sort((a, b) => a - b),
    );
  }

  /** Which peers hold each identity, for those that one of them holds apart from its aggregate, or that name a port. */
  #signatures(): Map<number, number[]> {
    const signatures = new Map<number, number[]>();
    const signatureOf = (identity: number): number[] => {
      const known = signatures.get(identity);
      if (known !== undefined) return known;
      const signature: number[] = [];
      signatures.set(identity, signature);
      return signature;
    };
    this.#peers.forEach(({ apart }, place) => {
      for (const identity of apart) signatureOf(identity).push(place);
    });
    for (const name of this.#names)
      for (const identity of this.#portNames.identitiesNaming(name)) signatureOf(identity);
    for (const [identity, signature] of signatures) {
      const aggregate = aggregateOf(identity, OWN_CLUSTER);
      for (const place of this.#broad)
        if (this.#peers[place].peer.aggregates.includes(aggregate)) signature.push(place);
      signature.sort((a, b) => a - b);
    }
    return signatures;
  }

  #entriesOf(identity: number, signature: readonly number[]): PolicyEntry[] {
    const aggregate = aggregateOf(identity, OWN_CLUSTER);
    const names = this.#names.size === 0 ? '' : this.#portNames.signature(identity, this.#names);
    const isOrdinary = signature.every((place) => this.#peers[place].peer.aggregates.includes(aggregate));
    if (names === '' && isOrdinary) return [];
    const key = `${aggregate} ${signature.join(',')}${names}`;
    let templates = this.#templates.get(key);
    if (templates === undefined) {
      templates = this.#templatesFor(identity, signature);
      this.#templates.set(key, templates);
    }
    return this.#copies(identity, templates);
  }

  #templatesFor(identity: number, signature: readonly number[]): Template[] {
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

  #finish(drafts: readonly Draft[]): Template[] {
    return drafts.map((draft) => ({ draft, cookie: this.#cookieOf(draft.origins) }));
  }

  #cookieOf(origins: readonly Origin[]): number {
    const cookie = this.#cookies.get(origins) ?? this.#cookie(origins);
    this.#cookies.set(origins, cookie);
    return cookie;
  }

  #copies(identity: number, templates: readonly Template[]): PolicyEntry[] {
    return templates.map(({ draft, cookie }) => entryOf(draft, identity, cookie));
  }

  /**
   * Everything that the peers at these places contribute.
   * @param withWildcard include what is said about everyone
   * @param identity whose port names are looked up; an aggregate has none
   */
  #draftsOf(signature: readonly number[], withWildcard: boolean, identity?: number): Drafts {
    const gatherer = new DraftGatherer();
    for (const place of this.#contributionsOf(signature, withWildcard, identity)) {
      const { cached, drafts: fixed, named } = this.#contributions[place];
      for (const draft of fixed) gatherer.add(draft);
      if (named === undefined || identity === undefined) continue;
      for (const draft of this.#namedDrafts(named, identity)) {
        // What is asked of everyone is asked of a port name for everyone, though each identity has it for itself.
        gatherer.add(cached === undefined ? withInherited(draft, this.#asking) : draft);
      }
    }
    const drafts = gatherer.drafts();
    inheritAuth(drafts);
    return drafts;
  }

  /** Which contributions `draftsOf` goes by, in their order. */
  #contributionsOf(signature: readonly number[], withWildcard: boolean, identity?: number): number[] {
    const shares = signature.map((place) => this.#shares[place]);
    const found = withWildcard ? [...this.#everyones.fixed] : [];
    for (const { fixed } of shares) for (const place of fixed) found.push(place);
    if (identity !== undefined && this.#names.size > 0) {
      for (const key of this.#portNames.keysOf(identity)) {
        for (const { named } of [this.#everyones, ...shares])
          for (const place of named.get(key) ?? []) found.push(place);
      }
    }
    return found.sort((a, b) => a - b);
  }

  /** For each number that the identity gives the name. */
  #namedDrafts({ protocol, name, port, draft }: NamedDraft, identity: number): Draft[] {
    const numbers = this.#portNames.portsOf(identity, protocol, name);
    const wanted = port === undefined ? numbers : numbers.filter((number) => number === port);
    return wanted.map((number) => ({ ...draft, port: number, portPrefix: 16, naturalPrefix: 16 }));
  }
}

function file(share: Share, { named }: Contribution, place: number): void {
  if (named === undefined) {
    share.fixed.push(place);
    return;
  }
  const { protocol, name, port } = named;
  const key = port === undefined ? `${protocol}/${name}` : `${protocol}/${name}/${port}`;
  const places = share.named.get(key);
  if (places === undefined) share.named.set(key, [place]);
  else places.push(place);
}

/** Would a packet be treated the same? */
function isSame(a: Draft, b: Draft): boolean {
  return (
    a.precedence === b.precedence &&
    a.proxyPort === b.proxyPort &&
    a.authType === b.authType &&
    a.hasExplicitAuthType === b.hasExplicitAuthType
  );
}
