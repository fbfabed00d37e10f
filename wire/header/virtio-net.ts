/**
 * The virtio-net header (linux/virtio_net.h, struct virtio_net_hdr) that TAP and AF_PACKET put before each frame when
 * asked to: it tells which checksum is still to be done and how a large TCP segment is to be cut. All accessors take the
 * offset of the Ethernet FRAME; the header lies in the 10 bytes before it, little endian.
 *
 *  -10   -9       -8      -6       -4         -2          0
 *  |flags|gso type|hdr len|gso size|csum start|csum offset| Ethernet ...
 *
 * `csum start` is counted from the Ethernet header, `csum offset` from `csum start`.
 */
import { setU16le, u16le } from '../bytes.ts';

export const VNET_HEADER_BYTES = 10;

/** The L4 checksum is not done: the field holds the sum of the pseudo-header only. */
export const FLAG_NEEDS_CSUM = 1;
/** The L4 checksum has been verified. */
export const FLAG_DATA_VALID = 2;

export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_UDP = 3;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
/** Set beside a TCP type when CWR is set. */
export const GSO_ECN = 0x80;

export function flags(bytes: Uint8Array, frameOffset: number): number {
  return bytes[frameOffset - 10];
}

/** GSO_* with the ECN bit still in. */
export function gsoType(bytes: Uint8Array, frameOffset: number): number {
  return bytes[frameOffset - 9];
}

/** Bytes of all headers up to the L4 payload; a hint. */
export function headerLength(bytes: Uint8Array, frameOffset: number): number {
  return u16le(bytes, frameOffset - 8);
}

/** Payload bytes of each segment that the frame is to be cut into; the MSS for TCP. */
export function gsoSize(bytes: Uint8Array, frameOffset: number): number {
  return u16le(bytes, frameOffset - 6);
}

export function csumStart(bytes: Uint8Array, frameOffset: number): number {
  return u16le(bytes, frameOffset - 4);
}

export function csumOffset(bytes: Uint8Array, frameOffset: number): number {
  return u16le(bytes, frameOffset - 2);
}

export function setFlags(bytes: Uint8Array, frameOffset: number, value: number): void {
  bytes[frameOffset - 10] = value;
}

export function setGsoType(bytes: Uint8Array, frameOffset: number, value: number): void {
  bytes[frameOffset - 9] = value;
}

export function setHeaderLength(bytes: Uint8Array, frameOffset: number, value: number): void {
  setU16le(bytes, frameOffset - 8, value);
}

export function setGsoSize(bytes: Uint8Array, frameOffset: number, value: number): void {
  setU16le(bytes, frameOffset - 6, value);
}

export function setCsumStart(bytes: Uint8Array, frameOffset: number, value: number): void {
  setU16le(bytes, frameOffset - 4, value);
}

export function setCsumOffset(bytes: Uint8Array, frameOffset: number, value: number): void {
  setU16le(bytes, frameOffset - 2, value);
}

/** All ten bytes 0: nothing to be done to this frame. */
export function clear(bytes: Uint8Array, frameOffset: number): void {
  for (let at = frameOffset - VNET_HEADER_BYTES; at < frameOffset; at++) bytes[at] = 0;
}
