/**
 * Ethernet II header. Accessors may be called once `check` has answered a length; they read 14 bytes from `offset`.
 * A MAC address is a pair: its high 16 bits and its low 32 bits (signed).
 *
 *  0        6        12   14
 *  | dst    | src    |type| payload
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';

export const HEADER_BYTES = 14;

/** The destination that a frame to a group has where the kernel must not see that it is one (daemon/attach/firewall.ts): local, "grp". */
export const GROUP_STAND_IN = '02:00:00:67:72:70';
const STAND_IN_HIGH = 0x0200;
const STAND_IN_LOW = 0x00677270;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100; // IEEE 802.1Q, priority tags included
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_QINQ = 0x88a8; // IEEE 802.1ad
/** An EtherType field below this is an 802.3 length: LLC or SNAP follows. */
export const ETHERTYPE_MIN = 0x0600;

/**
 * Whether a header fits.
 * @param available bytes of the frame from `offset` on
 * @returns HEADER_BYTES, or -1 when the frame is too short
 */
export function check(_bytes: Uint8Array, _offset: number, available: number): number {
  return available >= HEADER_BYTES ? HEADER_BYTES : -1;
}

/** High 16 bits of the destination MAC. */
export function dstMacHigh(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset);
}

/** Low 32 bits of the destination MAC, signed. */
export function dstMacLow(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 2);
}

/** High 16 bits of the source MAC. */
export function srcMacHigh(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 6);
}

/** Low 32 bits of the source MAC, signed. */
export function srcMacLow(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 8);
}

/** EtherType, or an 802.3 length when below ETHERTYPE_MIN. */
export function etherType(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 12);
}

/** True for broadcast and multicast destinations (the group bit), and for what stands in for them. */
export function isGroup(bytes: Uint8Array, offset: number): boolean {
  return (bytes[offset] & 1) !== 0 || isStandIn(bytes, offset);
}

function isStandIn(bytes: Uint8Array, offset: number): boolean {
  return dstMacLow(bytes, offset) === STAND_IN_LOW && dstMacHigh(bytes, offset) === STAND_IN_HIGH;
}

export function setDstMac(bytes: Uint8Array, offset: number, high: number, low: number): void {
  setU16(bytes, offset, high);
  setI32(bytes, offset + 2, low);
}

export function setSrcMac(bytes: Uint8Array, offset: number, high: number, low: number): void {
  setU16(bytes, offset + 6, high);
  setI32(bytes, offset + 8, low);
}

export function setEtherType(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 12, value);
}

export interface EthernetFields {
  readonly dstMacHigh: number;
  readonly dstMacLow: number;
  readonly srcMacHigh: number;
  readonly srcMacLow: number;
  readonly etherType: number;
}

/** Writes a whole header at `offset`. @returns HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, fields: EthernetFields): number {
  setDstMac(bytes, offset, fields.dstMacHigh, fields.dstMacLow);
  setSrcMac(bytes, offset, fields.srcMacHigh, fields.srcMacLow);
  setEtherType(bytes, offset, fields.etherType);
  return HEADER_BYTES;
}
