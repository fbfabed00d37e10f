/**
 * The request at hand: judged topic by topic as its body is read, and, if it is denied, gathered for its answer. It knows
 * nothing of streams: parser.ts feeds it and moves the bytes.
 */
import { FETCH, METADATA, PRODUCE, SASL_HANDSHAKE } from './api-keys.ts';
import { type BodyVisitor, BodyReader } from './body-reader.ts';
import { Collected } from './collected.ts';
import { EMPTY_LAYOUT, isFlexible, REQUESTS } from './layout.ts';
import type { RequestPlan } from './rules.ts';
import { ToldTopics } from './told-topics.ts';
import type { TopicIds } from './topic-ids.ts';
import { NOBODY, type StreamOwner } from '../parser.ts';

const FETCH_SESSION_ID_NOT_FOUND = 70;
const UNKNOWN_TOPIC_ID = 100;
const UNSUPPORTED_VERSION = 35;
/** A new session, if the session's id is 0 too (KIP-227). */
const FIRST_EPOCH = 0;

/** What the request at hand may rest on. */
export interface RequestWorld {
  readonly topicIds: TopicIds;
  /** The session that the connection has from the server under the rules in force; 0 = none. */
  readonly session: number;
  /** Whether topics are to be remembered. */
  readonly isTold: boolean;
}

export class KafkaRequest implements BodyVisitor {
  apiKey = 0;
  version = 0;
  correlation = 0;
  /** Of its client's id; -1 = it says none. */
  clientBytes = -1;
  owner: StreamOwner = NOBODY;
  plan: RequestPlan | null = null;
  /** Number of the rules that the plan is of. */
  rules = 0;
  /** -1 = the server waits for all in sync, 0 = it does not answer. */
  acks = 1;
  session = 0;
  epoch = -1;
  /** When it asks for versions: which are not for its client (`KafkaJudge.hiddenFrom`). */
  hidden = 0;
  /** Code that the request is denied with; 0 = what its kind says. */
  error = 0;
  /** Those that it names, for records. */
  readonly topics: ToldTopics = new ToldTopics();
  readonly reader: BodyReader = new BodyReader();
  /** What an answer repeats; filled while `isGathering`. */
  readonly collected: Collected = new Collected();
  isGathering = false;
  #world: RequestWorld | null = null;

  /** Its body is [bodyAt, limit) of the message. */
  begin(
    owner: StreamOwner,
    plan: RequestPlan,
    rules: number,
    world: RequestWorld,
    bodyAt: number,
    limit: number,
  ): void {
    this.owner = owner;
    this.plan = plan;
    this.rules = rules;
    this.#world = world;
    this.acks = 1;
    this.session = 0;
    this.epoch = -1;
    this.error = this.leadsToTokens ? UNSUPPORTED_VERSION : 0;
    this.topics.clear();
    this.isGathering = false;
    this.reader.begin(REQUESTS.of(this.apiKey, this.version) ?? EMPTY_LAYOUT, bodyAt, limit);
  }

  /** From the start of its body: what it names is collected, and judged no more. */
  gather(bodyAt: number, limit: number): void {
    this.isGathering = true;
    this.collected.clear();
    this.reader.begin(REQUESTS.of(this.apiKey, this.version) ?? EMPTY_LAYOUT, bodyAt, limit, true);
  }

  get isFlexible(): boolean {
    return isFlexible(this.apiKey, this.version);
  }

  get isKnown(): boolean {
    return REQUESTS.of(this.apiKey, this.version) !== undefined;
  }

  /** Its body must be read, though no rule asks about topics. */
  get mustBeRead(): boolean {
    return this.apiKey === PRODUCE;
  }

  /** Behind it come tokens that are no requests, which nobody here could tell from some (SaslHandshake of version 0). */
  get leadsToTokens(): boolean {
    return this.apiKey === SASL_HANDSHAKE && this.version === 0;
  }

  /** It is denied for its session, not for a topic: then its answer is about none. */
  get isOfNoTopic(): boolean {
    return this.error === FETCH_SESSION_ID_NOT_FOUND;
  }

  get isFirstFetch(): boolean {
    return this.apiKey === FETCH && this.session === 0 && this.epoch === FIRST_EPOCH;
  }

  /** Its answer tells ids of topics. */
  get teachesNames(): boolean {
    return this.apiKey === METADATA && this.version >= 10;
  }

  onItem(rank: number): void {
    if (this.isGathering) this.collected.add(rank);
  }

  onTopic(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.isGathering) this.collected.name(bytes, at, length);
    if (length < 0) return true; // it is named by its id
    this.#tell(bytes, at, length);
    return this.isGathering || this.#plan.allowsTopic(bytes, at, length);
  }

  onTopicId(bytes: Uint8Array, at: number): boolean {
    if (this.isGathering) this.collected.id(bytes, at);
    if (isZero(bytes, at)) return true; // it is named by its name
    const name = this.#world?.topicIds.nameOf(this.owner, bytes, at);
    if (name !== undefined) this.#tell(name, 0, name.length);
    if (this.isGathering || this.#plan.allowsEveryTopic) return true;
    if (name !== undefined) return this.#plan.allowsTopic(name, 0, name.length);
    this.error = UNKNOWN_TOPIC_ID;
    return this.#plan.denyUnnamed();
  }

  onResource(type: number, bytes: Uint8Array, at: number, length: number): boolean {
    if (this.isGathering) {
      this.collected.name(bytes, at, length);
      this.collected.number(type);
    }
    return type === 2 ? this.#resourceTopic(bytes, at, length) : true;
  }

  #resourceTopic(bytes: Uint8Array, at: number, length: number): boolean {
    if (length > 0) this.#tell(bytes, at, length);
    return this.isGathering || this.#plan.allowsTopic(bytes, at, length);
  }

  onAllTopics(): boolean {
    return this.isGathering || this.#plan.allowsEveryTopic || this.#plan.denyUnnamed();
  }

  onGroup(bytes: Uint8Array, at: number, length: number): void {
    if (this.isGathering) this.collected.name(bytes, at, length);
  }

  onPartition(partition: number): void {
    if (this.isGathering) this.collected.number(partition);
  }

  onAcks(acks: number): void {
    this.acks = acks;
    if (!this.isGathering && this.#plan.allowsEveryTopic) this.reader.isSettled = true;
  }

  onSession(session: number): boolean {
    this.session = session;
    return true;
  }

  /** A session goes on with topics that it was begun with: only here, and under the rules in force, is known with which. */
  onEpoch(epoch: number): boolean {
    this.epoch = epoch;
    const isOld = this.session !== 0 && epoch > 0;
    if (this.isGathering || this.#plan.allowsEveryTopic || !isOld || this.session === this.#world?.session) return true;
    this.error = FETCH_SESSION_ID_NOT_FOUND;
    return this.#plan.denyUnnamed();
  }

  get #plan(): RequestPlan {
    return this.plan as RequestPlan;
  }

  #tell(bytes: Uint8Array, at: number, length: number): void {
    if (!this.isGathering && this.#world?.isTold === true) this.topics.add(bytes, at, length);
  }
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== 0) return false;
  return true;
}
