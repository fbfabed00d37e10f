/** Kafka in TCP connections: what all of them share, what is counted, and what is told. */
import * as counter from '../../policy-maps/counters.ts';
import type { AccessLog, AccessLogKafka } from '../../wire/access-log.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { Judges } from '../judge.ts';
import { type JudgeKey, NOBODY, type Parser, type StreamOwner } from '../parser.ts';
import type { CounterReader, ProtocolServices, StreamProtocol } from '../protocol.ts';
import { AnswerWriter } from './answers.ts';
import { apiKeyText } from './api-keys.ts';
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
    const ends = [
      { direction: EGRESS, ruleSet: owner.egressRuleSet, cookie: plan.egressCookie },
      { direction: INGRESS, ruleSet: owner.ingressRuleSet, cookie: plan.ingressCookie },
    ];
    for (const { direction, ruleSet, cookie } of ends) {
      if (ruleSet === 0 || (direction === INGRESS && deniedBy === EGRESS)) continue;
      const isDenied = deniedBy === direction;
      const told = isDenied || cookie < 0 ? judge.firstCookie(direction) : cookie;
      const Verdict = isDenied ? 'Denied' : 'Forwarded';
      for (const Topic of request.topics.length === 0 ? [''] : request.topics) {
        const Kafka = {
          ...fieldsOf(request.apiKey, request.version, request.correlation),
          ErrorCode: isDenied ? error : 0,
          Topic,
        };
        this.#tell(owner, direction === INGRESS, told, { Type: 'Request', Verdict, Kafka });
      }
    }
  }

  tellAnswer(owner: StreamOwner, apiKey: number, version: number, correlation: number, ageMs: number): void {
    this.counted.responses++;
    if (!this.isOn) return;
    const Kafka = fieldsOf(apiKey, version, correlation);
    const LatencyNs = ageMs * 1_000_000;
    this.#tell(owner, owner.ingressRuleSet !== 0, 0, { Type: 'Response', Verdict: 'Forwarded', LatencyNs, Kafka });
  }

  tellError(owner: StreamOwner, error: number, isResponse = false): void {
    this.counted.errors[error]++;
    if (!this.isOn) return;
    const Info = counter.KAFKA_ERROR_KINDS[error];
    const Type = isResponse ? 'Response' : 'Request';
    this.#tell(owner, owner.ingressRuleSet !== 0, 0, { Type, Verdict: 'Error', Info, Kafka: {} });
  }

  #tell(owner: StreamOwner, isIngress: boolean, cookie: number, log: AccessLog): void {
    this.#services.log.tell(owner, isIngress, cookie, log);
  }
}

function fieldsOf(apiKey: number, version: number, correlation: number): AccessLogKafka {
  return { APIKey: apiKeyText(apiKey), APIVersion: version, CorrelationID: correlation };
}
