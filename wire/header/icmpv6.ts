/**
 * ICMPv6 (RFC 4443) and Neighbor Discovery (RFC 4861). Accessors may be called once `check` has answered a length. The
 * checksum covers the IPv6 pseudo-header (see offload.ts `complete`).
 *
 *  0    1    2        4                  8
 *  |type|code|checksum|identifier, seq   | data, or the packet in error
 *                     |MTU (type 2)      |
 *                     |R S O flags (136) | target address (16 bytes) | ND options: type, length in 8 bytes, ...
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';

export const HEADER_BYTES = 8;
/** Header and target of a neighbour solicitation or advertisement, without options. */
export const NEIGHBOR_BYTES = 24;
/** Where the checksum lies in the header. */
export const CHECKSUM_OFFSET = 2;

export const DESTINATION_UNREACHABLE = 1;
export const CODE_PORT_UNREACHABLE = 4; // type 1
export const PACKET_TOO_BIG = 2;
export const TIME_EXCEEDED = 3;
const PARAMETER_PROBLEM = 4;
export const ECHO_REQUEST = 128;
export const ECHO_REPLY = 129;
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOR_SOLICITATION = 135;
export const NEIGHBOR_ADVERTISEMENT = 136;
export const REDIRECT = 137;

export const OPTION_SOURCE_LINK_ADDRESS = 1;
export const OPTION_TARGET_LINK_ADDRESS = 2;

export const FLAG_ROUTER = 0x80;
export const FLAG_SOLICITED = 0x40;
export const FLAG_OVERRIDE = 0x20;

/** @param available bytes of L4 from `offset` on @returns HEADER_BYTES, or -1 when it does not fit */
export function check(_bytes: Uint8Array, _offset: number, available: number): number {
  return available >= HEADER_BYTES ? HEADER_BYTES : -1;
}

/** Whether a neighbour solicitation or advertisement is whole. @returns NEIGHBOR_BYTES, or -1 */
export function checkNeighbor(bytes: Uint8Array, offset: number, available: number): number {
  if (available < NEIGHBOR_BYTES || bytes[offset + 1] !== 0) return -1;
  let at = offset + NEIGHBOR_BYTES;
  const end = offset + available;
  while (at < end) {
    const size = at + 1 < end ? bytes[at + 1] << 3 : 0;
    if (size === 0 || at + size > end) return -1;
    at += size;
  }
  return NEIGHBOR_BYTES;
}

export function type(bytes: Uint8Array, offset: number): number {
  return bytes[offset];
}

export function code(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 1];
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

/** MTU of a "packet too big", 0..2^32-1. */
export function mtu(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 4) >>> 0;
}

/** True for the types that quote the packet in error: of 1 to 127 those in use, 1 to 4. */
export function isError(icmpType: number): boolean {
  return icmpType >= DESTINATION_UNREACHABLE && icmpType <= PARAMETER_PROBLEM;
}

/** Word 0 to 3 of the target address of a neighbour message. */
export function target(bytes: Uint8Array, offset: number, word: number): number {
  return i32(bytes, offset + 8 + (word << 2));
}

/** FLAG_ROUTER, FLAG_SOLICITED, FLAG_OVERRIDE of an advertisement. */
export function neighborFlags(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 4];
}

/**
 * Position of an ND option in a neighbour message, or -1. Bounded: a length of 0 ends the search.
 * @param length bytes of the whole message @param kind OPTION_*
 */
export function findOption(bytes: Uint8Array, offset: number, length: number, kind: number): number {
  const end = offset + length;
  let at = offset + NEIGHBOR_BYTES;
  while (at + 8 <= end) {
    const size = bytes[at + 1] << 3;
    if (size === 0 || at + size > end) return -1;
    if (bytes[at] === kind) return at;
    at += size;
  }
  return -1;
}

/** High 16 bits of the MAC in a link-layer address option. */
export function optionMacHigh(bytes: Uint8Array, optionAt: number): number {
  return u16(bytes, optionAt + 2);
}

/** Low 32 bits of the MAC in a link-layer address option. */
export function optionMacLow(bytes: Uint8Array, optionAt: number): number {
  return i32(bytes, optionAt + 4);
}

export function setType(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
}

export function setCode(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 1] = value;
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 2, value);
}

function setTarget(bytes: Uint8Array, offset: number, word: number, value: number): void {
  setI32(bytes, offset + 8 + (word << 2), value);
}

/** Writes a header with checksum 0 at `offset`. @param rest the four bytes after the checksum @returns HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, icmpType: number, icmpCode: number, rest: number): number {
  setType(bytes, offset, icmpType);
  setCode(bytes, offset, icmpCode);
  setChecksum(bytes, offset, 0);
  setI32(bytes, offset + 4, rest);
  return HEADER_BYTES;
}

export interface NeighborFields {
  /** NEIGHBOR_SOLICITATION or NEIGHBOR_ADVERTISEMENT. */
  readonly type: number;
  /** FLAG_* of an advertisement; default 0. */
  readonly flags?: number;
  /** Four words. */
  readonly target: ArrayLike<number>;
  /** The sender's MAC, for the source (solicitation) or target (advertisement) link-layer address option. */
  readonly macHigh: number;
  readonly macLow: number;
}

/** Writes a neighbour message with one link-layer address option and checksum 0. @returns its length, 32 */
export function emitNeighbor(bytes: Uint8Array, offset: number, fields: NeighborFields): number {
  emit(bytes, offset, fields.type, 0, (fields.flags ?? 0) << 24);
  for (let word = 0; word < 4; word++) setTarget(bytes, offset, word, fields.target[word]);
  const at = offset + NEIGHBOR_BYTES;
  bytes[at] = fields.type === NEIGHBOR_SOLICITATION ? OPTION_SOURCE_LINK_ADDRESS : OPTION_TARGET_LINK_ADDRESS;
  bytes[at + 1] = 1;
  setU16(bytes, at + 2, fields.macHigh);
  setI32(bytes, at + 4, fields.macLow);
  return NEIGHBOR_BYTES + 8;
}
