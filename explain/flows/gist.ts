/**
 * The gist of a flow's line: the members that say something of policies, as a shorter JSON text. Lines that differ in nothing
 * else have the same gist, and it is written without making a string or an object of the line:
 *
 *   {"flow":{"time":"..","uuid":"..","verdict":"FORWARDED","l4":{"TCP":{"source_port":56888,"destination_port":80}},"source":{..},..},"time":".."}
 *           {"verdict":"FORWARDED","l4":{"TCP":{"destination_port":80}},"source":17,..}
 *
 *  - `GIST` names what is kept. All else is passed over, and there it is enough that quotes are even and brackets as many.
 *  - An end stands in the gist by its number (ends.ts).
 *  - Of a reply nothing is read but names, so its port, which is the client's, becomes ones.
 *
 * A line that is written otherwise (with blanks, with escapes in the name of a member, with a text where an object should be, with
 * other members before the flow) has no gist: whoever asked parses it, which is slow and right.
 */
import { BACKSLASH_BYTE, CLOSE, COLON_BYTE, COMMA_BYTE, DIGIT_0, DIGIT_9, QUOTE, startsWith } from './bytes.ts';
import type { Ends } from './ends.ts';
import { type Member, Members, type Use } from './members.ts';
import type { SightedFlow } from './sighting.ts';

const PORTS: Use = { destination_port: 'port' };
const ICMP: Use = { type: 'whole' };

/** The compiler sees to it that nothing is missing that is read of a flow. */
const GIST: { readonly [name in keyof SightedFlow]-?: Use } = {
  verdict: 'whole',
  drop_reason: 'whole',
  IP: { source: 'address', destination: 'address' },
  l4: { TCP: PORTS, UDP: PORTS, SCTP: PORTS, ICMPv4: ICMP, ICMPv6: ICMP },
  source: 'end',
  destination: 'end',
  Type: 'whole',
  source_names: 'whole',
  destination_names: 'whole',
  l7: {
    type: 'whole',
    http: { method: 'whole', url: 'whole' },
    dns: { query: 'whole', ips: 'whole' },
    kafka: { topic: 'whole', api_key: 'whole' },
    tlsSNI: 'whole',
  },
  event_type: { type: 'whole' },
  traffic_direction: 'whole',
  trace_observation_point: 'whole',
  trace_reason: 'whole',
  drop_reason_desc: 'whole',
  is_reply: 'reply',
  extensions: 'whole',
  aggregate: 'whole',
};
const FLOW = new Members(GIST);
/** What makes of a line something else when it comes behind the flow. */
const NOT_BEHIND = new Members({ flow: 'whole', lost_events: 'whole' });

const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const LETTER_T = 116;
const OPEN = 123;
const PREFIX = Buffer.from('{"flow":');

export class GistWriter {
  readonly #ends: Ends;
  /** The line, and where it ends. */
  #bytes: Buffer = PREFIX;
  #end = 0;
  /** The gist, and where it goes on. */
  #out: Buffer;
  #to = 0;
  /** Hashes of the addresses of both ends. */
  #source = 0;
  #destination = 0;
  /** Where the port stands in the gist. */
  #portAt = 0;
  #portEnd = 0;
  #isReply = false;

  /** @param out where gists are written */
  constructor(ends: Ends, out: Buffer) {
    this.#ends = ends;
    this.#out = out;
  }

  /** Whether the line was that of a reply. */
  get isReply(): boolean {
    return this.#isReply;
  }

  /**
   * Writes the gist of the line from..end.
   * @param at where it goes: there is room for a whole line
   * @returns where it ends; -1 when it has none
   */
  write(bytes: Buffer, from: number, end: number, at: number): number {
    this.#bytes = bytes;
    this.#end = end;
    this.#to = at;
    this.#source = 0;
    this.#destination = 0;
    this.#portAt = 0;
    this.#portEnd = 0;
    this.#isReply = false;
    const flow = from + PREFIX.length;
    if (flow >= end || bytes[flow] !== OPEN || !startsWith(bytes, from, PREFIX)) return -1;
    const behind = this.#object(flow, FLOW);
    if (behind < 0 || !this.#isRest(behind)) return -1;
    if (this.#isReply) this.#out.fill(DIGIT_0 + 1, this.#portAt, this.#portEnd);
    return this.#to;
  }

  /** Keeps what is wanted of an object. @returns where it ends; -1: it is written otherwise */
  #object(from: number, members: Members): number {
    const bytes = this.#bytes;
    const end = this.#end;
    this.#out[this.#to++] = OPEN;
    let isFirst = true;
    let at = from + 1;
    if (at < end && bytes[at] === CLOSE) return this.#close(at);
    let previous = members.start;
    for (;;) {
      const likely = previous.next;
      let value = at + likely.key.length;
      if (value < end && startsWith(bytes, at, likely.key)) previous = likely;
      else {
        value = this.#key(at);
        if (value < 0) return -1;
        const member = members.find(bytes, at + 1, value - 2);
        previous.next = member;
        previous = member;
      }
      if (previous.use === 'nothing') at = this.#skip(value);
      else {
        if (!isFirst) this.#out[this.#to++] = COMMA_BYTE;
        isFirst = false;
        at = this.#keep(previous, at, value);
      }
      if (at < 0 || at >= end) return -1;
      if (bytes[at] === CLOSE) return this.#close(at);
      if (bytes[at++] !== COMMA_BYTE) return -1;
    }
  }

  #close(at: number): number {
    this.#out[this.#to++] = CLOSE;
    return at + 1;
  }

