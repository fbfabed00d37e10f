/** IP protocol numbers by the names that policies use. */

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;
export const ICMPV6 = 58;

const NUMBERS: Readonly<Record<string, number>> = {
  TCP,
  UDP,
  SCTP,
  ICMP,
  ICMPv6: ICMPV6,
  VRRP: 112,
  IGMP: 2,
  GRE: 47,
  IPIP: 4,
  IPV6: 41,
  ESP: 50,
  AH: 51,
};

/** Protocols without ports, behind `enable-extended-ip-protocols`. */
export const EXTENDED_PROTOCOLS: readonly string[] = ['VRRP', 'IGMP', 'GRE', 'IPIP', 'IPV6', 'ESP', 'AH'];

/** The protocol numbers that a name stands for: ANY and absent are TCP, UDP and SCTP (never ICMP). */
export function protocolNumbers(name: string | undefined): readonly number[] {
  if (name === undefined || name === '' || name === 'ANY') return [TCP, UDP, SCTP];
  return [NUMBERS[name]];
}

/** `TCP`, or the number when it has no name here. */
export function protocolName(protocol: number): string {
  return Object.keys(NUMBERS).find((name) => NUMBERS[name] === protocol) ?? String(protocol);
}
