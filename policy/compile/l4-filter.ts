/**
 * L4 filters: a filter is what all rules of a direction say together about one port (or range), peer by peer.
 *
 * Rules that say the same port (or range) and the same peer are merged, as in Cilium:
 *   1. a deny wins over every allow;
 *   2. HTTP lists (Kafka, DNS lists) are united; a plain allow beside one keeps the redirect but lets every request pass;
 *   3. a list of server names binds every allow of that key; two lists are united;
 *   4. authentication that one rule does not mention is what the other says;
 *   5. different parsers, server names with L7 rules, and different authentication are conflicts: the rule that comes
 *      later (by kind, namespace and name) loses its say there, which is the closed side, and a problem is reported.
 *
 * A thousand ports for a thousand peers are a million keys. No map holds so many, and the memory of the machine would be
 * used up before the compiler knew. So it counts first: beyond MAX_KEYS it makes no filters, and the direction stays closed.
 */
import type { Peer } from '../rule/peer.ts';
import { portBlocks } from '../rule/port-range.ts';
import type { Element, L7Spec, Origin, PortSpec } from '../rule/rule.ts';

export interface Filter {
  /** 0 = any. */
  readonly protocol: number;
  readonly port: number;
  readonly endPort: number;
  readonly isIcmp: boolean;
  /** A port name that each peer resolves for itself (egress). */
  readonly name?: string;
  readonly peers: Map<string, PeerRules>;
}

export interface PeerRules {
  readonly peer: Peer;
  readonly denies: Origin[];
  /** Allows without L7 rules. */
  readonly plain: Origin[];
  readonly l7: { readonly origin: Origin; readonly spec: L7Spec }[];
  readonly serverNames: { readonly origin: Origin; readonly names: readonly string[] }[];
  /** Undefined until a rule says it. */
  authType: number | undefined;
}

export interface Conflict {
  readonly origin: Origin;
  readonly message: string;
  readonly hint: string;
}

/** Of one direction: peers times blocks of ports. Eight times what a policy map holds by default. */
const MAX_KEYS = 131_072;

/** Looks up a port name of the subject itself; undefined = it has no such port. */
export type ResolvePort = (protocol: number, name: string) => number | undefined;

/**
 * @param elements in the order of their policies' names
 * @param resolve given for ingress: names are the subject's own; a name it does not have makes the port vanish
 */
export function buildFilters(
  elements: readonly Element[],
  resolve?: ResolvePort,
): { filters: Filter[]; conflicts: Conflict[] } {
  const filters = new Map<string, Filter>();
  const conflicts: Conflict[] = [];
  for (const element of elements) {
    for (const written of element.ports ?? [ALL_PORTS]) {
      const port = written.name === undefined || resolve === undefined ? written : resolved(written, resolve);
      if (port === undefined) continue;
      const filter = filterAt(filters, port);
      for (const peer of element.peers) {
        const conflict = merge(peerAt(filter, peer), port, element);
        if (conflict !== undefined) conflicts.push({ origin: element.origin, message: conflict, hint: LOST });
      }
    }
  }
  return { filters: [...filters.values()], conflicts };
}

/**
 * The rule with which the rules of a direction become too many.
 * @returns what to report; undefined when all is well
 */
export function excessOf(elements: readonly Element[]): Conflict | undefined {
  let keys = 0;
  for (const { peers, ports, origin } of elements) {
    for (const port of ports ?? [ALL_PORTS]) keys += peers.length * blockCount(port);
    if (keys > MAX_KEYS) {
      const message = `compile rules: found ${keys} pairs of ports and peers with this rule, wanted at most ${MAX_KEYS}`;
      return {
        origin,
        message,
        hint: 'the direction is closed for the endpoints it selects; say the same with port ranges or shorter prefixes',
      };
    }
  }
  return undefined;
}

function blockCount({ port, endPort, isIcmp, name }: PortSpec): number {
  return isIcmp || port === 0 || port === endPort || name !== undefined ? 1 : portBlocks(port, endPort).length;
}

const LOST = 'this rule has no effect on that port and peer; the other one stands';
const ALL_PORTS: PortSpec = { protocol: 0, port: 0, endPort: 0, isIcmp: false };

function resolved(port: PortSpec, resolve: ResolvePort): PortSpec | undefined {
  const number = resolve(port.protocol, port.name ?? '');
  if (number === undefined) return undefined;
  const named: { name?: string } & PortSpec = { ...port, port: number, endPort: number };
  delete named.name;
  return named;
}

function filterAt(filters: Map<string, Filter>, port: PortSpec): Filter {
  const key = `${port.protocol}/${port.isIcmp ? 'type ' : ''}${port.name ?? `${port.port}-${port.endPort}`}`;
  let filter = filters.get(key);
  if (filter === undefined) {
    const { protocol, isIcmp, endPort, name } = port;
    filter = { protocol, port: port.port, endPort, isIcmp, peers: new Map(), ...(name !== undefined && { name }) };
    filters.set(key, filter);
  }
  return filter;
}

function peerAt(filter: Filter, peer: Peer): PeerRules {
  let policy = filter.peers.get(peer.key);
  if (policy === undefined) {
    policy = { peer, denies: [], plain: [], l7: [], serverNames: [], authType: undefined };
    filter.peers.set(peer.key, policy);
  }
  return policy;
}

/** @returns why the rule cannot be merged */
function merge(policy: PeerRules, port: PortSpec, element: Element): string | undefined {
  const { origin, authType } = element;
  if (element.deny || port.closedBecause !== undefined) {
    policy.denies.push(origin);
    return undefined;
  }
  const conflict = conflictWith(policy, port, authType);
  if (conflict !== undefined) return conflict;
  if (authType !== undefined) policy.authType = authType;
  if (port.serverNames !== undefined) policy.serverNames.push({ origin, names: port.serverNames });
  if (port.l7 !== undefined) policy.l7.push({ origin, spec: port.l7 });
  else if (port.serverNames === undefined) policy.plain.push(origin);
  return undefined;
}

function conflictWith(
  policy: PeerRules,
  { l7, serverNames }: PortSpec,
  authType: number | undefined,
): string | undefined {
  const parser = policy.l7[0]?.spec.parser;
  if (l7 !== undefined && parser !== undefined && parser !== l7.parser) {
    return `merge rules: found ${l7.parser} rules on a port and peer that have ${parser} rules, wanted one parser`;
  }
  const hasNames = serverNames !== undefined || policy.serverNames.length > 0;
  if (hasNames && (l7 !== undefined || parser !== undefined)) {
    return `merge rules: found serverNames and ${l7?.parser ?? parser} rules on one port and peer, wanted one of them without terminatingTLS`;
  }
  if (authType !== undefined && policy.authType !== undefined && authType !== policy.authType) {
    return 'merge rules: found two authentication modes on one port and peer, wanted one';
  }
  return undefined;
}

/** The parser that judges the streams of this peer; undefined = none, packets only. */
export function parserOf(policy: PeerRules): 'http' | 'dns' | 'kafka' | 'tls' | undefined {
  if (policy.denies.length > 0) return undefined;
  return policy.l7[0]?.spec.parser ?? (policy.serverNames.length > 0 ? 'tls' : undefined);
}
