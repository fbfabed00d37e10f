/**
 * Reads the body of one message by the steps of its layout, as its bytes arrive: it stops before a step whose bytes are not
 * all there and goes on there later, so that nothing is read twice and nothing is kept. What it meets on the way, it tells its
 * visitor: whoever judges the topics, collects them for an answer, or learns what they are called.
 *
 * Bounds: an array has no more items than bytes are left, a name of a topic 249 bytes (Kafka's own limit).
 */
import { i32, u16 } from '../../wire/bytes.ts';
import * as step from './layout.ts';

export const MORE = 0;
export const DONE = 1;
export const BAD = 2;
/** The visitor wants no more. */
export const STOPPED = 3;
/** Nothing that rules judge is to come: the rest need not be read. */
export const SETTLED = 4;

const MAX_DEPTH = 6;
const MAX_TOPIC_BYTES = 249;
const MAX_VARINT_BYTES = 5;

/** Told in the order of the message. */
export interface BodyVisitor {
  /** An item begins that answers repeat. */
  onItem(rank: number): void;
  /** @returns whether to go on; `length` -1 = it has no name */
  onTopic(bytes: Uint8Array, at: number, length: number): boolean;
  onTopicId(bytes: Uint8Array, at: number): boolean;
  /** @param type 2 = a topic */
  onResource(type: number, bytes: Uint8Array, at: number, length: number): boolean;
  /** The message is about all topics that there are. */
  onAllTopics(): boolean;
  onGroup(bytes: Uint8Array, at: number, length: number): void;
  onPartition(partition: number): void;
  onAcks(acks: number): void;
  /** @returns whether to go on */
  onSession(session: number): boolean;
  onEpoch(epoch: number): boolean;
}

export class BodyReader {
  /** Of the next byte to be read, from the start of the message. */
  position = 0;
  /** Bytes from `position` on that nobody needs to see. */
  skip = 0;
  /** No step that rules judge is to come. */
  isSettled = false;
  #layout: step.Layout = { isFlexible: false, steps: new Int32Array(0) };
  #limit = 0;
  #at = 0;
  #depth = 0;
  readonly #left = new Int32Array(MAX_DEPTH);
  #tags = -1;
  #readsAll = false;
  #resourceType = 0;
  // Of the last length that was read.
  #length = 0;
  #lengthBytes = 0;

  /** A message begins: its body is [position, limit) of it. @param readsAll it is read to its end, whatever rules ask about */
  begin(layout: step.Layout, position: number, limit: number, readsAll = false): void {
    this.#readsAll = readsAll;
    this.#layout = layout;
    this.position = position;
    this.#limit = limit;
    this.skip = 0;
    this.isSettled = false;
    this.#at = 0;
    this.#depth = 0;
    this.#tags = -1;
  }

