/**
 * Flows out of JSON lines, fast. A file of a million flows tells of some thousand connections, so lines are not parsed one by one: each
 * has a gist (gist.ts), equal gists are counted, and only one of them is parsed.
 *
 * Gists are compared byte for byte, after a seeded hash has chosen among them. They stand one behind the other in `#out`; when there
 * are `MOST_GISTS`, when they or the ends that they name have no more room, they are handed over and all begins anew. A line over
 * `LONGEST_LINE` bytes is no flow.
 */
import { readEnvelope } from '../../hubble/decode/read-envelope.ts';
import type { Endpoint } from '../../hubble/flow.ts';
import { hashOf } from './bytes.ts';
import { Ends } from './ends.ts';
import { GistWriter } from './gist.ts';
import type { Recording } from './recording.ts';
import { SeenLines } from './seen-lines.ts';

const MOST_GISTS = 65_536;
const LONGEST_LINE = 1_048_576;
const TABLE_SIZE = 131_072;
const OUT_BYTES = 33_554_432;
/** Of one gist: the number of an end may be longer than an end of two bytes. */
const MOST_ROOM = 2 * LONGEST_LINE;

const NOTHING = Buffer.alloc(0);
const NEW_LINE = 10;
const NO_ENDS = { source: {}, destination: {} };

export class FlowLines {
  readonly #recording: Recording;
  readonly #seed = (Math.random() * 0x1_0000_0000) | 0;
  readonly #out = Buffer.allocUnsafeSlow(OUT_BYTES);
  readonly #view = new DataView(this.#out.buffer);
  readonly #seen = new SeenLines();
  #ends = new Ends();
  #writer = new GistWriter(this.#ends, this.#out);
  /** Gists by hash, chained; 0 = none, so the first is 1. */
  readonly #heads = new Int32Array(TABLE_SIZE);
  readonly #next = new Int32Array(MOST_GISTS + 1);
  /** Where each one ends; it begins where the one before does. */
  readonly #to = new Int32Array(MOST_GISTS + 1);
  readonly #counts = new Float64Array(MOST_GISTS + 1);
  /** The number of the first line that has it, from 1. */
  readonly #firsts = new Float64Array(MOST_GISTS + 1);
  #kept = 0;
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
    const seen = this.#seen.find(bytes, view, from, end);
    if (seen > 0) {
      this.#counts[seen]++;
      return;
    }
    const at = this.#to[this.#kept];
    const to = this.#writer.write(bytes, from, end, at);
    if (to < 0) this.#parse(bytes.toString('utf8', from, end));
    else {
      const gist = this.#count(at, to);
      if (seen === 0) this.#seen.keep(bytes, gist, this.#writer.isReply);
    }
    const isFull = this.#kept === MOST_GISTS || OUT_BYTES - this.#to[this.#kept] < MOST_ROOM;
    if (isFull || this.#ends.isFull) this.#handOver();
  }

  /** Counts the gist among those that are like it; keeps it when it is the first. */
  #count(from: number, to: number): number {
    const slot = hashOf(this.#view, from, to, this.#seed) & (TABLE_SIZE - 1);
    for (let gist = this.#heads[slot]; gist !== 0; gist = this.#next[gist]) {
      if (!this.#isLike(gist, from, to)) continue;
      this.#counts[gist]++;
      return gist;
    }
    const fresh = ++this.#kept;
    this.#to[fresh] = to;
    this.#counts[fresh] = 1;
    this.#firsts[fresh] = this.#lines;
    this.#next[fresh] = this.#heads[slot];
    this.#heads[slot] = fresh;
    return fresh;
  }

  #isLike(gist: number, from: number, to: number): boolean {
    const start = this.#to[gist - 1];
    const end = this.#to[gist];
    return end - start === to - from && this.#out.compare(this.#out, from, to, start, end) === 0;
  }

  #handOver(): void {
    const ends = this.#ends.parse();
    for (let gist = 1; gist <= this.#kept; gist++) this.#parseGist(gist, ends);
    this.#seen.clear();
    this.#heads.fill(0);
    this.#kept = 0;
    this.#ends = new Ends();
    this.#writer = new GistWriter(this.#ends, this.#out);
  }

  #parseGist(gist: number, ends: readonly (Endpoint | undefined)[]): void {
    const value = this.#parsed(this.#out.toString('utf8', this.#to[gist - 1], this.#to[gist])) as Gist | undefined;
    const [source, destination] = [value?.source, value?.destination].map((end) =>
      end === undefined ? {} : ends[end],
    );
    // The ends are checked already, and are the same objects in all flows that name them.
    const { flow } = readEnvelope({ flow: value && Object.assign(value, { time: '', ...NO_ENDS }) }) ?? {};
    if (flow === undefined || source === undefined || destination === undefined)
      this.#refuse(this.#firsts[gist], this.#counts[gist]);
    else this.#recording.add(Object.assign(flow, { source, destination }), this.#counts[gist]);
  }

  #parse(text: string): void {
    const { flow, lost_events: lost } = readEnvelope(this.#parsed(text)) ?? {};
    if (flow !== undefined) this.#recording.add(flow);
    else if (lost === undefined) this.#refuse(this.#lines, 1);
    else this.lost += Number(lost.num_events_lost) || 0;
  }

  /** undefined for what is no JSON. */
  #parsed(text: string): unknown {
    this.parsed++;
    try {
      return JSON.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  #refuse(line: number, count: number): void {
    this.malformed += count;
    if (this.firstMalformed === 0 || line < this.firstMalformed) this.firstMalformed = line;
  }
}

/** What is no flow, but the gist of one. */
interface Gist {
  readonly source?: number;
  readonly destination?: number;
}
