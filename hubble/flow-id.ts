/**
 * The uuid of a flow: the same whenever its record is read, so that what was seen before can be told by who keeps flows, and
 * in the order of time, so that the uuid says where to look for it. RFC 9562, version 8:
 *
 *   48 bits  milliseconds since the epoch
 *    4 bits  8, the version
 *    8 bits  the ring, 4 bits unused
 *    2 bits  the variant
 *   30 bits  of a digest of the node's name
 *   32 bits  place of the record in its ring, which counts modulo 2^32
 */
import { createHash } from 'node:crypto';

const VERSION = 8;
const MAX_MS = 2 ** 48 - 1;

/** What makes the uuids of one ring of a node. @param ring its number, 0 to 255 */
export function flowIds(nodeName: string, ring: number): (timeMs: number, position: number) => string {
  const node = (createHash('sha256').update(nodeName).digest().readUInt32BE(0) & 0x3fffffff) | 0x80000000;
  const [high, low] = [hex(node >>> 16, 4), hex(node & 0xffff, 4)];
  const third = VERSION.toString(16) + hex(ring, 2) + '0';
  let lastMs = Number.NaN;
  let lastHigh = -1;
  let head = '';
  let start = '';
  return (timeMs, position) => {
    const ms = Math.min(Math.max(0, Math.floor(timeMs) || 0), MAX_MS);
    if (ms !== lastMs) {
      const time = hex(ms, 12);
      head = `${time.slice(0, 8)}-${time.slice(8)}-${third}-${high}-${low}`;
      lastMs = ms;
      lastHigh = -1;
    }
    if (position >>> 16 !== lastHigh) {
      lastHigh = position >>> 16;
      start = head + hex(lastHigh, 4);
    }
    return start + BYTES[(position >>> 8) & 255] + BYTES[position & 255];
  };
}

/** Two digits of each byte. */
const BYTES = Array.from({ length: 256 }, (_, byte) => hex(byte, 2));

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
