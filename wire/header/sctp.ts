/**
 * SCTP common header (RFC 9260) and the header of its first chunk. Accessors may be called once `check` has answered a
 * length. The checksum is CRC32c over the whole packet with its own field 0, stored least significant byte first.
 *
 *  0     2     4                8        12         13    14
 *  |sport|dport|verification tag|checksum|chunk type|flags|chunk length| ...
 */
import { i32, i32le, setI32, setI32le, setU16, u16 } from '../bytes.ts';

export const HEADER_BYTES = 12;
/** Where the checksum lies; no Internet checksum lies there (TCP 16, UDP 6, ICMP 2). */
export const CHECKSUM_OFFSET = 8;

/**
 * Whether the common header and, when there is more, the header of a chunk fit.
 * @param available bytes of L4 from `offset` on
 * @returns HEADER_BYTES, or -1
 */
export function check(_bytes: Uint8Array, _offset: number, available: number): number {
  return available === HEADER_BYTES || available >= HEADER_BYTES + 4 ? HEADER_BYTES : -1;
}

export function srcPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset);
}

export function dstPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

export function verificationTag(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 4);
}

/** The stored CRC32c, signed. */
export function checksum(bytes: Uint8Array, offset: number): number {
  return i32le(bytes, offset + 8);
}

/** Type of the first chunk, or -1 when there is none. @param available bytes of L4 */
export function chunkType(bytes: Uint8Array, offset: number, available: number): number {
  return available >= HEADER_BYTES + 4 ? bytes[offset + 12] : -1;
}

export function setSrcPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset, port);
}

export function setDstPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset + 2, port);
}

export function setVerificationTag(bytes: Uint8Array, offset: number, value: number): void {
  setI32(bytes, offset + 4, value);
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  setI32le(bytes, offset + 8, value);
}

export interface SctpFields {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly verificationTag: number;
}

/** Writes a common header with checksum 0 at `offset`. @returns HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, fields: SctpFields): number {
  setSrcPort(bytes, offset, fields.srcPort);
  setDstPort(bytes, offset, fields.dstPort);
  setVerificationTag(bytes, offset, fields.verificationTag);
  setChecksum(bytes, offset, 0);
  return HEADER_BYTES;
}

const CRC32C_TABLE = new Int32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/**
 * What a packet's CRC32c changes by, exclusive or, when its first word becomes another: the CRC is linear, so that takes no
 * look at the packet, and a checksum that was wrong stays wrong. @param length bytes of the packet
 */
export function crc32cChange(before: number, after: number, length: number): number {
  const word = before ^ after;
  let crc = 0;
  for (let at = 0; at < length; at++) {
    const byte = at < 4 ? word >>> (24 - 8 * at) : 0;
    crc = CRC32C_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return crc;
}

/** CRC32c of an SCTP packet of `length` bytes, its checksum field taken as 0. Signed. */
export function crc32c(bytes: Uint8Array, offset: number, length: number): number {
  let crc = -1;
  for (let at = 0; at < length; at++) {
    const byte = at >= 8 && at < 12 ? 0 : bytes[offset + at];
    crc = CRC32C_TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  }
  return ~crc;
}
