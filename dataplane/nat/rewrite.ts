/**
 * Gives a parsed frame another source or destination: in its bytes, in the words of the cursor, and in every checksum that
 * covers what was changed.
 *
 * Checksums are brought up to date by the difference (RFC 1624), never made anew: one that was wrong stays wrong, so nobody
 * behind us is told that a damaged packet is whole. What is done depends on what the frame carries:
 *
 *   TCP, UDP, ICMPv6  address and port count; a UDP checksum of 0 stays 0 (none was made)
 *   ICMP              no pseudo-header: only the identifier counts
 *   SCTP              a CRC32c without pseudo-header: only the ports count
 *   NEEDS_CSUM        the field holds the sum of the pseudo-header: only addresses count, and SCTP's field holds nothing
 *   later fragments   no L4 header at all
 *
 * Large frames (GSO) are one packet with one header here; whoever cuts them makes the rest.
 *
 * The port of an ICMP echo is its identifier. A new address is four words of some table from `at` on; a port of -1 stays.
 */
import { i32, setI32, setU16, u16 } from '../../wire/bytes.ts';
import { change16, change32, updateBy, updateUndoneBy } from '../../wire/checksum.ts';
import type { Frame } from '../../wire/frame.ts';
import * as icmp from '../../wire/header/icmp.ts';
import * as sctp from '../../wire/header/sctp.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { checksumOffset } from '../../wire/offload.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_UDP } from '../../wire/protocols.ts';
import { setIcmpPorts } from '../icmp-tuple.ts';
import type { QuotedTuple } from '../related.ts';

// --- specification: where things lie in a header
const V4_CHECKSUM = 10;
const V4_SRC = 12;
const V4_DST = 16;
const V6_SRC = 8;
const V6_DST = 24;
const SRC_PORT = 0;
const DST_PORT = 2;
const ICMP_IDENTIFIER = 4;

/** A frame to somebody else from now on. @param words the address, from `at` on @param port -1 to keep the port */
export function setDestination(f: Frame, words: Int32Array, at: number, port: number): void {
  const change = setAddress(f.bytes, f.l3Offset, f.family, f.family === 4 ? V4_DST : V6_DST, words, at);
  f.dst0 = words[at];
  f.dst1 = words[at + 1];
  f.dst2 = words[at + 2];
  f.dst3 = words[at + 3];
  finish(f, change, DST_PORT, port);
}

/** A frame from somebody else from now on. */
export function setSource(f: Frame, words: Int32Array, at: number, port: number): void {
  const change = setAddress(f.bytes, f.l3Offset, f.family, f.family === 4 ? V4_SRC : V6_SRC, words, at);
  f.src0 = words[at];
  f.src1 = words[at + 1];
  f.src2 = words[at + 2];
  f.src3 = words[at + 3];
  finish(f, change, SRC_PORT, port);
}

/**
 * Changes the source of the packet that an ICMP error quotes, and the error's checksum with it.
 * @param quoted what was read of that packet
 */
export function setQuotedSource(f: Frame, quoted: QuotedTuple, words: Int32Array, at: number, port: number): void {
  setQuoted(f, quoted, f.family === 4 ? V4_SRC : V6_SRC, SRC_PORT, words, at, port);
}

/** Changes the destination of that packet. */
export function setQuotedDestination(f: Frame, quoted: QuotedTuple, words: Int32Array, at: number, port: number): void {
  setQuoted(f, quoted, f.family === 4 ? V4_DST : V6_DST, DST_PORT, words, at, port);
}

/** Writes an address into an IP header. @returns what that changes in the sum of a pseudo-header */
function setAddress(
  bytes: Uint8Array,
  l3: number,
  family: number,
  field: number,
  words: Int32Array,
  at: number,
): number {
  if (family !== 4) {
    let change = 0;
    for (let i = 0; i < 4; i++) change += swap32(bytes, l3 + field + 4 * i, words[at + i]);
    return change;
  }
  const change = swap32(bytes, l3 + field, words[at + 3]);
  setU16(bytes, l3 + V4_CHECKSUM, updateBy(u16(bytes, l3 + V4_CHECKSUM), change));
  return change;
}

