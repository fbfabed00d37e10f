/**
 * What an answer says of the name that was asked for: the addresses that it leads to, over its aliases.
 *
 *   question a.example  ->  a.example CNAME b.example  ->  b.example A 192.0.2.1
 *
 * Only records whose owner is the question's name, or an alias that has been reached from it, count: others say nothing of the
 * question, and may be there to teach something else; so may an AAAA record that has an IPv4 address. Aliases may stand in any order, so that records are passed once for
 * each. Hints in SVCB and HTTPS records are no addresses of the name and are not read.
 */
import { isV4Mapped, V4_MAPPED } from '../address.ts';
import { i32, u16 } from '../bytes.ts';
import type { DnsMessage } from './message.ts';
import { DomainName, skipName } from './name.ts';
import { CLASS_IN, TYPE_A, TYPE_AAAA, TYPE_CNAME } from './types.ts';

const MAX_ALIASES = 16;
const MAX_ADDRESSES = 1024;
const MAX_LISTED = 64; // of one answer
const MAX_RECORDS = 4096; // looked at for one answer, over all passes
const MAX_TTL_SEC = 0x7fffffff; // RFC 2181 8

/** The answers of one message at a time; an object used over and over. */
export class DnsAnswers {
  /** Four words each. */
  readonly addresses: Int32Array = new Int32Array(4 * MAX_ADDRESSES);
  count = 0;
  /** Least of the addresses and aliases, in seconds. */
  ttlSec = 0;
  aliases = 0;
  /** There was more than is read here, or an alias that is no name. */
  isCut = false;
  // What `list` found: types of answers, and where names are that aliases lead to.
  readonly type: Uint16Array = new Uint16Array(MAX_LISTED);
  types = 0;
  readonly aliasAt: Int32Array = new Int32Array(MAX_ALIASES);
  aliasesListed = 0;
  /** The alias at hand: what the last read one leads to. */
  readonly #wanted = new DomainName();
  readonly #name = new DomainName();
  #records = 0;

  /** Reads a message that was parsed; its question has a name. @returns how many addresses it has for the question */
  read(message: DnsMessage, bytes: Uint8Array, start: number, end: number): number {
    this.count = 0;
    this.aliases = 0;
    this.ttlSec = MAX_TTL_SEC;
    this.isCut = false;
    this.#records = 0;
    this.#wanted.load(bytes, start, end, message.questionAt);
    while (this.#pass(message, bytes, start, end)) if (++this.aliases === MAX_ALIASES) return this.#cut();
    if (this.count === 0 && this.aliases === 0) this.ttlSec = 0;
    return this.count;
  }

  /** For records: notes the types of all answers, and where the data of the aliases among them is, in the order of the message. */
  list({ recordsAt, answers }: DnsMessage, bytes: Uint8Array, start: number, end: number): void {
    this.types = 0;
    this.aliasesListed = 0;
    for (let i = 0, at = recordsAt; i < answers && this.types < MAX_LISTED; i++) {
      const tail = skipName(bytes, start, end, at);
      const type = u16(bytes, tail);
      this.type[this.types++] = type;
      if (type === TYPE_CNAME && this.aliasesListed < MAX_ALIASES) this.aliasAt[this.aliasesListed++] = tail + 10;
      at = tail + 10 + u16(bytes, tail + 8);
    }
  }

  /** One way over the answers: takes the addresses of the name at hand. @returns true when it has an alias, which is at hand now */
  #pass({ recordsAt, answers }: DnsMessage, bytes: Uint8Array, start: number, end: number): boolean {
    let aliasAt = -1;
    for (let i = 0, at = recordsAt; i < answers; i++) {
      if (++this.#records > MAX_RECORDS) {
        this.#cut();
        return false;
      }
      const tail = skipName(bytes, start, end, at);
      const data = tail + 10;
      const length = u16(bytes, tail + 8);
      const type = u16(bytes, tail);
      const isRead = type === TYPE_A || type === TYPE_AAAA || type === TYPE_CNAME;
      if (isRead && u16(bytes, tail + 2) === CLASS_IN && this.#isWanted(bytes, start, end, at)) {
        if (type === TYPE_CNAME) aliasAt = data;
        else if (length === (type === TYPE_A ? 4 : 16)) this.#take(bytes, data, type);
        this.ttlSec = Math.min(this.ttlSec, ttlOf(i32(bytes, tail + 4)));
      }
      at = data + length;
    }
    if (aliasAt < 0) return false;
    if (this.#wanted.load(bytes, start, end, aliasAt)) return true;
    this.#cut();
    return false;
  }

  #isWanted(bytes: Uint8Array, start: number, end: number, at: number): boolean {
    return this.#name.load(bytes, start, end, at) && this.#name.equals(this.#wanted.bytes, this.#wanted.length);
  }

  #take(bytes: Uint8Array, at: number, type: number): void {
    if (this.count === MAX_ADDRESSES) {
      this.isCut = true;
      return;
    }
    const isV4 = type === TYPE_A;
    if (!isV4 && isV4Mapped(i32(bytes, at), i32(bytes, at + 4), i32(bytes, at + 8))) return;
    const to = 4 * this.count++;
    this.addresses[to] = isV4 ? 0 : i32(bytes, at);
    this.addresses[to + 1] = isV4 ? 0 : i32(bytes, at + 4);
    this.addresses[to + 2] = isV4 ? V4_MAPPED : i32(bytes, at + 8);
    this.addresses[to + 3] = isV4 ? i32(bytes, at) : i32(bytes, at + 12);
  }

  #cut(): number {
    this.isCut = true;
    return this.count;
  }
}

/** A TTL with its highest bit set is 0 (RFC 2181 8). */
function ttlOf(word: number): number {
  return word < 0 ? 0 : word;
}