  /** Nothing but members that do not matter, and the end of the line. */
  #isRest(from: number): boolean {
    const bytes = this.#bytes;
    let at = from;
    while (at < this.#end && bytes[at] === COMMA_BYTE) {
      const value = this.#key(at + 1);
      if (value < 0 || NOT_BEHIND.find(bytes, at + 2, value - 2).use !== 'nothing') return false;
      at = this.#skip(value);
      if (at < 0) return false;
    }
    return at === this.#end - 1 && bytes[at] === CLOSE;
  }

  /** Passes `"name":`. @returns where the value begins; -1 when the name has escapes, or is none */
  #key(from: number): number {
    const bytes = this.#bytes;
    const end = this.#end - 2;
    if (from >= end || bytes[from] !== QUOTE) return -1;
    for (let at = from + 1; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return bytes[at + 1] === COLON_BYTE ? at + 2 : -1;
      if (byte === BACKSLASH_BYTE) return -1;
    }
    return -1;
  }

  #keep({ use, key, inside }: Member, from: number, value: number): number {
    if (use === 'inside' || use === 'end') {
      if (this.#bytes[value] !== OPEN) return -1;
      this.#copy(from, value);
      return use === 'inside' ? this.#object(value, inside) : this.#keepEnd(key, value);
    }
    const end = this.#skip(value);
    if (end < 0) return -1;
    this.#copy(from, end);
    if (use === 'address') this.#noteAddress(key, value, end);
    else if (use === 'reply') this.#isReply = this.#bytes[value] === LETTER_T;
    else if (use === 'port') this.#notePort(this.#to - (end - value));
    return end;
  }

  #noteAddress(key: Buffer, from: number, to: number): void {
    let hash = 0;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ this.#bytes[at], 0x01000193);
    hash ^= hash >>> 16;
    if (isSource(key)) this.#source = hash;
    else this.#destination = hash;
  }

  #notePort(at: number): void {
    for (let i = at; i < this.#to; i++) if (this.#out[i] < DIGIT_0 || this.#out[i] > DIGIT_9) return;
    this.#portAt = at;
    this.#portEnd = this.#to;
  }

  #keepEnd(key: Buffer, value: number): number {
    const address = isSource(key) ? this.#source : this.#destination;
    const guess = this.#ends.guess(address, this.#bytes, value, this.#end);
    if (guess >= 0) {
      this.#number(guess);
      return value + this.#ends.lengthOf(guess);
    }
    const end = this.#skip(value);
    if (end >= 0) this.#number(this.#ends.number(address, this.#bytes, value, end));
    return end;
  }

  #number(value: number): void {
    let unit = 1;
    while (unit * 10 <= value) unit *= 10;
    for (; unit >= 1; unit = (unit / 10) | 0) this.#out[this.#to++] = DIGIT_0 + (((value / unit) | 0) % 10);
  }

  #copy(from: number, to: number): void {
    const bytes = this.#bytes;
    const out = this.#out;
    let at = this.#to;
    for (let i = from; i < to; i++) out[at++] = bytes[i];
    this.#to = at;
  }

  /** Passes a value. @returns where it ends; -1 when there is none */
  #skip(from: number): number {
    if (from >= this.#end) return -1;
    const first = this.#bytes[from];
    if (first === QUOTE) return this.#text(from);
    return first === OPEN || first === OPEN_LIST ? this.#nested(from) : this.#word(from);
  }

  #text(from: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    for (let at = from + 1; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH_BYTE) at++;
    }
    return -1;
  }

  #nested(from: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let depth = 0;
    for (let at = from; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        at = this.#text(at) - 1;
        if (at < 0) return -1;
      } else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if ((byte === CLOSE || byte === CLOSE_LIST) && --depth === 0) return at + 1;
    }
    return -1;
  }

  /** A number, true, false or null. */
  #word(from: number): number {
    const bytes = this.#bytes;
    let at = from;
    while (at < this.#end && bytes[at] !== COMMA_BYTE && bytes[at] !== CLOSE && bytes[at] !== CLOSE_LIST) at++;
    return at > from ? at : -1;
  }
}

/** Of `"source":` and `"destination":`. */
function isSource(key: Buffer): boolean {
  return key.length === 9;
}
