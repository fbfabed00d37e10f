/**
 * TCP header and options (RFC 9293, 7323, 2018). Accessors may be called once `check` has answered the header length.
 *
 *  0    2    4   8   12         13    14     16       18     20
 *  |sport|dport|seq|ack|data offset|flags|window|checksum|urgent| options ... | payload
 *
 * Sequence numbers are signed words: compare with `(a - b) | 0`. Options are visited with
 *
 *     for (let at = firstOption(b, o); at > 0; at = nextOption(b, at, end)) kind = b[at]
 *
 * where `end` is the end of the header. A visit ends at the end of the list, and at the first option that does not fit
 * (then `optionsAreValid` is false), so it takes at most 40 steps whatever the bytes.
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';

export const MIN_HEADER_BYTES = 20;
/** Where the checksum lies in the header. */
export const CHECKSUM_OFFSET = 16;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

const OPTION_END = 0;
export const OPTION_NOP = 1;
export const OPTION_MSS = 2;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;
export const OPTION_SACK = 5;
export const OPTION_TIMESTAMPS = 8;
/** The option as stacks send it: NOP, NOP, kind, length, value, echo. */
export const TIMESTAMP_BYTES = 12;

/**
 * Checks the header length against the bytes at hand.
 * @param available bytes of L4 from `offset` on
 * @returns the header length, 20 to 60, or -1
 */
export function check(bytes: Uint8Array, offset: number, available: number): number {
  if (available < MIN_HEADER_BYTES) return -1;
  const header = (bytes[offset + 12] >>> 4) << 2;
  return header < MIN_HEADER_BYTES || header > available ? -1 : header;
}

export function srcPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset);
}

export function dstPort(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 2);
}

/** Sequence number, signed. */
export function seq(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 4);
}

/** Acknowledgement number, signed. */
export function ack(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset + 8);
}

/** Header length in bytes with options. */
export function headerBytes(bytes: Uint8Array, offset: number): number {
  return (bytes[offset + 12] >>> 4) << 2;
}

/** CWR ECE URG ACK PSH RST SYN FIN, 0x80 .. 0x01. */
export function flags(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 13];
}

/** The field as it stands, without the window scale. */
export function window(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 14);
}

export function checksum(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 16);
}

export function urgentPointer(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 18);
}

export function setSrcPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset, port);
}

export function setDstPort(bytes: Uint8Array, offset: number, port: number): void {
  setU16(bytes, offset + 2, port);
}

export function setSeq(bytes: Uint8Array, offset: number, value: number): void {
  setI32(bytes, offset + 4, value);
}

export function setAck(bytes: Uint8Array, offset: number, value: number): void {
  setI32(bytes, offset + 8, value);
}

/** @param length header length in bytes, a multiple of 4 from 20 to 60 */
export function setHeaderBytes(bytes: Uint8Array, offset: number, length: number): void {
  bytes[offset + 12] = (length << 2) | (bytes[offset + 12] & 15);
}

export function setFlags(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 13] = value;
}

export function setWindow(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 14, value);
}

export function setChecksum(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 16, value);
}

export function setUrgentPointer(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 18, value);
}

/** Position of the first option that is not a NOP, or -1. */
export function firstOption(bytes: Uint8Array, offset: number): number {
  return settle(bytes, offset + MIN_HEADER_BYTES, offset + headerBytes(bytes, offset));
}

/** Position of the option after the one at `at`, NOPs skipped, or -1. @param end end of the TCP header */
export function nextOption(bytes: Uint8Array, at: number, end: number): number {
  return settle(bytes, at + bytes[at + 1], end);
}

/** The first position from `at` on where a whole option of at least 2 bytes lies, or -1. */
function settle(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] === OPTION_NOP) at++;
  if (at + 2 > end || bytes[at] === OPTION_END) return -1;
  const size = bytes[at + 1];
  return size < 2 || at + size > end ? -1 : at;
}

/** False when the list holds an option that does not fit, or one we know with the wrong length. */
export function optionsAreValid(bytes: Uint8Array, offset: number): boolean {
  const end = offset + headerBytes(bytes, offset);
  let at = offset + MIN_HEADER_BYTES;
  while (at < end && bytes[at] !== OPTION_END) {
    if (bytes[at] === OPTION_NOP) {
      at++;
      continue;
    }
    const size = at + 1 < end ? bytes[at + 1] : 0;
    if (size < 2 || at + size > end || !sizeFits(bytes[at], size)) return false;
    at += size;
  }
  return true;
}

