/**
 * Software offloads for ports that take none: cuts a large TCP or UDP frame into the packets its virtio-net header
 * asks for, and finishes checksums that were left undone. What a network card does for the kernel, in its order:
 * headers copied, lengths and IPv4 identification set, TCP sequence advanced, CWR on the first segment only, FIN and PSH
 * on the last only, checksums computed.
 */
import * as bytesOf from '../wire/bytes.ts';
import { complement, pseudoHeader, sum } from '../wire/checksum.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as offload from '../wire/offload.ts';
import * as tcp from '../wire/tcp.ts';
import * as udp from '../wire/udp.ts';
import * as vnet from '../wire/virtio-net.ts';

/** Gets one packet without a virtio-net header; the bytes are valid during the call only. */
export type EmitPacket = (bytes: Uint8Array, offset: number, length: number) => void;

/** The headers of a large frame. */
interface Layout {
  l3: number;
  l4: number;
  payload: number;
  family: number;
  isTcp: boolean;
  segmentBytes: number;
}

const segment = new Uint8Array(65536);

function readLayout(bytes: Uint8Array, offset: number, length: number): Layout | undefined {
  let l3 = offset + ethernet.HEADER_BYTES;
  while (isVlan(bytesOf.u16(bytes, l3 - 2))) l3 += 4;
  const l4 = offset + vnet.csumStart(bytes, offset);
  const isTcp = (vnet.gsoType(bytes, offset) & ~vnet.GSO_ECN) !== vnet.GSO_UDP_L4;
  const family = bytesOf.u16(bytes, l3 - 2) === ethernet.ETHERTYPE_IPV4 ? 4 : 6;
  const smallest = isTcp ? tcp.MIN_HEADER_BYTES : udp.HEADER_BYTES;
  const l3Bytes = family === 4 ? ipv4.MIN_HEADER_BYTES : ipv6.HEADER_BYTES;
  if (l4 < l3 + l3Bytes || l4 + smallest > offset + length) return undefined;
  const payload = l4 + (isTcp ? tcp.headerBytes(bytes, l4) : udp.HEADER_BYTES);
  const segmentBytes = vnet.gsoSize(bytes, offset);
  if (payload > offset + length || payload < l4 + smallest || segmentBytes === 0) return undefined;
  return { l3, l4, payload, family, isTcp, segmentBytes };
}

function isVlan(etherType: number): boolean {
  return etherType === ethernet.ETHERTYPE_VLAN || etherType === ethernet.ETHERTYPE_QINQ;
}

/** Sets lengths, numbers and checksums of the packet in `segment`, `index`-th of its frame, `at` bytes into the payload. */
function finishSegment(layout: Layout, base: number, index: number, at: number, length: number, isLast: boolean): void {
  const l3 = layout.l3 - base;
  const l4 = layout.l4 - base;
  if (layout.family === 4) {
    ipv4.setTotalLength(segment, l3, length - l3);
    ipv4.setIdentification(segment, l3, (ipv4.identification(segment, l3) + index) & 0xffff);
    ipv4.fillChecksum(segment, l3);
  } else {
    ipv6.setPayloadLength(segment, l3, length - l3 - ipv6.HEADER_BYTES);
  }
  const field = l4 + (layout.isTcp ? tcp.CHECKSUM_OFFSET : udp.CHECKSUM_OFFSET);
  if (layout.isTcp) {
    tcp.setSeq(segment, l4, (tcp.seq(segment, l4) + at) | 0);
    let flags = tcp.flags(segment, l4);
    if (index > 0) flags &= ~tcp.CWR;
    if (!isLast) flags &= ~(tcp.FIN | tcp.PSH);
    tcp.setFlags(segment, l4, flags);
  } else {
    udp.setLength(segment, l4, length - l4);
  }
  bytesOf.setU16(segment, field, 0);
  const protocol = layout.isTcp ? ipv4.PROTOCOL_TCP : ipv4.PROTOCOL_UDP;
  const pseudo = pseudoHeader(segment, l3, layout.family, protocol, length - l4);
  const checksum = complement(sum(segment, l4, length - l4, pseudo));
  bytesOf.setU16(segment, field, checksum === 0 && !layout.isTcp ? 0xffff : checksum);
}

/**
 * Hands on a frame of the arena as packets that need no offload.
 *
 * @returns packets emitted; 0 if the virtio-net header contradicts the frame, which is then lost.
 */
export function emitPackets(bytes: Uint8Array, offset: number, length: number, emit: EmitPacket): number {
  if (vnet.gsoType(bytes, offset) === vnet.GSO_NONE) {
    if (offload.finish(bytes, offset, length) < 0) return 0;
    emit(bytes, offset, length);
    return 1;
  }
  const layout = readLayout(bytes, offset, length);
  if (!layout) return 0;
  const headers = layout.payload - offset;
  const payloadBytes = offset + length - layout.payload;
  let count = 0;
  for (let at = 0; at < payloadBytes || count === 0; at += layout.segmentBytes) {
    const piece = Math.min(layout.segmentBytes, payloadBytes - at);
    segment.set(bytes.subarray(offset, layout.payload));
    segment.set(bytes.subarray(layout.payload + at, layout.payload + at + piece), headers);
    finishSegment(layout, offset, count, at, headers + piece, at + piece === payloadBytes);
    emit(segment, 0, headers + piece);
    count++;
  }
  return count;
}
