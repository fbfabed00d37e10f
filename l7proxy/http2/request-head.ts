/**
 * What a request of HTTP/2 must be to be forwarded (RFC 9113 8.1 to 8.3), and the head that rules judge, which is that of
 * HTTP/1: the same code decides.
 *
 *   :method, :path    the method and target; of CONNECT the target is :authority (8.5)
 *   :authority        the Host; a `host` beside it must say the same
 *   :protocol         extended CONNECT (RFC 8441), for websockets only and if the server takes it: judged as the GET that asks for one
 *                     in HTTP/1
 *   cookie            several are one (8.2.3)
 *
 * A field that only HTTP/1 has (connection, transfer-encoding, upgrade), an upper-case name, a value with a line end in it: each
 * becomes another request where a server, or a proxy behind us, writes it out as HTTP/1.
 */
import { isJudgedName } from '../http/headers.ts';
import type { Head } from '../http1/head.ts';
import { noteHeader } from '../http1/head.ts';
import { allAre, checkTarget, isSameName } from '../http1/start-line.ts';
import * as syntax from '../http1/syntax.ts';
import type { FieldList } from './field-list.ts';

const { ascii, CLASS, COLON, HTAB, SP, TARGET, TOKEN, VALUE } = syntax;

const METHOD = ascii(':method');
const SCHEME = ascii(':scheme');
const PATH = ascii(':path');
const AUTHORITY = ascii(':authority');
const PROTOCOL = ascii(':protocol');
const HOST = ascii('host');
const COOKIE = ascii('cookie');
const TE = ascii('te');
const CONTENT_TYPE = ascii('content-type');
const CONTENT_LENGTH = ascii('content-length');
const GRPC = ascii('application/grpc');
const TRAILERS = ascii('trailers');
const WEBSOCKET = ascii('websocket');
const GET = ascii('GET');
const CONNECT = ascii('CONNECT');
const HTTP = ascii('http');
const HTTPS = ascii('https');
const OF_CONNECTIONS = [
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
].map(ascii);

const PLUS = 43;

export class RequestHead {
  /** Extended CONNECT. */
  hasProtocol = false;
  isConnect = false;
  isGrpc = false;
  #method = -1;
  #scheme = -1;
  #path = -1;
  #authority = -1;
  #protocol = -1;
  #regular = 0;
  #cookies = 0;

  /**
   * Makes `head` of the fields of a request, over the bytes of `fields`, to which it adds behind their end.
   * @returns 0, or an error of http1/syntax.ts
   */
  build(fields: FieldList, head: Head): number {
    if (fields.isTooLarge) return syntax.HEAD_TOO_LARGE;
    if (fields.isTooMany) return syntax.TOO_MANY_HEADERS;
    return this.#sort(fields) || this.#check(fields) || this.#make(fields, head);
  }

  /** Finds the pseudo-headers, and looks at each field by itself. */
  #sort(fields: FieldList): number {
    this.#method = this.#scheme = this.#path = this.#authority = this.#protocol = -1;
    this.#cookies = 0;
    this.isGrpc = false;
    let i = 0;
    for (; i < fields.count && isPseudo(fields, i); i++) {
      if (!this.#notePseudo(fields, i)) return syntax.BAD_PSEUDO_HEADER;
      const error = valueError(fields, i);
      if (error !== 0) return error;
    }
    this.#regular = i;
    for (; i < fields.count; i++) {
      const error = fieldError(fields, i);
      if (error !== 0) return error;
      if (fields.isNamed(i, COOKIE)) this.#cookies++;
      if (fields.isNamed(i, CONTENT_TYPE)) this.isGrpc ||= saysGrpc(fields, i);
    }
    return 0;
  }

