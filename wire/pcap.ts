/**
 * Classic pcap files (draft-ietf-opsawg-pcap): written little endian with nanoseconds, read in both byte orders and
 * both resolutions. Everything works on byte arrays; who reads and writes files is not this file's business.
 *
 *  file header   | magic | 2, 4 | 0 | 0 | snap length | link type |              24 bytes
 *  each packet   | seconds | micro- or nanoseconds | captured | original | bytes  16 bytes and the packet
 */
import { i32, i32le, setI32le, setU16le } from './bytes.ts';

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
export const LINKTYPE_ETHERNET = 1;
/** The longest packet that a reader takes: more means that the file is damaged (libpcap's MAXIMUM_SNAPLEN). */
export const MAX_PACKET_BYTES = 262_144;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;

export interface Packet {
  /** Since the epoch. */
  readonly seconds: number;
  /** 0..999999999 */
  readonly nanoseconds: number;
  /** What was captured; of a reader a view into its input. */
  readonly bytes: Uint8Array;
  /** Bytes on the wire; default the captured ones. */
  readonly originalLength?: number;
}

/** Seconds and nanoseconds of a time in milliseconds since the epoch; 0 for what is no such time. */
export function timeOf(ms: number): { readonly seconds: number; readonly nanoseconds: number } {
  const known = ms >= 0 && ms <= Number.MAX_SAFE_INTEGER ? ms : 0;
  const seconds = Math.floor(known / 1000);
  return { seconds, nanoseconds: Math.min(999_999_999, Math.round((known - seconds * 1000) * 1e6)) };
}

/** The header of a file. @param linkType default Ethernet */
function fileHeader(linkType = LINKTYPE_ETHERNET): Uint8Array {
  const out = new Uint8Array(FILE_HEADER_BYTES);
  setI32le(out, 0, MAGIC_NANOSECONDS);
  setU16le(out, 4, 2);
  setU16le(out, 6, 4);
  setI32le(out, 16, MAX_PACKET_BYTES);
  setI32le(out, 20, linkType);
  return out;
}

/** One packet with its header. Packets over MAX_PACKET_BYTES are cut. */
function record(packet: Packet): Uint8Array {
  const captured = Math.min(packet.bytes.length, MAX_PACKET_BYTES);
  const out = new Uint8Array(RECORD_HEADER_BYTES + captured);
  setI32le(out, 0, packet.seconds);
  setI32le(out, 4, packet.nanoseconds);
  setI32le(out, 8, captured);
  setI32le(out, 12, packet.originalLength ?? packet.bytes.length);
  out.set(packet.bytes.subarray(0, captured), RECORD_HEADER_BYTES);
  return out;
}

/** A whole file of packets. */
export function writePcap(packets: Iterable<Packet>, linkType = LINKTYPE_ETHERNET): Uint8Array {
  return concat([fileHeader(linkType), ...Array.from(packets, record)]);
}

/** One array of many. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export interface PcapFile {
  readonly linkType: number;
  readonly packets: readonly Required<Packet>[];
  /** What is wrong with the file, from there on unread; null when it was read to its end. */
  readonly problem: string | null;
}

/** Reads a file. Never throws: of a damaged file everything before the damage is answered. */
export function readPcap(bytes: Uint8Array): PcapFile {
  const order = byteOrder(bytes);
  if (order === null) return { linkType: -1, packets: [], problem: 'not a pcap file: no magic number at its start' };
  const { word, perSecond } = order;
  const packets: Required<Packet>[] = [];
  const linkType = word(bytes, 20) & 0x0fff_ffff;
  let at = FILE_HEADER_BYTES;
  while (at < bytes.length) {
    const captured = word(bytes, at + 8) >>> 0;
    const start = at + RECORD_HEADER_BYTES;
    if (start > bytes.length || captured > MAX_PACKET_BYTES || start + captured > bytes.length) {
      return { linkType, packets, problem: `packet ${packets.length + 1} at byte ${at} does not fit the file` };
    }
    packets.push({
      seconds: word(bytes, at) >>> 0,
      nanoseconds: Math.min(word(bytes, at + 4) >>> 0, perSecond - 1) * (1e9 / perSecond),
      bytes: bytes.subarray(start, start + captured),
      originalLength: word(bytes, at + 12) >>> 0,
    });
    at = start + captured;
  }
  return { linkType, packets, problem: null };
}

function byteOrder(bytes: Uint8Array) {
  if (bytes.length < FILE_HEADER_BYTES) return null;
  for (const word of [i32le, i32]) {
    const magic = word(bytes, 0) >>> 0;
    if (magic === MAGIC_MICROSECONDS) return { word, perSecond: 1e6 };
    if (magic === MAGIC_NANOSECONDS) return { word, perSecond: 1e9 };
  }
  return null;
}
