/**
 * Reads access-log records (l7-record.ts). What it is given may be anything: it does not throw, and it reads nothing beyond the record.
 * A field that ends beyond the end is told as far as it is there; a record of another form is none.
 */
import type { AccessLog, AccessLogEndpoint, AccessLogHttp } from './access-log.ts';
import { formatIp, isV4Mapped } from './address.ts';
import { ipText } from './address-text.ts';
import { i32, i32le, u16le } from './bytes.ts';
import { DomainName } from './dns/name.ts';
import { typeName } from './dns/types.ts';
import { type EventRecord, FLAG_CUT } from './event.ts';
import { apiKeyText } from './kafka.ts';
import * as form from './l7-record.ts';

/** In the payload of a record: the fixed part, without the first slot's fixed fields of an event. */
const AT_ENDS = 4;
const AT_ADDRESSES = 8;
const AT_NANOSECONDS = 40;
const AT_CODE = 48;
const AT_NUMBER = 52;
const AT_KIND = 56;
const AT_VERSION = 58;
const ADDRESS = 16;

const TYPES = [undefined, 'Request', 'Response', 'Sample'] as const;
const VERDICTS = [undefined, 'Forwarded', 'Denied', 'Error', 'Redirected'] as const;

type Lists = Record<string, string[]>;

/** Members by any name, `__proto__` too, without the hash table that Object.create(null) makes at once. */
const NewLists = function () {} as unknown as new () => Lists;
NewLists.prototype = Object.create(null) as object;

/**
 * What a record tells.
 * @param record of type EVENT_L7, its payload that of all its slots
 * @returns undefined when it is none of this form
 */
export function readAccessLog({ payload, flags }: EventRecord): AccessLog | undefined {
  const Type = TYPES[payload[2]];
  const Verdict = VERDICTS[payload[3]];
  if (payload.length < form.FIXED_BYTES || payload[0] !== form.L7_FORM || !Type || !Verdict) return undefined;
  const LatencyNs = doubleAt(payload, AT_NANOSECONDS);
  const log: { -readonly [K in keyof AccessLog]: AccessLog[K] } = { Type, Verdict };
  if (LatencyNs > 0) log.LatencyNs = LatencyNs;
  if ((flags & FLAG_CUT) !== 0) log.IsCut = true;
  log.SourceEndpoint = endAt(payload, AT_ADDRESSES, u16le(payload, AT_ENDS));
  log.DestinationEndpoint = endAt(payload, AT_ADDRESSES + ADDRESS, u16le(payload, AT_ENDS + 2));
  new FieldReader(payload).fill(log, payload[1]);
  return log;
}

function endAt(bytes: Uint8Array, at: number, Port: number): AccessLogEndpoint {
  const [w0, w1, w2, w3] = [i32(bytes, at), i32(bytes, at + 4), i32(bytes, at + 8), i32(bytes, at + 12)];
  const address = ipText(w0, w1, w2, w3);
  return isV4Mapped(w0, w1, w2) ? { IPv4: address, Port } : { IPv6: address, Port };
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** @returns 0 for what is no number */
function doubleAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[at + i];
  return Number.isFinite(double[0]) ? double[0] : 0;
}

