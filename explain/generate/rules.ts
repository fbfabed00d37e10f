/**
 * Rules out of connections: for each group of pods and direction, elements that name whom it may talk to and by which ports.
 *
 * A *need* is one peer and one port of a group, with the requests that were seen there. Needs of one peer with the same ports make one
 * element; peers of one kind whose ports are the same share it. No two elements allow the same: peers are told apart by
 * their selectors (groups.ts), addresses by themselves, and of the names of an address one is chosen (names.ts).
 */
import { EGRESS } from '../../wire/direction.ts';
import { PROTO_ICMP, PROTO_ICMPV6, protocolName } from '../../wire/protocols.ts';
import type { Request } from '../flows/sighting.ts';
import type { Selector } from './groups.ts';
import { type L7Choice, type L7Mode, l7Of } from './requests.ts';

export type PortMode = 'exact' | 'ranges' | 'any';

export type Peer =
  | { readonly kind: 'pods'; readonly namespace: string; readonly selector: Selector }
  | { readonly kind: 'cidr'; readonly cidr: string }
  | { readonly kind: 'fqdn'; readonly name: string }
  | { readonly kind: 'entity'; readonly entity: string };

export interface Need {
  readonly peer: Peer;
  readonly protocol: number;
  readonly port: number;
  readonly requests: Request[];
  flows: number;
}

export interface PortPart {
  readonly ports: readonly { readonly port: number; readonly endPort?: number; readonly protocol: string }[];
  readonly l7: L7Choice['part'];
}

/** One element of `ingress` or `egress`. */
export interface Element {
  readonly peers: readonly Peer[];
  readonly ports: readonly PortPart[];
  readonly icmps: readonly { readonly family: 'IPv4' | 'IPv6'; readonly type: number }[];
  readonly flows: number;
  readonly notes: readonly string[];
}

export interface RuleModes {
  readonly ports: PortMode;
  readonly l7: L7Mode;
  /** Paths that no pattern can mean exactly. */
  readonly unnamed: ReadonlySet<string>;
}

/** As people look for them: what is near first. */
const ORDER: readonly Peer['kind'][] = ['pods', 'entity', 'fqdn', 'cidr'];
/** The most ports of one list, and the most types. */
const MOST_PORTS = 40;
/** From so many ports of one peer on, `ranges` makes a range of them. */
const MANY_PORTS = 4;
/** Below are ports of well-known services, which are listed one by one. */
const FIRST_FREE_PORT = 1024;
const HIGHEST_PORT = 65_535;

