/**
 * Which frames a recording is of: rows of words, of which one has to match. The agent makes them of the filters that people write
 * (hubble/filter/frame-rows.ts), the dataplane asks them of each frame, while somebody records.
 *
 * ```
 *   0 kinds   1 protocol   2 family   3 source ports   4 destination ports   5 source endpoint   6 destination endpoint
 *   8 .. 11 source address   12 .. 15 its mask   16 .. 19 destination address   20 .. 23 its mask
 * ```
 *
 * A word of 0 says nothing, and so does a mask of zeros. Ports are `from | to << 16`. What is not known of a frame matches anything: of
 * one that could not be parsed nothing is, and a fragment may have no ports. So the rows choose too much rather than too little, and
 * whoever reads the recording chooses among the frames exactly.
 */
import type { Frame } from './frame.ts';

export const FRAME_ROW_WORDS = 24;
/** Rows that a recording has at most: a bound on what a frame costs. */
export const MAX_FRAME_ROWS = 128;

/** Kinds of frames: what became of them. */
export const FRAME_PASSED = 1;
export const FRAME_DROPPED = 2;

const KINDS = 0;
const PROTOCOL = 1;
const FAMILY = 2;
const SOURCE_PORTS = 3;
const DESTINATION_PORTS = 4;
const SOURCE_ENDPOINT = 5;
const DESTINATION_ENDPOINT = 6;
const SOURCE = 8; // and its mask
const DESTINATION = 16; // and its mask

/** One end of the frames that a row is of. What is left out may be anything. */
export interface FrameEnd {
  /** Id of a local endpoint. */
  readonly endpoint?: number;
  /** Four words, and as many of a mask. */
  readonly address?: { readonly words: ArrayLike<number>; readonly mask: ArrayLike<number> };
  readonly ports?: { readonly from: number; readonly to: number };
}

export interface FrameRow {
  /** FRAME_PASSED, FRAME_DROPPED or both. */
  readonly kinds: number;
  /** IP protocol. */
  readonly protocol?: number;
  /** 4 or 6. */
  readonly family?: number;
  readonly source: FrameEnd;
  readonly destination: FrameEnd;
}

/** Writes row number `index`. Preconditions: `rows` has room for it */
export function emitFrameRow(rows: Int32Array, index: number, row: FrameRow): void {
  const at = index * FRAME_ROW_WORDS;
  rows.fill(0, at, at + FRAME_ROW_WORDS);
  rows[at + KINDS] = row.kinds;
  rows[at + PROTOCOL] = row.protocol ?? 0;
  rows[at + FAMILY] = row.family ?? 0;
  rows[at + SOURCE_PORTS] = portsWord(row.source);
  rows[at + DESTINATION_PORTS] = portsWord(row.destination);
  rows[at + SOURCE_ENDPOINT] = row.source.endpoint ?? 0;
  rows[at + DESTINATION_ENDPOINT] = row.destination.endpoint ?? 0;
  emitAddress(rows, at + SOURCE, row.source);
  emitAddress(rows, at + DESTINATION, row.destination);
}

function portsWord({ ports }: FrameEnd): number {
  return ports === undefined ? 0 : ports.from | (ports.to << 16);
}

function emitAddress(rows: Int32Array, at: number, { address }: FrameEnd): void {
  if (address === undefined) return;
  for (let i = 0; i < 4; i++) {
    rows[at + 4 + i] = address.mask[i];
    rows[at + i] = address.words[i] & address.mask[i];
  }
}

/** Whether one of the first `count` rows matches. @param kind FRAME_PASSED or FRAME_DROPPED */
export function frameMatches(rows: Int32Array, count: number, f: Frame, kind: number): boolean {
  const end = count * FRAME_ROW_WORDS;
  for (let at = 0; at < end; at += FRAME_ROW_WORDS) {
    if ((rows[at + KINDS] & kind) === 0) continue;
    if (f.family === 0) return true;
    if (rows[at + FAMILY] !== 0 && rows[at + FAMILY] !== f.family) continue;
    if (rows[at + PROTOCOL] !== 0 && f.protocol !== 0 && rows[at + PROTOCOL] !== f.protocol) continue;
    if (rows[at + SOURCE_ENDPOINT] !== 0 && rows[at + SOURCE_ENDPOINT] !== f.srcEndpoint) continue;
    if (rows[at + DESTINATION_ENDPOINT] !== 0 && rows[at + DESTINATION_ENDPOINT] !== f.dstEndpoint) continue;
    if (!isWithin(rows, at, f) || !hasPorts(rows, at, f)) continue;
    return true;
  }
  return false;
}

function isWithin(rows: Int32Array, at: number, f: Frame): boolean {
  const s = at + SOURCE;
  const d = at + DESTINATION;
  return (
    (((f.src0 & rows[s + 4]) ^ rows[s]) |
      ((f.src1 & rows[s + 5]) ^ rows[s + 1]) |
      ((f.src2 & rows[s + 6]) ^ rows[s + 2]) |
      ((f.src3 & rows[s + 7]) ^ rows[s + 3]) |
      ((f.dst0 & rows[d + 4]) ^ rows[d]) |
      ((f.dst1 & rows[d + 5]) ^ rows[d + 1]) |
      ((f.dst2 & rows[d + 6]) ^ rows[d + 2]) |
      ((f.dst3 & rows[d + 7]) ^ rows[d + 3])) ===
    0
  );
}

function hasPorts(rows: Int32Array, at: number, f: Frame): boolean {
  if (f.srcPort === 0 && f.dstPort === 0) return true;
  return isPortIn(rows[at + SOURCE_PORTS], f.srcPort) && isPortIn(rows[at + DESTINATION_PORTS], f.dstPort);
}

function isPortIn(ports: number, port: number): boolean {
  return ports === 0 || ((ports & 0xffff) <= port && port <= ports >>> 16);
}
