/** Numbers of packets and policies as people call them. */

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'ANY',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPV6',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  112: 'VRRP',
  132: 'SCTP',
};

/** `TCP` for 6; the number itself when it has no name here. */
export function protocolName(protocol: number): string {
  return PROTOCOLS[protocol] ?? String(protocol);
}

/**
 * What ports and protocol an entry is for, as cilium-dbg has it: `ANY`, `ANY/TCP`, `80/TCP`, `8080-8095/TCP`.
 * @param portPrefix leading bits of `port` that count, 0 to 16
 */
export function portText(protocol: number, port: number, portPrefix: number): string {
  if (protocol === 0) return 'ANY';
  if (portPrefix === 0) return `ANY/${protocolName(protocol)}`;
  const last = port | ((1 << (16 - portPrefix)) - 1);
  return `${port}${last === port ? '' : `-${last}`}/${protocolName(protocol)}`;
}

/** Names of policy authentication types. */
export function authName(authType: number): string {
  return ['disabled', 'spire', 'test-always-fail'][authType] ?? String(authType);
}

/** `02:00:00:00:00:01` from the first two and the last four bytes. */
export function macText(high: number, low: number): string {
  const digits = (high & 0xffff).toString(16).padStart(4, '0') + (low >>> 0).toString(16).padStart(8, '0');
  return digits.match(/../g)?.join(':') ?? '';
}

/** Set bits of `flags` as the names that stand for them, lowest bit first. */
export function flagNames(flags: number, names: Readonly<Record<number, string>>): string[] {
  return Object.entries(names)
    .filter(([bit]) => (flags & Number(bit)) !== 0)
    .map(([, name]) => name);
}

/** `SYN|ACK` of a TCP flags byte, in the order that cilium prints; '' for none. */
export function tcpFlagNames(flags: number): string[] {
  return flagNames(flags, {
    0x02: 'SYN',
    0x10: 'ACK',
    0x04: 'RST',
    0x01: 'FIN',
    0x08: 'PSH',
    0x20: 'URG',
    0x40: 'ECE',
    0x80: 'CWR',
  });
}
