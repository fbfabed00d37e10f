/**
 * DNS messages (RFC 1035 4.1), read strictly. A message is accepted whole or not at all: one question with a plain name (RFC
 * 9619), records up to its last byte, names that end, at most one OPT record (RFC 6891). What resolvers and servers send
 * is so; whoever sends something else wants it to be understood in two ways.
 *
 *  0   2      4       6       8       10      12
 *  |id |flags |QDCOUNT|ANCOUNT|NSCOUNT|ARCOUNT| question | answer, authority and additional records |
 *  record: name, type 2, class 2, TTL 4, length 2, data
 *
 * `DnsMessage` is a cursor, one object used over and over. `parse` reads the frame of everything and looks at each byte
 * at most once; data of records is looked into by those who want it (answers.ts).
 */
import { u16 } from '../bytes.ts';
import { DNS_HEADER_BYTES, skipName, skipPlainName } from './name.ts';
import { TYPE_IXFR, TYPE_OPT, TYPE_SIG, TYPE_SOA, TYPE_TSIG } from './types.ts';

/** Bits of the flags. */
export const FLAG_RESPONSE = 0x8000;
export const FLAG_AUTHORITATIVE = 0x0400;
export const FLAG_TRUNCATED = 0x0200;
export const FLAG_RECURSION_DESIRED = 0x0100;
export const FLAG_RECURSION_AVAILABLE = 0x0080;
export const FLAG_CHECKING_DISABLED = 0x0010;
const OPCODE_BITS = 0x7800;
const RCODE_BITS = 0x000f;
export const RCODE_FORMAT_ERROR = 1;
export const RCODE_SERVER_FAILURE = 2;
export const RCODE_NAME_ERROR = 3;
export const RCODE_NOT_IMPLEMENTED = 4;
export const RCODE_REFUSED = 5;

const QUESTION_TAIL_BYTES = 4; // type and class
export const RECORD_TAIL_BYTES = 10; // type, class, TTL, length

/** Why a message is refused, by number; 0 is none. */
export const DNS_ERROR_KINDS = [
  'none',
  'short',
  'opcode',
  'question-count',
  'question',
  'record-count',
  'record',
  'opt',
  'trailing-bytes',
  'direction',
  'unasked',
  'truncated',
] as const;
const SHORT = 1;
/** Some other opcode than QUERY. */
export const ERROR_OPCODE = 2;
const QUESTION_COUNT = 3;
const QUESTION = 4;
const RECORD_COUNT = 5;
const RECORD = 6;
const OPT = 7;
const TRAILING_BYTES = 8;
/** An answer from who asks, a query from who answers. */
export const ERROR_DIRECTION = 9;
/** An answer to no question that is under way. */
export const ERROR_UNASKED = 10;
/** A stream that ends within a message. */
export const ERROR_TRUNCATED = 11;

export class DnsMessage {
  id = 0;
  flags = 0;
  /** The question: its name is bytes[questionAt, questionAt + nameBytes), type and class behind it. */
  questionAt = 0;
  /** 0 = there is no question: a later message of a zone transfer. */
  nameBytes = 0;
  type = 0;
  class = 0;
  /** Where the records begin, and how many answers come first. */
  recordsAt = 0;
  answers = 0;
  /** Where the additional records begin. */
  additionalsAt = 0;
  /** Of the OPT record, 0 without one: its flags (DO), the bytes that its sender takes over UDP, its version. */
  hasOpt = false;
  optFlags = 0;
  optBytes = 0;
  optVersion = 0;

  get isResponse(): boolean {
    return (this.flags & FLAG_RESPONSE) !== 0;
  }

  get rcode(): number {
    return this.flags & RCODE_BITS;
  }

  /**
   * Reads the message bytes[start, end).
   * @param mayLackQuestion no question is accepted too, in a response
   * @returns 0, or the number of an error; then nothing of the rest may be relied on
   */
  parse(bytes: Uint8Array, start: number, end: number, mayLackQuestion = false): number {
    if (end - start < DNS_HEADER_BYTES) return SHORT;
    this.id = u16(bytes, start);
    this.flags = u16(bytes, start + 2);
    if ((this.flags & OPCODE_BITS) !== 0) return ERROR_OPCODE;
    this.answers = u16(bytes, start + 6);
    this.hasOpt = false;
    this.optFlags = 0;
    this.optBytes = 0;
    this.optVersion = 0;
    return this.#readQuestion(bytes, start, end, mayLackQuestion) || this.#readRecords(bytes, start, end);
  }

  #readQuestion(bytes: Uint8Array, start: number, end: number, mayLackQuestion: boolean): number {
    const questions = u16(bytes, start + 4);
    this.questionAt = start + DNS_HEADER_BYTES;
    this.recordsAt = this.questionAt;
    this.nameBytes = 0;
    if (questions === 0 && mayLackQuestion && this.isResponse) return 0;
    if (questions !== 1) return QUESTION_COUNT;
    const after = skipPlainName(bytes, end, this.questionAt);
    if (after < 0 || after + QUESTION_TAIL_BYTES > end) return QUESTION;
    this.nameBytes = after - this.questionAt;
    this.type = u16(bytes, after);
    this.class = u16(bytes, after + 2);
    this.recordsAt = after + QUESTION_TAIL_BYTES;
    return 0;
  }

  #readRecords(bytes: Uint8Array, start: number, end: number): number {
    const authorities = u16(bytes, start + 8);
    const additionals = u16(bytes, start + 10);
    if (!this.isResponse && !isQueryShape(this.flags, this.answers, authorities, additionals)) return RECORD_COUNT;
    const firstAdditional = this.answers + authorities;
    const records = firstAdditional + additionals;
    let at = this.recordsAt;
    for (let i = 0; i < records; i++) {
      if (i === firstAdditional) this.additionalsAt = at;
      const tail = skipName(bytes, start, end, at);
      if (tail < 0 || tail + RECORD_TAIL_BYTES > end) return RECORD;
      const type = u16(bytes, tail);
      const after = tail + RECORD_TAIL_BYTES + u16(bytes, tail + 8);
      if (after > end) return RECORD;
      if (!this.isResponse && !this.#isOfQuery(type, i >= firstAdditional)) return RECORD;
      if (type === TYPE_OPT) {
        if (i < firstAdditional || this.hasOpt || tail !== at + 1 || !areOptions(bytes, tail + 10, after)) return OPT;
        this.hasOpt = true;
        this.optBytes = u16(bytes, tail + 2);
        this.optVersion = bytes[tail + 5];
        this.optFlags = u16(bytes, tail + 6);
      }
      at = after;
    }
    if (additionals === 0) this.additionalsAt = at;
    return at === end ? 0 : TRAILING_BYTES;
  }

  /** A query has nothing but the OPT record, a signature, and what a transfer begins from. */
  #isOfQuery(type: number, isAdditional: boolean): boolean {
    if (!isAdditional) return this.type === TYPE_IXFR && type === TYPE_SOA;
    return type === TYPE_OPT || type === TYPE_TSIG || type === TYPE_SIG;
  }
}

function isQueryShape(flags: number, answers: number, authorities: number, additionals: number): boolean {
  return (flags & (FLAG_TRUNCATED | RCODE_BITS)) === 0 && answers === 0 && authorities <= 1 && additionals <= 2;
}

/** Options in the data of an OPT record: code 2, length 2, data. */
function areOptions(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at + 4 <= end) at += 4 + u16(bytes, at + 2);
  return at === end;
}
