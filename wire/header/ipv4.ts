/**
 * IPv4 header (RFC 791). Accessors may be called once `check` has answered the header length. Addresses are signed
 * words in host order.
 *
 *  0       1   2      4  6           8   9     10       12  16  20
 *  |ver ihl|tos|length|id|flags frag|ttl|proto|checksum|src|dst|options ...
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';
import { complement, sum, update16 } from '../checksum.ts';

export const MIN_HEADER_BYTES = 20;

/**
 * Checks version, header length and total length against the bytes at hand; the header checksum is `verifyChecksum`.
 * @param available bytes from `offset` on (padding may follow the packet)
 * @returns the header length, 20 to 60, or -1
 */
export function check(bytes: Uint8Array, offset: number, available: number): number {
  if (available < MIN_HEADER_BYTES) return -1;
  const first = bytes[offset];
  const header = (first & 15) << 2;
  if (first >>> 4 !== 4 || header < MIN_HEADER_BYTES) return -1;
  const total = u16(bytes, offset + 2);
  return total < header || total > available ? -1 : header;
}

/** Header length in bytes with options. */
export function headerBytes(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] & 15) << 2;
}

/** DSCP and ECN. */
export function tos(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 1];
}

/** Header and payload, in bytes. */
export function totalLength(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

export function identification(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 4);
}

export function dontFragment(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset + 6] & 0x40) !== 0;
}

export function moreFragments(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset + 6] & 0x20) !== 0;
}

/** Position of this fragment's payload in the datagram, in bytes. */
export function fragmentOffset(bytes: Uint8Array, offset: number): number {
  return (u16(bytes, offset + 6) & 0x1fff) << 3;
}

export function ttl(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 8];
}

export function protocol(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 9];
}

export function headerChecksum(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 10);
}

export function src(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 12);
}

export function dst(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 16);
}

/**
 * True when the header checksum is right. Preconditions: the header lies inside the bytes, as `check` says.
 *
 * Fast: the ten words of a header without options, high and low bytes apart, since this is done for each frame.
 */
export function verifyChecksum(bytes: Uint8Array, offset: number): boolean {
  if ((bytes[offset] & 15) !== 5) return complement(sum(bytes, offset, headerBytes(bytes, offset), 0)) === 0;
  const high =
    bytes[offset] +
    bytes[offset + 2] +
    bytes[offset + 4] +
    bytes[offset + 6] +
    bytes[offset + 8] +
    bytes[offset + 10] +
    bytes[offset + 12] +
    bytes[offset + 14] +
    bytes[offset + 16] +
    bytes[offset + 18];
  const low =
    bytes[offset + 1] +
    bytes[offset + 3] +
    bytes[offset + 5] +
    bytes[offset + 7] +
    bytes[offset + 9] +
    bytes[offset + 11] +
    bytes[offset + 13] +
    bytes[offset + 15] +
    bytes[offset + 17] +
    bytes[offset + 19];
  const total = (high << 8) + low;
  return (total & 0xffff) + (total >>> 16) === 0xffff;
}

/**
 * True when the options hold source routing (loose 131, strict 137), which would carry a packet past the address that
 * policy judged, or when they do not parse. Record route, timestamp and the rest are harmless.
 */
export function hasUnsafeOptions(bytes: Uint8Array, offset: number): boolean {
  const end = offset + headerBytes(bytes, offset);
  let at = offset + MIN_HEADER_BYTES;
  while (at < end) {
    const kind = bytes[at];
    if (kind === 0) return false;
    if (kind === 131 || kind === 137) return true;
    const size = kind === 1 ? 1 : at + 1 < end ? bytes[at + 1] : 0;
    if (size < (kind === 1 ? 1 : 2)) return true;
    at += size;
  }
  return at !== end;
}

export function setTotalLength(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 2, value);
}

export function setIdentification(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 4, value);
}

/** The raw 16 bits: 0x4000 do not fragment, 0x2000 more follow, low 13 bits the position in units of 8 bytes. */
export function setFragmentField(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 6, value);
}

export function setTtl(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 8] = value;
}

export function setProtocol(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 9] = value;
}

export function setHeaderChecksum(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 10, value);
}

export function setSrc(bytes: Uint8Array, offset: number, word: number): void {
  setI32(bytes, offset + 12, word);
}

export function setDst(bytes: Uint8Array, offset: number, word: number): void {
  setI32(bytes, offset + 16, word);
}

/** Computes and stores the header checksum. */
export function fillChecksum(bytes: Uint8Array, offset: number): void {
  setU16(bytes, offset + 10, 0);
  setU16(bytes, offset + 10, complement(sum(bytes, offset, headerBytes(bytes, offset), 0)));
}

/** Takes one from the TTL and corrects the header checksum for it. Preconditions: the TTL is not 0. */
export function decrementTtl(bytes: Uint8Array, offset: number): void {
  const before = u16(bytes, offset + 8);
  bytes[offset + 8]--;
  setU16(bytes, offset + 10, update16(u16(bytes, offset + 10), before, before - 0x100));
}

export interface Ipv4Fields {
  readonly src: number;
  readonly dst: number;
  readonly protocol: number;
  /** Bytes after this header. */
  readonly payloadLength: number;
  /** Default 64. */
  readonly ttl?: number;
  readonly tos?: number;
  readonly identification?: number;
  /** As in `setFragmentField`; default 0x4000, do not fragment. */
  readonly fragmentField?: number;
}

/** Writes a header without options and its checksum at `offset`. @returns MIN_HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, fields: Ipv4Fields): number {
  bytes[offset] = 0x45;
  bytes[offset + 1] = fields.tos ?? 0;
  setTotalLength(bytes, offset, MIN_HEADER_BYTES + fields.payloadLength);
  setIdentification(bytes, offset, fields.identification ?? 0);
  setFragmentField(bytes, offset, fields.fragmentField ?? 0x4000);
  setTtl(bytes, offset, fields.ttl ?? 64);
  setProtocol(bytes, offset, fields.protocol);
  setSrc(bytes, offset, fields.src);
  setDst(bytes, offset, fields.dst);
  fillChecksum(bytes, offset);
  return MIN_HEADER_BYTES;
}
