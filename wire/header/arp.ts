/**
 * ARP for IPv4 over Ethernet (RFC 826). Accessors may be called once `check` has answered a length.
 *
 *  0     2     4    5    6  8           14        18          24        28
 *  |htype|ptype|hlen|plen|op|sender MAC |sender IP|target MAC |target IP|
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';

export const PACKET_BYTES = 28;
export const OP_REQUEST = 1;
export const OP_REPLY = 2;

const ETHERNET_AND_IPV4 = 0x00010800; // htype 1, ptype 0x0800
const LENGTHS_6_AND_4 = 0x0604;

/**
 * Whether a packet fits and is ARP for IPv4 over Ethernet.
 * @param available bytes from `offset` on
 * @returns PACKET_BYTES, or -1
 */
export function check(bytes: Uint8Array, offset: number, available: number): number {
  if (available < PACKET_BYTES) return -1;
  if (i32(bytes, offset) !== ETHERNET_AND_IPV4 || u16(bytes, offset + 4) !== LENGTHS_6_AND_4) return -1;
  return PACKET_BYTES;
}

/** OP_REQUEST, OP_REPLY, or another operation. */
export function operation(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 6);
}

export function senderMacHigh(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 8);
}

export function senderMacLow(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 10);
}

/** IPv4 address as a signed word. */
export function senderIp(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 14);
}

export function targetMacHigh(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 18);
}

export function targetMacLow(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 20);
}

/** IPv4 address as a signed word. */
export function targetIp(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 24);
}

export function setOperation(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 6, value);
}

export function setSender(bytes: Uint8Array, offset: number, macHigh: number, macLow: number, ip: number): void {
  setU16(bytes, offset + 8, macHigh);
  setI32(bytes, offset + 10, macLow);
  setI32(bytes, offset + 14, ip);
}

export function setTarget(bytes: Uint8Array, offset: number, macHigh: number, macLow: number, ip: number): void {
  setU16(bytes, offset + 18, macHigh);
  setI32(bytes, offset + 20, macLow);
  setI32(bytes, offset + 24, ip);
}

export interface ArpFields {
  readonly operation: number;
  readonly senderMacHigh: number;
  readonly senderMacLow: number;
  readonly senderIp: number;
  readonly targetMacHigh: number;
  readonly targetMacLow: number;
  readonly targetIp: number;
}

/** Writes a whole packet at `offset`. @returns PACKET_BYTES */
export function emit(bytes: Uint8Array, offset: number, fields: ArpFields): number {
  setI32(bytes, offset, ETHERNET_AND_IPV4);
  setU16(bytes, offset + 4, LENGTHS_6_AND_4);
  setOperation(bytes, offset, fields.operation);
  setSender(bytes, offset, fields.senderMacHigh, fields.senderMacLow, fields.senderIp);
  setTarget(bytes, offset, fields.targetMacHigh, fields.targetMacLow, fields.targetIp);
  return PACKET_BYTES;
}
