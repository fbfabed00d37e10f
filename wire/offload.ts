/**
 * L4 checksums under the virtio-net header. A frame comes in one of three states:
 *
 *   NEEDS_CSUM  the sender left the checksum undone: its field holds the folded sum of the pseudo-header. Such a frame
 *               never crossed a wire; it is right by definition, and a port that takes offloads gets it as it is.
 *   DATA_VALID  the checksum is in place and somebody verified it.
 *   neither     the checksum is in place, unverified.
 *
 * `validate` answers for the state, `finish` turns the first into the third for ports that take no offloads, `complete`
 * and `leaveUndone` give a frame that was built or rewritten here a checksum, done or undone.
 */
import { setU16, u16 } from './bytes.ts';
import { complement, fold, pseudoHeader, sum } from './checksum.ts';
import type { Frame } from './frame.ts';
import * as icmp from './header/icmp.ts';
import * as icmpv6 from './header/icmpv6.ts';
import * as sctp from './header/sctp.ts';
import * as tcp from './header/tcp.ts';
import * as udp from './header/udp.ts';
import * as vnet from './header/virtio-net.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from './protocols.ts';

/** Where the checksum lies in the L4 header, or -1 for protocols without an Internet checksum. */
export function checksumOffset(protocol: number): number {
  if (protocol === PROTO_TCP) return tcp.CHECKSUM_OFFSET;
  if (protocol === PROTO_UDP) return udp.CHECKSUM_OFFSET;
  if (protocol === PROTO_ICMPV6) return icmpv6.CHECKSUM_OFFSET;
  return protocol === PROTO_ICMP ? icmp.CHECKSUM_OFFSET : -1;
}

function l4Length(frame: Frame): number {
  return frame.payloadOffset + frame.payloadLength - frame.l4Offset;
}

function pseudoSum(frame: Frame): number {
  if (frame.protocol === PROTO_ICMP) return 0;
  return pseudoHeader(frame.bytes, frame.l3Offset, frame.family, frame.protocol, l4Length(frame));
}

/**
 * Whether the L4 checksum may be believed: undone, verified before, or right. Fragments and protocols without a checksum
 * pass. Preconditions: the frame is parsed.
 */
export function validate(frame: Frame): boolean {
  if ((vnet.flags(frame.bytes, frame.offset) & (vnet.FLAG_NEEDS_CSUM | vnet.FLAG_DATA_VALID)) !== 0) return true;
  return verify(frame);
}

/** As `validate`, whatever the virtio-net header says. */
export function verify(frame: Frame): boolean {
  if (frame.isFragment) return true;
  const { bytes, l4Offset, protocol } = frame;
  const length = l4Length(frame);
  if (protocol === PROTO_SCTP) return sctp.checksum(bytes, l4Offset) === sctp.crc32c(bytes, l4Offset, length);
  const at = checksumOffset(protocol);
  if (at < 0) return true;
  if (length < at + 2) return false;
  // RFC 768: 0 means none was made. Over IPv6 that is not allowed (RFC 8200, 8.1).
  if (protocol === PROTO_UDP && u16(bytes, l4Offset + at) === 0) return frame.family === 4;
  return complement(sum(bytes, l4Offset, length, pseudoSum(frame))) === 0;
}

/** Computes and stores the L4 checksum of a parsed, unfragmented frame, and clears NEEDS_CSUM. */
export function complete(frame: Frame): void {
  const { bytes, offset, l4Offset, protocol } = frame;
  const length = l4Length(frame);
  vnet.setFlags(bytes, offset, vnet.flags(bytes, offset) & ~vnet.FLAG_NEEDS_CSUM);
  if (protocol === PROTO_SCTP) {
    sctp.setChecksum(bytes, l4Offset, sctp.crc32c(bytes, l4Offset, length));
    return;
  }
  const at = checksumOffset(protocol);
  if (at < 0 || length < at + 2) return;
  setU16(bytes, l4Offset + at, 0);
  setU16(bytes, l4Offset + at, stored(complement(sum(bytes, l4Offset, length, pseudoSum(frame))), protocol));
}

/** For UDP a computed 0 is sent as 0xffff, since 0 means none (RFC 768). */
function stored(checksum: number, protocol: number): number {
  return checksum === 0 && protocol === PROTO_UDP ? 0xffff : checksum;
}

/**
 * Leaves the checksum of a parsed TCP or UDP frame to whoever takes it: the field gets the pseudo-header sum, the
 * virtio-net header NEEDS_CSUM with its two offsets. The cheap way for frames built or rewritten here. The GSO fields are
 * not touched. Other protocols are completed.
 */
export function leaveUndone(frame: Frame): void {
  const { bytes, offset, l4Offset, protocol } = frame;
  if (protocol !== PROTO_TCP && protocol !== PROTO_UDP) {
    complete(frame);
    return;
  }
  const at = checksumOffset(protocol);
  setU16(bytes, l4Offset + at, fold(pseudoSum(frame)));
  vnet.setFlags(bytes, offset, vnet.FLAG_NEEDS_CSUM);
  vnet.setCsumStart(bytes, offset, l4Offset - offset);
  vnet.setCsumOffset(bytes, offset, at);
}

/**
 * Finishes the checksum of a frame with NEEDS_CSUM, as the kernel's skb_checksum_help does: from the virtio-net header
 * alone, so it needs no parse. It writes where that header says: frames of others must have been through `parse`.
 * Frames without the flag are left alone. A frame with a GSO type is one segment too many for one checksum: cut it first.
 * @param frameOffset the Ethernet header @param frameLength bytes from there on, without padding
 * @returns 0, or -1 when the header points outside the frame (which is then untouched)
 */
export function finish(bytes: Uint8Array, frameOffset: number, frameLength: number): number {
  const flags = vnet.flags(bytes, frameOffset);
  if ((flags & vnet.FLAG_NEEDS_CSUM) === 0) return 0;
  const start = vnet.csumStart(bytes, frameOffset);
  const field = start + vnet.csumOffset(bytes, frameOffset);
  if (field + 2 > frameLength) return -1;
  if (vnet.csumOffset(bytes, frameOffset) === sctp.CHECKSUM_OFFSET) {
    if (start + sctp.HEADER_BYTES > frameLength) return -1;
    sctp.setChecksum(bytes, frameOffset + start, sctp.crc32c(bytes, frameOffset + start, frameLength - start));
  } else {
    const checksum = complement(sum(bytes, frameOffset + start, frameLength - start, 0));
    setU16(bytes, frameOffset + field, checksum === 0 ? 0xffff : checksum);
  }
  vnet.setFlags(bytes, frameOffset, flags & ~vnet.FLAG_NEEDS_CSUM);
  vnet.setCsumStart(bytes, frameOffset, 0);
  vnet.setCsumOffset(bytes, frameOffset, 0);
  return 0;
}
