/**
 * The compiled policy of a set of rules: what endpoints selected by exactly these rules have in their policy maps.
 *
 * Endpoints share it: it is made for a list of rules and the port names of its endpoints, not for an endpoint. It lives
 * while an endpoint holds it. When an identity joins or leaves a peer, the entries of that identity alone are made anew;
 * when the identity is listed in an L7 rule set, or a port name moves, the whole policy is.
 */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { draftsOfDirection, type Direction, EVERYONE, type Readings } from './direction-policy.ts';
import { EntryBuilder } from './entry-builder.ts';
import type { Conflict } from './l4-filter.ts';
import type { NameWatcher, PolicyParts } from './parts.ts';
import type { PolicyOptions } from '../rule/options.ts';
import { entityPeer, type Peer, requiring } from '../rule/peer.ts';
import type { Element, Origin, Rule } from '../rule/rule.ts';
import type { CachedPeer, SelectorUser } from '../identity/selector-cache.ts';
import { Requirements } from '../rule/selector.ts';

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

/** What a policy must give back to the parts that it took it from. */
interface Holdings {
  readonly cookies: number[];
  readonly ruleSets: number[];
  readonly peers: CachedPeer[];
  readonly listed: CachedPeer[];
}

function noHoldings(): Holdings {
  return { cookies: [], ruleSets: [], peers: [], listed: [] };
}

export class EndpointPolicy implements SelectorUser, NameWatcher {
  readonly directions: { ingress: DirectionState; egress: DirectionState };
  /** Rules that lost their say in a merge. */
  conflicts: readonly Conflict[] = [];
  /** How many endpoints have it: the compiler counts. */
  uses = 0;
  #listed: ReadonlySet<CachedPeer> = new Set();
  /** Port names that egress rules mention. */
  #names: ReadonlySet<string> = new Set();
  /** Rule sets list identities by the port names they have. */
  #hasNamedRuleSets = false;
  #builder: EntryBuilder | undefined;
  #byIdentity: Map<number, readonly PolicyEntry[]> = new Map();
  #flat: readonly PolicyEntry[] | undefined;
  readonly #touched = new Set<number>();
  #isStale = true;
  #held = noHoldings();

  readonly key: string;
  /** In the order of their policies' names. */
  readonly #rules: readonly Rule[];
  readonly #subject: Subject;
  readonly #parts: PolicyParts<EndpointPolicy>;

