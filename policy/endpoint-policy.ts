/**
 * The compiled policy of a set of rules: what endpoints selected by exactly these rules have in their policy maps.
 *
 * Endpoints share it: it is made for a list of rules and the port names of its endpoints, not for an endpoint. It lives
 * while an endpoint holds it. When an identity joins or leaves a peer, the entries of that identity alone are made anew;
 * when the identity is listed in an L7 rule set, or a port name moves, the whole policy is.
 *
 * Identities that the same peers hold have the same entries but for their number, so the work is done once for each
 * combination of peers that occurs (a "signature"), and copied. An identity that no peer holds but as a member of its
 * aggregate has no entries: the map looks the aggregate up next. So `cluster` costs the same for ten pods and ten thousand.
 */
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import { aggregateOf } from '../policy-maps/policy-verdict.ts';
import type { Compiler } from './compiler.ts';
import { type Contribution, contributionsOf, type Direction, EVERYONE } from './direction-policy.ts';
import { OWN_CLUSTER } from './identity.ts';
import type { Conflict } from './l4-filter.ts';
import { addDraft, type Draft, type Drafts, draftKey, entryOf, uncovered } from './map-state.ts';
import { entityPeer, isAggregate, type Peer, WILDCARD_IDENTITIES } from './peer.ts';
import type { Element, Origin, Rule } from './rule.ts';
import type { CachedPeer, SelectorUser } from './selector-cache.ts';

export interface Subject {
  /** Numbers of the subject's own port names, by `protocol/name`. */
  readonly ports: ReadonlyMap<string, number>;
  readonly kind: 'pod' | 'init' | 'host';
}

export interface DirectionState {
  /** Rules apply; false = open because nothing selects the subject. */
  readonly enforced: boolean;
  /** What no rule allows is dropped. */
  readonly defaultDeny: boolean;
  /** The rules that closed the direction, as a cookie; 0 = none did. */
  readonly defaultDenyCookie: number;
}

/** An entry but for its identity. */
interface Template {
  readonly draft: Draft;
  readonly cookie: number;
}

export class EndpointPolicy implements SelectorUser {
  readonly directions: { ingress: DirectionState; egress: DirectionState };
  /** Rules that lost their say in a merge. */
  conflicts: readonly Conflict[] = [];
  holders = 0;
  private contributions: Contribution[] = [];
  /** Peers by their place in signatures. */
  private peers: CachedPeer[] = [];
  private places = new Map<CachedPeer, number>();
  /** Those of `peers` that an aggregate stands for. */
  private broad: [number, CachedPeer][] = [];
  private listed = new Set<CachedPeer>();
  private names = new Set<string>();
  private templates = new Map<string, readonly Template[]>();
  private wildcard: Drafts = new Map();
  /** What each aggregate identity has, by draft key: an identity need not have the same again. */
  private aggregates = new Map<number, ReadonlyMap<number, Template>>();
  private byIdentity = new Map<number, readonly PolicyEntry[]>();
  private flat: readonly PolicyEntry[] | undefined;
  private readonly touched = new Set<number>();
  private isStale = true;
  private isCompiled = false;
  private held: { cookies: number[]; ruleSets: number[]; peers: CachedPeer[]; listed: CachedPeer[] } = {
    cookies: [],
    ruleSets: [],
    peers: [],
    listed: [],
  };

  readonly key: string;
  /** In the order of their policies' names. */
  private readonly rules: readonly Rule[];
  private readonly subject: Subject;
  private readonly compiler: Compiler;

  constructor(key: string, rules: readonly Rule[], subject: Subject, compiler: Compiler) {
    this.key = key;
    this.rules = rules;
    this.subject = subject;
    this.compiler = compiler;
    this.directions = { ingress: this.stateOf('ingress'), egress: this.stateOf('egress') };
  }

  /** The entries of the map; the same array until something changes. */
  get entries(): readonly PolicyEntry[] {
    if (this.isStale) this.refresh();
    this.flat ??= [...this.byIdentity.values()].flat();
    return this.flat;
  }

