/**
 * What answers taught: a ring of records from the dataplane to the agent, which nothing is lost from. Unlike the rings of events it
 * never overwrites: what the agent has not acknowledged stays, and when there is no room an answer is not told, and must
 * not go on.
 *
 * ```
 *         acknowledged        published           committed
 *               v                 v                   v
 *    ... free   | r | r | r | r | r | r | r | r | r | r |   free ...
 *               | kept by the agent, maps written     | waiting, or on their way
 * ```
 *
 * A position is 32 bits and wraps; that behind the last record of an answer is its sequence number. It survives the death of
 * either process, and of both: the agent keeps its two places in `runtime_config`, the dataplane its own in the file's header.
 * An answer of kind ASK waits in the dataplane until CONFIG_DNS_PUBLISHED has come to its number. Nobody waits for a RENEW.
 *
 * A record has 512 bytes, little endian. An answer with many addresses has several, in a row; they are seen all at once.
 *
 *   0 u32 position behind it   4 u8 kind  5 u8 flags  6 u16 endpoint   8 f64 monotonic ms when the answer came
 *  16 u32 egress rule set      20 u32 TTL, seconds    24 u16 addresses in this record    26 u8 bytes of the name
 *  32 .. name (wire form, lower case), then addresses from 288 on; in later records of an answer addresses from 32 on
 */
import { DomainName, MAX_NAME_BYTES } from '../wire/dns/name.ts';
import { CONFIG_DNS_ACKNOWLEDGED, CONFIG_DNS_PUBLISHED, type ConfigMap } from './config-map.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
/** Addresses of the name are not published: the answer waits. */
export const DNS_ASK = 1;
/** All are published and end later now, or nobody has to know before the answer goes on. */
export const DNS_RENEW = 2;
export const DNS_EVENT_CAPACITY = 4096; // records, 2 MiB
const RECORD_BYTES = 512;
const RECORD_WORDS = RECORD_BYTES / 4;
const NAME_AT = 32;
const FIRST_ADDRESSES_AT = 288;
const MORE_ADDRESSES_AT = 32;
const ADDRESS_BYTES = 16;
const FIRST_ADDRESSES = (RECORD_BYTES - FIRST_ADDRESSES_AT) / ADDRESS_BYTES; // 14
const MORE_ADDRESSES = (RECORD_BYTES - MORE_ADDRESSES_AT) / ADDRESS_BYTES; // 30
/** Another record of this answer follows. */
const FLAG_MORE = 1;
/** The answer had more addresses than were read. */
const FLAG_CUT = 2;

// --- implementation: word of the file header that the ring uses for itself
const W_COMMITTED = 49;

const LAYOUT: MapLayout = {
  kind: 'events_dns',
  version: 1,
  isDense: true,
  keyBytes: 0,
  valueBytes: RECORD_BYTES,
  capacity: DNS_EVENT_CAPACITY,
  minCapacity: DNS_EVENT_CAPACITY,
  maxCapacity: DNS_EVENT_CAPACITY,
  fileBytes: (capacity) => HEADER_BYTES + capacity * RECORD_BYTES,
};

