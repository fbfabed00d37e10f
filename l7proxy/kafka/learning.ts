/** Reads answers for what they tell: the names of topics that have ids, the session of a fetch. */
import { NOBODY, type StreamOwner } from '../parser.ts';
import type { BodyVisitor } from './body-reader.ts';
import type { TopicIds } from './topic-ids.ts';

const MAX_TOPIC_BYTES = 249;

export class LearningVisitor implements BodyVisitor {
  session = 0;
  readonly #topicIds: TopicIds;
  #owner: StreamOwner = NOBODY;
  #wantsNames = false;
  /** The name that was read last: its id may come with the next segment. */
  readonly #name = new Uint8Array(MAX_TOPIC_BYTES);
  #nameBytes = 0;

  constructor(topicIds: TopicIds) {
    this.#topicIds = topicIds;
  }

  begin(owner: StreamOwner, wantsNames: boolean): void {
    this.#owner = owner;
    this.#wantsNames = wantsNames;
    this.session = 0;
    this.#nameBytes = 0;
  }

  onTopic(bytes: Uint8Array, at: number, length: number): boolean {
    this.#nameBytes = Math.max(length, 0);
    this.#name.set(bytes.subarray(at, at + this.#nameBytes));
    return true;
  }

  onTopicId(bytes: Uint8Array, at: number): boolean {
    const name = this.#name.subarray(0, this.#nameBytes);
    if (this.#wantsNames && name.length > 0) this.#topicIds.learn(this.#owner, bytes, at, name);
    return true;
  }

  onSession(session: number): boolean {
    this.session = session;
    return true;
  }

  onItem(): void {}

  onResource(): boolean {
    return true;
  }

  onAllTopics(): boolean {
    return true;
  }

  onGroup(): void {}

  onPartition(): void {}

  onAcks(): void {}

  onEpoch(): boolean {
    return true;
  }
}