  touch(identity: number, peer: CachedPeer): void {
    if (this.listed.has(peer)) this.isStale = true;
    this.touched.add(identity);
    this.compiler.markChanged(this);
  }

  /** The port names of an identity's pods changed. */
  touchNames(identity: number, name: string): void {
    if (!this.names.has(name)) return;
    this.touched.add(identity);
    this.compiler.markChanged(this);
  }

  /** Makes the entries for the first time. (Changes since are for `refresh`, which tells whoever shares the policy.) */
  compile(): void {
    if (!this.isCompiled) this.rebuild();
  }

  /** Brings the entries up to date. @returns whether anything changed */
  refresh(): boolean {
    if (this.isStale) {
      const before = this.held;
      this.rebuild();
      this.giveBack(before);
      return true;
    }
    let changed = false;
    for (const identity of this.touched) {
      const entries = this.entriesOf(identity, this.signatureOf(identity));
      changed ||= entries.length > 0 || this.byIdentity.has(identity);
      if (entries.length === 0) this.byIdentity.delete(identity);
      else this.byIdentity.set(identity, entries);
    }
    if (changed) this.flat = undefined;
    this.touched.clear();
    return changed;
  }

  /** Gives back all it holds; not to be used afterwards. */
  dispose(): void {
    this.giveBack(this.held);
    for (const direction of ['ingress', 'egress'] as const) {
      this.compiler.cookies.release(this.directions[direction].defaultDenyCookie);
    }
    for (const name of this.names) this.compiler.forgetName(name, this);
  }

  private giveBack({ cookies, ruleSets, peers, listed }: EndpointPolicy['held']): void {
    for (const cookie of cookies) this.compiler.cookies.release(cookie);
    for (const id of ruleSets) this.compiler.ruleSets.release(id);
    for (const peer of peers) this.compiler.selectors.release(peer, this);
    for (const peer of listed) this.compiler.selectors.unlist(peer, this);
  }

  private stateOf(direction: Direction): DirectionState {
    const mode = this.compiler.options['enable-policy'];
    const rules = this.rules.filter((rule) => rule[direction].length > 0 || rule.defaultDeny[direction]);
    const closing = rules.filter((rule) => rule.defaultDeny[direction]).map((rule) => rule.origin);
    const isHostOpen = this.subject.kind === 'host' && !this.compiler.options['enable-host-firewall'];
    const isAlways = !isHostOpen && (mode === 'always' || this.subject.kind === 'init');
    if (mode === 'never') return { enforced: false, defaultDeny: false, defaultDenyCookie: 0 };
    return {
      enforced: isAlways || rules.length > 0,
      defaultDeny: isAlways || closing.length > 0,
      defaultDenyCookie: this.compiler.cookies.acquire(closing),
    };
  }

  private rebuild(): void {
    this.held = { cookies: [], ruleSets: [], peers: [], listed: [] };
    this.contributions = [];
    const conflicts: Conflict[] = [];
    for (const direction of ['ingress', 'egress'] as const) {
      const result = contributionsOf(this.elements(direction), this.directionContext(direction));
      this.contributions.push(...result.contributions);
      conflicts.push(...result.conflicts);
    }
    this.conflicts = conflicts;
    this.listed = new Set(this.held.listed);
    this.index();
    this.makeEntries();
    this.isStale = false;
    this.isCompiled = true;
    this.flat = undefined;
    this.touched.clear();
  }

  /** The elements of a direction; fromRequires/toRequires of any rule bind the endpoint selectors of all. */
  private elements(direction: Direction): readonly Element[] {
    if (!this.directions[direction].enforced) return [];
    const elements = this.rules.flatMap((rule) => rule[direction]);
    if (elements.every(({ requires }) => requires.length === 0)) return elements;
    return [true, false].flatMap((deny) => {
      const alike = elements.filter((element) => element.deny === deny);
      const required = alike.flatMap(({ requires }) => requires);
      return alike.map((element) => ({
        ...element,
        peers: element.peers.map((peer) => this.compiler.requiring(peer, required)),
      }));
    });
  }