/** Goes over the fields of one record. */
class FieldReader {
  readonly #bytes: Uint8Array;
  /** The payload, a character a byte: texts are parts of it. */
  readonly #text: string;
  #at: number = form.FIXED_BYTES;
  // The field at hand.
  #tag = 0;
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  }

  fill(log: { -readonly [K in keyof AccessLog]: AccessLog[K] }, protocol: number): void {
    switch (protocol) {
      case form.L7_HTTP:
        log.HTTP = this.#http(log);
        return;
      case form.L7_DNS:
        log.DNS = this.#dns(log);
        return;
      case form.L7_KAFKA:
        log.Kafka = this.#kafka(log);
        return;
      case form.L7_TLS:
        log.TLS = { SNI: this.#only(log, form.FIELD_SERVER_NAME) };
        return;
      default:
        log.L7 = this.#other(log);
    }
  }

  /** @returns false when there is no further field */
  #next(): boolean {
    const bytes = this.#bytes;
    if (this.#at + form.FIELD_HEADER_BYTES > bytes.length) return false;
    this.#tag = bytes[this.#at];
    this.#start = this.#at + form.FIELD_HEADER_BYTES;
    const end = this.#start + u16le(bytes, this.#at + 1);
    this.#end = Math.min(end, bytes.length);
    this.#at = end;
    return true;
  }

  get #value(): string {
    return this.#text.slice(this.#start, this.#end);
  }

  /** Fields that every protocol may have. */
  #common(log: { -readonly [K in keyof AccessLog]: AccessLog[K] }): void {
    if (this.#tag === form.FIELD_INFO) log.Info = this.#value;
    if (this.#tag === form.FIELD_BYTES && this.#end - this.#start === 16) {
      const FromClient = doubleAt(this.#bytes, this.#start);
      log.Carried = { FromClient, ToClient: doubleAt(this.#bytes, this.#start + 8) };
    }
  }

  #http(log: AccessLog): AccessLogHttp {
    let method = '';
    let host = '';
    let path: string | undefined;
    const lists: (Lists | undefined)[] = [];
    let list = 0;
    let name = '';
    while (this.#next()) {
      switch (this.#tag) {
        case form.FIELD_METHOD:
          method = this.#value;
          break;
        case form.FIELD_HOST:
          host = this.#value;
          break;
        case form.FIELD_PATH:
          path = this.#value;
          break;
        case form.FIELD_NAME:
        case form.FIELD_MISSING:
        case form.FIELD_REJECTED:
          list = this.#tag;
          name = canonical(this.#value);
          break;
        case form.FIELD_VALUE:
          if (list !== 0) add((lists[list] ??= new NewLists()), name, this.#value);
          list = 0;
          break;
        default:
          this.#common(log);
      }
    }
    const code = i32le(this.#bytes, AT_CODE);
    const version = u16le(this.#bytes, AT_KIND);
    const URL = path === undefined ? '' : urlOf(method, host, path);
    const Protocol = version === 0x11 ? 'HTTP/1.1' : versionText(version);
    const http: { -readonly [K in keyof AccessLogHttp]: AccessLogHttp[K] } = { Method: method, URL, Protocol };
    if (code !== 0) http.Code = code;
    const [headers, missing, rejected] = [
      lists[form.FIELD_NAME],
      lists[form.FIELD_MISSING],
      lists[form.FIELD_REJECTED],
    ];
    if (headers !== undefined) http.Headers = headers;
    if (missing !== undefined) http.MissingHeaders = missing;
    if (rejected !== undefined) http.RejectedHeaders = rejected;
    return http;
  }

  #dns(log: AccessLog): NonNullable<AccessLog['DNS']> {
    const ObservationSource = 'proxy';
    let Query = '';
    let QTypes: string[] | undefined;
    const [IPs, CNAMEs, AnswerTypes]: [string[], string[], string[]] = [[], [], []];
    while (this.#next()) {
      if (this.#tag === form.FIELD_QUERY) Query = this.#name();
      else if (this.#tag === form.FIELD_QUERY_TYPES) QTypes = this.#types();
      else if (this.#tag === form.FIELD_ANSWER_TYPES) AnswerTypes.push(...this.#types());
      else if (this.#tag === form.FIELD_ALIAS) CNAMEs.push(this.#name());
      else if (this.#tag === form.FIELD_ADDRESSES) IPs.push(...this.#addresses());
      else this.#common(log);
    }
    if (QTypes === undefined) return { Query, ObservationSource };
    if (log.Type === 'Request') return { Query, ObservationSource, QTypes };
    const [RCode, TTL] = [i32le(this.#bytes, AT_CODE), i32le(this.#bytes, AT_NUMBER)];
    return { Query, ObservationSource, QTypes, RCode, IPs, TTL, CNAMEs, AnswerTypes };
  }

  #kafka(log: AccessLog): NonNullable<AccessLog['Kafka']> {
    const Topic = this.#only(log, form.FIELD_TOPIC);
    const bytes = this.#bytes;
    const kind = u16le(bytes, AT_KIND);
    if (kind === form.NO_KIND) return {};
    return {
      APIKey: apiKeyText(kind),
      APIVersion: u16le(bytes, AT_VERSION),
      CorrelationID: i32le(bytes, AT_NUMBER),
      ...(log.Type === 'Request' && { ErrorCode: i32le(bytes, AT_CODE), Topic }),
    };
  }

  #other(log: AccessLog): NonNullable<AccessLog['L7']> {
    let Proto = '';
    let name: string | undefined;
    const Fields = Object.create(null) as Record<string, string>;
    while (this.#next()) {
      if (this.#tag === form.FIELD_PROTOCOL) Proto = this.#value;
      else if (this.#tag === form.FIELD_NAME) name = this.#value;
      else if (this.#tag === form.FIELD_VALUE && name !== undefined) {
        Fields[name] = this.#value;
        name = undefined;
      } else this.#common(log);
    }
    return Object.keys(Fields).length === 0 ? { Proto } : { Proto, Fields };
  }

  /** The text of the one field that a protocol has; '' when there is none. */
  #only(log: AccessLog, tag: number): string {
    let text = '';
    while (this.#next()) {
      if (this.#tag === tag) text = this.#value;
      else this.#common(log);
    }
    return text;
  }

  #name(): string {
    const name = new DomainName();
    return name.load(this.#bytes, this.#start, this.#end, this.#start) ? name.text() : '';
  }

  #types(): string[] {
    const types: string[] = [];
    for (let at = this.#start; at + 2 <= this.#end; at += 2) types.push(typeName(u16le(this.#bytes, at)));
    return types;
  }

  #addresses(): string[] {
    const bytes = this.#bytes;
    const texts: string[] = [];
    for (let at = this.#start; at + ADDRESS <= this.#end; at += ADDRESS) {
      texts.push(formatIp(i32(bytes, at), i32(bytes, at + 4), i32(bytes, at + 8), i32(bytes, at + 12)));
    }
    return texts;
  }
}

function versionText(version: number): string {
  return version === 0x20 ? 'HTTP/2' : `HTTP/${version >>> 4}.${version & 15}`;
}

/** As Cilium writes it: `http://host/path`; of CONNECT, whose target is the host itself (RFC 9110 9.3.6), `http://host`. */
function urlOf(method: string, host: string, path: string): string {
  if (method === 'CONNECT') return `http://${path}`;
  return `http://${host}${path.startsWith('/') ? path : `/${path}`}`;
}

function add(lists: Lists, name: string, value: string): void {
  const list = lists[name];
  if (list === undefined) lists[name] = [value];
  else list.push(value);
}

/** Names that came before: senders use few. */
const MAX_KNOWN_NAMES = 512;
const MAX_KNOWN_NAME = 64;
const knownNames = new Map<string, string>();

/** `X-Request-Id`, however it was written. */
function canonical(name: string): string {
  const known = knownNames.get(name);
  if (known !== undefined) return known;
  const text = name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
  if (name.length > MAX_KNOWN_NAME) return text;
  if (knownNames.size === MAX_KNOWN_NAMES) knownNames.clear();
  knownNames.set(Buffer.from(name, 'latin1').toString('latin1'), text); // a copy: not a part of the text of a record
  return text;
}
