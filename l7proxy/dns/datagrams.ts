/**
 * DNS over UDP: a query whose name is not allowed is answered in place of its server, and goes no further; a message that is
 * none, or an answer to no question, is dropped. An answer that teaches what is not published yet waits (teaching.ts), or SERVFAIL
 * goes in its place. What goes on goes on as it came.
 */
import * as counter from '../../policy-maps/counters.ts';
import { DnsMessage, ERROR_DIRECTION, ERROR_UNASKED, RCODE_SERVER_FAILURE } from '../../wire/dns/message.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { emitRefusal, MAX_REFUSAL_BYTES } from '../../wire/dns/refusal.ts';
import { DROP_DNS_INVALID, DROP_DNS_UNASKED } from '../../wire/reasons.ts';
import { Judges } from '../judge.ts';
import { type JudgeKey, RESPONSE, type StreamOwner, type Way } from '../parser.ts';
import {
  type CounterReader,
  DATAGRAM_ANSWER,
  DATAGRAM_HOLD,
  DATAGRAM_PASS,
  DATAGRAM_REPLACE,
  type DatagramParser,
  type DatagramProtocol,
  type ProtocolServices,
} from '../protocol.ts';
import { DnsCounters, dnsReaders } from './counters.ts';
import { DnsRecords } from './record.ts';
import { questionHash } from './question.ts';
import { DnsJudge } from './rules.ts';
import { CAUSE_DELAY, CAUSE_MEMORY_FULL, GO, type Teaching, WAIT } from './teaching.ts';
import { QueriesUnderWay } from './under-way.ts';

class DnsDatagrams implements DatagramParser<DnsJudge> {
  readonly answer: Uint8Array = new Uint8Array(MAX_REFUSAL_BYTES);
  answerBytes = 0;
  ticket = 0;
  deadlineMs = 0;
  readonly counters = new DnsCounters();
  readonly underWay = new QueriesUnderWay();
  readonly #services: ProtocolServices;
  readonly #records: DnsRecords;
  readonly #message = new DnsMessage();
  readonly #name = new DomainName();

  constructor(services: ProtocolServices) {
    this.#services = services;
    this.#records = new DnsRecords(services.log);
  }

  onDatagram(judge: DnsJudge, owner: StreamOwner, way: Way, bytes: Uint8Array, start: number, end: number): number {
    const message = this.#message;
    const isResponse = way === RESPONSE;
    let error = message.parse(bytes, start, end);
    if (error === 0 && message.isResponse !== isResponse) error = ERROR_DIRECTION;
    if (error !== 0) {
      this.counters.errors[error]++;
      this.tellError(owner, isResponse, error);
      return DROP_DNS_INVALID;
    }
    this.#name.load(bytes, start, end, message.questionAt);
    return isResponse ? this.#onAnswer(owner, bytes, start, end) : this.#onQuery(judge, owner, bytes);
  }

  tellError(owner: StreamOwner, isResponse: boolean, error: number): void {
    if (this.#records.isOn) this.#records.error(owner, isResponse, error);
  }

  #onQuery(judge: DnsJudge, owner: StreamOwner, bytes: Uint8Array): number {
    const message = this.#message;
    const isAllowed = judge.judge(this.#name);
    if (this.#records.isOn) this.#records.request(owner, judge, message, this.#name);
    if (!isAllowed) {
      this.counters.denied++;
      this.answerBytes = emitRefusal(this.answer, 0, message, bytes, judge.refusalCode);
      return DATAGRAM_ANSWER;
    }
    this.counters.forwarded++;
    this.underWay.add(owner, message.id, this.#questionHash(), this.#services.log.nowMs);
    return DATAGRAM_PASS;
  }

  #onAnswer(owner: StreamOwner, bytes: Uint8Array, start: number, end: number): number {
    const message = this.#message;
    if (!this.underWay.take(owner, message.id, this.#questionHash(), this.#services.log.nowMs)) {
      this.counters.errors[ERROR_UNASKED]++;
      this.tellError(owner, true, ERROR_UNASKED);
      return DROP_DNS_UNASKED;
    }
    const { teaching } = this.#services;
    const what = teaching === undefined ? GO : teaching.consider(owner, message, this.#name, bytes, start, end);
    if (what === GO) return this.#pass(owner, bytes, start, end);
    if (what !== WAIT || teaching === undefined) return this.#replace(owner, bytes, start, end);
    this.counters.held++;
    this.ticket = teaching.sequence;
    this.deadlineMs = teaching.nowMs + teaching.maxDelayMs;
    return DATAGRAM_HOLD;
  }

  onHeld(owner: StreamOwner, ticket: number, bytes: Uint8Array, start: number, end: number, mayWait: boolean): number {
    const teaching = this.#services.teaching as Teaching;
    const isPublished = teaching.isPublished(ticket);
    if (!isPublished && mayWait) return DATAGRAM_HOLD;
    this.#message.parse(bytes, start, end);
    this.#name.load(bytes, start, end, this.#message.questionAt);
    if (isPublished) return this.#pass(owner, bytes, start, end);
    teaching.refuse(CAUSE_DELAY);
    return this.#replace(owner, bytes, start, end);
  }

  onNoRoom(owner: StreamOwner, bytes: Uint8Array, start: number, end: number): number {
    this.#services.teaching?.refuse(CAUSE_MEMORY_FULL);
    return this.#replace(owner, bytes, start, end);
  }

  /** The message at hand goes on. */
  #pass(owner: StreamOwner, bytes: Uint8Array, start: number, end: number): number {
    this.counters.responses++;
    if (this.#records.isOn) this.#records.response(owner, this.#message, this.#name, bytes, start, end);
    return DATAGRAM_PASS;
  }

  /** SERVFAIL goes in its place. */
  #replace(owner: StreamOwner, bytes: Uint8Array, start: number, end: number): number {
    if (this.#records.isOn) this.#records.unpublished(owner, this.#message, this.#name, bytes, start, end);
    this.answerBytes = emitRefusal(this.answer, 0, this.#message, bytes, RCODE_SERVER_FAILURE);
    return DATAGRAM_REPLACE;
  }

  #questionHash(): number {
    return questionHash(this.#message, this.#name, this.#services.seed);
  }
}

export class DnsOverUdp implements DatagramProtocol<DnsJudge> {
  readonly parser: DnsDatagrams;
  readonly counters: readonly CounterReader[];
  readonly #judges: Judges<DnsJudge>;

  constructor(services: ProtocolServices) {
    this.parser = new DnsDatagrams(services);
    this.counters = [
      ...dnsReaders(this.parser.counters, counter.DNS_UDP),
      [counter.DNS_DISPLACED, () => this.parser.underWay.displaced],
    ];
    this.#judges = new Judges((key, nextId) => new DnsJudge(services, key, nextId));
  }

  judgeOf(key: JudgeKey): DnsJudge {
    return this.#judges.judgeOf(key);
  }

  tellError(owner: StreamOwner, error: number): void {
    this.parser.tellError(owner, false, error);
  }
}
