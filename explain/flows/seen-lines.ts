/**
 * Lines that came before, to be known again without being looked at member by member: lines are compared without what differs from
 * packet to packet.
 *
 *   {"flow":{"time":"2026-..","uuid":"a29d..","emitter":..,"l4":{"TCP":{"source_port":56888,"destination_port":80,..}},..},"time":"2026-.."}
 *                   --------         -------                                           -----                    ..                 --------
 *
 * What is left out is found by its place: the members `time` and `uuid` in front, as every writer of flows has them, the first
 * `source_port` (a quote inside a JSON text is escaped, so `"source_port":` is a key wherever it stands), and `time` at the end.
 * None of them is read of a flow. Of replies the port behind is left out too, for there it is the client's. A line that is written otherwise is never
 * known.
 *
 * Lines are compared byte for byte, after a seeded hash has chosen among them. When there is no more room, all are forgotten; when few were known by then,
 * none is looked for in the next `REST_LINES`.
 */
import { BACKSLASH_BYTE, CLOSE, COLON_BYTE, DIGIT_0, DIGIT_9, QUOTE, hashOf, startsWith } from './bytes.ts';

const MOST_LINES = 16_384;
const ROOM_BYTES = 33_554_432;
const REST_LINES = 131_072;
const TABLE_SIZE = 32_768;

const PREFIX = Buffer.from('{"flow":{"time":"');
const UUID = Buffer.from('","uuid":"');
const SOURCE_PORT = Buffer.from('"source_port":');
const DESTINATION_PORT = Buffer.from(',"destination_port":');
const TIME = Buffer.from(',"time":"');

/** How far a window over which `"source_port":` is sought may go on, by its last byte. */
const STEPS = new Uint8Array(256).fill(SOURCE_PORT.length);
SOURCE_PORT.subarray(0, -1).forEach((byte, at) => {
  STEPS[byte] = SOURCE_PORT.length - 1 - at;
});

/** A line, as far as it is compared: what stands before its port, and what behind. */
interface Seen {
  readonly from: number;
  readonly headBytes: number;
  readonly tailBytes: number;
  readonly isReply: boolean;
  /** What its owner knows it by. */
  readonly number: number;
  /** Of another line with the same hash. */
  readonly next: Seen | undefined;
}

export class SeenLines {
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  readonly #room = Buffer.allocUnsafeSlow(ROOM_BYTES);
  readonly #roomView = new DataView(this.#room.buffer);
  readonly #table = new Array<Seen | undefined>(TABLE_SIZE).fill(undefined);
  #lines = 0;
  #used = 0;
  /** Lines that were known since all were forgotten. */
  #hits = 0;
  /** For how many lines none is looked for. */
  #rest = 0;
  /** What counts of the line that was looked at last: from..portAt, afterPort (of a reply afterPorts)..to. */
  #from = 0;
  #portAt = 0;
  #afterPort = 0;
  #afterPorts = 0;
  #to = 0;
  /** Hashes of it, as a reply and as another line. */
  #reply = 0;
  #other = 0;