/** The port of a frame whose address was changed, and the L4 checksum. */
function finish(f: Frame, addressChange: number, portField: number, port: number): void {
  if (f.isFragment && !f.isFirstFragment) {
    if (port >= 0) setPortWord(f, portField, port);
    return;
  }
  const { bytes, l4Offset, protocol } = f;
  const isIcmp = protocol === PROTO_ICMP || protocol === PROTO_ICMPV6;
  const portAt = l4Offset + (isIcmp ? ICMP_IDENTIFIER : portField);
  const isPortChanged = port >= 0 && u16(bytes, portAt) !== port;
  if (port >= 0) setPortWord(f, portField, port);
  if (protocol === PROTO_SCTP) {
    if (isPortChanged) setSctpPort(f, portAt, port);
    return;
  }
  const contentChange = isPortChanged ? swap16(bytes, portAt, port) : 0;
  const at = l4Offset + checksumOffset(protocol);
  const pseudoChange = protocol === PROTO_ICMP ? 0 : addressChange;
  if ((vnet.flags(bytes, f.offset) & vnet.FLAG_NEEDS_CSUM) !== 0) {
    setU16(bytes, at, updateUndoneBy(u16(bytes, at), pseudoChange));
    return;
  }
  updateField(bytes, at, protocol, pseudoChange + contentChange);
}

function updateField(bytes: Uint8Array, at: number, protocol: number, change: number): void {
  const before = u16(bytes, at);
  if (protocol === PROTO_UDP && before === 0) return;
  const after = updateBy(before, change);
  setU16(bytes, at, after === 0 && protocol === PROTO_UDP ? 0xffff : after);
}

/** The port in the cursor; an echo's two numbers change together. */
function setPortWord(f: Frame, portField: number, port: number): void {
  if (f.protocol === PROTO_ICMP || f.protocol === PROTO_ICMPV6) setIcmpPorts(f, f.protocol, f.icmpType, port);
  else if (portField === SRC_PORT) f.srcPort = port;
  else f.dstPort = port;
}

function setSctpPort(f: Frame, portAt: number, port: number): void {
  const { bytes, l4Offset, offset, length } = f;
  const before = i32(bytes, l4Offset);
  setU16(bytes, portAt, port);
  if ((vnet.flags(bytes, offset) & vnet.FLAG_NEEDS_CSUM) !== 0) return;
  const change = sctp.crc32cChange(before, i32(bytes, l4Offset), offset + length - l4Offset);
  sctp.setChecksum(bytes, l4Offset, sctp.checksum(bytes, l4Offset) ^ change);
}

function setQuoted(
  f: Frame,
  quoted: QuotedTuple,
  addressField: number,
  portField: number,
  words: Int32Array,
  at: number,
  port: number,
): void {
  const { bytes } = f;
  const l3 = f.payloadOffset;
  const headerBefore = f.family === 4 ? u16(bytes, l3 + V4_CHECKSUM) : 0;
  const addressChange = setAddress(bytes, l3, f.family, addressField, words, at);
  let change = addressChange;
  if (f.family === 4) change += change16(headerBefore, u16(bytes, l3 + V4_CHECKSUM));
  change += setQuotedPort(f, quoted, portField, port, addressChange);
  if ((vnet.flags(bytes, f.offset) & vnet.FLAG_NEEDS_CSUM) !== 0) return;
  updateField(bytes, f.l4Offset + icmp.CHECKSUM_OFFSET, f.protocol, change);
}

/** The quoted port, and the quoted checksum if it was quoted. @returns what both change in the sum of the error */
function setQuotedPort(f: Frame, quoted: QuotedTuple, portField: number, port: number, addressChange: number): number {
  const { bytes } = f;
  const { l4Offset, protocol } = quoted;
  const isIcmp = protocol === PROTO_ICMP || protocol === PROTO_ICMPV6;
  const portAt = l4Offset + (isIcmp ? ICMP_IDENTIFIER : portField);
  const content = port < 0 ? 0 : swap16(bytes, portAt, port);
  const field = protocol === PROTO_SCTP ? -1 : checksumOffset(protocol);
  const at = l4Offset + field;
  if (field < 0 || at + 2 > f.payloadOffset + f.payloadLength) return content;
  const before = u16(bytes, at);
  updateField(bytes, at, protocol, content + (protocol === PROTO_ICMP ? 0 : addressChange));
  return content + change16(before, u16(bytes, at));
}

function swap16(bytes: Uint8Array, at: number, value: number): number {
  const before = u16(bytes, at);
  setU16(bytes, at, value);
  return change16(before, value);
}

function swap32(bytes: Uint8Array, at: number, value: number): number {
  const before = i32(bytes, at);
  setI32(bytes, at, value);
  return change32(before, value);
}
