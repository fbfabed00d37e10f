/** IP protocols: their numbers, and the names by which policies call them. */

export const PROTO_ICMP = 1;
export const PROTO_IGMP = 2;
export const PROTO_TCP = 6;
export const PROTO_UDP = 17;
const PROTO_ESP = 50;
export const PROTO_AH = 51;
export const PROTO_ICMPV6 = 58;
export const PROTO_VRRP = 112;
export const PROTO_SCTP = 132;

const NUMBERS: Readonly<Record<string, number>> = {
  TCP: PROTO_TCP,
  UDP: PROTO_UDP,
  SCTP: PROTO_SCTP,
  ICMP: PROTO_ICMP,
  ICMPv6: PROTO_ICMPV6,
  VRRP: PROTO_VRRP,
  IGMP: PROTO_IGMP,
  GRE: 47,
  IPIP: 4,
  IPV6: 41,
  ESP: PROTO_ESP,
  AH: PROTO_AH,
};

/** Protocols without ports, behind `enable-extended-ip-protocols`. */
export const EXTENDED_PROTOCOLS: readonly string[] = ['VRRP', 'IGMP', 'GRE', 'IPIP', 'IPV6', 'ESP', 'AH'];

/** The protocol numbers that a name stands for: ANY and absent are TCP, UDP and SCTP (never ICMP). */
export function protocolNumbers(name: string | undefined): readonly number[] {
  if (name === undefined || name === '' || name === 'ANY') return [PROTO_TCP, PROTO_UDP, PROTO_SCTP];
  return [NUMBERS[name]];
}

/** `TCP`, or the number when it has no name here. */
export function protocolName(protocol: number): string {
  return Object.keys(NUMBERS).find((name) => NUMBERS[name] === protocol) ?? String(protocol);
}
