/**
 * One direction of one endpoint policy: filters in, drafts of each peer out.
 *
 * Peer drafts are what one filter says about one peer. They are the same for every identity that the peer holds: drafts with
 * fixed ports, or a draft with a port name, which is finished with the numbers that the pods of each identity give the name.
 *
 * A redirect names a rule set, and a rule set is for ports on which the same rules apply. So `uniformRanges` cuts a range with
 * L7 rules wherever another filter of the protocol begins or ends. A rule set lists, for each remote, what every filter that
 * covers the port allows: the lists of the filter, or "everything" for an allow without lists. The L7 engine judges a
 * request by all of them. (The DNS parser is the exception: it goes by its own port alone.)
 */
import type { L7Rule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { PRECEDENCE_ALLOW, PRECEDENCE_DENY, precedence } from '../../policy-maps/policy-entry.ts';
import { FilterIndex } from './filter-index.ts';
import {
  buildFilters,
  type Conflict,
  excessOf,
  type Filter,
  type PeerRules,
  parserOf,
  type ResolvePort,
} from './l4-filter.ts';
import type { Draft } from './map-state.ts';
import { ANY_PEER, isWildcard, type Peer } from '../rule/peer.ts';
import { blockPrefix, type PortBlock, portBlocks } from '../rule/port-range.ts';
import type { PortNames } from './port-names.ts';
import type { Element, Origin } from '../rule/rule.ts';
import type { CachedPeer } from '../identity/selector-cache.ts';

export type Direction = 'ingress' | 'egress';

/** Tier Normal, the only one that documents reach, comes first; what the compiler adds by itself comes last. */
const PRIORITY_NORMAL = 0;
const PRIORITY_LAST = 0xffffff;

/** Listener priorities, subtracted from 255: the lower wins where two parsers meet. */
const PARSER_PRIORITY = { http: 101, kafka: 106, tls: 116, dns: 121 } as const;

export interface PeerDrafts {
  /** undefined = everyone. */
  readonly cached: CachedPeer | undefined;
  readonly drafts: readonly Draft[];
  /** With a port name instead of ports: what to do for an identity that has the name. */
  readonly named?: NamedDraft;
}

export interface NamedDraft {
  readonly protocol: number;
  readonly name: string;
  /** Only for identities that give the name this number. */
  readonly port?: number;
  readonly draft: Draft;
}

/** How the rule sets of a protocol are to be read, where it is not the default. */
export interface Readings {
  readonly http: Pick<L7RuleSet, 'underscores'>;
  readonly dns: Pick<L7RuleSet, 'nameError'>;
}

/** What a direction needs from the policy it belongs to. */
export interface DirectionContext {
  readonly direction: Direction;
  readonly use: (peer: Peer) => CachedPeer;
  /** As `use`, of a peer whose identities go into a rule set one by one. */
  readonly list: (peer: Peer) => CachedPeer;
  readonly resolve?: ResolvePort;
  readonly cookie: (origins: readonly Origin[]) => number;
  readonly ruleSet: (ruleSet: L7RuleSet) => number;
  readonly readings: Readings;
  /** What port names on egress mean to each peer. */
  readonly portNames: PortNames;
  /** An extra plain allow of everything for these peers, at the last priority (local host, opted-out default deny). */
  readonly lastAllows: readonly { readonly peer: Peer; readonly origin: Origin }[];
}

export interface DirectionResult {
  readonly peerDrafts: PeerDrafts[];
  readonly conflicts: Conflict[];
  /** Port names that each peer resolves for itself. */
  readonly names: ReadonlySet<string>;
  /** Some stream is to be judged: with `names`, rule sets depend on the numbers that names have. */
  readonly hasL7: boolean;
}

export function draftsOfDirection(elements: readonly Element[], context: DirectionContext): DirectionResult {
  const excess = excessOf(elements);
  if (excess !== undefined) return { peerDrafts: [], conflicts: [excess], names: new Set(), hasL7: false };
  const { filters, conflicts } = buildFilters(elements, context.resolve);
  const hasL7 = filters.some(({ peers }) => [...peers.values()].some((policy) => parserOf(policy) !== undefined));
  const peerDrafts: PeerDrafts[] = [];
  const index = new FilterIndex(hasL7 ? filters : [], context.portNames);
  const shared: FilterContext = { ...context, index, ruleSetIds: new Map() };
  for (const filter of filters) {
    for (const policy of filter.peers.values()) {
      const cached = isWildcard(policy.peer) ? undefined : context.use(policy.peer);
      peerDrafts.push(...draftPeer(filter, policy, cached, shared));
    }
  }
  for (const { peer, origin } of context.lastAllows) {
    const cached = isWildcard(peer) ? undefined : context.use(peer);
    const base = allowDraft(context.direction, [origin], undefined, precedence(PRIORITY_LAST, PRECEDENCE_ALLOW));
    peerDrafts.push({ cached, drafts: [{ ...base, protocol: 0, port: 0, portPrefix: 0 }] });
  }
  const names = new Set(filters.map(({ name }) => name).filter((name) => name !== undefined));
  return { peerDrafts, conflicts, names, hasL7 };
}

interface FilterContext extends DirectionContext {
  /** Of all filters, if some stream is to be judged. */
  readonly index: FilterIndex;
  /** Rule sets made so far, by protocol, port and parser: each is for whoever comes to that port. */
  readonly ruleSetIds: Map<string, number>;
}

type Cached = CachedPeer | undefined;

function draftPeer(filter: Filter, policy: PeerRules, cached: Cached, context: FilterContext): PeerDrafts[] {
  const { direction } = context;
  const parser = parserOf(policy);
  if (parser !== undefined) {
    const draft = redirectDraft(policy, parser, direction);
    return redirects(filter, draft, parser, context).map((drafts) => ({ ...drafts, cached }));
  }
  const base =
    policy.denies.length > 0
      ? denyDraft(direction, policy.denies)
      : allowDraft(direction, policy.plain, policy.authType, precedence(PRIORITY_NORMAL, PRECEDENCE_ALLOW));
  // Nothing but a conflict that lost its say.
  if (base.origins.length === 0) return [];
  return [{ ...finish(filter, base, blocksOf(filter)), cached }];
}

function finish(filter: Filter, base: Draft, blocks: readonly PortBlock[]): Omit<PeerDrafts, 'cached'> {
  const { protocol, name } = filter;
  const draft = { ...base, protocol };
  if (name !== undefined) return { drafts: [], named: { protocol, name, draft } };
  const natural = (port: number, prefix: number): number =>
    prefix === 0 || filter.isIcmp ? prefix : blockPrefix(port, filter.port, lastPort(filter));
  const drafts = blocks.map(({ port, prefix }) => ({
    ...draft,
    port,
    portPrefix: prefix,
    naturalPrefix: natural(port, prefix),
  }));
  return { drafts };
}

function denyDraft(direction: Direction, origins: readonly Origin[]): Draft {
  const word = precedence(PRIORITY_NORMAL, PRECEDENCE_DENY);
  return { ...allowDraft(direction, origins, undefined, word), deny: true };
}

function allowDraft(
  direction: Direction,
  origins: readonly Origin[],
  authType: number | undefined,
  word: number,
): Draft {
  return {
    egress: direction === 'egress',
    protocol: 0,
    port: 0,
    portPrefix: 0,
    naturalPrefix: 0,
    deny: false,
    ruleSet: 0,
    authType: authType ?? 0,
    hasExplicitAuthType: authType !== undefined,
    precedence: word,
    origins,
  };
}

function blocksOf({ protocol, port, endPort, isIcmp }: Filter): PortBlock[] {
  if (isIcmp) return [{ port, prefix: 16 }];
  if (protocol === 0 || port === 0) return [{ port: 0, prefix: 0 }];
  return portBlocks(port, endPort);
}

/** Port 0 is every port. */
function lastPort({ port, endPort }: Filter): number {
  return port === 0 ? 65535 : endPort;
}

type Parser = keyof typeof PARSER_PRIORITY;

function redirectDraft(policy: PeerRules, parser: Parser, direction: Direction): Draft {
  const origins = [...policy.l7, ...policy.serverNames].map(({ origin }) => origin).concat(policy.plain);
  const word = precedence(PRIORITY_NORMAL, PRECEDENCE_DENY - PARSER_PRIORITY[parser]);
  return allowDraft(direction, [...new Set(origins)], policy.authType, word);
}

/** The drafts of one peer, for each range of ports on which the same rules apply. */
function redirects(filter: Filter, base: Draft, parser: Parser, context: FilterContext): Omit<PeerDrafts, 'cached'>[] {
  const { protocol, name } = filter;
  return uniformRanges(filter, context).map(([first, last]) => {
    const redirect = { ...base, ruleSet: ruleSetAt(protocol, first, parser, context) };
    if (name === undefined) return finish(filter, redirect, portBlocks(first, last));
    return { drafts: [], named: { protocol, name, port: first, draft: { ...redirect, protocol } } };
  });
}

/**
 * The filter's range, cut wherever another filter of the same protocol begins or ends; or the numbers its name has. Port 0
 * (only server names come with it) is every port.
 */
function uniformRanges(filter: Filter, { index, portNames }: FilterContext): [number, number][] {
  const { protocol, name, port } = filter;
  if (name !== undefined) return portNames.numbersOf(protocol, name).map((number) => [number, number]);
  const endPort = lastPort(filter);
  const starts = [port, ...index.bordersIn(protocol, port, endPort)];
  return starts.map((start, i) => [start, (starts[i + 1] ?? endPort + 1) - 1]);
}

function ruleSetAt(protocol: number, port: number, parser: Parser, context: FilterContext): number {
  const key = `${protocol}/${port}/${parser}`;
  const id = context.ruleSetIds.get(key) ?? context.ruleSet(ruleSetOf(protocol, port, parser, context));
  context.ruleSetIds.set(key, id);
  return id;
}

/** What every remote may do on this port, as far as this parser is concerned. */
function ruleSetOf(protocol: number, port: number, parser: Parser, context: FilterContext): L7RuleSet {
  const rules: L7Rule[] = [];
  for (const other of context.index.covering(protocol, port)) {
    // The DNS proxy goes by its own port: neither ranges nor all ports lift a list.
    if (parser === 'dns' && other.name === undefined && (other.port !== port || other.endPort !== port)) continue;
    for (const policy of other.peers.values()) {
      const remotes = remotesOf(policy.peer, other, port, context);
      if (remotes === null || remotes.length > 0) rules.push(...l7Rules(policy, parser, remotes, context));
    }
  }
  for (const { peer, origin } of context.lastAllows) {
    const remotes = isWildcard(peer) ? null : identitiesOf(peer, context);
    rules.push({ remotes, ...everything(parser), cookie: context.cookie([origin]) });
  }
  const reading = context.readings[parser as keyof Readings] ?? {};
  return { parser, endpoint: 0, ingress: context.direction === 'ingress', port, rules, ...reading };
}

function l7Rules(policy: PeerRules, parser: Parser, remotes: number[] | null, context: FilterContext): L7Rule[] {
  const own = parserOf(policy);
  if (policy.denies.length > 0) return [];
  const cookie = (origin: Origin): number => context.cookie([origin]);
  if (own === 'tls') {
    // As in Envoy, where another rule of the port has requests read, server names have nothing to say about them.
    const passing = parser === 'tls' ? undefined : everything(parser);
    return policy.serverNames.map(({ origin, names }) => ({
      remotes,
      ...(passing ?? { serverNames: names }),
      cookie: cookie(origin),
    }));
  }
  const lists = policy.l7.filter(({ spec }) => spec.parser === parser);
  return [
    ...lists.map(({ origin, spec }) => ({ remotes, [spec.parser]: spec.rules, cookie: cookie(origin) })),
    ...policy.plain.map((origin) => ({ remotes, ...everything(parser), cookie: cookie(origin) })),
  ];
}

/** The identities of a peer for which the filter means this port; null = everyone. */
function remotesOf(peer: Peer, { protocol, name }: Filter, port: number, context: FilterContext): number[] | null {
  if (name === undefined) return isWildcard(peer) ? null : identitiesOf(peer, context);
  const { portNames } = context;
  const named = isWildcard(peer)
    ? [...portNames.identitiesNaming(name)].sort((a, b) => a - b)
    : identitiesOf(peer, context);
  return named.filter((identity) => portNames.portsOf(identity, protocol, name).includes(port));
}

function identitiesOf(peer: Peer, context: FilterContext): number[] {
  return [...context.list(peer).identities].sort((a, b) => a - b);
}

/** A rule that lets everything pass. */
function everything(parser: Parser): Partial<L7Rule> {
  return parser === 'tls' ? {} : { [parser]: null };
}

/** The wildcard as a peer of last allows. */
export const EVERYONE = ANY_PEER;
