/**
 * Answers of the dataplane in Kafka's own form: what a broker says to who may not, for every topic and partition that the
 * request named, in the version that it was asked in.
 */
import { setI32, setU16 } from '../../wire/bytes.ts';
import type { ServerAddress } from '../protocol.ts';
import { API_VERSIONS } from './api-keys.ts';
import { Collected } from './collected.ts';
import * as step from './layout.ts';

const SIZE_BYTES = 4;
const FIRST_ROOM = 512;
/** Every item has at most some 64 bytes beside its name: far above what `Collected` can hold. */
const MAX_BYTES = 1 << 23;
const ID_BYTES = 16;

/** What is answered. */
export interface DeniedRequest {
  readonly apiKey: number;
  readonly version: number;
  readonly correlation: number;
  readonly collected: Collected;
}

/** No broker has it: clients forget it with the first answer of a real one. */
const OUR_NODE_ID = 0x7fffffff;

export class AnswerWriter {
  #bytes = new Uint8Array(FIRST_ROOM);
  #count = 0;
  #isFlexible = false;
  #error = 0;
  #version = 0;
  #server: ServerAddress | undefined;
  #steps: Int32Array = new Int32Array(0);
  #collected: Collected = new Collected();

  /**
   * @param error code for everything that the request was about @param server where it was going
   * @returns the whole message, with its size in front; undefined when this version is not known, or what it names was too much
   */
  denial(denied: DeniedRequest, error: number, server?: ServerAddress): Uint8Array | undefined {
    const { apiKey, version, correlation, collected } = denied;
    const layout = step.ANSWERS.of(apiKey, version);
    if (layout === undefined || collected.isCut) return undefined;
    this.#steps = layout.steps;
    this.#isFlexible = layout.isFlexible;
    this.#error = error;
    this.#version = version;
    this.#server = server;
    this.#collected = collected;
    this.#count = 0;
    this.#int32(0); // the size, later
    this.#int32(correlation);
    if (layout.isFlexible && apiKey !== API_VERSIONS) this.#byte(0);
    this.#struct(0, layout.steps.length / step.STEP_WORDS, 0);
    setI32(this.#bytes, 0, this.#count - SIZE_BYTES);
    return this.#bytes.slice(0, this.#count);
  }

  /** Writes the steps [from, to) for one item. */
  #struct(from: number, to: number, item: number): void {
    for (let i = from; i < to; ) {
      const at = i * step.STEP_WORDS;
      if (this.#steps[at] === step.ARRAY) {
        this.#array(i, item);
        i = this.#steps[at + step.AFTER];
      } else {
        this.#field(at, item);
        i++;
      }
    }
  }

  #array(index: number, item: number): void {
    const at = index * step.STEP_WORDS;
    const filling = this.#steps[at + step.ARGUMENT];
    if (filling < step.REPEATED) {
      this.#length(filling === step.IS_NULL ? -1 : 0, 4);
      return;
    }
    const collected = this.#collected;
    const rank = filling - step.REPEATED;
    const count = collected.countFrom(this.#firstWithin(item, rank), rank);
    this.#length(count, 4);
    const end = this.#steps[at + step.AFTER] - 1; // the END step
    for (let i = 0, one = this.#firstWithin(item, rank); i < count; i++, one = collected.after(one)) {
      this.#struct(index + 1, end, one);
    }
  }

  /** The first item of a rank: the one at hand, or the next within it. */
  #firstWithin(item: number, rank: number): number {
    const isWithin = this.#collected.rankOf(item) < rank && this.#collected.rankOf(item) >= 0;
    return isWithin ? item + 1 : item;
  }

  #field(at: number, item: number): void {
    const collected = this.#collected;
    switch (this.#steps[at]) {
      case step.FIXED:
        this.#repeat(this.#steps[at + step.ARGUMENT] === 8 ? 0xff : 0, this.#steps[at + step.ARGUMENT]);
        break;
      case step.BROKERS:
        this.#brokers();
        break;
      case step.MINUS:
        this.#int32(-1);
        break;
      case step.ERROR:
        this.#int16(this.#error);
        break;
      case step.WHOLE_ERROR:
        this.#int16(collected.count === 0 ? this.#error : 0);
        break;
      case step.STRING:
        this.#length(0, 2);
        break;
      case step.NULL_STRING:
        this.#length(-1, 2);
        break;
      case step.BYTES:
        this.#length(0, 4);
        break;
      case step.NULL_STRUCT:
        this.#byte(0xff);
        break;
      case step.TAGS:
        this.#byte(0);
        break;
      case step.TOPIC:
      case step.GROUP:
      case step.RESOURCE_NAME:
        this.#name(collected.nameAt(item), collected.nameBytes(item));
        break;
      case step.TOPIC_ID:
        if (collected.idAt(item) < 0) this.#repeat(0, ID_BYTES);
        else this.#copy(collected.names, collected.idAt(item), ID_BYTES);
        break;
      case step.PARTITION:
        this.#int32(collected.numberOf(item));
        break;
      case step.RESOURCE_TYPE:
        this.#byte(collected.numberOf(item));
        break;
      default:
        throw new RangeError(
          `answer: found step ${String.fromCharCode(this.#steps[at])}, wanted one that answers have`,
        );
    }
  }

  /** Clients take no notice of an answer without brokers, and ask for ever: they are told of the one that they talk to. */
  #brokers(): void {
    const host = Buffer.from(this.#server?.host ?? '');
    this.#length(host.length > 0 ? 1 : 0, 4);
    if (host.length === 0) return;
    this.#int32(OUR_NODE_ID);
    this.#length(host.length, 2);
    this.#copy(host, 0, host.length);
    this.#int32(this.#server?.port ?? 0);
    if (this.#version >= 1) this.#length(-1, 2);
    if (this.#isFlexible) this.#byte(0);
  }

  #name(at: number, length: number): void {
    this.#length(length, 2);
    if (length > 0) this.#copy(this.#collected.names, at, length);
  }

  /** A length in `size` bytes, or as a varint that is greater by one (KIP-482). */
  #length(length: number, size: number): void {
    if (!this.#isFlexible) {
      if (size === 2) this.#int16(length);
      else this.#int32(length);
      return;
    }
    let rest = length + 1;
    for (; rest >= 0x80; rest >>>= 7) this.#byte(0x80 | (rest & 0x7f));
    this.#byte(rest);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#count++] = value;
  }

  #int16(value: number): void {
    this.#room(2);
    setU16(this.#bytes, this.#count, value & 0xffff);
    this.#count += 2;
  }

  #int32(value: number): void {
    this.#room(4);
    setI32(this.#bytes, this.#count, value);
    this.#count += 4;
  }

  #repeat(value: number, count: number): void {
    this.#room(count);
    this.#bytes.fill(value, this.#count, this.#count + count);
    this.#count += count;
  }

  #copy(from: Uint8Array, at: number, count: number): void {
    this.#room(count);
    this.#bytes.set(from.subarray(at, at + count), this.#count);
    this.#count += count;
  }

  #room(count: number): void {
    let size = this.#bytes.length;
    while (size < this.#count + count) size *= 2;
    if (size === this.#bytes.length) return;
    if (size > MAX_BYTES) throw new RangeError(`answer: found ${size} bytes, wanted at most ${MAX_BYTES}`);
    const bytes = new Uint8Array(size);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
