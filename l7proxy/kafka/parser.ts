/**
 * Kafka over TCP: messages behind four bytes of size, many requests at a time, answers in their order.
 *
 *   request  size | api key, version, correlation id, client id (, tagged fields) | body
 *   answer   size | correlation id (, tagged fields) | body
 *
 * A request passes when every topic that it names is allowed. It is held back until that is known, which is when it is whole or
 * its last topic has been read: the records of a batch with one topic are never held. A request with many topics that is
 * too large to be held goes on as far as it is allowed; if a later topic is not, or rules change, the connection is reset: a broker takes
 * up a request when it is whole, so none that names a denied topic is ever carried out. A denied request is taken out of the
 * stream and answered in its turn with Kafka's own error, for each topic and partition that it names.
 *
 * Answers pass unread, but for three things: what topics are called that are named by id (topic-ids.ts), which session a fetch
 * begins (KIP-227: later fetches of a session name only what changed, so a session counts only for the connection and rules
 * under which it began), and which versions the server speaks (api-versions.ts).
 *
 * Bounds: MAX_REQUEST (Kafka's own socket.request.max.bytes), MAX_HELD of a request that is not decided, MAX_UNANSWERED requests
 * without an answer, MAX_CLIENT_ID, an answer that repeats what Collected can hold.
 */
import { i32 } from '../../wire/bytes.ts';
import {
  NOBODY,
  type Operations,
  type Parser,
  type ParserState,
  REQUEST,
  RESPONSE,
  type StreamOwner,
  type Way,
} from '../parser.ts';
import { limitVersions } from './api-versions.ts';
import { API_VERSIONS, denialError, PRODUCE } from './api-keys.ts';
import { BAD, BodyReader, DONE, MORE, SETTLED, STOPPED } from './body-reader.ts';
import * as errors from './errors.ts';
import { LEARNT } from './layout.ts';
import { CLIENT_AT, HEADER_BAD, HEADER_MORE, readHeader } from './request-header.ts';
import { LearningVisitor } from './learning.ts';
import { KafkaRequest, type RequestWorld } from './request.ts';
import type { KafkaJudge, RequestPlan } from './rules.ts';
import type { KafkaShared } from './shared.ts';
import { TopicIds } from './topic-ids.ts';
import {
  IS_OURS,
  LEARN_NAMES,
  LEARN_SESSION,
  LIMIT_VERSIONS,
  MAX_UNANSWERED,
  Waiting,
  WAITING_WORDS,
} from './waiting.ts';

const SIZE_BYTES = 4;
/** A header without client id and body; Kafka's own limit. */
const MIN_REQUEST = 10;
const MAX_REQUEST = 100 * 1024 * 1024;
const MAX_HELD = 128 * 1024;
/** Size and correlation id. */
const ANSWER_HEADER_BYTES = 8;

// What is done with the request at hand.
const HEADER = 0;
const UNDECIDED = 1;
const PASSING = 2;
const DROPPING = 3;

export class KafkaParser implements Parser<KafkaJudge>, RequestWorld {
  readonly #shared: KafkaShared;
  #judge: KafkaJudge;
  #owner: StreamOwner = NOBODY;
  #mode = HEADER;
  readonly #request = new KafkaRequest();
  /** Of the request at hand: where its body begins, where it ends, and how much of it was passed or dropped, from its size on. */
  #bodyAt = 0;
  #limit = 0;
  #moved = 0;
  readonly #waiting = new Waiting();
  #isBlocked = false;
  /** Of the answer at hand: its end, and how much of it was passed; 0 = none is at hand. */
  #answerLimit = 0;
  #answerMoved = 0;
  readonly #answer = new BodyReader();
  readonly #learning: LearningVisitor;
  /** The fetch session that the server gave, and the number of the rules under which it was asked for. */
  #session = 0;
  #sessionRules = 0;

  constructor(shared: KafkaShared, judge: KafkaJudge) {
    this.#shared = shared;
    this.#judge = judge;
    this.#learning = new LearningVisitor(shared.topicIds);
  }

  begin(judge: KafkaJudge, owner: StreamOwner): void {
    this.#judge = judge;
    this.#owner = owner;
    this.end();
  }

  setJudge(judge: KafkaJudge): void {
    this.#judge = judge;
  }