  private directionContext(direction: Direction) {
    const use = (peer: Peer): CachedPeer => {
      const cached = this.compiler.selectors.use(peer, this);
      this.held.peers.push(cached);
      return cached;
    };
    const list = (peer: Peer): CachedPeer => {
      const cached = this.compiler.selectors.list(peer, this);
      this.held.listed.push(cached);
      return cached;
    };
    return {
      direction,
      use,
      list,
      ...(direction === 'ingress' && {
        resolve: (protocol: number, name: string) => this.subject.ports.get(`${protocol}/${name}`),
      }),
      cookie: (origins: readonly Origin[]) => this.cookie(origins),
      ruleSet: (ruleSet: Parameters<Compiler['ruleSets']['acquire']>[0]) => {
        const id = this.compiler.ruleSets.acquire(ruleSet);
        this.held.ruleSets.push(id);
        return id;
      },
      lastAllows: this.lastAllows(direction),
    };
  }

  /** What is allowed because nothing closes the direction, or because it is the local host. */
  private lastAllows(direction: Direction): { peer: Peer; origin: Origin }[] {
    const { defaultDeny } = this.directions[direction];
    if (!defaultDeny) return [{ peer: EVERYONE, origin: ownOrigin(`allow-any-${direction}`) }];
    const isHostAllowed =
      direction === 'ingress' && this.subject.kind !== 'host' && this.compiler.options['allow-localhost'] !== 'policy';
    if (!isHostAllowed) return [];
    return [{ peer: entityPeer('host', ''), origin: ownOrigin('allow-localhost-ingress') }];
  }

  private cookie(origins: readonly Origin[]): number {
    const cookie = this.compiler.cookies.acquire(origins);
    this.held.cookies.push(cookie);
    return cookie;
  }

  private index(): void {
    this.places = new Map();
    this.peers = [];
    const names = new Set<string>();
    for (const { cached, named } of this.contributions) {
      if (named !== undefined) names.add(named.name);
      if (cached === undefined || this.places.has(cached)) continue;
      this.places.set(cached, this.peers.length);
      this.peers.push(cached);
    }
    this.broad = [...this.peers.entries()].filter(([, { peer }]) => peer.aggregates.length > 0);
    for (const name of names) this.compiler.watchName(name, this);
    for (const name of this.names) if (!names.has(name)) this.compiler.forgetName(name, this);
    this.names = names;
  }

  private makeEntries(): void {
    this.templates = new Map();
    this.wildcard = this.draftsOf([], []);
    this.byIdentity = new Map();
    const signatures = this.signatures();
    this.aggregates = new Map(WILDCARD_IDENTITIES.map((id) => [id, this.aggregateTemplates(signatures.get(id) ?? [])]));
    for (const identity of WILDCARD_IDENTITIES) if (!signatures.has(identity)) signatures.set(identity, []);
    for (const [identity, signature] of signatures) {
      const entries = this.entriesOf(identity, signature);
      if (entries.length > 0) this.byIdentity.set(identity, entries);
    }
  }

  /** Which peers hold each identity, for every identity that one of them holds. */
  private signatures(): Map<number, number[]> {
    const signatures = new Map<number, number[]>();
    const add = (identity: number, place: number): void => {
      const signature = signatures.get(identity);
      if (signature === undefined) signatures.set(identity, [place]);
      else signature.push(place);
    };
    this.peers.forEach((cached, place) => {
      for (const identity of cached.apart) add(identity, place);
      for (const identity of cached.peer.aggregates) add(identity, place);
    });
    for (const name of this.names) {
      for (const identity of this.compiler.identitiesNaming(name)) {
        if (!signatures.has(identity)) signatures.set(identity, []);
      }
    }
    for (const [identity, signature] of signatures) this.completeSignature(identity, signature);
    return signatures;
  }

