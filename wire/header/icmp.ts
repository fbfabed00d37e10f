/**
 * ICMP for IPv4 (RFC 792). Accessors may be called once `check` has answered a length. Errors carry the head of the
 * packet they are about from byte 8 on.
 *
 *  0    1    2        4          6        8
 *  |type|code|checksum|identifier|sequence| data, or the packet in error
 *                     |unused    |next MTU|          (type 3, code 4)
 */
import { complement, sum } from '../checksum.ts';
import { setI32, setU16, u16 } from '../bytes.ts';

export const HEADER_BYTES = 8;
/** Where the checksum lies in the header. */
export const CHECKSUM_OFFSET = 2;

export const ECHO_REPLY = 0;
export const DESTINATION_UNREACHABLE = 3;
export const ECHO_REQUEST = 8;
export const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;
export const TIMESTAMP_REPLY = 14;
export const INFORMATION_REPLY = 16;
export const ADDRESS_MASK_REPLY = 18;

export const CODE_PORT_UNREACHABLE = 3; // type 3
export const CODE_FRAGMENTATION_NEEDED = 4; // type 3

/** @param available bytes of L4 from `offset` on @returns HEADER_BYTES, or -1 when it does not fit */
export function check(_bytes: Uint8Array, _offset: number, available: number): number {
  return available >= HEADER_BYTES ? HEADER_BYTES : -1;
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

/** Identifier of an echo or timestamp message. */
export function identifier(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 4);
}

export function sequence(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 6);
}

/** MTU of the next hop in a "fragmentation needed". */
export function nextHopMtu(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 6);
}

/** True for the types that report an error of the packet they quote. A redirect (5) quotes one too, but is an order. */
export function isError(icmpType: number): boolean {
  return icmpType === DESTINATION_UNREACHABLE || icmpType === TIME_EXCEEDED || icmpType === PARAMETER_PROBLEM;
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

/** Computes and stores the checksum. @param length bytes of the whole ICMP message */
export function fillChecksum(bytes: Uint8Array, offset: number, length: number): void {
  setChecksum(bytes, offset, 0);
  setChecksum(bytes, offset, complement(sum(bytes, offset, length, 0)));
}

/**
 * Writes a header with checksum 0 at `offset`; call `fillChecksum` once the data is in place.
 * @param rest the four bytes after the checksum: identifier and sequence, next MTU, or 0
 * @returns HEADER_BYTES
 */
export function emit(bytes: Uint8Array, offset: number, icmpType: number, icmpCode: number, rest: number): number {
  setType(bytes, offset, icmpType);
  setCode(bytes, offset, icmpCode);
  setChecksum(bytes, offset, 0);
  setI32(bytes, offset + 4, rest);
  return HEADER_BYTES;
}
