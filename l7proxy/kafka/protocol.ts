/** Kafka in TCP connections: what all of them share, what is counted, and what is told. */
import * as counter from '../../policy-maps/counters.ts';
import { type Direction, EGRESS, INGRESS } from '../../wire/direction.ts';
import {
  FIELD_INFO,
  FIELD_TOPIC,
  L7_KAFKA,
  type L7RecordWriter,
  NO_KIND,
  TYPE_REQUEST,
  TYPE_RESPONSE,
  VERDICT_DENIED,
  VERDICT_ERROR,
  VERDICT_FORWARDED,
} from '../../wire/l7-record.ts';
import { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { AnswerWriter } from './answers.ts';
import { KafkaParser } from './parser.ts';
import type { KafkaRequest } from './request.ts';
import { KafkaJudge } from './rules.ts';
import type { KafkaRecords, KafkaShared } from './shared.ts';
import { TopicIds } from './topic-ids.ts';

/** What became of requests. */
class KafkaCounters {
  forwarded = 0;
  denied = 0;
  responses = 0;
  /** Connections refused, by KAFKA_ERROR_KINDS. */
  readonly errors: Float64Array = new Float64Array(counter.KAFKA_ERROR_KINDS.length);
}

export class KafkaProtocol implements StreamProtocol<KafkaJudge>, KafkaRecords {
  readonly number = 4;
  readonly counters: readonly CounterReader[];
  readonly counted: KafkaCounters = new KafkaCounters();
  readonly shared: KafkaShared;
  readonly #services: ProtocolServices;
  readonly #judges: Judges<KafkaJudge>;

  constructor(services: ProtocolServices) {
    this.#services = services;
    this.shared = {
      records: this,
      topicIds: new TopicIds(),
      writer: new AnswerWriter(),
      ...(services.serverOf && { serverOf: services.serverOf }),
    };
    this.#judges = new Judges((key, nextId) => new KafkaJudge(services, key, nextId));
    const { counted } = this;
    const errorReader = (error: number): CounterReader => [counter.KAFKA_ERROR + error, () => counted.errors[error]];
    this.counters = [
      [counter.KAFKA_FORWARDED, () => counted.forwarded],
      [counter.KAFKA_DENIED, () => counted.denied],
      [counter.KAFKA_RESPONSES, () => counted.responses],
      ...[...counted.errors.keys()].slice(1).map(errorReader),
    ];
  }

  get isOn(): boolean {
    return this.#services.log.isOn;
  }

  get nowMs(): number {
    return this.#services.log.nowMs;
  }

  judgeOf(key: JudgeKey): KafkaJudge {
    return this.#judges.judgeOf(key);
  }

  makeParser(): Parser<KafkaJudge> {
    return new KafkaParser(this.shared, this.judgeOf(NOBODY));
  }

  /** Records for each rule set that judged, egress first, none behind a denial; in each one record a topic, as Cilium has it. */
  tellRequest(owner: StreamOwner, judge: KafkaJudge, request: KafkaRequest, error: number): void {
    if (error === 0) this.counted.forwarded++;
    else this.counted.denied++;
    const { plan } = request;
    if (!this.isOn || plan === null) return;
    const deniedBy = error === 0 ? 0 : plan.deniedBy;
    if (owner.egressRuleSet !== 0) {
      this.#tellOf(owner, EGRESS, cookieOf(plan.egressCookie, judge, EGRESS, deniedBy), deniedBy, request, error);
    }
    if (owner.ingressRuleSet !== 0 && deniedBy !== EGRESS) {
      this.#tellOf(owner, INGRESS, cookieOf(plan.ingressCookie, judge, INGRESS, deniedBy), deniedBy, request, error);
    }
  }

  /** A record for each topic; one if there is none. */
  #tellOf(
    owner: StreamOwner,
    direction: Direction,
    cookie: number,
    deniedBy: number,
    request: KafkaRequest,
    error: number,
  ): void {
    const { log } = this.#services;
    const isDenied = deniedBy === direction;
    const verdict = isDenied ? VERDICT_DENIED : VERDICT_FORWARDED;
    const { topics } = request;
    for (let i = 0; i < Math.max(1, topics.count); i++) {
      const record = log.begin(owner, direction === INGRESS, cookie, L7_KAFKA, TYPE_REQUEST, verdict);
      writeNumbers(record, request.apiKey, request.version, request.correlation);
      if (isDenied) record.setCode(error);
      if (topics.count > 0) record.field(FIELD_TOPIC, topics.bytes, topics.startOf(i), topics.endOf(i));
      log.end();
    }
  }

  tellAnswer(owner: StreamOwner, apiKey: number, version: number, correlation: number, ageMs: number): void {
    this.counted.responses++;
    const { log } = this.#services;
    if (!log.isOn) return;
    const record = log.begin(owner, owner.ingressRuleSet !== 0, 0, L7_KAFKA, TYPE_RESPONSE, VERDICT_FORWARDED);
    writeNumbers(record, apiKey, version, correlation);
    record.setNanoseconds(ageMs * 1_000_000);
    log.end();
  }

  tellError(owner: StreamOwner, error: number, isResponse = false): void {
    this.counted.errors[error]++;
    const { log } = this.#services;
    if (!log.isOn) return;
    const type = isResponse ? TYPE_RESPONSE : TYPE_REQUEST;
    const record = log.begin(owner, owner.ingressRuleSet !== 0, 0, L7_KAFKA, type, VERDICT_ERROR);
    record.setKind(NO_KIND, 0);
    record.text(FIELD_INFO, counter.KAFKA_ERROR_KINDS[error]);
    log.end();
  }
}

/** Of the rule that allowed; of a denial, of the first rule that might have. */
function cookieOf(cookie: number, judge: KafkaJudge, direction: Direction, deniedBy: number): number {
  return deniedBy === direction || cookie < 0 ? judge.firstCookie(direction) : cookie;
}

function writeNumbers(record: L7RecordWriter, apiKey: number, version: number, correlation: number): void {
  record.setKind(apiKey, version);
  record.setNumber(correlation);
}
