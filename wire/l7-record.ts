/**
 * The access-log record: what the L7 engine tells of one request or response, as bytes that are written straight from the message
 * into slots of the ring `events_l7`. Nothing is made of it on the way of a frame, neither a text nor an object; who looks at it
 * reads it (l7-record-reader.ts).
 *
 * It begins with an event record (event.ts) of type EVENT_L7, whose fixed fields say whom it is about: source and destination are the
 * client and the server, whichever way the message went. Its payload is a fixed part, and fields one behind the other:
 *
 *   slot 0   0 the fixed fields of an event; `subtype` 0, `original bytes` = bytes of all fields (of all slots)
 *           64 u8  form (L7_FORM)   65 u8  protocol (L7_*)   66 u8 TYPE_*   67 u8 VERDICT_*
 *           68 u16 client's port    70 u16 server's port
 *           72 client's address, 16 bytes    88 server's    (of IPv4: ::ffff:a.b.c.d)
 *          104 f64 nanoseconds: of a response since its request, of a sample what it is about
 *          112 i32 code: HTTP status, DNS rcode, Kafka error
 *          116 i32 number: DNS TTL, Kafka correlation id
 *          120 u16 kind: Kafka api key, HTTP version (major * 16 + minor)   122 u16 Kafka api version   124 u32 0
 *          128 .. 255 fields
 *   slot n   0 u8  EVENT_L7   1 u8 n   2 u16 bytes here   4 .. 255 fields go on
 *
 *   field    u8 tag (FIELD_*), u16 length, bytes. Numbers are little endian. Tags that a reader does not know are skipped.
 *
 * A record is bounded: it takes at most the slots that `begin` was given, MAX_RECORD_SLOTS as a rule, so that who sends long heads
 * tells less of each and takes nothing from others. What does not fit is cut where the room ends, within a field if need be (its
 * length is told whole), and FLAG_CUT says so. Writers put what identifies a message first.
 *
 * Another layout gets another L7_FORM, and the ring file another version, so that agent and dataplane of two releases never read
 * each other's records (policy-maps/table/map-header.ts).
 */
import { i32le, setI32, setI32le, setU16le } from './bytes.ts';
import * as event from './event.ts';

// --- specification
export const L7_FORM = 1;
/** Where the fixed part begins, and what it has. */
const FIXED_OFFSET: number = event.PAYLOAD_OFFSET;
export const FIXED_BYTES = 64;
/** Of a slot behind the first. */
const PART_HEADER_BYTES = 4;
export const PART_BYTES: number = event.EVENT_BYTES - PART_HEADER_BYTES;
const FIRST_BYTES = event.PAYLOAD_BYTES - FIXED_BYTES;
/** Of one record: 4,160 bytes of fields. */
export const MAX_RECORD_SLOTS = 17;
export const MAX_FIELD_BYTES: number = FIRST_BYTES + (MAX_RECORD_SLOTS - 1) * PART_BYTES;

/** Protocols; never given to another. */
export const L7_HTTP = 1;
export const L7_DNS = 2;
export const L7_KAFKA = 3;
export const L7_TLS = 4;
/** Any other: its name is FIELD_PROTOCOL. */
export const L7_OTHER = 5;

export const TYPE_REQUEST = 1;
export const TYPE_RESPONSE = 2;
export const TYPE_SAMPLE = 3;

export const VERDICT_FORWARDED = 1;
export const VERDICT_DENIED = 2;
export const VERDICT_ERROR = 3;

export const FIELD_METHOD = 1;
export const FIELD_HOST = 2;
export const FIELD_PATH = 3;
/** A header (or a member of what L7_OTHER tells): its value follows in FIELD_VALUE. */
export const FIELD_NAME = 4;
export const FIELD_VALUE = 5;
/** Names of headers that a rule missed, or took away: the value follows. */
export const FIELD_MISSING = 6;
export const FIELD_REJECTED = 7;
/** Why it is an error. */
export const FIELD_INFO = 8;
/** A name in wire form (dns/name.ts). */
export const FIELD_QUERY = 9;
/** 16 bytes each. */
export const FIELD_ADDRESSES = 10;
/** As FIELD_QUERY. */
export const FIELD_ALIAS = 11;
/** u16 each. */
export const FIELD_QUERY_TYPES = 12;
export const FIELD_ANSWER_TYPES = 13;
export const FIELD_TOPIC = 14;
export const FIELD_SERVER_NAME = 15;
/** Two f64: what a tunnel carried from the client, and to it. */
export const FIELD_BYTES = 16;
export const FIELD_PROTOCOL = 17;

