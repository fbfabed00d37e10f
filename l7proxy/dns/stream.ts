/**
 * DNS over TCP (RFC 7766): messages behind two bytes of length, many at a time on one connection, answers in any order.
 *
 * A message passes when it is whole and was judged. A query that is not allowed is taken out of the stream, and its refusal
 * put between two answers, at once: answers are told apart by their ids, so it need not wait for slower ones. An answer passes
 * when its question waits for one, and when what it teaches is published (teaching.ts): till then it stays where it is, and what is behind
 * it; past its time SERVFAIL goes in its place. A transfer (AXFR, IXFR) has as many answers as its server likes, the later ones without
 * a question. What is no message, and an answer to no question, ends the connection.
 *
 * Bounds: MAX_WAITING questions; further queries wait for answers. A connection with questions or an answer that wait is reset after
 * the death of the process; resolvers ask again.
 */
import * as counter from '../../policy-maps/counters.ts';
import { u16, setU16 } from '../../wire/bytes.ts';
import {
  DnsMessage,
  ERROR_DIRECTION,
  ERROR_TRUNCATED,
  ERROR_UNASKED,
  RCODE_SERVER_FAILURE,
} from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { emitRefusal, MAX_REFUSAL_BYTES } from '../../wire/dns/refusal.ts';
import { TYPE_AXFR, TYPE_IXFR } from '../../wire/dns/types.ts';
import { Judges } from '../judge.ts';
import {
  type JudgeKey,
  NOBODY,
  type Operations,
  type Parser,
  REQUEST,
  RESPONSE,
  type StreamOwner,
  type Way,
} from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { DnsCounters, dnsReaders } from './counters.ts';
import { questionHash } from './question.ts';
import { DnsRecords } from './record.ts';
import { DnsJudge } from './rules.ts';
import { CAUSE_DELAY, CAUSE_MEMORY_FULL, GO, type Teaching, WAIT } from './teaching.ts';
import { WaitingConnections } from './waiting.ts';

const LENGTH_BYTES = 2;
const MAX_WAITING = 64;
/** With the id of a question: it is a transfer. */
const IS_TRANSFER = 1 << 16;

/** What all connections share. */
class Shared {
  readonly counters = new DnsCounters();
  readonly records: DnsRecords;
  readonly message = new DnsMessage();
  readonly name = new DomainName();
  readonly seed: number;
  readonly teaching: Teaching | undefined;
  readonly waiting: WaitingConnections;

  constructor({ log, seed, teaching }: ProtocolServices) {
    this.records = new DnsRecords(log);
    this.seed = seed;
    this.teaching = teaching;
    this.waiting = new WaitingConnections((sequence) => teaching?.isPublished(sequence) !== false);
  }

  error(owner: StreamOwner, isResponse: boolean, error: number): void {
    this.counters.errors[error]++;
    if (this.records.isOn) this.records.error(owner, isResponse, error);
  }
}

class DnsStreamParser implements Parser<DnsJudge> {
  readonly #shared: Shared;
  #judge: DnsJudge;
  #owner: StreamOwner = NOBODY;
  /** Questions without an answer: id (with IS_TRANSFER) and hash of each. */
  readonly #waiting = new Int32Array(2 * MAX_WAITING);
  #count = 0;
  #isBlocked = false;
  /** The first answer at hand waits: what for, and until when; 0 = it does not. */
  #sequence = 0;
  #deadlineMs = 0;

  constructor(shared: Shared, judge: DnsJudge) {
    this.#shared = shared;
    this.#judge = judge;
  }

  begin(judge: DnsJudge, owner: StreamOwner): void {
    this.#judge = judge;
    this.#owner = owner;
    this.end();
  }

  setJudge(judge: DnsJudge): void {
    this.#judge = judge;
  }