/** The elements for what a group needs in one direction, in an order of their own. */
export function elementsOf(needs: readonly Need[], direction: number, modes: RuleModes): Element[] {
  const byPeer = grouped(needs, ({ peer }) => JSON.stringify(peer));
  const parts = byPeer.flatMap((ofPeer) => partsOf(ofPeer, direction === EGRESS, modes));
  const shared = grouped(parts, ({ peers, ports, icmps }) =>
    JSON.stringify([ORDER.indexOf(peers[0].kind), ports, icmps]),
  );
  return shared.map((alike) => ({
    ...alike[0],
    peers: alike.flatMap(({ peers }) => peers),
    flows: alike.reduce((sum, { flows }) => sum + flows, 0),
    notes: [...new Set(alike.flatMap(({ notes }) => notes))].sort(),
  }));
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const known = found.get(key);
    if (known === undefined) found.set(key, [item]);
    else known.push(item);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** What one peer needs: one element for ports, one for ICMP. */
function partsOf(needs: readonly Need[], isEgress: boolean, modes: RuleModes): Element[] {
  const [{ peer }] = needs;
  const isIcmp = ({ protocol }: Need): boolean => protocol === PROTO_ICMP || protocol === PROTO_ICMPV6;
  const [messages, ported] = [needs.filter(isIcmp), needs.filter((need) => !isIcmp(need))];
  const elements: Element[] = [];
  const count = (some: readonly Need[]): number => some.reduce((sum, { flows }) => sum + flows, 0);
  if (ported.length > 0) {
    const { ports, notes } = portsOf(ported, isEgress, modes);
    elements.push({ peers: [peer], ports, icmps: [], flows: count(ported), notes });
  }
  if (messages.length > 0)
    elements.push({ peers: [peer], ports: [], icmps: icmpsOf(messages), flows: count(messages), notes: [] });
  return elements;
}

function icmpsOf(messages: readonly Need[]): Element['icmps'] {
  return messages
    .map(({ protocol, port }) => ({ family: protocol === PROTO_ICMP ? 'IPv4' : 'IPv6', type: port }) as const)
    .sort((a, b) => (a.family === b.family ? a.type - b.type : a.family < b.family ? -1 : 1));
}

type Port = PortPart['ports'][number];

function portsOf(
  needs: readonly Need[],
  isEgress: boolean,
  { ports: mode, l7, unnamed }: RuleModes,
): { ports: PortPart[]; notes: string[] } {
  const chosen = needs.map((need) => ({ need, choice: l7Of(need.requests, l7, { isEgress, unnamed }) }));
  const notes = new Set(chosen.flatMap(({ choice }) => choice.notes));
  const judged = chosen.filter(({ choice }) => choice.part !== undefined);
  const plain = chosen.filter(({ choice }) => choice.part === undefined).map(({ need }) => portOf(need));
  const wide = widened(
    plain,
    judged.map(({ need }) => portOf(need)),
    mode,
  );
  if (wide.note !== undefined) notes.add(wide.note);
  const lists = grouped(judged, ({ choice }) => JSON.stringify(choice.part));
  const parts = [
    ...chunks(wide.ports).map((ports) => ({ ports, l7: undefined })),
    ...lists.flatMap((alike) =>
      chunks(sorted(alike.map(({ need }) => portOf(need)))).map((ports) => ({ ports, l7: alike[0].choice.part })),
    ),
  ];
  return { ports: parts, notes: [...notes].sort() };
}

function portOf({ protocol, port }: Need): Port {
  return { port, protocol: protocolName(protocol) };
}

function sorted(ports: readonly Port[]): Port[] {
  return [...ports].sort((a, b) => (a.protocol === b.protocol ? a.port - b.port : a.protocol < b.protocol ? -1 : 1));
}

/** Ports in general; a port whose requests are judged is never among them, for then they would not be. */
function widened(plain: readonly Port[], judged: readonly Port[], mode: PortMode): { ports: Port[]; note?: string } {
  if (mode === 'exact' || plain.length === 0) return { ports: sorted(plain) };
  let note: string | undefined;
  const ports = grouped(plain, ({ protocol }) => protocol).flatMap((alike): Port[] => {
    const [{ protocol }] = alike;
    const taken = judged.filter((one) => one.protocol === protocol).map(({ port }) => port);
    const wide = mode === 'any' ? alike : alike.filter(({ port }) => port >= FIRST_FREE_PORT);
    const numbers = wide.map(({ port }) => port);
    const [low, high] = mode === 'any' ? [1, HIGHEST_PORT] : [Math.min(...numbers), Math.max(...numbers)];
    const isWide = mode === 'any' ? true : wide.length > MANY_PORTS;
    if (!isWide || taken.some((port) => port >= low && port <= high)) return alike;
    if (mode === 'any') {
      note = 'every port of a protocol that was seen';
      return [{ port: 0, protocol }];
    }
    note = `more than ${MANY_PORTS} ports of one peer are the range from the lowest to the highest`;
    return [...alike.filter((one) => !wide.includes(one)), { port: low, endPort: high, protocol }];
  });
  return { ports: sorted(ports), ...(note !== undefined && { note }) };
}

function chunks<T>(items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / MOST_PORTS);
  return Array.from({ length: count }, (_, i) => items.slice(i * MOST_PORTS, (i + 1) * MOST_PORTS));
}