export const FIELD_HEADER_BYTES = 3;

/** The kind of a Kafka message that could not be read. */
export const NO_KIND = 0xffff;

// --- offsets in the first slot
const AT_PROTOCOL = FIXED_OFFSET + 1;
const AT_TYPE = FIXED_OFFSET + 2;
const AT_VERDICT = FIXED_OFFSET + 3;
const AT_PORTS = FIXED_OFFSET + 4;
const AT_ADDRESSES = FIXED_OFFSET + 8;
const AT_NANOSECONDS = FIXED_OFFSET + 40;
const AT_CODE = FIXED_OFFSET + 48;
const AT_NUMBER = FIXED_OFFSET + 52;
const AT_KIND = FIXED_OFFSET + 56;
const AT_VERSION = FIXED_OFFSET + 58;
const AT_FIELDS = FIXED_OFFSET + FIXED_BYTES;

/** Whether the slot at `at` is a whole record of this form. */
export function isInOneSlot(bytes: Uint8Array, at: number): boolean {
  const fieldBytes = i32le(bytes, at + 8);
  return bytes[at + 1] === 0 && bytes[at + FIXED_OFFSET] === L7_FORM && fieldBytes >= 0 && fieldBytes <= FIRST_BYTES;
}

/** Where records go: policy-maps' EventRing is one. */
export interface SlotRing {
  readonly bytes: Uint8Array;
  /** Takes the next slot and gives its offset. */
  next(): number;
  /** Lets readers see all slots that were taken. */
  commit(): void;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

function setDouble(bytes: Uint8Array, at: number, value: number): void {
  double[0] = value;
  for (let i = 0; i < 8; i++) bytes[at + i] = doubleBytes[i];
}

/**
 * Writes one record at a time: `begin`, then what is to be told, then `end`. Fields appear in the order of their calls. Between
 * `begin` and `end` nobody else may write to the ring.
 */
export class L7RecordWriter {
  readonly #ring: SlotRing;
  /** For records that are not to be: what is written goes nowhere. */
  readonly #nowhere = new Uint8Array(event.EVENT_BYTES);
  /** The first slot is bytes[at, at + EVENT_BYTES): the fixed fields of event.ts may be set in it. */
  bytes: Uint8Array;
  at = 0;
  #p = 0;
  #slot = 0;
  #stop = 0;
  #slots = 0;
  #mostSlots = 0;
  /** It does not tell all that there is. */
  isCut = false;

  constructor(ring: SlotRing) {
    this.#ring = ring;
    this.bytes = this.#nowhere;
  }

  /**
   * @param mostSlots that it may take, at most MAX_RECORD_SLOTS; 0 = it is written nowhere
   * @param protocol L7_* @param type TYPE_* @param verdict VERDICT_* @param timeMs milliseconds since the epoch
   */
  begin(mostSlots: number, protocol: number, type: number, verdict: number, timeMs: number): this {
    const isTold = mostSlots > 0;
    this.bytes = isTold ? this.#ring.bytes : this.#nowhere;
    const at = isTold ? this.#ring.next() : 0;
    const { bytes } = this;
    this.at = at;
    this.#slot = at;
    this.#slots = 1;
    this.#mostSlots = mostSlots;
    this.isCut = false;
    event.begin(bytes, at, event.EVENT_L7, 0, timeMs);
    bytes[at + FIXED_OFFSET] = L7_FORM;
    bytes[at + AT_PROTOCOL] = protocol;
    bytes[at + AT_TYPE] = type;
    bytes[at + AT_VERDICT] = verdict;
    for (let p = at + AT_PORTS; p < at + AT_FIELDS; p++) bytes[p] = 0;
    this.#p = at + AT_FIELDS;
    this.#stop = at + event.EVENT_BYTES;
    return this;
  }

  /** @param words four of an address, from `from` */
  setEnd(ofClient: boolean, port: number, words: Int32Array, from: number): void {
    const { bytes, at } = this;
    setU16le(bytes, at + AT_PORTS + (ofClient ? 0 : 2), port);
    const to = at + AT_ADDRESSES + (ofClient ? 0 : 16);
    for (let i = 0; i < 4; i++) setI32(bytes, to + 4 * i, words[from + i]);
  }

  setNanoseconds(nanoseconds: number): void {
    setDouble(this.bytes, this.at + AT_NANOSECONDS, nanoseconds);
  }

