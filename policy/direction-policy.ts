/**
 * One direction of one endpoint policy: the rules that select the subject, merged into contributions.
 *
 * A contribution is what one peer adds to the map state, whichever of the peer's identities it is for: drafts with fixed
 * ports, or (egress port names) drafts to be finished with the numbers that each identity's pods give the name.
 *
 * A redirect names a rule set, and a rule set is for the ports on which the same rules apply: so a range with L7 rules is
 * cut where another filter of the protocol begins or ends. A set then lists, for each remote, what every filter that
 * covers the port allows: its own lists, and "everything" for a plain allow, of this port or a broader one, because a
 * request is judged by all of them (the DNS parser alone goes by its own port).
 */
import type { L7Rule, L7RuleSet } from '../policy-maps/l7-rules.ts';
import { PRECEDENCE_ALLOW, PRECEDENCE_DENY, precedence } from '../policy-maps/policy-entry.ts';
import { buildFilters, type Conflict, type Filter, type PeerPolicy, parserOf, type ResolvePort } from './l4-filter.ts';
import type { Draft } from './map-state.ts';
import { ANY_PEER, isWildcard, type Peer } from './peer.ts';
import { type PortBlock, portBlocks } from './port-range.ts';
import type { Element, Origin } from './rule.ts';
import type { CachedPeer } from './selector-cache.ts';

export type Direction = 'ingress' | 'egress';

/** Tier Normal, the only one that documents reach, comes first; what the compiler adds by itself comes last. */
export const PRIORITY_NORMAL = 0;
export const PRIORITY_LAST = 0xffffff;

/** Listener priorities, subtracted from 255: the lower wins where two parsers meet. */
const PARSER_PRIORITY = { http: 101, kafka: 106, tls: 116, dns: 121 } as const;

export interface Contribution {
  /** undefined = everyone. */
  readonly cached: CachedPeer | undefined;
  readonly drafts: readonly Draft[];
  /** With a port name instead of ports: what to do for an identity that has the name. */
  readonly named?: { readonly protocol: number; readonly name: string; readonly draft: Draft };
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
  /** An extra plain allow of everything for these peers, at the last priority (local host, opted-out default deny). */
  readonly lastAllows: readonly { readonly peer: Peer; readonly origin: Origin }[];
}

export interface DirectionResult {
  readonly contributions: Contribution[];
  readonly conflicts: Conflict[];
}

export function contributionsOf(elements: readonly Element[], context: DirectionContext): DirectionResult {
  const { filters, conflicts } = buildFilters(elements, context.resolve);
  const contributions: Contribution[] = [];
  for (const filter of filters) {
    for (const policy of filter.peers.values()) {
      const cached = isWildcard(policy.peer) ? undefined : context.use(policy.peer);
      contributions.push(...contribute(filter, policy, { ...context, cached, filters }));
    }
  }
  for (const { peer, origin } of context.lastAllows) {
    const cached = isWildcard(peer) ? undefined : context.use(peer);
    const base = allowDraft(context.direction, [origin], undefined, precedence(PRIORITY_LAST, PRECEDENCE_ALLOW));
    contributions.push({ cached, drafts: [{ ...base, protocol: 0, port: 0, portPrefix: 0 }] });
  }
  return { contributions, conflicts };
}

interface PeerContext extends DirectionContext {
  readonly cached: CachedPeer | undefined;
  readonly filters: readonly Filter[];
}

function contribute(filter: Filter, policy: PeerPolicy, context: PeerContext): Contribution[] {
  const { cached, direction } = context;
  const parser = parserOf(policy);
  if (parser !== undefined) return redirects(filter, policy, parser, context);
  const base =
    policy.denies.length > 0
      ? denyDraft(direction, policy.denies)
      : allowDraft(direction, policy.plain, policy.authType, precedence(PRIORITY_NORMAL, PRECEDENCE_ALLOW));
  // Nothing but a conflict that lost its say.
  if (base.origins.length === 0) return [];
  return [finish(filter, base, blocksOf(filter), cached)];
}

