/**
 * Answers, written record by record behind the question as it was asked, to the letter (resolvers compare the case).
 *
 *   begin() -> answer() ... authority() ... additional() ... -> finish(): its length
 *
 * A record that does not fit is not written, and neither is what comes behind it; of answers and authority that sets TC. Room for
 * the OPT record is kept from the beginning. Owners are pointers to where the name stood before, names in data are whole:
 * most types forbid pointers there (RFC 3597), and for the others they save little.
 */
import { setI32, setU16 } from '../wire/bytes.ts';
import {
  type DnsMessage,
  FLAG_CHECKING_DISABLED,
  FLAG_RECURSION_AVAILABLE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  RECORD_TAIL_BYTES,
} from '../wire/dns/message.ts';
import { DNS_HEADER_BYTES } from '../wire/dns/name.ts';
import { emitOpt, MAX_OPT_BYTES, UDP_BYTES } from '../wire/dns/opt.ts';
import { CLASS_IN } from '../wire/dns/types.ts';

/** Owner of a record: what the question is about. */
export const QUESTION_NAME: number = DNS_HEADER_BYTES;
/** Longest message over TCP. */
export const MAX_MESSAGE_BYTES = 65535;
const LEAST_UDP_BYTES = 512;
const POINTER = 0xc000;
const MAX_POINTED = 0x3fff;
const NO_ERROR = -1;
/** Response codes from here on need the OPT record. */
const RCODE_SHIFT = 4;

/** What a client takes over UDP: what its OPT record says, at least 512 and at most 1,232 bytes. */
export function udpLimit(query: DnsMessage): number {
  return Math.min(UDP_BYTES, Math.max(LEAST_UDP_BYTES, query.optBytes));
}

export class Reply {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #at = 0;
  #end = 0;
  #flags = 0;
  #optFlags = 0;
  #hasOpt = false;
  #error = NO_ERROR;
  #answers = 0;
  #authorities = 0;
  #additionals = 0;
  #isFull = false;

  /**
   * Begins an answer at `to[start]`.
   * @param bytes the query's, which was parsed @param limit bytes that it may have, at least 512
   */
  begin(query: DnsMessage, bytes: Uint8Array, to: Uint8Array, start: number, limit: number): void {
    this.#bytes = to;
    this.#start = start;
    this.#at = start + DNS_HEADER_BYTES;
    this.#hasOpt = query.hasOpt;
    this.#optFlags = query.optFlags;
    this.#end = start + limit - (query.hasOpt ? MAX_OPT_BYTES : 0);
    this.#error = NO_ERROR;
    this.#flags = query.flags & (FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);
    setU16(to, start, query.id);
    const end = query.questionAt + query.nameBytes + 4;
    for (let from = query.questionAt; from < end; ) to[this.#at++] = bytes[from++];
    this.#clear();
  }

  /** Whether an answer did not fit. */
  get isTruncated(): boolean {
    return (this.#flags & FLAG_TRUNCATED) !== 0;
  }

  /** Where the next record's data would begin, as an owner of later ones: behind an owner that is a pointer. */
  get nextData(): number {
    return this.#at - this.#start + 2 + RECORD_TAIL_BYTES;
  }

  /** @param owner QUESTION_NAME or another offset of a name in the message @returns false when it does not fit */
  answer(owner: number, type: number, ttlSec: number, data: Uint8Array): boolean {
    return this.answerOf(owner, NO_NAME, type, ttlSec, data);
  }

  /** As answer(); the owner is `name` where the message has no such name to point to (`owner` < 0). */
  answerOf(owner: number, name: Uint8Array, type: number, ttlSec: number, data: Uint8Array): boolean {
    const isThere = this.#record(owner, name, type, ttlSec, data);
    if (isThere) this.#answers++;
    else this.#flags |= FLAG_TRUNCATED;
    return isThere;
  }

  authority(owner: number, type: number, ttlSec: number, data: Uint8Array): boolean {
    const isThere = this.#record(owner, NO_NAME, type, ttlSec, data);
    if (isThere) this.#authorities++;
    else this.#flags |= FLAG_TRUNCATED;
    return isThere;
  }

  additional(owner: number, type: number, ttlSec: number, data: Uint8Array): boolean {
    const isThere = this.#record(owner, NO_NAME, type, ttlSec, data);
    if (isThere) this.#additionals++;
    return isThere;
  }

  /** An extended error (RFC 8914), for who sent an OPT record. */
  explain(error: number): void {
    this.#error = error;
  }

  /** @param rcode 0 to 4095 @param flags besides those of every answer @returns its length in bytes */
  finish(rcode: number, flags = 0): number {
    const { length } = this;
    const bytes = this.#bytes;
    const start = this.#start;
    setU16(bytes, start + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | this.#flags | flags | (rcode & 15));
    setU16(bytes, start + 4, 1);
    setU16(bytes, start + 6, this.#answers);
    setU16(bytes, start + 8, this.#authorities);
    setU16(bytes, start + 10, this.#additionals + (this.#hasOpt ? 1 : 0));
    return this.#hasOpt ? length + emitOpt(bytes, this.#at, this.#optFlags, rcode >> RCODE_SHIFT, this.#error) : length;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#at - this.#start;
  }

  #clear(): void {
    this.#answers = 0;
    this.#authorities = 0;
    this.#additionals = 0;
    this.#isFull = false;
    this.#flags &= ~FLAG_TRUNCATED;
  }

  #record(owner: number, name: Uint8Array, type: number, ttlSec: number, data: Uint8Array): boolean {
    const isPointer = owner >= 0 && owner <= MAX_POINTED;
    const bytes = (isPointer ? 2 : name.length) + RECORD_TAIL_BYTES + data.length;
    if (this.#isFull || (!isPointer && name.length === 0) || this.#at + bytes > this.#end) {
      this.#isFull = true;
      return false;
    }
    const to = this.#bytes;
    let at = this.#at;
    if (isPointer) {
      setU16(to, at, POINTER | owner);
      at += 2;
    } else {
      to.set(name, at);
      at += name.length;
    }
    setU16(to, at, type);
    setU16(to, at + 2, CLASS_IN);
    setI32(to, at + 4, ttlSec);
    setU16(to, at + 8, data.length);
    at += RECORD_TAIL_BYTES;
    for (let i = 0; i < data.length; i++) to[at + i] = data[i];
    this.#at = at + data.length;
    return true;
  }
}

const NO_NAME = new Uint8Array(0);