  /**
   * The number of the line from..end, when one like it was kept.
   * @param view of the same bytes
   * @returns 0 when there is none; -1 when it can be none
   */
  find(bytes: Buffer, view: DataView, from: number, end: number): number {
    if (this.#rest > 0) {
      this.#rest--;
      return -1;
    }
    if (!this.#measure(bytes, from, end)) return -1;
    const head = hashOf(view, this.#from, this.#portAt, this.#seed);
    this.#reply = hashOf(view, this.#afterPorts, this.#to, head);
    this.#other = hashOf(view, this.#afterPort, this.#afterPorts, this.#reply);
    const number = this.#lookUp(this.#reply, true, bytes, view) || this.#lookUp(this.#other, false, bytes, view);
    if (number > 0) this.#hits++;
    return number;
  }

  /** Keeps the line that was looked for last. @param number above 0 */
  keep(bytes: Buffer, number: number, isReply: boolean): void {
    const resume = isReply ? this.#afterPorts : this.#afterPort;
    const [headBytes, tailBytes] = [this.#portAt - this.#from, this.#to - resume];
    if (this.#lines === MOST_LINES || this.#used + headBytes + tailBytes > ROOM_BYTES) this.#forget();
    const from = this.#used;
    bytes.copy(this.#room, from, this.#from, this.#portAt);
    bytes.copy(this.#room, from + headBytes, resume, this.#to);
    this.#used += headBytes + tailBytes;
    this.#lines++;
    const slot = (isReply ? this.#reply : this.#other) & (TABLE_SIZE - 1);
    this.#table[slot] = { from, headBytes, tailBytes, isReply, number, next: this.#table[slot] };
  }

  /** To look for lines of which most are new costs more than it saves. */
  #forget(): void {
    if (this.#hits < this.#lines) this.#rest = REST_LINES;
    this.#hits = 0;
    this.clear();
  }

  /** Forgets all lines. */
  clear(): void {
    this.#table.fill(undefined);
    this.#lines = 0;
    this.#used = 0;
  }

  #lookUp(hash: number, isReply: boolean, bytes: Buffer, view: DataView): number {
    for (let seen = this.#table[hash & (TABLE_SIZE - 1)]; seen !== undefined; seen = seen.next) {
      if (seen.isReply === isReply && this.#isLike(seen, bytes, view)) return seen.number;
    }
    return 0;
  }

  #isLike({ isReply, from, headBytes, tailBytes }: Seen, bytes: Buffer, view: DataView): boolean {
    const resume = isReply ? this.#afterPorts : this.#afterPort;
    if (headBytes !== this.#portAt - this.#from || tailBytes !== this.#to - resume) return false;
    if (!isEqual(this.#roomView, from, view, this.#from, headBytes)) return false;
    const tail = from + headBytes;
    return this.#room.compare(bytes, resume, this.#to, tail, tail + tailBytes) === 0;
  }

  /** Finds what counts of a line. */
  #measure(bytes: Buffer, from: number, end: number): boolean {
    if (end - from < PREFIX.length + UUID.length || !startsWith(bytes, from, PREFIX)) return false;
    let at = afterText(bytes, from + PREFIX.length, end);
    if (at < 0) return false;
    if (at + UUID.length < end && startsWith(bytes, at, UUID)) at = afterText(bytes, at + UUID.length, end);
    if (at < 0) return false;
    this.#from = at;
    this.#to = beforeTime(bytes, at, end);
    return this.#to >= 0 && this.#findPorts(bytes, at, this.#to);
  }

  #findPorts(bytes: Buffer, from: number, end: number): boolean {
    const last = SOURCE_PORT.length - 1;
    let at = from;
    while (at + last < end && !(bytes[at + last] === COLON_BYTE && startsWith(bytes, at, SOURCE_PORT)))
      at += STEPS[bytes[at + last]];
    if (at + last >= end) return false;
    this.#portAt = at + SOURCE_PORT.length;
    this.#afterPort = afterDigits(bytes, this.#portAt, end);
    this.#afterPorts = this.#afterPort;
    const next = this.#afterPort + DESTINATION_PORT.length;
    if (next < end && startsWith(bytes, this.#afterPort, DESTINATION_PORT))
      this.#afterPorts = afterDigits(bytes, next, end);
    return this.#afterPort > this.#portAt && this.#afterPorts !== next;
  }
}

/** Where `,"time":"..."}` begins at the end of a line; -1 when it does not: it may be torn off. */
function beforeTime(bytes: Buffer, from: number, end: number): number {
  if (bytes[end - 1] !== CLOSE || bytes[end - 2] !== QUOTE) return -1;
  let at = end - 3;
  while (at > from && bytes[at] !== QUOTE) at--;
  const start = at + 1 - TIME.length;
  return start > from && startsWith(bytes, start, TIME) ? start : -1;
}

/** The place of the quote that ends a text without escapes; -1 when there is none. */
function afterText(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH_BYTE) return -1;
  }
  return -1;
}

function afterDigits(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] >= DIGIT_0 && bytes[at] <= DIGIT_9) at++;
  return at;
}

function isEqual(a: DataView, from: number, b: DataView, other: number, length: number): boolean {
  let at = 0;
  for (const last = length - 4; at <= last; at += 4) if (a.getInt32(from + at) !== b.getInt32(other + at)) return false;
  for (; at < length; at++) if (a.getUint8(from + at) !== b.getUint8(other + at)) return false;
  return true;
}
