/**
 * IPv6 header and the walk over its extension headers (RFC 8200). Accessors may be called once `check` has answered a
 * length. An address is four signed words, most significant first.
 *
 *  0            4      6    7         8   24  40
 *  |ver tc flow |length|next|hop limit|src|dst| extension headers, payload
 *
 * `walkExtensions` is strict, for what a firewall skips it has not judged:
 *  1. at most MAX_EXTENSION_HEADERS headers, each wholly inside the packet, and an AH header no shorter than its own fields;
 *  2. hop-by-hop options only directly after the fixed header;
 *  3. a routing header only when nothing is left of its route (else the destination that policy would judge is not the
 *     one the packet ends at), type 0 included (RFC 5095);
 *  4. one fragment header; of a later fragment nothing behind that header is read;
 *  5. a first fragment holds the whole chain (RFC 7112), which follows from 1, and nothing of it behind the fragment
 *     header: a later fragment could overlap it, and what follows it, without looking as if it did.
 */
import { i32, setI32, setU16, u16 } from '../bytes.ts';
import { PROTO_AH } from '../protocols.ts';

export const HEADER_BYTES = 40;
const MAX_EXTENSION_HEADERS = 8;

export const PROTOCOL_HOP_BY_HOP = 0;
const PROTOCOL_ROUTING = 43;
const PROTOCOL_FRAGMENT = 44;
const PROTOCOL_DESTINATION_OPTIONS = 60;
/** 12 bytes of fields, and IPv6 wants a multiple of 8 (RFC 4302 section 2.2). */
const MIN_AH_BYTES = 16;

/**
 * Checks version and payload length against the bytes at hand. Jumbograms (payload length 0) pass as empty
 * packets, which hold neither the option that makes them so nor an upper-layer header.
 * @param available bytes from `offset` on (padding may follow the packet)
 * @returns HEADER_BYTES, or -1
 */
export function check(bytes: Uint8Array, offset: number, available: number): number {
  if (available < HEADER_BYTES || bytes[offset] >>> 4 !== 6) return -1;
  return HEADER_BYTES + u16(bytes, offset + 4) > available ? -1 : HEADER_BYTES;
}

export function trafficClass(bytes: Uint8Array, offset: number): number {
  return (u16(bytes, offset) >>> 4) & 0xff;
}

export function flowLabel(bytes: Uint8Array, offset: number): number {
  return i32(bytes, offset) & 0xfffff;
}

/** Bytes after the fixed header, extension headers included. */
export function payloadLength(bytes: Uint8Array, offset: number): number {
  return u16(bytes, offset + 4);
}

export function nextHeader(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 6];
}

export function hopLimit(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 7];
}

/** Word 0 (most significant) to 3 of the source address. */
export function src(bytes: Uint8Array, offset: number, word: number): number {
  return i32(bytes, offset + 8 + (word << 2));
}

/** Word 0 (most significant) to 3 of the destination address. */
export function dst(bytes: Uint8Array, offset: number, word: number): number {
  return i32(bytes, offset + 24 + (word << 2));
}

export function setPayloadLength(bytes: Uint8Array, offset: number, value: number): void {
  setU16(bytes, offset + 4, value);
}

export function setNextHeader(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 6] = value;
}

export function setHopLimit(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset + 7] = value;
}

function setSrc(bytes: Uint8Array, offset: number, word: number, value: number): void {
  setI32(bytes, offset + 8 + (word << 2), value);
}

function setDst(bytes: Uint8Array, offset: number, word: number, value: number): void {
  setI32(bytes, offset + 24 + (word << 2), value);
}

/** What the walk leaves behind; the Frame cursor has these fields. */
export interface ExtensionWalk {
  l4Offset: number;
  isFragment: boolean;
  isFirstFragment: boolean;
  fragmentId: number;
}