  setCode(code: number): void {
    setI32le(this.bytes, this.at + AT_CODE, code);
  }

  setNumber(number: number): void {
    setI32le(this.bytes, this.at + AT_NUMBER, number);
  }

  setKind(kind: number, version: number): void {
    setU16le(this.bytes, this.at + AT_KIND, kind);
    setU16le(this.bytes, this.at + AT_VERSION, version);
  }

  /** The field `tag` with the value source[start, end). */
  field(tag: number, source: Uint8Array, start: number, end: number): void {
    this.fieldHeader(tag, end - start);
    this.copy(source, start, end);
  }

  /** The same of characters up to U+00FF. */
  text(tag: number, text: string): void {
    this.fieldHeader(tag, text.length);
    for (let i = 0; i < text.length; i++) this.byte(text.charCodeAt(i));
  }

  /** The bytes of a field, as many as were said, follow in calls of `copy`, `byte`, `u16` and `words`. */
  fieldHeader(tag: number, length: number): void {
    this.byte(tag);
    this.u16(length);
  }

  byte(value: number): void {
    if (this.#p === this.#stop && !this.#goOn()) return;
    this.bytes[this.#p++] = value;
  }

  u16(value: number): void {
    this.byte(value & 0xff);
    this.byte(value >>> 8);
  }

  double(value: number): void {
    double[0] = value;
    this.copy(doubleBytes, 0, 8);
  }

  /** Words as addresses have them, in network order. */
  words(words: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const word = words[i];
      this.byte(word >>> 24);
      this.byte((word >>> 16) & 0xff);
      this.byte((word >>> 8) & 0xff);
      this.byte(word & 0xff);
    }
  }

  /** Bytes that are part of a field, or fields that were written before (FieldBlock). */
  copy(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    for (let from = start; from < end; ) {
      if (this.#p === this.#stop && !this.#goOn()) return;
      let p = this.#p;
      const to = Math.min(end, from + this.#stop - p);
      while (from < to) bytes[p++] = source[from++];
      this.#p = p;
    }
  }

  /** Readers see it. @returns how many slots it took */
  end(): number {
    const { bytes, at } = this;
    const inLast = this.#p - this.#slot;
    const isOne = this.#slots === 1;
    const total = isOne
      ? inLast - AT_FIELDS
      : FIRST_BYTES + (this.#slots - 2) * PART_BYTES + inLast - PART_HEADER_BYTES;
    setI32le(bytes, at + 8, total);
    setU16le(bytes, at + 12, isOne ? inLast - FIXED_OFFSET : event.PAYLOAD_BYTES);
    if (this.isCut) bytes[at + 15] |= event.FLAG_CUT;
    if (this.#mostSlots === 0) return 0;
    if (!isOne) setU16le(bytes, this.#slot + 2, inLast - PART_HEADER_BYTES);
    this.#ring.commit();
    return this.#slots;
  }

  /** @returns false when there is no room for more */
  #goOn(): boolean {
    if (this.#slots >= this.#mostSlots) {
      this.isCut = true;
      return false;
    }
    const slot = this.#ring.next();
    const { bytes } = this;
    bytes[slot] = event.EVENT_L7;
    bytes[slot + 1] = this.#slots++;
    setU16le(bytes, slot + 2, PART_BYTES);
    this.#slot = slot;
    this.#p = slot + PART_HEADER_BYTES;
    this.#stop = slot + event.EVENT_BYTES;
    return true;
  }
}

/** Fields that are told more than once, written in advance; what has no room in it is left out, whole fields at a time. */
export class FieldBlock {
  readonly bytes: Uint8Array;
  end = 0;
  isCut = false;

  constructor(capacity: number = MAX_FIELD_BYTES) {
    this.bytes = new Uint8Array(capacity);
  }

  clear(): void {
    this.end = 0;
    this.isCut = false;
  }

  /** @param mostBytes of the value: what is longer is cut */
  field(tag: number, source: Uint8Array, start: number, end: number, mostBytes: number): void {
    const length = end - start;
    const told = length < mostBytes ? length : mostBytes;
    const { bytes } = this;
    if (this.end + FIELD_HEADER_BYTES + told > bytes.length) {
      this.isCut = true;
      return;
    }
    if (told < length) this.isCut = true;
    let p = this.end;
    bytes[p] = tag;
    setU16le(bytes, p + 1, told);
    p += FIELD_HEADER_BYTES;
    for (let from = start; from < start + told; ) bytes[p++] = source[from++];
    this.end = p;
  }
}