  /** How far the message may be moved before it was read: its last byte stays, so that the reader is asked when it is whole. */
  get movable(): number {
    return Math.min(this.position + this.skip, this.#limit - 1);
  }

  /**
   * @param origin where the message begins in `bytes` (its first bytes need not be there any more)
   * @param end of what is there
   */
  read(bytes: Uint8Array, origin: number, end: number, visitor: BodyVisitor): number {
    const { steps } = this.#layout;
    const stop = Math.min(end, origin + this.#limit);
    for (;;) {
      if (this.skip > 0 && !this.#pass(origin, stop)) return MORE;
      if (this.#at === steps.length) return this.position === this.#limit ? DONE : BAD;
      const outcome = this.#step(bytes, origin + this.position, stop, visitor);
      if (outcome !== DONE) return outcome === MORE && stop - origin === this.#limit ? BAD : outcome;
      if (this.position + this.skip > this.#limit) return BAD;
      if (this.isSettled && !this.#readsAll) return SETTLED;
    }
  }

  /** Passes bytes that nobody needs to see. @returns whether all of them were there */
  #pass(origin: number, stop: number): boolean {
    const there = Math.min(this.skip, Math.max(0, stop - origin - this.position));
    this.position += there;
    this.skip -= there;
    return this.skip === 0;
  }

  /** Carries out one step. @returns DONE, MORE when its bytes are not all there, BAD or STOPPED */
  #step(bytes: Uint8Array, from: number, stop: number, visitor: BodyVisitor): number {
    const { steps } = this.#layout;
    const at = this.#at;
    let outcome: number;
    switch (steps[at]) {
      case step.FIXED:
        this.skip = steps[at + step.ARGUMENT];
        break;
      case step.ARRAY:
        return this.#array(bytes, from, stop, visitor);
      case step.END:
        this.#end(visitor);
        return DONE;
      case step.TAGS:
        return this.#tagged(bytes, from, stop);
      case step.BYTES:
        outcome = this.#lengthOf(bytes, from, stop, 4);
        if (outcome !== DONE) return outcome;
        this.#take(this.#lengthBytes);
        this.skip = Math.max(this.#length, 0);
        break;
      case step.STRING:
      case step.NULL_STRING:
        outcome = this.#lengthOf(bytes, from, stop, 2);
        if (outcome !== DONE) return outcome;
        this.#take(this.#lengthBytes);
        this.skip = Math.max(this.#length, 0);
        break;
      case step.REST:
        this.skip = this.#limit - this.position;
        break;
      case step.TOPIC:
      case step.GROUP:
      case step.RESOURCE_NAME:
        return this.#name(bytes, from, stop, visitor);
      default:
        return this.#number(bytes, from, stop, visitor);
    }
    this.#at += step.STEP_WORDS;
    return DONE;
  }

  #array(bytes: Uint8Array, from: number, stop: number, visitor: BodyVisitor): number {
    const { steps } = this.#layout;
    const outcome = this.#lengthOf(bytes, from, stop, 4);
    if (outcome !== DONE) return outcome;
    const count = this.#length;
    this.#take(this.#lengthBytes);
    if (count > this.#limit - this.position || (count > 0 && this.#depth === MAX_DEPTH)) return BAD;
    const meaning = steps[this.#at + step.ARGUMENT];
    const isAll = count < 0 ? meaning !== step.PLAIN : count === 0 && meaning === step.EMPTY_IS_ALL;
    const isStopped = isAll && !visitor.onAllTopics();
    if (count <= 0) {
      this.#at = steps[this.#at + step.AFTER] * step.STEP_WORDS;
      return isStopped ? STOPPED : DONE;
    }
    const rank = steps[this.#at + step.RANK];
    this.#left[this.#depth++] = count;
    this.#at += step.STEP_WORDS;
    if (rank >= 0) visitor.onItem(rank);
    return DONE;
  }

  #end(visitor: BodyVisitor): void {
    const { steps } = this.#layout;
    if (--this.#left[this.#depth - 1] === 0) {
      this.#depth--;
      this.#at += step.STEP_WORDS;
      return;
    }
    const rank = steps[this.#at + step.RANK];
    this.#at = steps[this.#at + step.ARGUMENT] * step.STEP_WORDS;
    if (rank >= 0) visitor.onItem(rank);
  }

  /** Tagged fields: a count, then tag, length and bytes of each. They hold nothing that rules judge. */
  #tagged(bytes: Uint8Array, from: number, stop: number): number {
    let outcome: number;
    if (this.#tags < 0) {
      outcome = this.#varint(bytes, from, stop);
      if (outcome !== DONE) return outcome;
      this.#tags = this.#length;
      this.#take(this.#lengthBytes);
      if (this.#tags > this.#limit - this.position) return BAD;
    } else if (this.#tags > 0) {
      outcome = this.#varint(bytes, from, stop);
      if (outcome !== DONE) return outcome;
      const tagBytes = this.#lengthBytes;
      outcome = this.#varint(bytes, from + tagBytes, stop);
      if (outcome !== DONE) return outcome;
      this.#take(tagBytes + this.#lengthBytes);
      this.skip = this.#length;
      this.#tags--;
    }
    if (this.#tags > 0) return DONE;
    this.#tags = -1;
    this.#at += step.STEP_WORDS;
    return DONE;
  }

  #name(bytes: Uint8Array, from: number, stop: number, visitor: BodyVisitor): number {
    const code = this.#layout.steps[this.#at];
    const outcome = this.#lengthOf(bytes, from, stop, 2);
    if (outcome !== DONE) return outcome;
    const length = this.#length;
    const isTopic = code === step.TOPIC || (code === step.RESOURCE_NAME && this.#resourceType === 2);
    if (isTopic && length > MAX_TOPIC_BYTES) return BAD;
    const at = from + this.#lengthBytes;
    if (length > stop - at) return MORE;
    this.#take(this.#lengthBytes + Math.max(length, 0));
    if (code === step.GROUP) {
      visitor.onGroup(bytes, at, length);
      this.#at += step.STEP_WORDS;
      return DONE;
    }
    const mayGoOn =
      code === step.TOPIC
        ? visitor.onTopic(bytes, at, length)
        : visitor.onResource(this.#resourceType, bytes, at, length);
    return this.#judged(mayGoOn);
  }

  #number(bytes: Uint8Array, from: number, stop: number, visitor: BodyVisitor): number {
    const code = this.#layout.steps[this.#at];
    const size = SIZES[code];
    if (stop - from < size) return MORE;
    this.#take(size);
    if (code === step.TOPIC_ID) return this.#judged(visitor.onTopicId(bytes, from));
    this.#at += step.STEP_WORDS;
    if (code === step.PARTITION) visitor.onPartition(i32(bytes, from));
    else if (code === step.ACKS) visitor.onAcks((u16(bytes, from) << 16) >> 16);
    else if (code === step.RESOURCE_TYPE) this.#resourceType = bytes[from];
    else if (code === step.SESSION) return visitor.onSession(i32(bytes, from)) ? DONE : STOPPED;
    else if (code === step.EPOCH) return visitor.onEpoch(i32(bytes, from)) ? DONE : STOPPED;
    return DONE;
  }

  /** A step that rules judge is done. */
  #judged(mayGoOn: boolean): number {
    if (!mayGoOn) return STOPPED;
    this.isSettled = this.#layout.steps[this.#at + step.IS_LAST] === 1 && this.#isLastItem();
    this.#at += step.STEP_WORDS;
    return DONE;
  }

  #isLastItem(): boolean {
    for (let i = 0; i < this.#depth; i++) if (this.#left[i] !== 1) return false;
    return true;
  }

  #take(count: number): void {
    this.position += count;
  }

  /** Reads a length: of `size` bytes, or a varint that is greater by one (KIP-482). -1 = null. @returns DONE, MORE or BAD */
  #lengthOf(bytes: Uint8Array, from: number, stop: number, size: number): number {
    if (this.#layout.isFlexible) {
      const outcome = this.#varint(bytes, from, stop);
      this.#length--;
      return outcome;
    }
    if (stop - from < size) return MORE;
    this.#length = size === 2 ? (u16(bytes, from) << 16) >> 16 : i32(bytes, from);
    this.#lengthBytes = size;
    return this.#length < -1 ? BAD : DONE;
  }

  /** A varint without sign, below 2^31. @returns DONE, MORE or BAD */
  #varint(bytes: Uint8Array, from: number, stop: number): number {
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      if (from + i >= stop) return MORE;
      const byte = bytes[from + i];
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte >= 0x80) continue;
      this.#length = value;
      this.#lengthBytes = i + 1;
      return value > 0x7fffffff ? BAD : DONE;
    }
    return BAD;
  }
}

const SIZES: { readonly [code: number]: number } = {
  [step.TOPIC_ID]: 16,
  [step.PARTITION]: 4,
  [step.SESSION]: 4,
  [step.EPOCH]: 4,
  [step.ACKS]: 2,
  [step.ERROR]: 2,
  [step.RESOURCE_TYPE]: 1,
};