  end(): void {
    this.#mode = HEADER;
    this.#waiting.clear();
    this.#isBlocked = false;
    this.#answerLimit = 0;
    this.#session = 0;
  }

  get topicIds(): TopicIds {
    return this.#shared.topicIds;
  }

  get session(): number {
    return this.#sessionRules === this.#judge.refresh() ? this.#session : 0;
  }

  get isTold(): boolean {
    return this.#shared.records.isOn;
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    let at = start;
    while (at < end && !operations.isFull) {
      const next =
        way === REQUEST ? this.#requestStep(bytes, at, end, operations) : this.#answerStep(bytes, at, end, operations);
      if (next < 0) return; // the connection has ended
      if (next === at) break; // MORE
      at = next;
    }
    if (isEnd && !operations.isFull && !this.#isBlocked && this.#isWithin(way, at < end))
      this.#fail(way, errors.KAFKA_TRUNCATED, operations);
  }

  /** A stream that ends now ends within a message. */
  #isWithin(way: Way, hasBytes: boolean): boolean {
    return hasBytes || (way === REQUEST ? this.#mode !== HEADER : this.#answerLimit !== 0);
  }

  /** One move with the request at hand. @returns where the next begins, `at` when more is needed, -1 when the connection ended */
  #requestStep(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    switch (this.#mode) {
      case HEADER:
        return this.#readHeader(bytes, at, end, operations);
      case UNDECIDED:
        // Nothing of it has passed: under rules that are new since its header came, it is a new request.
        if (this.#judge.refresh() !== this.#request.rules) return this.#readHeader(bytes, at, end, operations);
        return this.#judgeBody(bytes, at, end, operations);
      case PASSING:
        return this.#passBody(bytes, at, end, operations);
      default:
        return this.#dropBody(bytes, at, end, operations);
    }
  }

  #readHeader(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    if (end - at < SIZE_BYTES) return at;
    const size = i32(bytes, at);
    if (size < MIN_REQUEST || size > MAX_REQUEST) return this.#fail(REQUEST, errors.KAFKA_BAD_SIZE, operations);
    this.#isBlocked = this.#waiting.isFull;
    if (this.#isBlocked) return at;
    const request = this.#request;
    const limit = SIZE_BYTES + size;
    const bodyAt = readHeader(request, bytes, at, Math.min(end, at + limit), limit);
    if (bodyAt === HEADER_MORE) return at;
    if (bodyAt === HEADER_BAD) return this.#fail(REQUEST, errors.KAFKA_BAD_HEADER, operations);
    this.#bodyAt = bodyAt;
    this.#limit = limit;
    this.#moved = 0;
    const { apiKey, version, clientBytes } = request;
    const plan = this.#judge.planOf(apiKey, version, bytes, at + CLIENT_AT, clientBytes);
    request.begin(this.#owner, plan, this.#judge.refresh(), this, bodyAt, limit);
    if (apiKey === API_VERSIONS) request.hidden = this.#judge.hiddenFrom(bytes, at + CLIENT_AT, clientBytes);
    this.#mode = UNDECIDED;
    return this.#decide(bytes, at, end, operations);
  }

  /** What can be said of a request by its header. */
  #decide(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const request = this.#request;
    const plan = request.plan as RequestPlan;
    if (request.leadsToTokens) plan.denyAlways();
    if (!plan.isPossible || request.leadsToTokens) return this.#deny(bytes, at, end, operations);
    if (plan.allowsEveryTopic && !request.mustBeRead) return this.#passRest(at, operations);
    if (!request.isKnown) {
      // What cannot be read may name any topic, and whether it is answered is not known either.
      if (plan.allowsEveryTopic) return this.#passRest(at, operations);
      plan.denyUnnamed();
      return this.#deny(bytes, at, end, operations);
    }
    return this.#judgeBody(bytes, at, end, operations);
  }

  #judgeBody(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const request = this.#request;
    const { reader } = request;
    const outcome = reader.read(bytes, at - this.#moved, end, request);
    if (outcome === STOPPED) return this.#deny(bytes, at, end, operations);
    if (outcome === BAD) return this.#fail(REQUEST, errors.KAFKA_BAD_BODY, operations);
    if (outcome === DONE || outcome === SETTLED) return this.#passRest(at, operations);
    if (reader.position <= MAX_HELD) return at;
    this.#mode = PASSING;
    return this.#passRead(at, operations);
  }

