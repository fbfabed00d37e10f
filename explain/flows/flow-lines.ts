/**
 * Flows out of JSON lines, fast: a file of a million flows tells of some thousand connections, in lines that are alike but for
 * the time, the identifier and the client's port. So lines are not parsed one by one. The bytes of a line without those three are
 * looked up among the lines that came before; only a line that is new is parsed, and the others are counted.
 *
 *   {"flow":{"time":"2026-..","uuid":"a29d..","emitter":..,"l4":{"TCP":{"source_port":56888,"destination_port":80,..}},..},"time":"2026-.."}
 *                   --------         -------                                           -----                    ..                 --------
 *
 * What is left out is found by its place: the members `time` and `uuid` in front, as every writer of flows has them, the first
 * `source_port` (a quote inside a JSON text is escaped, so `"source_port":` is a key wherever it stands), and `time` at the end. A line
 * that is written otherwise has nothing left out and is parsed, which is slow and right. Of replies the port behind is left out
 * too, for there it is the client's, and nothing is read of a reply but the names in a DNS answer.
 *
 * Lines that are alike are compared byte for byte, after a seeded hash has chosen among them. At most `MOST_LINES` are kept; then they are
 * handed over, and the table begins anew. A line over `LONGEST_LINE` bytes is no flow.
 */
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import type { Recording } from './recording.ts';

const MOST_LINES = 65_536;
const LONGEST_LINE = 1_048_576;
const TABLE_SIZE = 131_072;

const NOTHING = Buffer.alloc(0);
const NEW_LINE = 10;
const QUOTE = 34;
const DIGIT_0 = 48;
const DIGIT_9 = 57;
const BACKSLASH_BYTE = 92;
const PREFIX = Buffer.from('{"flow":{"time":"');
const UUID = Buffer.from('","uuid":"');
const SOURCE_PORT = Buffer.from('"source_port":');
const DESTINATION_PORT = Buffer.from(',"destination_port":');
const TIME = Buffer.from('"time":"');
/** Of `"time":"` and a time at the end of a line. */
const LONGEST_TAIL = 48;

/** One line that was read, for all that are like it. */
interface Kept {
  readonly bytes: Buffer;
  /** What counts of it: from..portAt, afterPort..to. */
  readonly from: number;
  readonly portAt: number;
  readonly afterPort: number;
  /** Behind the port of the destination, when that follows at once; else afterPort. */
  readonly afterBoth: number;
  readonly to: number;
  /** A reply that teaches nothing: every client's port is alike. */
  readonly isReply: boolean;
  /** Its number, from 1. */
  readonly line: number;
  count: number;
  /** Of another line with the same hash. */
  readonly next: Kept | undefined;
}

export class FlowLines {
  readonly #recording: Recording;
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  #table: (Kept | undefined)[] = new Array<undefined>(TABLE_SIZE);
  #kept = 0;
  /** What counts of the line that was looked at last. */
  #from = 0;
  #portAt = 0;
  #afterPort = 0;
  #afterBoth = 0;
  #to = 0;
  /** Where `"source_port":` comes next in the chunk. */
  #nextPort = -1;
  /** The start of a line whose end has not come. */
  #rest: Buffer = NOTHING;
  #lines = 0;
  /** Lines that were parsed. */
  parsed = 0;
  /** Lines that are no flows, and the number of the first, from 1. */
  malformed = 0;
  firstMalformed = 0;
  /** Events that were lost before they became flows, as the lines tell. */
  lost = 0;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  /** @param chunk is not kept, and may be filled anew */
  push(chunk: Buffer): void {
    let at = 0;
    if (this.#rest.length > 0) {
      const end = chunk.indexOf(NEW_LINE);
      if (end < 0) {
        this.#remember(Buffer.concat([this.#rest, chunk]));
        return;
      }
      const line = Buffer.concat([this.#rest, chunk.subarray(0, end + 1)]);
      this.#rest = NOTHING;
      this.#whole(line, 0);
      at = end + 1;
    }
    this.#remember(chunk.subarray(this.#whole(chunk, at)));
  }

  /** Takes the lines that end in the chunk. @returns where the next one begins */
  #whole(chunk: Buffer, from: number): number {
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#nextPort = -1;
    let at = from;
    for (let end = chunk.indexOf(NEW_LINE, at); end >= 0; end = chunk.indexOf(NEW_LINE, at)) {
      this.#line(chunk, view, at, end);
      at = end + 1;
    }
    return at;
  }

  #remember(rest: Buffer): void {
    this.#rest = rest.length === 0 ? NOTHING : Buffer.from(rest.subarray(0, LONGEST_LINE + 1));
  }

