/** Which packets a rule element is about: protocols with ports, ranges and names, or ICMP types. */
import type { Document } from './parties.ts';

const NUMBERS: Record<string, number[]> = {
  TCP: [6],
  UDP: [17],
  SCTP: [132],
  ANY: [6, 17, 132],
  VRRP: [112],
  IGMP: [2],
  GRE: [47],
  IPIP: [4],
  IPV6: [41],
  ESP: [50],
  AH: [51],
};

const ICMP = { IPv4: 1, IPv6: 58 };
const ICMP_TYPES: Record<'IPv4' | 'IPv6', Record<string, number>> = {
  IPv4: { EchoReply: 0, DestinationUnreachable: 3, Redirect: 5, Echo: 8, EchoRequest: 8, TimeExceeded: 11 },
  IPv6: { DestinationUnreachable: 1, PacketTooBig: 2, EchoRequest: 128, EchoReply: 129, NeighborSolicitation: 135 },
};

/** What a port name means for a protocol at this moment: of the subject inwards, of the peers outwards. */
export type PortNames = (name: string, protocol: number) => number[];

export interface PortRange {
  /** Rules with the same text are about the same packets, and merged. */
  readonly text: string;
  /** 0 = any protocol. */
  readonly protocol: number;
  /** First and last port or ICMP type; undefined = all. */
  readonly ports: { readonly first: number; readonly last: number } | { readonly name: string } | undefined;
}

export const ALL_PACKETS: PortRange = { text: 'all', protocol: 0, ports: undefined };

/** `{port, endPort, protocol}`: port 0 or none = all ports; an endPort below the port counts for nothing. */
export function rangesOf({ port, endPort, protocol = 'ANY' }: Document): PortRange[] {
  return NUMBERS[protocol].map((number) => {
    if (port === undefined || Number(port) === 0) return { text: `${number}`, protocol: number, ports: undefined };
    if (Number.isNaN(Number(port))) return named(number, String(port).toLowerCase());
    return numbered(number, Number(port), Number(endPort ?? 0));
  });
}

const named = (protocol: number, name: string): PortRange => ({
  text: `${protocol}/${name}`,
  protocol,
  ports: { name },
});

function numbered(protocol: number, first: number, end: number): PortRange {
  const last = Math.max(first, end);
  return { text: `${protocol}/${first}-${last}`, protocol, ports: { first, last } };
}

export function icmpRange({ family = 'IPv4', type }: Document): PortRange {
  const number = ICMP_TYPES[family as 'IPv4'][type] ?? Number(type);
  return numbered(ICMP[family as 'IPv4'], number, 0);
}

export function covers(range: PortRange, packet: { protocol: number; port: number }, names: PortNames): boolean {
  if (range.protocol !== 0 && range.protocol !== packet.protocol) return false;
  if (range.ports === undefined) return true;
  if ('name' in range.ports) return names(range.ports.name, range.protocol).includes(packet.port);
  return range.ports.first <= packet.port && packet.port <= range.ports.last;
}

/**
 * How specific the range is for a port that it covers: 0 any protocol, 8 any port, then 8 + the leading bits that all
 * ports of the largest aligned block around the port have in common.
 */
export function specificity({ protocol, ports }: PortRange, port: number): number {
  if (protocol === 0) return 0;
  if (ports === undefined) return 8;
  if ('name' in ports) return 24;
  for (let size = 65536, bits = 0; ; size /= 2, bits++) {
    const start = Math.floor(port / size) * size;
    if (ports.first <= start && start + size - 1 <= ports.last) return 8 + bits;
  }
}