  constructor(key: string, rules: readonly Rule[], subject: Subject, parts: PolicyParts<EndpointPolicy>) {
    this.key = key;
    this.#rules = rules;
    this.#subject = subject;
    this.#parts = parts;
    this.directions = { ingress: this.#stateOf('ingress'), egress: this.#stateOf('egress') };
  }

  /** The entries of the map; the same array until something changes. */
  get entries(): readonly PolicyEntry[] {
    if (this.#isStale) this.refresh();
    this.#flat ??= [...this.#byIdentity.values()].flat();
    return this.#flat;
  }

  touch(identity: number, peer: CachedPeer): void {
    if (this.#listed.has(peer)) this.#isStale = true;
    this.#touched.add(identity);
    this.#parts.markChanged(this);
  }

  /** The port names of an identity's pods changed. */
  touchNames(identity: number, name: string): void {
    if (!this.#names.has(name)) return;
    if (this.#hasNamedRuleSets) this.#isStale = true;
    this.#touched.add(identity);
    this.#parts.markChanged(this);
  }

  /** Makes the entries for the first time. (Changes since are for `refresh`, which tells whoever shares the policy.) */
  compile(): void {
    if (this.#builder === undefined) this.#rebuild();
  }

  /** Brings the entries up to date. @returns whether anything changed */
  refresh(): boolean {
    if (this.#isStale || this.#builder === undefined) {
      const before = this.#held;
      this.#rebuild();
      this.#giveBack(before);
      return true;
    }
    let changed = false;
    for (const identity of this.#touched) {
      const entries = this.#builder.one(identity, this.#parts.selectors.holders(identity));
      changed ||= entries.length > 0 || this.#byIdentity.has(identity);
      if (entries.length === 0) this.#byIdentity.delete(identity);
      else this.#byIdentity.set(identity, entries);
    }
    if (changed) this.#flat = undefined;
    this.#touched.clear();
    return changed;
  }

  /** Gives back all it holds; not to be used afterwards. */
  dispose(): void {
    this.#giveBack(this.#held);
    for (const direction of ['ingress', 'egress'] as const) {
      this.#parts.cookies.release(this.directions[direction].defaultDenyCookie);
    }
    for (const name of this.#names) this.#parts.forgetName(name, this);
  }

  #giveBack({ cookies, ruleSets, peers, listed }: Holdings): void {
    for (const cookie of cookies) this.#parts.cookies.release(cookie);
    for (const id of ruleSets) this.#parts.ruleSets.release(id);
    for (const peer of peers) this.#parts.selectors.release(peer, this);
    for (const peer of listed) this.#parts.selectors.unlist(peer, this);
  }

  #stateOf(direction: Direction): DirectionState {
    const mode = this.#parts.options['enable-policy'];
    const rules = this.#rules.filter((rule) => rule[direction].length > 0 || rule.defaultDeny[direction]);
    const closing = rules.filter((rule) => rule.defaultDeny[direction]).map((rule) => rule.origin);
    const isHostOpen = this.#subject.kind === 'host' && !this.#parts.options['enable-host-firewall'];
    const isAlways = !isHostOpen && (mode === 'always' || this.#subject.kind === 'init');
    if (mode === 'never') return { enforced: false, defaultDeny: false, defaultDenyCookie: 0 };
    return {
      enforced: isAlways || rules.length > 0,
      defaultDeny: isAlways || closing.length > 0,
      defaultDenyCookie: this.#parts.cookies.acquire(closing),
    };
  }

  #rebuild(): void {
    this.#held = noHoldings();
    const results = (['ingress', 'egress'] as const).map((direction) =>
      draftsOfDirection(this.#elements(direction), this.#directionContext(direction)),
    );
    this.conflicts = results.flatMap(({ conflicts }) => conflicts);
    this.#listed = new Set(this.#held.listed);
    this.#hasNamedRuleSets = results.some(({ names, hasL7 }) => hasL7 && names.size > 0);
    this.#watch(new Set(results.flatMap(({ names }) => [...names])));
    const peerDrafts = results.flatMap((result) => result.peerDrafts);
    this.#builder = new EntryBuilder(peerDrafts, {
      names: this.#names,
      portNames: this.#parts.portNames,
      cookie: (origins) => this.#cookie(origins),
    });
    this.#byIdentity = this.#builder.all();
    this.#isStale = false;
    this.#flat = undefined;
    this.#touched.clear();
  }

  /** The elements of a direction; fromRequires/toRequires of any rule bind the endpoint selectors of all. */
  #elements(direction: Direction): readonly Element[] {
    if (!this.directions[direction].enforced) return [];
    const elements = this.#rules.flatMap((rule) => rule[direction]);
    if (elements.every(({ requires }) => requires.length === 0)) return elements;
    return [true, false].flatMap((deny) => {
      const alike = elements.filter((element) => element.deny === deny);
      const required = new Requirements(alike.flatMap(({ requires }) => requires));
      return alike.map((element) => ({
        ...element,
        peers: element.peers.map((peer) => requiring(peer, required)),
      }));
    });
  }

  #directionContext(direction: Direction) {
    const use = (peer: Peer): CachedPeer => {
      const cached = this.#parts.selectors.use(peer, this);
      this.#held.peers.push(cached);
      return cached;
    };
    const list = (peer: Peer): CachedPeer => {
      const cached = this.#parts.selectors.list(peer, this);
      this.#held.listed.push(cached);
      return cached;
    };
    return {
      direction,
      use,
      list,
      ...(direction === 'ingress' && {
        resolve: (protocol: number, name: string) => this.#subject.ports.get(`${protocol}/${name}`),
      }),
      cookie: (origins: readonly Origin[]) => this.#cookie(origins),
      ruleSet: (ruleSet: L7RuleSet) => {
        const id = this.#parts.ruleSets.acquire(ruleSet);
        this.#held.ruleSets.push(id);
        return id;
      },
      portNames: this.#parts.portNames,
      lastAllows: this.#lastAllows(direction),
      readings: { http: httpReading(this.#parts.options), dns: dnsReading(this.#parts.options) },
    };
  }

  /** What is allowed because nothing closes the direction, or because it is the local host. */
  #lastAllows(direction: Direction): { peer: Peer; origin: Origin }[] {
    const { defaultDeny } = this.directions[direction];
    if (!defaultDeny) return [{ peer: EVERYONE, origin: ownOrigin(`allow-any-${direction}`) }];
    const isHostAllowed =
      direction === 'ingress' && this.#subject.kind !== 'host' && this.#parts.options['allow-localhost'] !== 'policy';
    if (!isHostAllowed) return [];
    return [{ peer: entityPeer('host', ''), origin: ownOrigin('allow-localhost-ingress') }];
  }

  #cookie(origins: readonly Origin[]): number {
    const cookie = this.#parts.cookies.acquire(origins);
    this.#held.cookies.push(cookie);
    return cookie;
  }

  /** Hears of changes of these port names from now on, and of no others. */
  #watch(names: ReadonlySet<string>): void {
    for (const name of names) this.#parts.watchName(name, this);
    for (const name of this.#names) if (!names.has(name)) this.#parts.forgetName(name, this);
    this.#names = names;
  }
}

function ownOrigin(name: string): Origin {
  return { kind: 'reserved', namespace: '', name, path: '', file: '', line: 0 };
}

/** What differs from the default. */
function dnsReading(options: PolicyOptions): Readings['dns'] {
  return options['tofqdns-dns-reject-response-code'] === 'nameError' ? { nameError: true } : {};
}

/** The same of HTTP. */
function httpReading(options: PolicyOptions): Readings['http'] {
  const underscores = options['http-headers-with-underscores'];
  return underscores === 'refuse-lookalikes' ? {} : { underscores };
}
