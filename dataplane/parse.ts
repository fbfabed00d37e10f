/**
 * Step 1: bytes to a filled Frame, or the reason why the bytes are no frame that may pass.
 *
 * Every later step relies on what is checked here, once per layer: that the header lies inside the frame, that the IP
 * length does, that the IPv4 header has the right checksum (RFC 1812 section 5.2.2; packet sockets hand frames over before
 * any kernel has looked), and that the L4 header is whole. Nothing is trusted that the frame says about itself: a second
 * ethertype never hides behind a tag, a fragment never overlaps a port number, and what the virtio-net header asks of others
 * is only what a stack would ask. L4 checksums are the receiver's business: they say nothing that policy judges.
 *
 * The frame ends where IP says that the datagram does (RFC 791, RFC 8200): `length` is cut to it here, so no later step,
 * and nobody behind a port, gets a byte that was not judged. Of a UDP datagram that is shorter than its packet
 * (RFC 9868), the payload ends with the datagram; the rest goes on as part of the packet, and is never handed to an
 * application.
 */
import { isV4Mapped, V4_MAPPED } from '../wire/address.ts';
import * as arp from '../wire/header/arp.ts';
import * as ethernet from '../wire/header/ethernet.ts';
import { u16 } from '../wire/bytes.ts';
import type { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../wire/protocols.ts';
import {
  DROP_CSUM_L3,
  DROP_CT_INVALID_HDR,
  DROP_CT_UNKNOWN_PROTO,
  DROP_FRAG_NOSUPPORT,
  DROP_INVALID,
  DROP_INVALID_EXTHDR,
  DROP_UNSUPPORTED_L2,
  DROP_UNKNOWN_L3,
  DROP_VLAN_FILTERED,
} from '../wire/reasons.ts';
import * as sctp from '../wire/header/sctp.ts';
import * as offload from '../wire/offload.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as udp from '../wire/header/udp.ts';
import * as vnet from '../wire/header/virtio-net.ts';
import { setIcmpPorts } from './icmp-tuple.ts';

/**
 * Packets that a frame may be cut into, or one frame occupies for seconds whoever cuts it in software. TCP: 64 KiB at a
 * quarter of the smallest common segment (536, RFC 9293). UDP: what Linux allows (UDP_MAX_SEGMENTS).
 */
const MAX_TCP_SEGMENTS = 512;
const MAX_UDP_SEGMENTS = 128;

/**
 * Fills the second group of fields of `f` from its bytes, and cuts its `length` to the IP packet.
 * @returns 0, or a drop reason: 134 invalid, 135 cut L4 header, 137 unknown L4, 139 unsupported L3, 153 IPv4 header checksum,
 * 156 bad IPv6 extension header, 157 a fragment that hides its ports, 166 not Ethernet II, 182 VLAN tag
 */
export function parse(f: Frame): number {
  f.etherType = 0;
  f.l3Offset = f.offset + ethernet.HEADER_BYTES;
  f.family = 0;
  f.protocol = 0;
  f.srcPort = 0;
  f.dstPort = 0;
  f.ctSlot = -1;
  f.outPort = -1;
  f.isFragment = false;
  f.isFirstFragment = false;
  f.srcIdentity = 0;
  f.dstIdentity = 0;
  f.srcEndpoint = 0;
  f.dstEndpoint = 0;
  f.ctStatus = 0;
  f.frontend = 0;
  f.translation = 0;
  if (f.length < ethernet.HEADER_BYTES) return DROP_INVALID;
  const etherType = ethernet.etherType(f.bytes, f.offset);
  f.etherType = etherType;
  if (etherType === ethernet.ETHERTYPE_IPV4) return parseIpv4(f) || checkOffload(f);
  if (etherType === ethernet.ETHERTYPE_IPV6) return parseIpv6(f) || checkOffload(f);
  if (vnet.flags(f.bytes, f.offset) & vnet.FLAG_NEEDS_CSUM || vnet.gsoType(f.bytes, f.offset) !== vnet.GSO_NONE) {
    return DROP_INVALID;
  }
  if (etherType === ethernet.ETHERTYPE_ARP)
    return arp.check(f.bytes, f.l3Offset, f.length - ethernet.HEADER_BYTES) < 0 ? DROP_INVALID : 0;
  if (etherType < ethernet.ETHERTYPE_MIN) return DROP_UNSUPPORTED_L2;
  const isTag = etherType === ethernet.ETHERTYPE_VLAN || etherType === ethernet.ETHERTYPE_QINQ;
  return isTag ? DROP_VLAN_FILTERED : DROP_UNKNOWN_L3;
}

/**
 * The virtio-net header tells the kernel where to write a checksum. Accept only the field of the frame's own protocol, over a
 * payload that ends with the frame, or a guest could have the kernel overwrite bytes that we have judged: a port, an address,
 * a request.
 */
function checkOffload(f: Frame): number {
  const { bytes, offset, protocol } = f;
  const gsoType = vnet.gsoType(bytes, offset);
  const needsChecksum = (vnet.flags(bytes, offset) & vnet.FLAG_NEEDS_CSUM) !== 0;
  if (gsoType === vnet.GSO_NONE && !needsChecksum) return 0;
  if (f.payloadOffset + f.payloadLength !== offset + f.length) return DROP_INVALID;
  if (gsoType !== vnet.GSO_NONE && !isOwnSegmentation(f, gsoType)) return DROP_INVALID;
  if (!needsChecksum) return 0;
  const field = protocol === PROTO_SCTP ? sctp.CHECKSUM_OFFSET : offload.checksumOffset(protocol);
  const isItsChecksum =
    vnet.csumStart(bytes, offset) === f.l4Offset - offset && vnet.csumOffset(bytes, offset) === field;
  return isItsChecksum && !f.isFragment ? 0 : DROP_INVALID;
}

function isOwnSegmentation(f: Frame, gsoType: number): boolean {
  const segmentBytes = vnet.gsoSize(f.bytes, f.offset);
  const most = gsoType === vnet.GSO_UDP_L4 ? MAX_UDP_SEGMENTS : MAX_TCP_SEGMENTS;
  if (f.isFragment || segmentBytes === 0 || f.payloadLength > segmentBytes * most) return false;
  if (gsoType === vnet.GSO_UDP_L4) return f.protocol === PROTO_UDP;
  const own = f.family === 4 ? vnet.GSO_TCPV4 : vnet.GSO_TCPV6;
  return f.protocol === PROTO_TCP && (gsoType & ~vnet.GSO_ECN) === own;
}

function parseIpv4(f: Frame): number {
  const { bytes, l3Offset } = f;
  const room = f.offset + f.length - l3Offset;
  const headerBytes = ipv4.check(bytes, l3Offset, room);
  if (headerBytes < 0) return DROP_INVALID;
  if (!ipv4.verifyChecksum(bytes, l3Offset)) return DROP_CSUM_L3;
  if (headerBytes > ipv4.MIN_HEADER_BYTES && ipv4.hasUnsafeOptions(bytes, l3Offset)) return DROP_INVALID;
  const total = ipv4.totalLength(bytes, l3Offset);
  f.length = ethernet.HEADER_BYTES + total;
  f.family = 4;
  f.ttl = ipv4.ttl(bytes, l3Offset);
  f.protocol = ipv4.protocol(bytes, l3Offset);
  f.src0 = f.src1 = f.dst0 = f.dst1 = 0;
  f.src2 = f.dst2 = V4_MAPPED;
  f.src3 = ipv4.src(bytes, l3Offset);
  f.dst3 = ipv4.dst(bytes, l3Offset);
  f.l4Offset = l3Offset + headerBytes;
  const fragmentOffset = ipv4.fragmentOffset(bytes, l3Offset); // bytes
  if (fragmentOffset !== 0 || ipv4.moreFragments(bytes, l3Offset)) {
    return parseFragment(f, ipv4.identification(bytes, l3Offset), fragmentOffset, l3Offset + total);
  }
  return parseL4(f, l3Offset + total);
}

function parseIpv6(f: Frame): number {
  const { bytes, l3Offset } = f;
  const room = f.offset + f.length - l3Offset;
  if (ipv6.check(bytes, l3Offset, room) < 0) return DROP_INVALID;
  const total = ipv6.HEADER_BYTES + ipv6.payloadLength(bytes, l3Offset);
  f.length = ethernet.HEADER_BYTES + total;
  f.family = 6;
  f.ttl = ipv6.hopLimit(bytes, l3Offset);
  f.src0 = ipv6.src(bytes, l3Offset, 0);
  f.src1 = ipv6.src(bytes, l3Offset, 1);
  f.src2 = ipv6.src(bytes, l3Offset, 2);
  f.src3 = ipv6.src(bytes, l3Offset, 3);
  f.dst0 = ipv6.dst(bytes, l3Offset, 0);
  f.dst1 = ipv6.dst(bytes, l3Offset, 1);
  f.dst2 = ipv6.dst(bytes, l3Offset, 2);
  f.dst3 = ipv6.dst(bytes, l3Offset, 3);
  // A v4-mapped address on the wire would alias an IPv4 pod (RFC 4942 section 2.2): never legal in a header.
  if (isV4Mapped(f.src0, f.src1, f.src2) || isV4Mapped(f.dst0, f.dst1, f.dst2)) return DROP_INVALID;
  return parseIpv6Upper(f, l3Offset + total);
}

/** Walks the extension headers, then goes on as IPv4 does. */
function parseIpv6Upper(f: Frame, end: number): number {
  f.protocol = ipv6.walkExtensions(f.bytes, f.l3Offset, end, f);
  if (f.protocol < 0) {
    f.protocol = 0;
    return DROP_INVALID_EXTHDR;
  }
  if (!f.isFragment) return parseL4(f, end);
  // Of the fragment header (8 bytes before a later fragment's payload) the position is read again: only it needs it.
  const fragmentOffset = f.isFirstFragment ? 0 : u16(f.bytes, f.l4Offset - 6) & 0xfff8;
  return parseFragment(f, f.fragmentId, fragmentOffset, end);
}

/**
 * A first fragment carries its ports and is parsed like a whole datagram. A later one has none: the fragment map
 * supplies them. It may not begin inside the L4 header, or it could rewrite the ports that were judged (RFC 1858, 3128).
 */
function parseFragment(f: Frame, id: number, fragmentOffset: number, end: number): number {
  f.isFragment = true;
  f.isFirstFragment = fragmentOffset === 0;
  f.fragmentId = id;
  if (f.isFirstFragment) return parseL4(f, end);
  if (fragmentOffset < minL4Bytes(f.protocol)) return DROP_FRAG_NOSUPPORT;
  f.payloadOffset = f.l4Offset;
  f.payloadLength = end - f.l4Offset;
  f.srcPort = f.dstPort = f.tcpFlags = f.icmpType = f.icmpCode = 0;
  return isTracked(f.protocol) ? 0 : DROP_CT_UNKNOWN_PROTO;
}

function parseL4(f: Frame, end: number): number {
  const room = end - f.l4Offset;
  f.tcpFlags = f.icmpType = f.icmpCode = 0;
  if (!isTracked(f.protocol)) return DROP_CT_UNKNOWN_PROTO;
  if (room < minL4Bytes(f.protocol)) return DROP_CT_INVALID_HDR;
  switch (f.protocol) {
    case PROTO_TCP:
      return parseTcp(f, end);
    case PROTO_UDP:
      return parseUdp(f, end);
    case PROTO_SCTP:
      return parsePorts(f, sctp.HEADER_BYTES, end);
    default:
      return parseIcmp(f, end);
  }
}

function parseTcp(f: Frame, end: number): number {
  const headerBytes = tcp.check(f.bytes, f.l4Offset, end - f.l4Offset);
  if (headerBytes < 0) return DROP_CT_INVALID_HDR;
  f.tcpFlags = tcp.flags(f.bytes, f.l4Offset);
  return parsePorts(f, headerBytes, end);
}

function parseUdp(f: Frame, end: number): number {
  const declared = udp.length(f.bytes, f.l4Offset);
  if (declared === 0) return parsePorts(f, udp.HEADER_BYTES, end); // to the end, as receivers take it (RFC 2675)
  if (declared < udp.HEADER_BYTES) return DROP_CT_INVALID_HDR;
  const declaredEnd = f.l4Offset + declared;
  // A fragment declares the whole datagram.
  if (declaredEnd > end) return f.isFragment ? parsePorts(f, udp.HEADER_BYTES, end) : DROP_CT_INVALID_HDR;
  return parsePorts(f, udp.HEADER_BYTES, declaredEnd);
}

function parsePorts(f: Frame, headerBytes: number, end: number): number {
  f.srcPort = tcp.srcPort(f.bytes, f.l4Offset); // TCP, UDP and SCTP agree on the first four bytes
  f.dstPort = tcp.dstPort(f.bytes, f.l4Offset);
  f.payloadOffset = f.l4Offset + headerBytes;
  f.payloadLength = end - f.payloadOffset;
  return 0;
}

/** What stands for the ports of a message is told in icmp-tuple.ts. */
function parseIcmp(f: Frame, end: number): number {
  if ((f.protocol === PROTO_ICMP) !== (f.family === 4)) return DROP_CT_UNKNOWN_PROTO;
  const type = icmp.type(f.bytes, f.l4Offset);
  f.icmpType = type;
  f.icmpCode = icmp.code(f.bytes, f.l4Offset);
  f.payloadOffset = f.l4Offset + icmp.HEADER_BYTES;
  f.payloadLength = end - f.payloadOffset;
  setIcmpPorts(f, f.protocol, type, icmp.identifier(f.bytes, f.l4Offset));
  return 0;
}

/** An ICMP error: it quotes the packet that it is about. */
export function isIcmpError(f: Frame): boolean {
  if (f.protocol === PROTO_ICMPV6) return icmpv6.isError(f.icmpType);
  return f.protocol === PROTO_ICMP && icmp.isError(f.icmpType);
}

function isTracked(protocol: number): boolean {
  return (
    protocol === PROTO_TCP ||
    protocol === PROTO_UDP ||
    protocol === PROTO_ICMP ||
    protocol === PROTO_ICMPV6 ||
    protocol === PROTO_SCTP
  );
}

function minL4Bytes(protocol: number): number {
  if (protocol === PROTO_TCP) return tcp.MIN_HEADER_BYTES;
  return protocol === PROTO_SCTP ? sctp.HEADER_BYTES : udp.HEADER_BYTES; // ICMP's header is 8 bytes too
}