function finish(
  filter: Filter,
  base: Draft,
  blocks: readonly PortBlock[],
  cached: CachedPeer | undefined,
): Contribution {
  const { protocol, name } = filter;
  const draft = { ...base, protocol };
  if (name !== undefined) return { cached, drafts: [], named: { protocol, name, draft } };
  return { cached, drafts: blocks.map(({ port, prefix }) => ({ ...draft, port, portPrefix: prefix })) };
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
    deny: false,
    proxyPort: 0,
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

type Parser = keyof typeof PARSER_PRIORITY;

/** One contribution for each stretch of ports on which the same rules apply. */
function redirects(filter: Filter, policy: PeerPolicy, parser: Parser, context: PeerContext): Contribution[] {
  const origins = [...policy.l7, ...policy.serverNames].map(({ origin }) => origin).concat(policy.plain);
  const word = precedence(PRIORITY_NORMAL, PRECEDENCE_DENY - PARSER_PRIORITY[parser]);
  const base = allowDraft(context.direction, [...new Set(origins)], policy.authType, word);
  return stretches(filter, context.filters).map(([first, last]) => {
    const proxyPort = context.ruleSet(ruleSetOf(filter, first, parser, context));
    const blocks = filter.name !== undefined ? [] : portBlocks(first, last);
    return finish(filter, { ...base, proxyPort }, blocks, context.cached);
  });
}

/** The filter's range, cut wherever another filter of the same protocol begins or ends inside it. */
function stretches(filter: Filter, filters: readonly Filter[]): [number, number][] {
  if (filter.name !== undefined) return [[0, 0]];
  const cuts = new Set([filter.port]);
  for (const other of filters) {
    if (other.protocol !== filter.protocol || other.name !== undefined || other.port === 0) continue;
    if (other.port > filter.port && other.port <= filter.endPort) cuts.add(other.port);
    if (other.endPort >= filter.port && other.endPort < filter.endPort) cuts.add(other.endPort + 1);
  }
  const starts = [...cuts].sort((a, b) => a - b);
  return starts.map((start, i) => [start, (starts[i + 1] ?? filter.endPort + 1) - 1]);
}

/** What every remote may do on this port, as far as this parser is concerned. */
function ruleSetOf(filter: Filter, port: number, parser: Parser, context: PeerContext): L7RuleSet {
  const rules: L7Rule[] = [];
  for (const other of context.filters) {
    if (!coversPort(other, filter, port, parser)) continue;
    for (const policy of other.peers.values()) rules.push(...l7Rules(policy, parser, context));
  }
  for (const { peer, origin } of context.lastAllows) {
    rules.push({ remotes: remotesOf(peer, context), ...everything(parser), cookie: context.cookie([origin]) });
  }
  return { parser, endpoint: 0, ingress: context.direction === 'ingress', port, rules };
}

function coversPort(other: Filter, filter: Filter, port: number, parser: Parser): boolean {
  if (filter.name !== undefined)
    return other === filter || (other.port === 0 && other.name === undefined && isBroad(other, filter));
  if (other.name !== undefined || other.isIcmp) return false;
  if (parser === 'dns')
    return other.protocol === filter.protocol && other.port <= port && port <= other.endPort && other.port !== 0;
  if (isBroad(other, filter)) return true;
  return other.protocol === filter.protocol && other.port <= port && port <= other.endPort;
}

/** Every port of the protocol, or every protocol. */
function isBroad(other: Filter, filter: Filter): boolean {
  return !other.isIcmp && (other.protocol === 0 || (other.protocol === filter.protocol && other.port === 0));
}

function l7Rules(policy: PeerPolicy, parser: Parser, context: PeerContext): L7Rule[] {
  if (policy.denies.length > 0) return [];
  const rules: L7Rule[] = [];
  const own = parserOf(policy);
  if (own === undefined || own === parser) {
    const remotes = remotesOf(policy.peer, context);
    if (own === 'tls') {
      for (const { origin, names } of policy.serverNames) {
        rules.push({ remotes, serverNames: names, cookie: context.cookie([origin]) });
      }
      return rules;
    }
    for (const { origin, spec } of policy.l7) {
      rules.push({ remotes, [spec.parser]: spec.rules, cookie: context.cookie([origin]) });
    }
    for (const origin of policy.plain) rules.push({ remotes, ...everything(parser), cookie: context.cookie([origin]) });
  }
  return rules;
}

/** A rule that lets everything pass. */
function everything(parser: Parser): Partial<L7Rule> {
  return parser === 'tls' ? {} : { [parser]: null };
}

function remotesOf(peer: Peer, context: PeerContext): number[] | null {
  if (isWildcard(peer)) return null;
  return [...context.list(peer).identities].sort((a, b) => a - b);
}

/** The wildcard as a peer of last allows. */
export const EVERYONE = ANY_PEER;