  end(): void {
    this.#count = 0;
    this.#isBlocked = false;
    this.#deadlineMs = 0;
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    const { message } = this.#shared;
    for (let at = start; at < end && !operations.isFull; ) {
      const from = at + LENGTH_BYTES;
      const to = from <= end ? from + u16(bytes, at) : end + 1;
      if (to > end) {
        if (isEnd) this.#fail(way, ERROR_TRUNCATED, operations);
        return; // MORE
      }
      if (way === REQUEST ? this.#mustWait() : this.#isHeld()) return;
      const error = message.parse(bytes, from, to, way === RESPONSE) || this.#directionError(way);
      if (error !== 0) {
        this.#fail(way, error, operations);
        return;
      }
      if (message.nameBytes > 0) this.#shared.name.load(bytes, from, to, message.questionAt);
      if (way === REQUEST) this.#readQuery(bytes, to - at, operations);
      else if (!this.#readAnswer(bytes, from, to, operations)) return;
      at = to;
    }
  }

  #mustWait(): boolean {
    this.#isBlocked = this.#count === MAX_WAITING;
    return this.#isBlocked;
  }

  #directionError(way: Way): number {
    return this.#shared.message.isResponse === (way === RESPONSE) ? 0 : ERROR_DIRECTION;
  }

  #readQuery(bytes: Uint8Array, length: number, operations: Operations): void {
    const { message, name, counters, records } = this.#shared;
    const isAllowed = this.#judge.judge(name);
    if (records.isOn) records.request(this.#owner, this.#judge, message, name);
    if (isAllowed) {
      counters.forwarded++;
      this.#await();
      operations.pass(length);
      return;
    }
    counters.denied++;
    operations.drop(length);
    operations.inject(RESPONSE, refusalOf(message, bytes, this.#judge.refusalCode));
  }

  /** @returns false when nothing behind it can be read now */
  #readAnswer(bytes: Uint8Array, from: number, to: number, operations: Operations): boolean {
    const { message } = this.#shared;
    const hasWaited = this.#deadlineMs > 0;
    if (!hasWaited && !this.#isAwaited()) {
      this.#fail(RESPONSE, ERROR_UNASKED, operations);
      return false;
    }
    const what = hasWaited ? this.#endWait() : message.nameBytes > 0 ? this.#consider(bytes, from, to) : GO;
    if (what === WAIT) return false;
    if (what === GO) this.#pass(bytes, from, to, operations);
    else this.#replace(bytes, from, to, operations);
    return true;
  }

  /** Whether the first answer at hand has to wait on. */
  #isHeld(): boolean {
    return this.#deadlineMs > 0 && !this.#mayEndWait();
  }

  #mayEndWait(): boolean {
    const { teaching } = this.#shared;
    return teaching === undefined || teaching.isPublished(this.#sequence) || teaching.nowMs >= this.#deadlineMs;
  }

  /** @returns GO, or REFUSE when its time is over */
  #endWait(): number {
    const { teaching } = this.#shared;
    this.#deadlineMs = 0;
    return teaching === undefined || teaching.isPublished(this.#sequence) ? GO : teaching.refuse(CAUSE_DELAY);
  }

