/**
 * DNS over TCP (RFC 7766): messages behind two bytes of length, many at a time on one connection, answers in any order.
 *
 * A message passes when it is whole and was judged. A query that is not allowed is taken out of the stream, and its refusal
 * put between two answers, at once: answers are told apart by their ids, so it need not wait for slower ones. An answer passes
 * when its question waits for one, and when what it teaches is published (teaching.ts): till then it stays where it is, and what is behind
 * it (answers-ahead.ts); past its time SERVFAIL goes in its place. A transfer (AXFR, IXFR) has as many answers as its server likes, the later ones without
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
import { AnswersAhead } from './answers-ahead.ts';
import { DnsCounters, dnsReaders } from './counters.ts';
import { questionHash } from './question.ts';
import { DnsRecords } from './record.ts';
import { DnsJudge } from './rules.ts';
import { CAUSE_DELAY, CAUSE_MEMORY_FULL, GO, REFUSE, type Teaching, WAIT } from './teaching.ts';
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
  readonly isPublished: (sequence: number) => boolean;
  readonly waiting: WaitingConnections;

  constructor({ log, seed, teaching }: ProtocolServices) {
    this.records = new DnsRecords(log);
    this.seed = seed;
    this.teaching = teaching;
    this.isPublished = (sequence) => teaching?.isPublished(sequence) !== false;
    this.waiting = new WaitingConnections(this.isPublished);
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
  /** Answers at hand, the first of which waits. */
  readonly #ahead = new AnswersAhead();

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
    this.#ahead.clear();
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    const at = way === RESPONSE ? this.#passAhead(bytes, start, operations) : start;
    for (let from = at; from < end && !operations.isFull; ) {
      const to = from + LENGTH_BYTES <= end ? from + LENGTH_BYTES + u16(bytes, from) : end + 1;
      if (to > end) {
        if (isEnd) this.#fail(way, ERROR_TRUNCATED, operations);
        return; // MORE
      }
      if (way === REQUEST ? this.#mustWait() : !this.#mayLookAhead()) return;
      const error = this.#read(way, bytes, from, to);
      if (error !== 0) {
        this.#fail(way, error, operations);
        return;
      }
      if (way === REQUEST) this.#readQuery(bytes, to - from, operations);
      else this.#readAnswer(bytes, from, to, operations);
      from = to;
    }
  }

  /** Behind an answer that waits others are only asked about while there is room: at their turn they would be refused without. */
  #mayLookAhead(): boolean {
    const { teaching } = this.#shared;
    return this.#ahead.count === 0 || (!this.#ahead.isFull && teaching?.hasRoom(this.#owner) === true);
  }

  /** Reads a message of the stream, its length in front. @returns 0, or the number of an error */
  #read(way: Way, bytes: Uint8Array, from: number, to: number): number {
    const { message, name } = this.#shared;
    const error = message.parse(bytes, from + LENGTH_BYTES, to, way === RESPONSE);
    if (error !== 0) return error;
    if (message.isResponse !== (way === RESPONSE)) return ERROR_DIRECTION;
    if (message.nameBytes > 0) name.load(bytes, from + LENGTH_BYTES, to, message.questionAt);
    return way === REQUEST || this.#isAwaited() ? 0 : ERROR_UNASKED;
  }

  /** Lets answers go whose turn has come. @returns where the first one is that has not been looked at */
  #passAhead(bytes: Uint8Array, start: number, operations: Operations): number {
    const { message, name, teaching } = this.#shared;
    const ahead = this.#ahead;
    let at = start;
    while (ahead.count > 0 && !operations.isFull) {
      const what = this.#firstAhead();
      if (what === WAIT) break;
      if (what === REFUSE && ahead.hasWaited) teaching?.refuse(CAUSE_DELAY);
      const to = at + LENGTH_BYTES + u16(bytes, at);
      message.parse(bytes, at + LENGTH_BYTES, to, true);
      if (message.nameBytes > 0) name.load(bytes, at + LENGTH_BYTES, to, message.questionAt);
      this.#end(what, bytes, at, to, operations);
      ahead.shift();
      at = to;
    }
    return at + ahead.bytes;
  }

  #firstAhead(): number {
    const { isPublished, teaching } = this.#shared;
    return this.#ahead.first(isPublished, teaching?.nowMs ?? 0);
  }

  #mustWait(): boolean {
    this.#isBlocked = this.#count === MAX_WAITING;
    return this.#isBlocked;
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

  /** An answer that is awaited goes on, unless it waits for the agent, or for one before it that does. */
  #readAnswer(bytes: Uint8Array, from: number, to: number, operations: Operations): void {
    const { teaching, message, waiting, counters } = this.#shared;
    let what = message.nameBytes > 0 ? this.#consider(bytes, from, to) : GO;
    const sequence = teaching?.sequence ?? 0;
    const deadlineMs = teaching === undefined ? 0 : teaching.nowMs + teaching.maxDelayMs;
    if (what === WAIT && !waiting.add(this.#owner, sequence, deadlineMs))
      what = teaching?.refuse(CAUSE_MEMORY_FULL) ?? REFUSE;
    if (what === WAIT) counters.held++;
    if (what === WAIT || this.#ahead.count > 0) this.#ahead.push(what, to - from, sequence, deadlineMs);
    else this.#end(what, bytes, from, to, operations);
  }

  #consider(bytes: Uint8Array, from: number, to: number): number {
    const { teaching, message, name } = this.#shared;
    if (teaching === undefined) return GO;
    return teaching.consider(this.#owner, message, name, bytes, from + LENGTH_BYTES, to);
  }

  /** The answer at hand leaves, or SERVFAIL in its place. @param what GO or REFUSE */
  #end(what: number, bytes: Uint8Array, from: number, to: number, operations: Operations): void {
    const { message, name, counters, records } = this.#shared;
    const isTold = records.isOn && message.nameBytes > 0;
    if (what === GO) {
      counters.responses++;
      if (isTold) records.response(this.#owner, message, name, bytes, from + LENGTH_BYTES, to);
      operations.pass(to - from);
      return;
    }
    if (isTold) records.unpublished(this.#owner, message, name, bytes, from + LENGTH_BYTES, to);
    operations.drop(to - from);
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

  /** Ends the connection; behind answers that wait, when these have left. */
  #fail(way: Way, error: number, operations: Operations): void {
    if (way === RESPONSE && this.#ahead.count > 0) return;
    this.#shared.error(this.#owner, way === RESPONSE, error);
    operations.reset();
  }

  isReady(way: Way): boolean {
    if (way === RESPONSE) return this.#ahead.count > 0 && this.#firstAhead() !== WAIT;
    return this.#isBlocked && this.#count < MAX_WAITING;
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST ? this.#isBlocked : this.#ahead.count > 0;
  }

  saveState(words: Int32Array, at: number): boolean {
    words[at] = 0;
    return this.#count === 0 && this.#ahead.count === 0;
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