  /** The last line needs no end; afterwards the recording has everything. */
  end(): void {
    if (this.#rest.length > 0) this.push(Buffer.from([NEW_LINE]));
    this.#handOver();
  }

  #line(bytes: Buffer, view: DataView, from: number, end: number): void {
    this.#lines++;
    if (end - from > LONGEST_LINE) {
      this.#refuse(this.#lines, 1);
      return;
    }
    if (end - from < 2 && /^\s*$/.test(bytes.toString('latin1', from, end))) return;
    this.#measure(bytes, from, end);
    const reply = this.#hash(view, this.#afterBoth);
    if (this.#count(reply, bytes, true)) return;
    const other = hashOf(view, this.#afterPort, this.#afterBoth, reply);
    if (this.#count(other, bytes, false)) return;
    if (this.#kept === MOST_LINES) this.#handOver();
    const isReply = this.#isPlainReply(bytes.subarray(this.#afterPort, end));
    this.#keep(bytes, from, end, { slot: isReply ? reply : other, isReply });
    return;
  }

  /** Counts the line among those that are like it. */
  #count(slot: number, bytes: Buffer, isReply: boolean): boolean {
    for (let kept = this.#table[slot & (TABLE_SIZE - 1)]; kept !== undefined; kept = kept.next) {
      if (kept.isReply !== isReply || !this.#isLike(kept, bytes)) continue;
      kept.count++;
      return true;
    }
    return false;
  }

  /** Finds what counts of a line. */
  #measure(bytes: Buffer, from: number, end: number): void {
    this.#from = from;
    this.#portAt = end;
    this.#afterPort = end;
    this.#afterBoth = end;
    this.#to = end;
    if (bytes.compare(PREFIX, 0, PREFIX.length, from, Math.min(from + PREFIX.length, end)) !== 0) return;
    let at = afterText(bytes, from + PREFIX.length, end);
    if (at < 0) return;
    if (bytes.compare(UUID, 0, UUID.length, at, Math.min(at + UUID.length, end)) === 0)
      at = afterText(bytes, at + UUID.length, end);
    if (at < 0) return;
    this.#from = at;
    this.#findPorts(bytes, at, end);
    const tail = bytes.lastIndexOf(TIME, end - TIME.length);
    if (tail > Math.max(this.#afterBoth === end ? at : this.#afterBoth, end - LONGEST_TAIL)) {
      const close = afterText(bytes, tail + TIME.length, end);
      if (close === end - 2) this.#to = tail;
    }
    if (this.#portAt === end) {
      this.#portAt = this.#to;
      this.#afterPort = this.#to;
      this.#afterBoth = this.#to;
    }
  }

  #findPorts(bytes: Buffer, from: number, end: number): void {
    // Searched for once and not once a line: a file without one would be searched to its end each time.
    if (this.#nextPort < from) {
      const found = bytes.indexOf(SOURCE_PORT, from);
      this.#nextPort = found < 0 ? bytes.length : found;
    }
    if (this.#nextPort >= end) return;
    this.#portAt = this.#nextPort + SOURCE_PORT.length;
    this.#afterPort = afterDigits(bytes, this.#portAt);
    const next = this.#afterPort + DESTINATION_PORT.length;
    const hasBoth =
      next < end && bytes.compare(DESTINATION_PORT, 0, DESTINATION_PORT.length, this.#afterPort, next) === 0;
    this.#afterBoth = hasBoth ? afterDigits(bytes, next) : this.#afterPort;
  }

  /** A reply without a DNS answer, of which nothing is learnt. @param rest of the line */
  #isPlainReply(rest: Buffer): boolean {
    return rest.includes('"is_reply":true', 0, 'latin1') && !rest.includes('"dns":', 0, 'latin1');
  }

  #hash(view: DataView, resume: number): number {
    const head = hashOf(view, this.#from, this.#portAt, this.#seed);
    return hashOf(view, resume, this.#to, head);
  }

  #isLike(kept: Kept, bytes: Buffer): boolean {
    const resume = kept.isReply ? this.#afterBoth : this.#afterPort;
    const keptResume = kept.isReply ? kept.afterBoth : kept.afterPort;
    if (kept.portAt - kept.from !== this.#portAt - this.#from) return false;
    if (kept.to - keptResume !== this.#to - resume) return false;
    return (
      kept.bytes.compare(bytes, this.#from, this.#portAt, kept.from, kept.portAt) === 0 &&
      kept.bytes.compare(bytes, resume, this.#to, keptResume, kept.to) === 0
    );
  }

  #keep(bytes: Buffer, from: number, end: number, { slot, isReply }: { slot: number; isReply: boolean }): void {
    this.#kept++;
    const at = slot & (TABLE_SIZE - 1);
    this.#table[at] = {
      bytes: Buffer.from(bytes.subarray(from, end)),
      from: this.#from - from,
      portAt: this.#portAt - from,
      afterPort: this.#afterPort - from,
      afterBoth: this.#afterBoth - from,
      to: this.#to - from,
      isReply,
      line: this.#lines,
      count: 1,
      next: this.#table[at],
    };
  }

  #handOver(): void {
    for (const head of this.#table) for (let kept = head; kept !== undefined; kept = kept.next) this.#parse(kept);
    this.#table = new Array<undefined>(TABLE_SIZE);
    this.#kept = 0;
  }

  #parse({ bytes, count, line }: Kept): void {
    this.parsed++;
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      this.#refuse(line, count);
      return;
    }
    const { flow, lost_events: lost } = readEnvelope(value) ?? {};
    if (flow !== undefined) {
      this.#recording.add(flow, count);
      return;
    }
    if (lost === undefined) {
      this.#refuse(line, count);
      return;
    }
    this.lost += (Number(lost.num_events_lost) || 0) * count;
    return;
  }

  #refuse(line: number, count: number): void {
    this.malformed += count;
    if (this.firstMalformed === 0 || line < this.firstMalformed) this.firstMalformed = line;
  }
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

function afterDigits(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] >= DIGIT_0 && bytes[at] <= DIGIT_9) at++;
  return at;
}

/** Multiply and shift, two words at a time that do not wait for each other. */
function hashOf(view: DataView, from: number, to: number, seed: number): number {
  let even = seed ^ (to - from);
  let odd = ~seed;
  let at = from;
  for (const last = to - 8; at <= last; at += 8) {
    even = Math.imul(even ^ view.getInt32(at, true), 0x9e3779b1);
    odd = Math.imul(odd ^ view.getInt32(at + 4, true), 0x85ebca77);
    even ^= even >>> 15;
    odd ^= odd >>> 13;
  }
  for (; at < to; at++) even = Math.imul(even ^ view.getUint8(at), 0x01000193);
  const both = Math.imul(even ^ ((odd << 7) | (odd >>> 25)), 0xc2b2ae3d);
  return both ^ (both >>> 16);
}