  /** Adds the peers that hold the identity because they hold its whole aggregate. */
  private completeSignature(identity: number, signature: number[]): void {
    if (isAggregate(identity)) return;
    const aggregate = aggregateOf(identity, OWN_CLUSTER);
    for (const [place, { peer }] of this.broad) if (peer.aggregates.includes(aggregate)) signature.push(place);
    signature.sort((a, b) => a - b);
  }

  private signatureOf(identity: number): number[] {
    const signature: number[] = [];
    for (const cached of this.compiler.selectors.holders(identity)) {
      const place = this.places.get(cached);
      if (place !== undefined) signature.push(place);
    }
    return signature.sort((a, b) => a - b);
  }

  private entriesOf(identity: number, signature: number[]): PolicyEntry[] {
    const names = this.names.size === 0 ? '' : this.compiler.portNamesOf(identity, this.names);
    if (names === '' && this.isOrdinary(identity, signature)) return [];
    const key = `${aggregateOf(identity, OWN_CLUSTER)}${isAggregate(identity) ? '*' : ''} ${signature.join(',')}${names}`;
    let templates = this.templates.get(key);
    if (templates === undefined) {
      templates = isAggregate(identity)
        ? [...(this.aggregates.get(identity) as ReadonlyMap<number, Template>).values()]
        : this.templatesFor(identity, signature);
      this.templates.set(key, templates);
    }
    return templates.map(({ draft, cookie }) => entryOf(draft, identity, cookie));
  }

  /** Held by nothing but what holds its whole aggregate (or by nothing at all). */
  private isOrdinary(identity: number, signature: readonly number[]): boolean {
    const aggregate = aggregateOf(identity, OWN_CLUSTER);
    return identity !== aggregate && signature.every((place) => this.peers[place].peer.aggregates.includes(aggregate));
  }

  private templatesFor(identity: number, signature: number[]): Template[] {
    const aggregate = this.aggregates.get(aggregateOf(identity, OWN_CLUSTER));
    return this.finish(uncovered(this.draftsOf(signature, [identity]), this.wildcard)).filter(
      // What the identity's aggregate says in the same words is found there: `cluster` is one entry, not one a pod.
      ({ draft, cookie }) => {
        const same = aggregate?.get(draftKey(draft));
        return same === undefined || same.cookie !== cookie || !isSame(same.draft, draft);
      },
    );
  }

  /** An aggregate holds the wildcard's drafts itself. */
  private aggregateTemplates(signature: number[]): ReadonlyMap<number, Template> {
    const drafts = this.draftsOf(signature, [], true);
    return new Map(this.finish(uncovered(drafts, drafts)).map((template) => [draftKey(template.draft), template]));
  }

  private finish(drafts: readonly Draft[]): Template[] {
    return drafts.map((draft) => ({ draft, cookie: this.cookie(draft.origins) }));
  }

  /** @param named identities whose port names are looked up @param withWildcard include what is said about everyone */
  private draftsOf(signature: readonly number[], named: readonly number[], withWildcard = named.length === 0): Drafts {
    const drafts: Drafts = new Map();
    const places = new Set(signature);
    for (const contribution of this.contributions) {
      const { cached } = contribution;
      const applies = cached === undefined ? withWildcard : places.has(this.places.get(cached) as number);
      if (applies) for (const draft of contribution.drafts) addDraft(drafts, draft);
      if (contribution.named === undefined || (!applies && cached !== undefined)) continue;
      const { protocol, name, draft } = contribution.named;
      for (const identity of named) {
        for (const port of this.compiler.portsNamed(identity, protocol, name)) {
          addDraft(drafts, { ...draft, port, portPrefix: 16 });
        }
      }
    }
    return drafts;
  }
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

function ownOrigin(name: string): Origin {
  return { kind: 'reserved', namespace: '', name, path: '', file: '', line: 0 };
}
