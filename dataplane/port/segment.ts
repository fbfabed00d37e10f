/**
 * Software offloads for ports that take none: cuts a large TCP or UDP frame into the packets its virtio-net header
 * asks for, and finishes checksums that were left undone. What a network card does for the kernel, in its order:
 * headers copied, lengths and IPv4 identification set, TCP sequence advanced, CWR on the first segment only, FIN and PSH
 * on the last only, checksums computed.
 *
 * Where the headers and the payload of a large frame lie is read anew from the frame, by the parser that it was judged
 * by. The virtio-net header is asked for the size of segments only: the rest of it is a stranger's word, which nobody
 * has checked when the checksum is done.
 */
import * as bytesOf from '../../wire/bytes.ts';
import { complement, pseudoHeader, sum } from '../../wire/checksum.ts';
import { Frame } from '../../wire/frame.ts';
import * as ipv4 from '../../wire/header/ipv4.ts';
import * as ipv6 from '../../wire/header/ipv6.ts';
import * as offload from '../../wire/offload.ts';
import * as tcp from '../../wire/header/tcp.ts';
import * as udp from '../../wire/header/udp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';
import { parse } from '../parse.ts';

/** Gets one packet without a virtio-net header; the bytes are valid during the call only. */
export type EmitPacket = (bytes: Uint8Array, offset: number, length: number) => void;

const segment = new Uint8Array(65536);
/** The large frame that is being cut. */
const large = new Frame(segment);

/** Sets lengths, numbers and checksums of the packet in `segment`, `index`-th of its frame, `at` bytes into the payload. */
function finishSegment(index: number, at: number, length: number, isLast: boolean): void {
  const { offset, family, protocol } = large;
  const l3 = large.l3Offset - offset;
  const l4 = large.l4Offset - offset;
  const isTcp = protocol === PROTO_TCP;
  if (family === 4) {
    ipv4.setTotalLength(segment, l3, length - l3);
    ipv4.setIdentification(segment, l3, (ipv4.identification(segment, l3) + index) & 0xffff);
    ipv4.fillChecksum(segment, l3);
  } else {
    ipv6.setPayloadLength(segment, l3, length - l3 - ipv6.HEADER_BYTES);
  }
  if (isTcp) {
    tcp.setSeq(segment, l4, (tcp.seq(segment, l4) + at) | 0);
    let flags = tcp.flags(segment, l4);
    if (index > 0) flags &= ~tcp.CWR;
    if (!isLast) flags &= ~(tcp.FIN | tcp.PSH);
    tcp.setFlags(segment, l4, flags);
  } else {
    udp.setLength(segment, l4, length - l4);
  }
  const field = l4 + offload.checksumOffset(protocol);
  bytesOf.setU16(segment, field, 0);
  const pseudo = pseudoHeader(segment, l3, family, protocol, length - l4);
  const checksum = complement(sum(segment, l4, length - l4, pseudo));
  bytesOf.setU16(segment, field, checksum === 0 && !isTcp ? 0xffff : checksum);
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
  large.bytes = bytes;
  large.offset = offset;
  large.length = length;
  if (parse(large) !== 0) return 0;
  const { payloadOffset, payloadLength } = large;
  const headers = payloadOffset - offset;
  const segmentBytes = vnet.gsoSize(bytes, offset);
  let count = 0;
  for (let at = 0; at < payloadLength || count === 0; at += segmentBytes) {
    const piece = Math.min(segmentBytes, payloadLength - at);
    segment.set(bytes.subarray(offset, payloadOffset));
    segment.set(bytes.subarray(payloadOffset + at, payloadOffset + at + piece), headers);
    finishSegment(count, at, headers + piece, at + piece === payloadLength);
    emit(segment, 0, headers + piece);
    count++;
  }
  return count;
}