export class DnsEventRing extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly times: Float64Array;
  readonly #header: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.bytes = new Uint8Array(file.buffer, HEADER_BYTES, file.capacity * RECORD_BYTES);
    this.words = file.words(HEADER_BYTES, file.capacity * RECORD_WORDS);
    this.times = new Float64Array(file.buffer, HEADER_BYTES, (file.capacity * RECORD_BYTES) / 8);
    this.#header = file.header;
  }

  /** The position behind the newest record, signed. */
  get committed(): number {
    return Atomics.load(this.#header, W_COMMITTED);
  }

  set committed(position: number) {
    Atomics.store(this.#header, W_COMMITTED, position);
  }

  /** The dataplane's end. A ring that is new, or whose reader has lost its place, begins where the reader is. */
  writer(config: ConfigMap): DnsEventWriter {
    return new DnsEventWriter(this, config);
  }

  /** The agent's end, which goes on where the agent before it has acknowledged. */
  reader(config: ConfigMap): DnsEventReader {
    return new DnsEventReader(this, config);
  }

  /** Records between a place and the newest; -1 when no reader of this ring can be there. */
  since(place: number): number {
    const records = (this.committed - place) | 0;
    return records >= 0 && records <= this.capacity ? records : -1;
  }
}

/** Who asked. */
interface DnsAsker {
  readonly srcEndpoint: number;
  readonly egressRuleSet: number;
}

/** What an answer says of its question: DnsAnswers is one. */
interface TaughtAddresses {
  /** Four words each. */
  readonly addresses: Int32Array;
  readonly count: number;
  readonly ttlSec: number;
  readonly isCut: boolean;
}

/** How many records an answer takes. */
export function dnsRecordsOf(addresses: number): number {
  return 1 + Math.ceil(Math.max(0, addresses - FIRST_ADDRESSES) / MORE_ADDRESSES);
}

/** The dataplane's end. */
export class DnsEventWriter {
  /** Of what is written next. */
  nowMs = 0;
  readonly #ring: DnsEventRing;
  readonly #config: ConfigMap;

  constructor(ring: DnsEventRing, config: ConfigMap) {
    this.#ring = ring;
    this.#config = config;
    const published = config.load(CONFIG_DNS_PUBLISHED) | 0;
    if (ring.since(this.acknowledged) < 0 || ring.since(published) < 0) {
      const isAhead = ((published - this.acknowledged) | 0) > 0;
      ring.committed = isAhead ? published : this.acknowledged;
    }
  }

  /** Sequence number of what was written last, signed. */
  get sequence(): number {
    return this.#ring.committed;
  }

  get published(): number {
    return this.#config.load(CONFIG_DNS_PUBLISHED) | 0;
  }

  get acknowledged(): number {
    return this.#config.load(CONFIG_DNS_ACKNOWLEDGED) | 0;
  }

  /** Records that can be written before the agent acknowledges more. */
  get free(): number {
    const used = this.#ring.since(this.acknowledged);
    return used < 0 ? 0 : this.#ring.capacity - used;
  }

  /** Whether what has this sequence number is published. */
  isPublished(sequence: number): boolean {
    return ((this.published - sequence) | 0) >= 0;
  }

  /**
   * Writes all records of an answer, and lets the agent see them. Allocates nothing.
   * @param kind DNS_ASK, DNS_RENEW
   * @returns false when there is no room for all; nothing is written then
   */
  write(kind: number, asker: DnsAsker, name: DomainName, taught: TaughtAddresses): boolean {
    const records = dnsRecordsOf(taught.count);
    if (records > this.free) return false;
    const { committed } = this.#ring;
    for (let i = 0, done = 0; i < records; i++) {
      const room = i === 0 ? FIRST_ADDRESSES : MORE_ADDRESSES;
      const count = Math.min(taught.count - done, room);
      const at = this.#begin(kind, (committed + i) | 0, count, asker);
      const { bytes, words } = this.#ring;
      bytes[at + 5] = (i + 1 < records ? FLAG_MORE : 0) | (taught.isCut ? FLAG_CUT : 0);
      words[(at >>> 2) + 5] = taught.ttlSec;
      bytes[at + 26] = name.length;
      if (i === 0) for (let p = 0; p < name.length; p++) bytes[at + NAME_AT + p] = name.bytes[p];
      const to = (at + (i === 0 ? FIRST_ADDRESSES_AT : MORE_ADDRESSES_AT)) >>> 2;
      for (let word = 0; word < 4 * count; word++) words[to + word] = taught.addresses[4 * done + word];
      done += count;
    }
    this.#ring.committed = (committed + records) | 0;
    return true;
  }

  #begin(kind: number, position: number, count: number, { srcEndpoint, egressRuleSet }: DnsAsker): number {
    const { bytes, words, times, capacity } = this.#ring;
    const at = (position & (capacity - 1)) * RECORD_BYTES;
    const word = at >>> 2;
    words[word] = (position + 1) | 0;
    words[word + 1] = kind | (srcEndpoint << 16);
    times[(at >>> 3) + 1] = this.nowMs;
    words[word + 4] = egressRuleSet;
    words[word + 6] = count;
    bytes[at + 27] = 0;
    return at;
  }
}