function sizeFits(kind: number, size: number): boolean {
  if (kind === OPTION_MSS) return size === 4;
  if (kind === OPTION_WINDOW_SCALE) return size === 3;
  if (kind === OPTION_SACK_PERMITTED) return size === 2;
  if (kind === OPTION_SACK) return size >= 10 && (size & 7) === 2;
  return kind !== OPTION_TIMESTAMPS || size === 10;
}

/** Position of the first option of `kind` with a length that fits its kind, or -1. */
export function findOption(bytes: Uint8Array, offset: number, kind: number): number {
  const end = offset + headerBytes(bytes, offset);
  for (let at = firstOption(bytes, offset); at > 0; at = nextOption(bytes, at, end)) {
    if (bytes[at] === kind && sizeFits(kind, bytes[at + 1])) return at;
  }
  return -1;
}

/** Maximum segment size of a SYN, or -1 when it is not given. */
export function mss(bytes: Uint8Array, offset: number): number {
  const at = findOption(bytes, offset, OPTION_MSS);
  return at < 0 ? -1 : u16(bytes, at + 2);
}

/** Window scale of a SYN, 0..14 (RFC 7323: more counts as 14), or -1 when it is not given. */
export function windowScale(bytes: Uint8Array, offset: number): number {
  const at = findOption(bytes, offset, OPTION_WINDOW_SCALE);
  return at < 0 ? -1 : Math.min(bytes[at + 2], 14);
}

/** Position of the timestamps option, or -1. Its values are `timestampValue` and `timestampEcho`. */
export function timestamps(bytes: Uint8Array, offset: number): number {
  return findOption(bytes, offset, OPTION_TIMESTAMPS);
}

export function timestampValue(bytes: Uint8Array, optionAt: number): number {
  return i32(bytes, optionAt + 2);
}

export function timestampEcho(bytes: Uint8Array, optionAt: number): number {
  return i32(bytes, optionAt + 6);
}

/** How many SACK blocks the option at `optionAt` holds, 0 to 4. */
export function sackCount(bytes: Uint8Array, optionAt: number): number {
  return (bytes[optionAt + 1] - 2) >>> 3;
}

/** First sequence number of block `index`. */
export function sackLeft(bytes: Uint8Array, optionAt: number, index: number): number {
  return i32(bytes, optionAt + 2 + (index << 3));
}

/** Sequence number after block `index`. */
export function sackRight(bytes: Uint8Array, optionAt: number, index: number): number {
  return i32(bytes, optionAt + 6 + (index << 3));
}

export function setSackLeft(bytes: Uint8Array, optionAt: number, index: number, value: number): void {
  setI32(bytes, optionAt + 2 + (index << 3), value);
}

export function setSackRight(bytes: Uint8Array, optionAt: number, index: number, value: number): void {
  setI32(bytes, optionAt + 6 + (index << 3), value);
}

/** Overwrites the option at `optionAt` with NOPs, so that the receiver does not see it. */
export function blankOption(bytes: Uint8Array, optionAt: number): void {
  const end = optionAt + bytes[optionAt + 1];
  for (let at = optionAt; at < end; at++) bytes[at] = OPTION_NOP;
}

export interface TcpFields {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  /** Default 20; the caller writes the options that a longer one makes room for. */
  readonly headerBytes?: number;
}

/** Writes a header with checksum 0 at `offset`. @returns the header length */
export function emit(bytes: Uint8Array, offset: number, fields: TcpFields): number {
  const length = fields.headerBytes ?? MIN_HEADER_BYTES;
  setSrcPort(bytes, offset, fields.srcPort);
  setDstPort(bytes, offset, fields.dstPort);
  setSeq(bytes, offset, fields.seq);
  setAck(bytes, offset, fields.ack);
  bytes[offset + 12] = length << 2;
  setFlags(bytes, offset, fields.flags);
  setWindow(bytes, offset, fields.window);
  setChecksum(bytes, offset, 0);
  setUrgentPointer(bytes, offset, 0);
  return length;
}
