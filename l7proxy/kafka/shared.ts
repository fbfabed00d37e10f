/** What the parsers of all connections have in common. */
import type { StreamOwner } from '../parser.ts';
import type { ServerAddress } from '../protocol.ts';
import type { AnswerWriter } from './answers.ts';
import type { KafkaRequest } from './request.ts';
import type { KafkaJudge } from './rules.ts';
import type { TopicIds } from './topic-ids.ts';

/** Told of messages (protocol.ts). */
export interface KafkaRecords {
  readonly isOn: boolean;
  readonly nowMs: number;
  /** A request that was judged. @param error code that it is answered with; 0 = it passes */
  tellRequest(owner: StreamOwner, judge: KafkaJudge, request: KafkaRequest, error: number): void;
  tellAnswer(owner: StreamOwner, apiKey: number, version: number, correlation: number, ageMs: number): void;
  tellError(owner: StreamOwner, error: number, isResponse?: boolean): void;
}

/** What all connections share. */
export interface KafkaShared {
  readonly records: KafkaRecords;
  readonly topicIds: TopicIds;
  readonly writer: AnswerWriter;
  readonly serverOf?: (owner: StreamOwner) => ServerAddress;
}
