/**
 * What becomes of one query, whichever way it came: bytes in, bytes out, at once or later.
 *
 *   query --malformed--> FORMERR, NOTIMP, BADVERS       (answers, and what has no header: dropped)
 *     |-----not for us--> REFUSED: another class, transfers, elsewhere without recursion
 *     |-----in the zone--> its records; what an ExternalName leads to is asked for and told below the alias
 *     |-----in the cache--> as it came, with what is left of its TTLs
 *     \-----else---------> asked for (resolver.ts), and answered when that is known
 *
 * An answer is never longer than what the asker takes, and over UDP never than 1,232 bytes; ANY gets one record (RFC 8482): who forges
 * the address of an asker gains little.
 */
import { setU16, u16 } from '../wire/bytes.ts';
import {
  DnsMessage,
  ERROR_OPCODE,
  FLAG_CHECKING_DISABLED,
  FLAG_RECURSION_AVAILABLE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  RCODE_FORMAT_ERROR,
  RCODE_NAME_ERROR,
  RCODE_NOT_IMPLEMENTED,
  RCODE_REFUSED,
  RCODE_SERVER_FAILURE,
} from '../wire/dns/message.ts';
import { DNS_HEADER_BYTES, DomainName, MAX_NAME_BYTES } from '../wire/dns/name.ts';
import { FLAG_DNSSEC_OK } from '../wire/dns/opt.ts';
import { CLASS_IN, TYPE_ANY, TYPE_HINFO, TYPE_OPT } from '../wire/dns/types.ts';
import { type AnswerCache, isFresh } from './cache.ts';
import type { CachedMessage } from './cached-message.ts';
import type { Counters } from './counters.ts';
import { MAX_MESSAGE_BYTES, QUESTION_NAME, Reply, udpLimit } from './reply.ts';
import type { Resolver } from './resolver.ts';
import { retell } from './retelling.ts';
import type { Question } from './upstream-query.ts';
import type { Zone } from './zone.ts';
import { ANSWERED, ANY_DATA, NOT_HERE, ZoneAnswers } from './zone-answer.ts';

const RCODE_BAD_VERSION = 16;
const FLAGS_KEPT = 0x7900; // opcode and RD
/** Types that are no data: transfers, and what belongs to one message (IANA: 128 to 254). */
const TYPE_META_MIN = 128;
const ANY_TTL_SEC = 3_600;
/** RFC 8914. */
const EXTENDED_ERROR_OTHER = 0;
const EXTENDED_ERROR_STALE = 3;
const EXTENDED_ERROR_NO_AUTHORITY = 22;

/** The way of a query, and back. What it answers is of the query at hand. */
export interface Way {
  readonly isStream: boolean;
  /** Whose share of questions under way it takes. */
  client: () => string;
  /** What sends an answer later; the bytes are valid until it returns. */
  back: () => (bytes: Uint8Array) => void;
}

/** A query whose answer comes later. */
interface Asked {
  readonly bytes: Uint8Array;
  readonly isStream: boolean;
  readonly send: (bytes: Uint8Array) => void;
}

export interface ServerParts {
  readonly zone: Zone;
  readonly cache: AnswerCache;
  readonly resolver: Pick<Resolver, 'ask'>;
  readonly counters: Counters;
  /** Seconds, only forward. */
  readonly clock: () => number;
  /** Called with the first label of names that the zone does not have. */
  readonly onMissing: (label: Uint8Array) => void;
}

