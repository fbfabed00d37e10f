/** A parser of Kafka under rules, with what it told. */
import { KafkaProtocol } from '../../l7proxy/kafka/protocol.ts';
import type { KafkaJudge } from '../../l7proxy/kafka/rules.ts';
import { NO_STATE, type Parser, type ParserState, type StreamOwner } from '../../l7proxy/parser.ts';
import type { KafkaRule, L7RuleSet } from '../../policy-maps/l7-rules.ts';
import { OWNER, ParserWire } from '../stream/parser-wire.ts';
import { ToldLog } from '../told.ts';

interface Told {
  readonly type: string;
  readonly verdict: string;
  readonly what: string;
}

/** Rules for identity 5; null = one that says nothing of Kafka. */
export function setOf(rules: readonly KafkaRule[] | null): L7RuleSet {
  return {
    parser: 'kafka',
    endpoint: 1,
    ingress: true,
    port: 9092,
    rules: [{ remotes: [5], cookie: 1, kafka: rules }],
  };
}

/** Connections of one engine. */
export class KafkaWorld {
  readonly told: Told[] = [];
  readonly protocol: KafkaProtocol;
  readonly #source: { generation: number; ruleSet: L7RuleSet; get(): { generation: number; ruleSet: L7RuleSet } };

  constructor(rules: readonly KafkaRule[] | null) {
    this.#source = {
      generation: 1,
      ruleSet: setOf(rules),
      get() {
        return { generation: this.generation, ruleSet: this.ruleSet };
      },
    };
    const log = new ToldLog(true, 0, ({ log: { Type, Verdict, Kafka, Info } }) => {
      const fields = [Kafka?.APIKey, Kafka?.Topic, Kafka?.ErrorCode === 0 ? undefined : Kafka?.ErrorCode];
      const what = Info ?? fields.filter((field) => field !== undefined).join(' ');
      this.told.push({ type: Type, verdict: Verdict, what });
    });
    const ruleSets = this.#source;
    this.protocol = new KafkaProtocol({
      name: 'kafka',
      ruleSets,
      log,
      seed: 1,
      serverOf: () => ({ host: '10.0.0.9', port: 9092 }),
    });
  }

  setRules(rules: readonly KafkaRule[] | null): void {
    this.#source.ruleSet = setOf(rules);
    this.#source.generation++;
  }

  /** A connection of its own. */
  connect(owner: StreamOwner = OWNER): ParserWire<KafkaJudge> {
    const wire = new ParserWire<KafkaJudge, Parser<KafkaJudge>>(
      this.protocol.makeParser(),
      this.protocol.judgeOf(owner),
    );
    wire.parser.begin(this.protocol.judgeOf(owner), owner);
    return wire;
  }
}

/** The connection of `wire` as the next process takes it up; undefined when it cannot. */
export function resumed(wire: ParserWire<KafkaJudge>, world: KafkaWorld, state: ParserState = NO_STATE) {
  const words = new Int32Array(1);
  if (!wire.parser.saveState(words, 0, state)) return undefined;
  const next = world.connect();
  return next.parser.loadState(words, 0, state) ? next : undefined;
}

// --- messages as text of one character a byte

export function int16(value: number): string {
  return String.fromCharCode((value >> 8) & 255, value & 255);
}

export function int32(value: number): string {
  return int16(value >>> 16) + int16(value & 0xffff);
}

export function string16(text: string): string {
  return int16(text.length) + text;
}

/** A message of these bytes, with its size in front. */
export function message(bytes: string): string {
  return int32(bytes.length) + bytes;
}

export function request(apiKey: number, version: number, correlation: number, body: string, client = 'c'): string {
  return message(int16(apiKey) + int16(version) + int32(correlation) + string16(client) + body);
}

/** Produce, version 2: batches of this size for partition 0 of each topic. */
export function produce(topics: readonly string[], correlation: number, { acks = 1, bytes = 10 } = {}): string {
  const each = topics.map((topic) => string16(topic) + int32(1) + int32(0) + int32(bytes) + 'r'.repeat(bytes));
  return request(0, 2, correlation, int16(acks) + int32(1000) + int32(topics.length) + each.join(''));
}

export function answer(correlation: number, body = 'answer'): string {
  return message(int32(correlation) + body);
}