/** What one answer taught. */
export interface DnsEvent {
  /** Given to `published` when all that follows from this answer, and from those before it, is written. */
  readonly sequence: number;
  readonly kind: typeof DNS_ASK | typeof DNS_RENEW;
  readonly endpoint: number;
  /** Id of the egress rule set that the question was judged by. */
  readonly ruleSet: number;
  /** Wire form, lower case. */
  readonly name: Uint8Array;
  readonly ttlSec: number;
  readonly addresses: readonly AddressWords[];
  /** The answer had more addresses than are read: these are not learnt. */
  readonly isCut: boolean;
  /** When it came, in ms of the monotonic clock. */
  readonly timeMs: number;
}

/** The agent's end: one reader, which goes on where the agent before it has acknowledged. */
class DnsEventReader {
  readonly #ring: DnsEventRing;
  readonly #config: ConfigMap;
  #position: number;

  constructor(ring: DnsEventRing, config: ConfigMap) {
    this.#ring = ring;
    this.#config = config;
    this.#position = config.load(CONFIG_DNS_ACKNOWLEDGED) | 0;
  }

  /** Records that have not been read. */
  get pending(): number {
    return Math.max(0, this.#ring.since(this.#position));
  }

  /** Sequence number of what was read last. */
  get sequence(): number {
    return this.#position;
  }

  /** Reads answers in their order, at most `limit`; those whose records make no sense are left out. */
  *read(limit = Number.POSITIVE_INFINITY): Generator<DnsEvent> {
    for (let read = 0; read < limit && this.pending > 0; ) {
      const event = this.#next();
      if (event === undefined) continue;
      read++;
      yield event;
    }
  }

  /** All that follows from answers up to this one is written: they go on. Poke the dataplane then (CONTROL.PUBLISHED). */
  publish(sequence: number): void {
    this.#config.store(CONFIG_DNS_PUBLISHED, sequence);
  }

  /** Answers up to this one are kept as well, and need not be read again by another agent: their room is free. */
  acknowledge(sequence: number): void {
    if (((sequence - this.#config.load(CONFIG_DNS_PUBLISHED)) | 0) > 0) this.publish(sequence);
    this.#config.store(CONFIG_DNS_ACKNOWLEDGED, sequence);
  }

  #next(): DnsEvent | undefined {
    const first = this.#position;
    const addresses: AddressWords[] = [];
    for (let hasMore = true; hasMore && this.pending > 0; ) {
      const at = this.#recordAt(this.#position);
      const isFirst = this.#position === first;
      const isSound = this.#ring.words[at >>> 2] === ((this.#position + 1) | 0) && isKind(this.#ring.bytes[at + 4]);
      this.#position = (this.#position + 1) | 0;
      if (!isSound) return undefined;
      this.#takeAddresses(at, isFirst, addresses);
      hasMore = (this.#ring.bytes[at + 5] & FLAG_MORE) !== 0;
    }
    return { ...this.#describe(this.#recordAt(first), addresses), sequence: this.#position };
  }

  #describe(at: number, addresses: readonly AddressWords[]): Omit<DnsEvent, 'sequence'> {
    const { bytes, words, times } = this.#ring;
    const nameBytes = Math.min(bytes[at + 26], MAX_NAME_BYTES);
    return {
      kind: bytes[at + 4] === DNS_ASK ? DNS_ASK : DNS_RENEW,
      endpoint: words[(at >>> 2) + 1] >>> 16,
      ruleSet: words[(at >>> 2) + 4],
      name: bytes.slice(at + NAME_AT, at + NAME_AT + nameBytes),
      ttlSec: words[(at >>> 2) + 5],
      addresses,
      isCut: (bytes[at + 5] & FLAG_CUT) !== 0,
      timeMs: times[(at >>> 3) + 1],
    };
  }

  #takeAddresses(at: number, isFirst: boolean, into: AddressWords[]): void {
    const from = (at + (isFirst ? FIRST_ADDRESSES_AT : MORE_ADDRESSES_AT)) >>> 2;
    const count = Math.min(this.#ring.words[(at >>> 2) + 6] & 0xffff, isFirst ? FIRST_ADDRESSES : MORE_ADDRESSES);
    for (let i = 0; i < count; i++) into.push(addressAt(this.#ring.words, from + 4 * i));
  }

  #recordAt(position: number): number {
    return (position & (this.#ring.capacity - 1)) * RECORD_BYTES;
  }
}

function isKind(byte: number): boolean {
  return byte === DNS_ASK || byte === DNS_RENEW;
}