/**
 * Finds the upper-layer header, by the rules above.
 *
 * Fills `walk`: `l4Offset` is the first byte after the chain (after the fragment header for a later fragment);
 * `isFragment` is false for an atomic fragment (offset 0, none to follow: RFC 6946), which is a whole packet.
 *
 * @param offset the fixed header, checked before @param end first byte after the packet
 * @returns the protocol of the upper layer (59 = none; of a later fragment whatever its fragment header names, which
 * may be an extension header), or -1 for a chain that breaks a rule
 */
export function walkExtensions(bytes: Uint8Array, offset: number, end: number, walk: ExtensionWalk): number {
  let next = bytes[offset + 6];
  let at = offset + HEADER_BYTES;
  let fragmented = false;
  walk.l4Offset = at;
  walk.isFragment = false;
  walk.isFirstFragment = false;
  walk.fragmentId = 0;
  for (let count = 0; isExtension(next); count++) {
    if (count === MAX_EXTENSION_HEADERS || at + 8 > end) return -1;
    const size = extensionBytes(bytes, at, next);
    if (at + size > end || (next === PROTO_AH && (size < MIN_AH_BYTES || (size & 7) !== 0))) return -1;
    if (next === PROTOCOL_HOP_BY_HOP && count > 0) return -1;
    if (next === PROTOCOL_ROUTING && bytes[at + 3] !== 0) return -1;
    if (fragmented && walk.isFragment) return -1;
    if (next === PROTOCOL_FRAGMENT) {
      if (fragmented) return -1;
      fragmented = true;
      noteFragment(bytes, at, walk);
      if (walk.isFragment && !walk.isFirstFragment) {
        walk.l4Offset = at + size;
        return bytes[at];
      }
    }
    next = bytes[at];
    at += size;
    walk.l4Offset = at;
  }
  return next;
}

function isExtension(protocol: number): boolean {
  return (
    protocol === PROTOCOL_HOP_BY_HOP ||
    protocol === PROTOCOL_ROUTING ||
    protocol === PROTOCOL_FRAGMENT ||
    protocol === PROTOCOL_DESTINATION_OPTIONS ||
    protocol === PROTO_AH
  );
}

function extensionBytes(bytes: Uint8Array, at: number, protocol: number): number {
  if (protocol === PROTOCOL_FRAGMENT) return 8;
  // AH counts words of 4 bytes less 2 (RFC 4302), the others words of 8 less 1.
  return protocol === PROTO_AH ? (bytes[at + 1] + 2) << 2 : (bytes[at + 1] + 1) << 3;
}

function noteFragment(bytes: Uint8Array, at: number, walk: ExtensionWalk): void {
  const field = u16(bytes, at + 2);
  walk.isFragment = (field & 0xfff9) !== 0;
  walk.isFirstFragment = walk.isFragment && (field & 0xfff8) === 0;
  walk.fragmentId = i32(bytes, at + 4);
}

export interface Ipv6Fields {
  /** Four words each, most significant first. */
  readonly src: ArrayLike<number>;
  readonly dst: ArrayLike<number>;
  readonly nextHeader: number;
  /** Bytes after this header. */
  readonly payloadLength: number;
  /** Default 64. */
  readonly hopLimit?: number;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
}

/** Writes a fixed header at `offset`. @returns HEADER_BYTES */
export function emit(bytes: Uint8Array, offset: number, fields: Ipv6Fields): number {
  setI32(bytes, offset, 0x60000000 | ((fields.trafficClass ?? 0) << 20) | (fields.flowLabel ?? 0));
  setPayloadLength(bytes, offset, fields.payloadLength);
  setNextHeader(bytes, offset, fields.nextHeader);
  setHopLimit(bytes, offset, fields.hopLimit ?? 64);
  for (let word = 0; word < 4; word++) {
    setSrc(bytes, offset, word, fields.src[word]);
    setDst(bytes, offset, word, fields.dst[word]);
  }
  return HEADER_BYTES;
}