  /** @returns GO, REFUSE, or WAIT: then somebody comes back to it */
  #consider(bytes: Uint8Array, from: number, to: number): number {
    const { teaching, message, name, waiting, counters } = this.#shared;
    const what = teaching === undefined ? GO : teaching.consider(this.#owner, message, name, bytes, from, to);
    if (what !== WAIT || teaching === undefined) return what;
    const deadlineMs = teaching.nowMs + teaching.maxDelayMs;
    if (!waiting.add(this.#owner, teaching.sequence, deadlineMs)) return teaching.refuse(CAUSE_MEMORY_FULL);
    counters.held++;
    this.#sequence = teaching.sequence;
    this.#deadlineMs = deadlineMs;
    return WAIT;
  }

  #pass(bytes: Uint8Array, from: number, to: number, operations: Operations): void {
    const { message, name, counters, records } = this.#shared;
    counters.responses++;
    if (records.isOn && message.nameBytes > 0) records.response(this.#owner, message, name, bytes, from, to);
    operations.pass(LENGTH_BYTES + to - from);
  }

  /** SERVFAIL goes in its place. */
  #replace(bytes: Uint8Array, from: number, to: number, operations: Operations): void {
    const { message, name, records } = this.#shared;
    if (records.isOn) records.unpublished(this.#owner, message, name, bytes, from, to);
    operations.drop(LENGTH_BYTES + to - from);
    operations.inject(RESPONSE, refusalOf(message, bytes, RCODE_SERVER_FAILURE));
  }

  #await(): void {
    const { message, name, seed } = this.#shared;
    const isTransfer = message.type === TYPE_AXFR || message.type === TYPE_IXFR;
    this.#waiting[2 * this.#count] = message.id | (isTransfer ? IS_TRANSFER : 0);
    this.#waiting[2 * this.#count + 1] = questionHash(message, name, seed);
    this.#count++;
  }

  /** Whether the message at hand answers a question that waits; it waits no longer then, unless it is a transfer. */
  #isAwaited(): boolean {
    const { message, name, seed } = this.#shared;
    const question = message.nameBytes > 0 ? questionHash(message, name, seed) : 0;
    for (let i = 0; i < this.#count; i++) {
      const word = this.#waiting[2 * i];
      if ((word & 0xffff) !== message.id) continue;
      const isTransfer = (word & IS_TRANSFER) !== 0;
      if (message.nameBytes === 0 ? !isTransfer : this.#waiting[2 * i + 1] !== question) continue;
      if (!isTransfer) this.#remove(i);
      return true;
    }
    return false;
  }

  #remove(index: number): void {
    const last = --this.#count;
    this.#waiting[2 * index] = this.#waiting[2 * last];
    this.#waiting[2 * index + 1] = this.#waiting[2 * last + 1];
  }

  #fail(way: Way, error: number, operations: Operations): void {
    this.#shared.error(this.#owner, way === RESPONSE, error);
    operations.reset();
  }

  isReady(way: Way): boolean {
    if (way === RESPONSE) return this.#deadlineMs > 0 && this.#mayEndWait();
    return this.#isBlocked && this.#count < MAX_WAITING;
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST ? this.#isBlocked : this.#deadlineMs > 0;
  }

  saveState(words: Int32Array, at: number): boolean {
    words[at] = 0;
    return this.#count === 0 && this.#deadlineMs === 0;
  }

  loadState(words: Int32Array, at: number): boolean {
    return (words[at] & 0x7fffffff) === 0;
  }
}

/** Kept by the operations until they are applied, so each has bytes of its own. */
function refusalOf(message: DnsMessage, bytes: Uint8Array, rcode: number): Uint8Array {
  const refusal = new Uint8Array(LENGTH_BYTES + MAX_REFUSAL_BYTES);
  const refusalBytes = emitRefusal(refusal, LENGTH_BYTES, message, bytes, rcode);
  setU16(refusal, 0, refusalBytes);
  return refusal.subarray(0, LENGTH_BYTES + refusalBytes);
}

export class DnsOverTcp implements StreamProtocol<DnsJudge> {
  readonly number = 2;
  readonly counters: readonly CounterReader[];
  readonly shared: Shared;
  readonly waiting: WaitingConnections;
  readonly #judges: Judges<DnsJudge>;

  constructor(services: ProtocolServices) {
    this.shared = new Shared(services);
    this.waiting = this.shared.waiting;
    this.counters = dnsReaders(this.shared.counters, counter.DNS_TCP);
    this.#judges = new Judges((key, nextId) => new DnsJudge(services, key, nextId));
  }

  judgeOf(key: JudgeKey): DnsJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<DnsJudge> {
    return new DnsStreamParser(this.shared, this.judgeOf(NOBODY));
  }

  tellError(owner: StreamOwner, error: number): void {
    this.shared.error(owner, false, error);
  }
}