  /** @returns false for one that is unknown, or comes again */
  #notePseudo(fields: FieldList, i: number): boolean {
    let before: number;
    if (fields.isNamed(i, METHOD)) {
      before = this.#method;
      this.#method = i;
    } else if (fields.isNamed(i, PATH)) {
      before = this.#path;
      this.#path = i;
    } else if (fields.isNamed(i, SCHEME)) {
      before = this.#scheme;
      this.#scheme = i;
    } else if (fields.isNamed(i, AUTHORITY)) {
      before = this.#authority;
      this.#authority = i;
    } else {
      before = fields.isNamed(i, PROTOCOL) ? this.#protocol : i;
      this.#protocol = i;
    }
    return before < 0;
  }

  /** Which pseudo-headers a request must have, and what they may say. */
  #check(fields: FieldList): number {
    if (this.#method < 0) return syntax.BAD_PSEUDO_HEADER;
    const methodBytes = fields.valueEnd[this.#method] - fields.valueStart[this.#method];
    if (methodBytes === 0 || methodBytes > syntax.MAX_METHOD_BYTES || !isAllOf(fields, this.#method, TOKEN)) {
      return syntax.BAD_METHOD;
    }
    this.isConnect = isValue(fields, this.#method, CONNECT);
    this.hasProtocol = this.#protocol >= 0;
    if (this.hasProtocol && !(this.isConnect && isValue(fields, this.#protocol, WEBSOCKET))) {
      return syntax.BAD_PSEUDO_HEADER;
    }
    if (this.isConnect && !this.hasProtocol) {
      return this.#path >= 0 || this.#scheme >= 0 || this.#authority < 0 ? syntax.BAD_PSEUDO_HEADER : 0;
    }
    if (this.#path < 0 || this.#scheme < 0) return syntax.BAD_PSEUDO_HEADER;
    if (!isValue(fields, this.#scheme, HTTP) && !isValue(fields, this.#scheme, HTTPS)) return syntax.BAD_PSEUDO_HEADER;
    const first = fields.bytes[fields.valueStart[this.#path]];
    const isEmpty = fields.valueStart[this.#path] === fields.valueEnd[this.#path];
    if (isEmpty || (first !== syntax.SLASH && first !== syntax.ASTERISK)) return syntax.BAD_TARGET;
    return isAllOf(fields, this.#path, TARGET) ? 0 : syntax.BAD_TARGET;
  }

  #make(fields: FieldList, head: Head): number {
    head.reset(0);
    head.major = 2;
    head.minor = 1; // of the rules for heads: one Host, CONNECT is known
    const target = this.isConnect && !this.hasProtocol ? this.#authority : this.#path;
    writeLine(fields, head, this.hasProtocol ? -1 : this.#method, target);
    if (this.#authority >= 0) {
      const { valueStart, valueEnd } = fields;
      const error = addHeader(fields, head, HOST, valueStart[this.#authority], valueEnd[this.#authority]);
      if (error !== 0) return error;
    }
    const error = this.#addRegular(fields, head);
    if (error !== 0) return error;
    if (head.hostCount === 0 || head.valueStart[head.host] === head.valueEnd[head.host]) return syntax.MISSING_HOST;
    if (this.#cookies > 1) {
      if (head.headerCount === syntax.MAX_HEADERS) return syntax.TOO_MANY_HEADERS;
      this.#joinCookies(fields, head);
    }
    if (this.hasProtocol && head.contentLength > 0) return syntax.BAD_CONTENT_LENGTH;
    head.end = fields.end;
    return checkTarget(head, fields.bytes);
  }

  #addRegular(fields: FieldList, head: Head): number {
    let hosts = 0;
    for (let i = this.#regular; i < fields.count; i++) {
      if (this.#cookies > 1 && fields.isNamed(i, COOKIE)) continue;
      if (fields.isNamed(i, HOST)) {
        if (++hosts > 1) return syntax.DUPLICATE_HOST;
        if (this.#authority >= 0 && !isSameHost(fields, this.#authority, i)) return syntax.HOST_MISMATCH;
        if (this.#authority >= 0) continue;
      }
      if (head.headerCount === syntax.MAX_HEADERS) return syntax.TOO_MANY_HEADERS;
      const index = head.headerCount++;
      head.nameStart[index] = fields.nameStart[i];
      head.nameEnd[index] = fields.nameEnd[i];
      head.valueStart[index] = fields.valueStart[i];
      head.valueEnd[index] = fields.valueEnd[i];
      const error = noteHeader(head, fields.bytes, index);
      if (error !== 0) return error;
    }
    return 0;
  }

  /** Preconditions: there is room for one more header. */
  #joinCookies(fields: FieldList, head: Head): void {
    const { bytes } = fields;
    const from = fields.end;
    let p = from;
    for (let i = this.#regular; i < fields.count; i++) {
      if (!fields.isNamed(i, COOKIE)) continue;
      if (p > from) {
        bytes[p++] = syntax.SEMICOLON;
        bytes[p++] = SP;
      }
      bytes.copyWithin(p, fields.valueStart[i], fields.valueEnd[i]);
      p += fields.valueEnd[i] - fields.valueStart[i];
    }
    fields.end = p;
    addHeader(fields, head, COOKIE, from, p);
  }
}

/** What trailers must be. @param judged lower-case names that none may have @returns 0 or an error of http1/syntax.ts */
export function trailersError(fields: FieldList, judged: ReadonlySet<string>): number {
  if (fields.isTooLarge || fields.isTooMany || fields.end > syntax.MAX_TRAILER_BYTES) return syntax.BAD_TRAILER;
  for (let i = 0; i < fields.count; i++) {
    if (isPseudo(fields, i)) return syntax.BAD_PSEUDO_HEADER;
    const error = fieldError(fields, i);
    if (error !== 0) return error;
    if (fields.isNamed(i, HOST) || fields.isNamed(i, CONTENT_LENGTH) || fields.isNamed(i, TE))
      return syntax.BAD_TRAILER;
    if (isJudgedName(fields.bytes, fields.nameStart[i], fields.nameEnd[i], judged)) return syntax.BAD_TRAILER;
  }
  return 0;
}

function isPseudo(fields: FieldList, i: number): boolean {
  return fields.nameEnd[i] > fields.nameStart[i] && fields.bytes[fields.nameStart[i]] === COLON;
}

/** What is wrong with a field by itself (8.2.1, 8.2.2). */
function fieldError(fields: FieldList, i: number): number {
  const { bytes } = fields;
  const start = fields.nameStart[i];
  if (start === fields.nameEnd[i]) return syntax.BAD_HEADER_NAME;
  if (bytes[start] === COLON) return syntax.BAD_PSEUDO_HEADER; // behind a regular one
  for (let p = start; p < fields.nameEnd[i]; p++) {
    const isUpper = bytes[p] >= 65 && bytes[p] <= 90;
    if (isUpper || (CLASS[bytes[p]] & TOKEN) === 0) return syntax.errorOfByte(bytes[p], syntax.BAD_HEADER_NAME);
  }
  for (const name of OF_CONNECTIONS) if (fields.isNamed(i, name)) return syntax.CONNECTION_HEADER;
  if (fields.isNamed(i, TE) && !isValue(fields, i, TRAILERS)) return syntax.CONNECTION_HEADER;
  return valueError(fields, i);
}

function valueError(fields: FieldList, i: number): number {
  const { bytes } = fields;
  const start = fields.valueStart[i];
  const end = fields.valueEnd[i];
  if (start === end) return 0;
  if (isSpace(bytes[start]) || isSpace(bytes[end - 1])) return syntax.BAD_HEADER_VALUE;
  for (let p = start; p < end; p++) {
    if ((CLASS[bytes[p]] & VALUE) === 0) return syntax.errorOfByte(bytes[p], syntax.CONTROL_CHARACTER);
  }
  return 0;
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HTAB;
}

function isAllOf(fields: FieldList, i: number, bit: number): boolean {
  return allAre(fields.bytes, fields.valueStart[i], fields.valueEnd[i], bit);
}

function isValue(fields: FieldList, i: number, text: Uint8Array): boolean {
  return fields.valueEnd[i] - fields.valueStart[i] === text.length && startsWith(fields, i, text);
}

function startsWith(fields: FieldList, i: number, text: Uint8Array): boolean {
  const start = fields.valueStart[i];
  if (fields.valueEnd[i] - start < text.length) return false;
  for (let k = 0; k < text.length; k++) if (fields.bytes[start + k] !== text[k]) return false;
  return true;
}

/** `application/grpc`, alone or with `+` or `;` behind it; grpc-web is not. */
function saysGrpc(fields: FieldList, i: number): boolean {
  if (!startsWith(fields, i, GRPC)) return false;
  const next = fields.valueStart[i] + GRPC.length;
  return next === fields.valueEnd[i] || fields.bytes[next] === PLUS || fields.bytes[next] === syntax.SEMICOLON;
}

function isSameHost({ bytes, valueStart, valueEnd }: FieldList, a: number, b: number): boolean {
  return isSameName(bytes, valueStart[a], valueEnd[a], valueStart[b], valueEnd[b]);
}

/** Method and target stand side by side, as in a request line. @param method index, -1 = GET */
function writeLine(fields: FieldList, head: Head, method: number, target: number): void {
  const { bytes, valueStart, valueEnd } = fields;
  let p = fields.end;
  head.methodStart = p;
  if (method < 0) bytes.set(GET, p);
  else bytes.copyWithin(p, valueStart[method], valueEnd[method]);
  p += method < 0 ? GET.length : valueEnd[method] - valueStart[method];
  head.methodEnd = p;
  bytes[p++] = SP;
  head.targetStart = p;
  bytes.copyWithin(p, valueStart[target], valueEnd[target]);
  p += valueEnd[target] - valueStart[target];
  head.targetEnd = p;
  fields.end = p;
}

/** A header of this name, which is written behind the fields. Preconditions: there is room. @returns 0 or an error */
function addHeader(fields: FieldList, head: Head, name: Uint8Array, valueStart: number, valueEnd: number): number {
  const index = head.headerCount++;
  fields.bytes.set(name, fields.end);
  head.nameStart[index] = fields.end;
  fields.end += name.length;
  head.nameEnd[index] = fields.end;
  head.valueStart[index] = valueStart;
  head.valueEnd[index] = valueEnd;
  return noteHeader(head, fields.bytes, index);
}
