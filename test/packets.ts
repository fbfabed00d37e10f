/** Frames for tests, made with the wire codecs: what a pod's kernel would send, checksums done. */
import * as ethernet from '../wire/header/ethernet.ts';
import { Frame } from '../wire/frame.ts';
import * as icmp from '../wire/header/icmp.ts';
import * as icmpv6 from '../wire/header/icmpv6.ts';
import * as ipv4 from '../wire/header/ipv4.ts';
import * as ipv6 from '../wire/header/ipv6.ts';
import { complete } from '../wire/offload.ts';
import * as tcp from '../wire/header/tcp.ts';
import * as sctp from '../wire/header/sctp.ts';
import * as udp from '../wire/header/udp.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../wire/protocols.ts';
import { ROUTER_MAC, words, type WorldPod } from './dataplane-world.ts';

export interface Ends {
  readonly from: WorldPod;
  /** Address of the destination; its family decides which address of `from` is used. */
  readonly to: string;
  /** Overrides. */
  readonly srcAddress?: string;
  readonly srcMac?: readonly number[];
  readonly dstMac?: readonly number[];
  readonly ttl?: number;
  readonly dontFragment?: boolean;
}

export interface TcpOptions extends Ends {
  readonly sport: number;
  readonly dport: number;
  readonly flags?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly payload?: Uint8Array;
}

export function tcpFrame(options: TcpOptions): Uint8Array {
  const payload = options.payload ?? new Uint8Array();
  return build(options, PROTO_TCP, tcp.MIN_HEADER_BYTES + payload.length, (bytes, at) => {
    tcp.emit(bytes, at, {
      srcPort: options.sport,
      dstPort: options.dport,
      seq: options.seq ?? 1,
      ack: options.ack ?? 0,
      flags: options.flags ?? tcp.SYN,
      window: 65535,
    });
    bytes.set(payload, at + tcp.MIN_HEADER_BYTES);
    return at + tcp.MIN_HEADER_BYTES;
  });
}

export interface UdpOptions extends Ends {
  readonly sport: number;
  readonly dport: number;
  readonly payload?: Uint8Array;
}

export function udpFrame(options: UdpOptions): Uint8Array {
  const payload = options.payload ?? new Uint8Array(8);
  return build(options, PROTO_UDP, udp.HEADER_BYTES + payload.length, (bytes, at) => {
    udp.emit(bytes, at, { srcPort: options.sport, dstPort: options.dport }, payload.length);
    bytes.set(payload, at + udp.HEADER_BYTES);
    return at + udp.HEADER_BYTES;
  });
}

/** One chunk of `payload`. */
export function sctpFrame(options: UdpOptions): Uint8Array {
  const payload = options.payload ?? new Uint8Array(16);
  return build(options, PROTO_SCTP, sctp.HEADER_BYTES + payload.length, (bytes, at) => {
    sctp.emit(bytes, at, { srcPort: options.sport, dstPort: options.dport, verificationTag: 77 });
    bytes.set(payload, at + sctp.HEADER_BYTES);
    return at + sctp.HEADER_BYTES;
  });
}

export interface PingOptions extends Ends {
  readonly id: number;
  readonly isReply?: boolean;
  readonly size?: number;
}

export function pingFrame(options: PingOptions): Uint8Array {
  const isV4 = !options.to.includes(':');
  const protocol = isV4 ? PROTO_ICMP : PROTO_ICMPV6;
  const request = isV4 ? icmp.ECHO_REQUEST : icmpv6.ECHO_REQUEST;
  const reply = isV4 ? icmp.ECHO_REPLY : icmpv6.ECHO_REPLY;
  return build(options, protocol, icmp.HEADER_BYTES + (options.size ?? 56), (bytes, at) => {
    icmp.emit(bytes, at, options.isReply === true ? reply : request, 0, (options.id << 16) | 1);
    return at + icmp.HEADER_BYTES;
  });
}

export interface IcmpOptions extends Ends {
  readonly type: number;
  readonly code?: number;
  /** Bytes 4 to 7. */
  readonly rest?: number;
  readonly body?: Uint8Array;
}

/** Any ICMP message. */
export function icmpFrame(options: IcmpOptions): Uint8Array {
  const body = options.body ?? new Uint8Array(12);
  const protocol = options.to.includes(':') ? PROTO_ICMPV6 : PROTO_ICMP;
  return build(options, protocol, icmp.HEADER_BYTES + body.length, (bytes, at) => {
    icmp.emit(bytes, at, options.type, options.code ?? 0, options.rest ?? 0);
    bytes.set(body, at + icmp.HEADER_BYTES);
    return at + icmp.HEADER_BYTES;
  });
}

/** Ethernet and IP around an L4 of `l4Bytes`, which `emit` writes; it answers where the payload begins. */
function build(
  ends: Ends,
  protocol: number,
  l4Bytes: number,
  emit: (bytes: Uint8Array, at: number) => number,
): Uint8Array {
  const isV4 = !ends.to.includes(':');
  const own = ends.from.addresses.find((address) => address.includes(':') !== isV4);
  const src = words(ends.srcAddress ?? own ?? '');
  const dst = words(ends.to);
  const f = new Frame(new Uint8Array(64 + 14 + 40 + l4Bytes));
  f.offset = 64;
  f.family = isV4 ? 4 : 6;
  f.protocol = protocol;
  f.l3Offset = f.offset + ethernet.HEADER_BYTES;
  f.l4Offset = f.l3Offset + (isV4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES);
  f.bytes.set(ends.dstMac ?? ROUTER_MAC, f.offset);
  f.bytes.set(ends.srcMac ?? ends.from.mac, f.offset + 6);
  ethernet.setEtherType(f.bytes, f.offset, isV4 ? ethernet.ETHERTYPE_IPV4 : ethernet.ETHERTYPE_IPV6);
  if (isV4) {
    const fragmentField = (ends.dontFragment ?? true) ? 0x4000 : 0;
    ipv4.emit(f.bytes, f.l3Offset, {
      src: src[3],
      dst: dst[3],
      protocol,
      payloadLength: l4Bytes,
      ttl: ends.ttl ?? 64,
      fragmentField,
    });
  } else {
    ipv6.emit(f.bytes, f.l3Offset, {
      src,
      dst,
      nextHeader: protocol,
      payloadLength: l4Bytes,
      hopLimit: ends.ttl ?? 64,
    });
  }
  [f.src0, f.src1, f.src2, f.src3] = src;
  [f.dst0, f.dst1, f.dst2, f.dst3] = dst;
  f.payloadOffset = emit(f.bytes, f.l4Offset);
  f.payloadLength = f.l4Offset + l4Bytes - f.payloadOffset;
  complete(f);
  return f.bytes.slice(f.offset, f.l4Offset + l4Bytes);
}

/** Bytes from hex digits; blanks do not count. */
export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}