export class NameServer {
  /** Of the clock, as whoever brings queries has read it last. */
  nowSec = 0;
  readonly #parts: ServerParts;
  readonly #zoneAnswers: ZoneAnswers;
  readonly #query = new DnsMessage();
  readonly #name = new DomainName();
  readonly #reply = new Reply();
  readonly #key: Buffer = Buffer.alloc(MAX_NAME_BYTES + 3);
  /** For answers that come later, so that they do not get in the way of the query at hand. */
  readonly #late = { query: new DnsMessage(), name: new DomainName(), bytes: new Uint8Array(MAX_MESSAGE_BYTES) };

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#zoneAnswers = new ZoneAnswers(parts.zone, (below) => Math.floor(Math.random() * below));
  }

  /** Seconds, only forward. */
  get clock(): () => number {
    return this.#parts.clock;
  }

  get zone(): Zone {
    return this.#zoneAnswers.zone;
  }

  setZone(zone: Zone): void {
    this.#zoneAnswers.setZone(zone);
  }

  /**
   * Takes the message bytes[start, end) and writes its answer to `to[at]`.
   * @param to with room for 1,232 bytes, and for 65,535 when the way is a stream
   * @returns the length of the answer; 0 when there is none, or it comes later
   */
  // eslint-disable-next-line max-params -- each query, without an object for it
  handle(bytes: Uint8Array, start: number, end: number, to: Uint8Array, at: number, way: Way): number {
    const { counters } = this.#parts;
    const query = this.#query;
    const error = query.parse(bytes, start, end);
    if (end - start < DNS_HEADER_BYTES || (u16(bytes, start + 2) & FLAG_RESPONSE) !== 0) {
      counters.dropped++;
      return 0;
    }
    if (error !== 0) {
      counters.malformed++;
      return emitError(bytes, start, to, at, error === ERROR_OPCODE ? RCODE_NOT_IMPLEMENTED : RCODE_FORMAT_ERROR);
    }
    const limit = way.isStream ? MAX_MESSAGE_BYTES : udpLimit(query);
    this.#reply.begin(query, bytes, to, at, limit);
    if (query.optVersion > 0) {
      counters.malformed++;
      return this.#reply.finish(RCODE_BAD_VERSION);
    }
    const isMeta = query.type === TYPE_OPT || (query.type >= TYPE_META_MIN && query.type < TYPE_ANY);
    if (query.class !== CLASS_IN || isMeta) return this.#refuse();
    this.#name.load(bytes, start, end, query.questionAt);
    const outcome = this.#zoneAnswers.answer(query, this.#name, this.#reply);
    if (outcome === ANSWERED) return this.#finishZone(this.#name);
    if (outcome === NOT_HERE) return this.#askElsewhere(bytes, start, end, to, at, limit, way);
    counters.externalNames++;
    return this.#follow(bytes.slice(start, end), way);
  }

  #finishZone(name: DomainName): number {
    const { counters, onMissing } = this.#parts;
    counters.zoneAnswers++;
    if (this.#zoneAnswers.rcode === RCODE_NAME_ERROR) {
      counters.zoneNameErrors++;
      onMissing(name.bytes.subarray(1, 1 + name.bytes[0]));
    }
    return this.#finish(this.#zoneAnswers.rcode, this.#zoneAnswers.flags);
  }

  // eslint-disable-next-line max-params -- as handle()
  #askElsewhere(
    bytes: Uint8Array,
    start: number,
    end: number,
    to: Uint8Array,
    at: number,
    limit: number,
    way: Way,
  ): number {
    const { cache, counters } = this.#parts;
    const query = this.#query;
    if ((query.flags & FLAG_RECURSION_DESIRED) === 0) return this.#refuse();
    if (query.type === TYPE_ANY) {
      this.#reply.answer(QUESTION_NAME, TYPE_HINFO, ANY_TTL_SEC, ANY_DATA);
      return this.#reply.finish(0);
    }
    const key = this.#keyOf(query, this.#name);
    const found = cache.get(key);
    if (found !== undefined && isFresh(found, this.nowSec)) {
      counters.cacheHits++;
      return this.#writeFound(found, query, bytes, to, at, limit, -1);
    }
    counters.cacheMisses++;
    const asked: Asked = { bytes: bytes.slice(start, end), isStream: way.isStream, send: way.back() };
    const isTaken = this.#parts.resolver.ask(key, questionOf(query, this.#name), way.client(), (answer, isStale) => {
      this.#answerLater(asked, answer, isStale);
    });
    if (!isTaken) this.#overloaded(asked);
    return 0;
  }

  /** Asks for what an alias of the zone leads to. */
  #follow(copy: Uint8Array, way: Way): number {
    const query = this.#query;
    if ((query.flags & FLAG_RECURSION_DESIRED) === 0) return this.#finish(0, this.#zoneAnswers.flags);
    const asked: Asked = { bytes: copy, isStream: way.isStream, send: way.back() };
    const alias = this.#zoneAnswers.alias;
    const key = this.#keyOf(query, alias);
    const found = this.#parts.cache.get(key);
    if (found !== undefined && isFresh(found, this.nowSec)) {
      this.#parts.counters.cacheHits++;
      return this.#tellAlias(found);
    }
    this.#parts.counters.cacheMisses++;
    const isTaken = this.#parts.resolver.ask(key, questionOf(query, alias), way.client(), (answer, isStale) => {
      this.#answerAlias(asked, key, answer, isStale);
    });
    if (!isTaken) this.#overloaded(asked);
    return 0;
  }

  #answerLater(asked: Asked, found: CachedMessage | undefined, isStale: boolean): void {
    const { query, bytes } = this.#late;
    query.parse(asked.bytes, 0, asked.bytes.length);
    const limit = asked.isStream ? MAX_MESSAGE_BYTES : udpLimit(query);
    this.nowSec = this.#parts.clock();
    if (found === undefined) {
      this.#sendFailure(asked);
      return;
    }
    const error = isStale ? EXTENDED_ERROR_STALE : -1;
    if (isStale) this.#parts.counters.staleAnswers++;
    asked.send(bytes.subarray(0, this.#writeFound(found, query, asked.bytes, bytes, 0, limit, error)));
  }

  /** The zone may be another by now: it is asked again, and what was found belongs below the alias that it was asked for. */
  #answerAlias(asked: Asked, key: string, found: CachedMessage | undefined, isStale: boolean): void {
    const { query, name, bytes } = this.#late;
    query.parse(asked.bytes, 0, asked.bytes.length);
    name.load(asked.bytes, 0, asked.bytes.length, query.questionAt);
    this.nowSec = this.#parts.clock();
    if (isStale) this.#parts.counters.staleAnswers++;
    this.#reply.begin(query, asked.bytes, bytes, 0, asked.isStream ? MAX_MESSAGE_BYTES : udpLimit(query));
    const outcome = this.#zoneAnswers.answer(query, name, this.#reply);
    if (outcome === ANSWERED) asked.send(bytes.subarray(0, this.#finishZone(name)));
    else if (outcome === NOT_HERE || found === undefined || this.#keyOf(query, this.#zoneAnswers.alias) !== key)
      this.#sendFailure(asked);
    else asked.send(bytes.subarray(0, this.#tellAlias(found)));
  }

  #tellAlias(found: CachedMessage): number {
    const { alias, aliasAt, flags } = this.#zoneAnswers;
    retell(found, alias, aliasAt, this.#reply, this.nowSec);
    return this.#finish(found.rcode, flags);
  }

  #sendFailure(asked: Asked, error = EXTENDED_ERROR_NO_AUTHORITY): void {
    const { query, bytes } = this.#late;
    query.parse(asked.bytes, 0, asked.bytes.length);
    if (error === EXTENDED_ERROR_NO_AUTHORITY) this.#parts.counters.failures++;
    this.#reply.begin(query, asked.bytes, bytes, 0, asked.isStream ? MAX_MESSAGE_BYTES : udpLimit(query));
    this.#reply.explain(error);
    asked.send(bytes.subarray(0, this.#reply.finish(RCODE_SERVER_FAILURE)));
  }

  // eslint-disable-next-line max-params -- as handle()
  #writeFound(
    found: CachedMessage,
    query: DnsMessage,
    bytes: Uint8Array,
    to: Uint8Array,
    at: number,
    limit: number,
    error: number,
  ): number {
    const length = found.write(query, bytes, to, at, limit, this.nowSec, error);
    if (isCut(to, at)) this.#parts.counters.truncated++;
    return length;
  }

  #finish(rcode: number, flags: number): number {
    if (this.#reply.isTruncated) this.#parts.counters.truncated++;
    return this.#reply.finish(rcode, flags);
  }

  #refuse(): number {
    this.#parts.counters.refused++;
    return this.#reply.finish(RCODE_REFUSED);
  }

  #overloaded(asked: Asked): void {
    this.#parts.counters.overloads++;
    this.#sendFailure(asked, EXTENDED_ERROR_OTHER);
  }

  /** Of the cache: name, type, and what else makes another answer. */
  #keyOf(query: DnsMessage, name: DomainName): string {
    const key = this.#key;
    key.set(name.bytes);
    setU16(key, name.length, query.type);
    key[name.length + 2] =
      ((query.optFlags & FLAG_DNSSEC_OK) === 0 ? 0 : 1) | ((query.flags & FLAG_CHECKING_DISABLED) === 0 ? 0 : 2);
    return key.toString('latin1', 0, name.length + 3);
  }
}

function questionOf(query: DnsMessage, name: DomainName): Question {
  return {
    name: name.bytes.slice(0, name.length),
    type: query.type,
    isSecure: (query.optFlags & FLAG_DNSSEC_OK) !== 0,
    isUnchecked: (query.flags & FLAG_CHECKING_DISABLED) !== 0,
  };
}

function isCut(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 2] & 2) !== 0;
}

/** An answer to what cannot be read: its header. */
function emitError(bytes: Uint8Array, start: number, to: Uint8Array, at: number, rcode: number): number {
  to[at] = bytes[start];
  to[at + 1] = bytes[start + 1];
  const kept = u16(bytes, start + 2) & FLAGS_KEPT;
  setU16(to, at + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | rcode);
  for (let i = 4; i < DNS_HEADER_BYTES; i++) to[at + i] = 0;
  return DNS_HEADER_BYTES;
}