  #passBody(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const request = this.#request;
    // Its header has passed, so it cannot be judged anew, and who sends it slowly would keep the rules of then.
    if (this.#judge.refresh() !== request.rules) return this.#fail(REQUEST, errors.KAFKA_LATE_DENIAL, operations);
    const outcome = request.reader.read(bytes, at - this.#moved, end, request);
    if (outcome === STOPPED) {
      this.#tellRequest(this.#denialError());
      return this.#fail(REQUEST, errors.KAFKA_LATE_DENIAL, operations);
    }
    if (outcome === BAD) return this.#fail(REQUEST, errors.KAFKA_BAD_BODY, operations);
    return outcome === MORE ? this.#passRead(at, operations) : this.#passRest(at, operations);
  }

  /** Passes what was read of a request, and what need not be. */
  #passRead(at: number, operations: Operations): number {
    const count = this.#request.reader.movable - this.#moved;
    operations.pass(count);
    this.#moved += count;
    return at + count;
  }

  /** The rest of the request goes on, whatever it is. */
  #passRest(at: number, operations: Operations): number {
    const request = this.#request;
    const count = this.#limit - this.#moved;
    operations.pass(count);
    this.#tellRequest(0);
    if (request.apiKey !== PRODUCE || request.acks !== 0) this.#await();
    this.#mode = HEADER;
    return at + count;
  }

  /** The server owes an answer to the request at hand. */
  #await(): void {
    const request = this.#request;
    const isLimited = !(request.plan as RequestPlan).allowsEveryTopic;
    let flags = request.teachesNames ? LEARN_NAMES : 0;
    if (isLimited && request.isFirstFetch) flags |= LEARN_SESSION;
    if (request.apiKey === API_VERSIONS) flags |= LIMIT_VERSIONS | request.hidden;
    this.#push(flags, null);
  }

  #push(flags: number, answer: Uint8Array | null): void {
    this.#waiting.push(this.#request, flags, this.#shared.records.nowMs, answer);
  }

  /** The request is taken out of the stream; nothing of it has passed. */
  #deny(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    this.#tellRequest(this.#denialError());
    this.#request.gather(this.#bodyAt, this.#limit);
    this.#mode = DROPPING;
    return this.#dropBody(bytes, at, end, operations);
  }

  #denialError(): number {
    return this.#request.error === 0 ? denialError(this.#request.apiKey) : this.#request.error;
  }

  #dropBody(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const request = this.#request;
    const outcome = request.reader.read(bytes, at - this.#moved, end, request);
    if (outcome === BAD) return this.#fail(REQUEST, errors.KAFKA_BAD_BODY, operations);
    const count = (outcome === MORE ? request.reader.movable : this.#limit) - this.#moved;
    operations.drop(count);
    this.#moved += count;
    if (outcome !== MORE) this.#answerDenial(operations);
    return at + count;
  }

  #answerDenial(operations: Operations): void {
    const request = this.#request;
    // Who wants no answer is told as a broker tells it: the connection ends.
    const isSilent = request.apiKey === PRODUCE && request.acks === 0;
    if (request.isOfNoTopic) request.collected.clear();
    const error = this.#denialError();
    const answer = isSilent
      ? undefined
      : this.#shared.writer.denial(request, error, this.#shared.serverOf?.(this.#owner));
    this.#push(IS_OURS, answer ?? null);
    this.#mode = HEADER;
    this.#answerOurs(operations);
  }

  /** Answers of the dataplane whose turn it is. */
  #answerOurs(operations: Operations): void {
    while ((this.#waiting.flags & IS_OURS) !== 0) {
      if (this.#waiting.answer === null) operations.close();
      else operations.inject(RESPONSE, this.#waiting.answer);
      this.#waiting.shift();
    }
  }

  /** One move with the answer at hand. */
  #answerStep(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    if (this.#answerLimit !== 0) return this.#learn(bytes, at, end, operations);
    if (end - at < ANSWER_HEADER_BYTES) return at;
    const limit = SIZE_BYTES + i32(bytes, at);
    if (limit < ANSWER_HEADER_BYTES) return this.#fail(RESPONSE, errors.KAFKA_BAD_SIZE, operations);
    const waiting = this.#waiting;
    if (waiting.count === 0 || i32(bytes, at + SIZE_BYTES) !== waiting.correlation)
      return this.#fail(RESPONSE, errors.KAFKA_UNASKED, operations);
    const { apiKey, version, flags } = waiting;
    if ((flags & LIMIT_VERSIONS) !== 0) return this.#limitVersions(bytes, at, end, limit, operations);
    const layout = flags === 0 ? undefined : LEARNT.of(apiKey, version);
    if (layout === undefined) {
      operations.pass(limit);
      this.#answered(operations);
      return at + limit;
    }
    this.#answerLimit = limit;
    this.#answerMoved = 0;
    this.#answer.begin(layout, ANSWER_HEADER_BYTES, limit);
    this.#learning.begin(this.#owner, (flags & LEARN_NAMES) !== 0);
    return this.#learn(bytes, at, end, operations);
  }

  /** Passes an answer as it is read. One that cannot be read teaches nothing, and passes. */
  #learn(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const outcome = this.#answer.read(bytes, at - this.#answerMoved, end, this.#learning);
    const limit = this.#answerLimit;
    const count = (outcome === MORE ? this.#answer.movable : limit) - this.#answerMoved;
    operations.pass(count);
    this.#answerMoved += count;
    if (outcome === MORE) return at + count;
    this.#answerLimit = 0;
    if ((this.#waiting.flags & LEARN_SESSION) !== 0) {
      this.#session = outcome === DONE ? this.#learning.session : 0;
      this.#sessionRules = this.#waiting.rules;
    }
    this.#answered(operations);
    return at + count;
  }

  /** The versions that a server speaks are cut to those that are read here, or clients would use others. */
  #limitVersions(bytes: Uint8Array, at: number, end: number, limit: number, operations: Operations): number {
    if (limit > MAX_HELD) return this.#fail(RESPONSE, errors.KAFKA_BAD_SIZE, operations);
    if (end - at < limit) return at;
    const answer = new Uint8Array(bytes.subarray(at, at + limit)); // a copy
    // One that cannot be read goes on as it is: it allows nothing.
    const limits = { knowsIds: TopicIds.isShared(this.#owner), hidden: this.#waiting.flags };
    const length = limitVersions(answer, this.#waiting.version, limits);
    if (length > 0) {
      operations.drop(limit);
      operations.inject(RESPONSE, answer.subarray(0, length));
    } else operations.pass(limit);
    this.#answered(operations);
    return at + limit;
  }

  /** The oldest request has its answer. */
  #answered(operations: Operations): void {
    const { apiKey, version, correlation } = this.#waiting;
    const { records } = this.#shared;
    records.tellAnswer(this.#owner, apiKey, version, correlation, this.#waiting.ageMs(records.nowMs));
    this.#waiting.shift();
    this.#answerOurs(operations);
  }

  #tellRequest(error: number): void {
    this.#shared.records.tellRequest(this.#owner, this.#judge, this.#request, error);
  }

  #fail(way: Way, error: number, operations: Operations): number {
    this.#shared.records.tellError(this.#owner, error, way === RESPONSE);
    operations.reset();
    return -1;
  }

  isReady(way: Way): boolean {
    return way === REQUEST && this.#isBlocked && !this.#waiting.isFull;
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST && this.#isBlocked;
  }

  saveState(words: Int32Array, at: number, more: ParserState): boolean {
    if (this.#mode !== HEADER || this.#answerLimit !== 0 || this.#waiting.hasOurs) return false;
    const { count } = this.#waiting;
    words[at] = count;
    if (count === 0) return true;
    return more.save(this.#owner.slot, this.#owner.slotGeneration, this.#waiting.save(), WAITING_WORDS * count);
  }

  loadState(words: Int32Array, at: number, more: ParserState): boolean {
    const count = words[at] & 0x7fffffff;
    if (count > MAX_UNANSWERED) return false;
    if (count === 0) return true;
    const state = new Int32Array(WAITING_WORDS * MAX_UNANSWERED);
    const kept = more.load(this.#owner.slot, this.#owner.slotGeneration, state);
    return kept === WAITING_WORDS * count && this.#waiting.load(state, kept);
  }
}
