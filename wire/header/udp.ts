/**
 * UDP header (RFC 768). Accessors may be called once `check` has answered a length.
 *
 *  0    2    4      6        8
 *  |sport|dport|length|checksum| payload
 */
import { setU16, u16 } from '../bytes.ts';

export const HEADER_BYTES = 8;
/** Where the checksum lies in the header. */
export const CHECKSUM_OFFSET = 6;

/**
 * Whether a header fits and its length is at least 8 and within the bytes at hand.
 * @param available bytes of L4 from `offset` on
 * @returns HEADER_BYTES, or -1
 */
export function check(bytes: Uint8Array, offset: number, available: number): number {
  if (available < HEADER_BYTES) return -1;
  const length = u16(bytes, offset + 4);
  return length < HEADER_BYTES || length > available ? -1 : HEADER_BYTES;
}

export function srcPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset);
}

export function dstPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

/** Header and payload, in bytes. */
export function length(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 4);
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 6);
}

export function setSrcPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset, port);
}

export function setDstPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset + 2, port);
}

export function setLength(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 4, value);
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 6, value);
}

/** Writes a header with checksum 0 at `offset`; `payloadLength` bytes follow it. @returns HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, ports: UdpPorts, payloadLength: number): number {
  setSrcPort(bytes, offset, ports.srcPort);
  setDstPort(bytes, offset, ports.dstPort);
  setLength(bytes, offset, HEADER_BYTES + payloadLength);
  setChecksum(bytes, offset, 0);
  return HEADER_BYTES;
}

export interface UdpPorts {
  readonly srcPort: number;
  readonly dstPort: number;
}
