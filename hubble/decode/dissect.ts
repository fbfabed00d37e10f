/**
 * The captured head of a frame, taken apart for people: addresses, ports, flags, and one line of summary. Unlike the
 * dataplane's parse it forgives: a capture ends where the record does, so lengths inside the packet are not believed and
 * whatever was cut off is simply not told.
 */
import { formatIp, formatIpv4 } from '../../wire/address.ts';
import * as ethernet from '../../wire/header/ethernet.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as sctp from '../../wire/header/sctp.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as udp from '../../wire/header/udp.ts';
import {
  PROTO_ICMP,
  PROTO_ICMPV6,
  PROTO_IGMP,
  PROTO_SCTP,
  PROTO_TCP,
  PROTO_UDP,
  PROTO_VRRP,
} from '../../wire/protocols.ts';
import { i32 } from '../../wire/bytes.ts';
import {
  compact,
  type Ethernet,
  type Ip,
  type Layer4,
  type Ports,
  type SctpChunk,
  type TcpFlag,
  type TcpFlags,
} from '../flow.ts';
import { icmpName } from '../print/icmp-names.ts';
import { ethernetEnds, ipv4Ends } from './recent-pairs.ts';

export interface Dissection {
  readonly ethernet: Ethernet | undefined;
  /** EtherType, 0 when the capture begins with IP. */
  readonly etherType: number;
  readonly ip: Ip | undefined;
  readonly l4: Layer4 | undefined;
  /** 0 for protocols without ports. */
  readonly srcPort: number;
  readonly dstPort: number;
  /** `tcp`, `udp`, `sctp`, `icmp`, or '' for anything else. */
  readonly protocol: '' | 'tcp' | 'udp' | 'sctp' | 'icmp';
  /** `TCP Flags: SYN, ACK`, `UDP`, `ICMPv4 EchoRequest`, `SCTP`; `IPv4`, `IPv6`, `ARP` or `Ethernet` when there is no more to tell. */
  readonly summary: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** @param hasEthernet whether the capture begins with an Ethernet header, or with IP */
export function dissect(bytes: Uint8Array, hasEthernet: boolean): Dissection {
  const found: Mutable<Dissection> = {
    ethernet: undefined,
    etherType: 0,
    ip: undefined,
    l4: undefined,
    srcPort: 0,
    dstPort: 0,
    protocol: '',
    summary: '',
  };
  let at = 0;
  if (hasEthernet) {
    if (ethernet.check(bytes, 0, bytes.length) < 0) return found;
    at = ethernet.HEADER_BYTES;
    found.etherType = ethernet.etherType(bytes, 0);
    found.ethernet = ethernetEnds(
      ethernet.srcMacHigh(bytes, 0),
      ethernet.srcMacLow(bytes, 0),
      ethernet.dstMacHigh(bytes, 0),
      ethernet.dstMacLow(bytes, 0),
    );
    found.summary = found.etherType === ethernet.ETHERTYPE_ARP ? 'ARP' : 'Ethernet';
    if (found.etherType !== ethernet.ETHERTYPE_IPV4 && found.etherType !== ethernet.ETHERTYPE_IPV6) return found;
  }
  if (bytes[at] >>> 4 === 4) dissectIpv4(bytes, at, found);
  else if (bytes[at] >>> 4 === 6) dissectIpv6(bytes, at, found);
  return found;
}

function dissectIpv4(bytes: Uint8Array, at: number, found: Mutable<Dissection>): void {
  const header = ipv4.headerBytes(bytes, at);
  if (header < ipv4.MIN_HEADER_BYTES || at + header > bytes.length) return;
  found.ip = ipv4Ends(ipv4.src(bytes, at), ipv4.dst(bytes, at));
  found.summary = 'IPv4';
  if (ipv4.fragmentOffset(bytes, at) === 0) dissectL4(bytes, at + header, ipv4.protocol(bytes, at), found);
}

function dissectIpv6(bytes: Uint8Array, at: number, found: Mutable<Dissection>): void {
  if (at + ipv6.HEADER_BYTES > bytes.length) return;
  const text = (word: typeof ipv6.src) =>
    formatIp(word(bytes, at, 0), word(bytes, at, 1), word(bytes, at, 2), word(bytes, at, 3));
  found.ip = { source: text(ipv6.src), destination: text(ipv6.dst), ipVersion: 'IPv6' };
  found.summary = 'IPv6';
  const walk = { l4Offset: 0, isFragment: false, isFirstFragment: false, fragmentId: 0 };
  const protocol = ipv6.walkExtensions(bytes, at, bytes.length, walk);
  if (protocol >= 0 && (!walk.isFragment || walk.isFirstFragment)) dissectL4(bytes, walk.l4Offset, protocol, found);
}

function dissectL4(bytes: Uint8Array, at: number, protocol: number, found: Mutable<Dissection>): void {
  const room = bytes.length - at;
  if (protocol === PROTO_TCP && room >= 14) dissectTcp(bytes, at, found);
  else if (protocol === PROTO_UDP && room >= 4) {
    found.l4 = { UDP: ports(found, udp.srcPort(bytes, at), udp.dstPort(bytes, at)) };
    found.protocol = 'udp';
    found.summary = 'UDP';
  } else if (protocol === PROTO_SCTP && room >= 4) {
    const chunk = CHUNKS[sctp.chunkType(bytes, at, room)];
    const both = ports(found, sctp.srcPort(bytes, at), sctp.dstPort(bytes, at));
    found.l4 = { SCTP: chunk === undefined ? both : { ...both, chunk_type: chunk } };
    found.protocol = 'sctp';
    found.summary = 'SCTP';
  } else if (protocol === (found.ip?.ipVersion === 'IPv4' ? PROTO_ICMP : PROTO_ICMPV6) && room >= 2) {
    dissectIcmp(bytes, at, found);
  } else if (protocol === PROTO_VRRP && room >= 3) {
    const fields = { type: bytes[at] & 0x0f, vrid: bytes[at + 1], priority: bytes[at + 2] };
    found.l4 = { VRRP: compact<NonNullable<Layer4['VRRP']>>(fields) };
    found.summary = 'VRRP';
  } else if (protocol === PROTO_IGMP && room >= 8) {
    found.l4 = { IGMP: { type: bytes[at], group_address: formatIpv4(i32(bytes, at + 4)) } };
    found.summary = 'IGMP';
  }
}

/** SCTP chunks that Hubble tells, by number (RFC 9260 3.2). */
const CHUNKS: Readonly<Partial<Record<number, SctpChunk>>> = {
  1: 'INIT',
  2: 'INIT_ACK',
  6: 'ABORT',
  7: 'SHUTDOWN',
  8: 'SHUTDOWN_ACK',
  14: 'SHUTDOWN_COMPLETE',
};

function ports(found: Mutable<Dissection>, source: number, destination: number): Ports {
  found.srcPort = source;
  found.dstPort = destination;
  return portsOf(source, destination);
}

/** A port of 0 is left out. */
export function portsOf(source: number, destination: number): Ports {
  if (source !== 0 && destination !== 0) return { source_port: source, destination_port: destination };
  return compact<Ports>({ source_port: source, destination_port: destination });
}

function dissectTcp(bytes: Uint8Array, at: number, found: Mutable<Dissection>): void {
  const flags = tcpFlags(((bytes[at + 12] << 8) | tcp.flags(bytes, at)) & 0x1ff);
  const [source, destination] = [tcp.srcPort(bytes, at), tcp.dstPort(bytes, at)];
  const isUsual = source !== 0 && destination !== 0;
  found.srcPort = source;
  found.dstPort = destination;
  found.l4 = isUsual
    ? { TCP: { source_port: source, destination_port: destination, flags } }
    : { TCP: { ...portsOf(source, destination), flags } };
  found.protocol = 'tcp';
  found.summary = summaryOf(flags);
}

function dissectIcmp(bytes: Uint8Array, at: number, found: Mutable<Dissection>): void {
  const version = found.ip?.ipVersion === 'IPv4' ? 4 : 6;
  const [type, code] = [icmp.type(bytes, at), icmp.code(bytes, at)];
  const fields = compact<{ type?: number; code?: number }>({ type, code });
  found.l4 = version === 4 ? { ICMPv4: fields } : { ICMPv6: fields };
  found.protocol = 'icmp';
  found.summary = `ICMPv${version} ${icmpName(version, type, code)}`;
}

/** Bits of the flags by name in the order of flow.proto. */
const FLAG_BITS: readonly (readonly [TcpFlag, number])[] = [
  ['FIN', tcp.FIN],
  ['SYN', tcp.SYN],
  ['RST', tcp.RST],
  ['PSH', tcp.PSH],
  ['ACK', tcp.ACK],
  ['URG', tcp.URG],
  ['ECE', tcp.ECE],
  ['CWR', tcp.CWR],
  ['NS', 0x100],
];

/** The flags of each value that the nine bits can have: a few are in nearly every flow. */
const KNOWN_FLAGS: (TcpFlags | undefined)[] = [];

function tcpFlags(bits: number): TcpFlags {
  const known = KNOWN_FLAGS[bits];
  if (known !== undefined) return known;
  const set = Object.fromEntries(FLAG_BITS.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => [name, true]));
  KNOWN_FLAGS[bits] = set;
  return set;
}

const SUMMARIES = new WeakMap<TcpFlags, string>();

/** `TCP Flags: SYN, ACK` @param flags as `tcpFlags` gives them */
function summaryOf(flags: TcpFlags): string {
  const known = SUMMARIES.get(flags);
  if (known !== undefined) return known;
  const text = `TCP Flags: ${tcpFlagsText(flags)}`;
  SUMMARIES.set(flags, text);
  return text;
}

/** Hubble's order, which is not the order of the bits. */
const PRINT_ORDER: readonly TcpFlag[] = ['SYN', 'ACK', 'RST', 'FIN', 'PSH', 'URG', 'ECE', 'CWR', 'NS'];

/** `SYN, ACK` */
export function tcpFlagsText(flags: TcpFlags): string {
  return PRINT_ORDER.filter((name) => flags[name] === true).join(', ');
}
