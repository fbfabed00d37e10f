/**
 * Request and status lines, and what the whole head of a message must be to be forwarded (RFC 9112 sections 3, 4, 6).
 *
 * `parseRequest` and `parseResponse` answer > 0 (the position after the head), 0 (more bytes are needed) or minus an error
 * of http1/syntax.ts. Rules for requests beyond the grammar, each against a way in which two readers disagree:
 *
 *  1. HTTP/1.0 and 1.1 only, spelled so. A line without a version is HTTP/0.9.
 *  2. One space between the parts, nothing behind the version, no fragment in the target.
 *  3. Exactly one Host in 1.1, at most one in 1.0; never empty; equal to the authority of an absolute target.
 *  4. `*` only for OPTIONS. CONNECT in 1.1 only, with a host and a port as its target, the same host in Host, and no
 *     content: some servers read the target and some read Host.
 *  5. Either one Content-Length of digits or one Transfer-Encoding of exactly `chunked`, the latter in 1.1 only.
 */
import { type Head, parseHeaders } from './head.ts';
import * as syntax from './syntax.ts';

const { ASTERISK, CLASS, CR, HOST, HOST_NAME, LF, QUESTION, SLASH, SP, TARGET, TOKEN } = syntax;

const VERSION = Buffer.from('HTTP/1.');
const COLON = 58;
const BRACKET = 91;
const BRACKET_END = 93;
const ZERO = 48;

/** Reads the head of a request. Preconditions: none of bytes[start, end) was read as part of another message. */
export function parseRequest(head: Head, bytes: Uint8Array, start: number, end: number): number {
  head.reset(start);
  const afterLine = parseRequestLine(head, bytes, start, end);
  if (afterLine <= 0) return sized(afterLine, start, end, syntax.MAX_HEAD_BYTES);
  const after = parseHeaders(head, bytes, afterLine, end);
  if (after <= 0) return sized(after, start, end, syntax.MAX_HEAD_BYTES);
  if (after - start > syntax.MAX_HEAD_BYTES) return -syntax.HEAD_TOO_LARGE;
  head.end = after;
  const error = checkRequest(head, bytes);
  return error === 0 ? after : -error;
}

/** Reads the head of a response. */
export function parseResponse(head: Head, bytes: Uint8Array, start: number, end: number): number {
  head.reset(start);
  const afterLine = parseStatusLine(head, bytes, start, end);
  if (afterLine <= 0) return sized(afterLine, start, end, syntax.MAX_RESPONSE_HEAD_BYTES);
  const after = parseHeaders(head, bytes, afterLine, end);
  if (after <= 0) return sized(after, start, end, syntax.MAX_RESPONSE_HEAD_BYTES);
  if (after - start > syntax.MAX_RESPONSE_HEAD_BYTES) return -syntax.HEAD_TOO_LARGE;
  head.end = after;
  return head.isChunked && head.contentLength >= 0 ? -syntax.LENGTH_WITH_CHUNKED : after;
}

function sized(outcome: number, start: number, end: number, most: number): number {
  return outcome === 0 && end - start >= most ? -syntax.HEAD_TOO_LARGE : outcome;
}

function parseRequestLine(head: Head, bytes: Uint8Array, start: number, end: number): number {
  let p = start;
  // RFC 9112 2.2: one empty line before a request is tolerated (old clients end a POST with one).
  if (p < end && bytes[p] === CR) {
    if (p + 1 >= end) return 0;
    if (bytes[p + 1] !== LF) return -syntax.BARE_CR;
    p += 2;
  }
  head.methodStart = p;
  while (p < end && (CLASS[bytes[p]] & TOKEN) !== 0) p++;
  if (p - head.methodStart > syntax.MAX_METHOD_BYTES) return -syntax.BAD_METHOD;
  if (p >= end) return 0;
  if (bytes[p] !== SP || p === head.methodStart) return -syntax.errorOfByte(bytes[p], syntax.BAD_METHOD);
  head.methodEnd = p++;
  head.targetStart = p;
  while (p < end && (CLASS[bytes[p]] & TARGET) !== 0) p++;
  if (p >= end) return 0;
  if (bytes[p] !== SP || p === head.targetStart) return -errorOfTarget(bytes, p, end, head.targetStart);
  head.targetEnd = p++;
  return parseVersion(head, bytes, p, end);
}

function errorOfTarget(bytes: Uint8Array, at: number, end: number, targetStart: number): number {
  if (bytes[at] === CR && at > targetStart)
    return at + 1 < end && bytes[at + 1] !== LF ? syntax.BARE_CR : syntax.HTTP_0_9;
  return syntax.errorOfByte(bytes[at], syntax.BAD_TARGET);
}

/** `HTTP/1.x` CRLF at `at`, the end of a request line. */
function parseVersion(head: Head, bytes: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (at + i >= end) return 0;
    if (bytes[at + i] !== VERSION[i]) return -errorOfVersion(bytes, at + i, VERSION.length - i);
  }
  const p = at + VERSION.length;
  if (p >= end) return 0;
  const minor = bytes[p] - 48;
  if (minor !== 0 && minor !== 1) return -syntax.errorOfByte(bytes[p], syntax.BAD_VERSION);
  head.minor = minor;
  if (p + 1 >= end) return 0;
  if (bytes[p + 1] !== CR) return -syntax.errorOfByte(bytes[p + 1], syntax.BAD_REQUEST_LINE);
  if (p + 2 >= end) return 0;
  return bytes[p + 2] === LF ? p + 3 : -syntax.BARE_CR;
}

function errorOfVersion(bytes: Uint8Array, at: number, left: number): number {
  if (left === 2 && bytes[at] === 50) return syntax.HTTP2_PREFACE;
  return syntax.errorOfByte(bytes[at], left <= 2 ? syntax.BAD_VERSION : syntax.BAD_REQUEST_LINE);
}

/** `HTTP/1.x` SP three digits, then SP and a reason, or nothing. */
function parseStatusLine(head: Head, bytes: Uint8Array, start: number, end: number): number {
  for (let i = 0; i < VERSION.length; i++) {
    if (start + i >= end) return 0;
    if (bytes[start + i] !== VERSION[i]) return -syntax.BAD_STATUS_LINE;
  }
  let p = start + VERSION.length;
  if (p + 5 >= end) return 0;
  const minor = bytes[p] - 48;
  if ((minor !== 0 && minor !== 1) || bytes[p + 1] !== SP) return -syntax.BAD_STATUS_LINE;
  head.minor = minor;
  p += 2;
  let status = 0;
  for (const last = p + 3; p < last; p++) {
    const digit = bytes[p] - 48;
    if (digit < 0 || digit > 9) return -syntax.BAD_STATUS_LINE;
    status = status * 10 + digit;
  }
  if (status < 100 || p >= end) return status < 100 ? -syntax.BAD_STATUS_LINE : 0;
  head.status = status;
  if (bytes[p] === SP) while (p < end && (CLASS[bytes[p]] & syntax.VALUE) !== 0) p++;
  if (p >= end) return 0;
  if (bytes[p] === LF) return p + 1;
  if (bytes[p] !== CR) return -syntax.errorOfByte(bytes[p], syntax.BAD_STATUS_LINE);
  if (p + 1 >= end) return 0;
  return bytes[p + 1] === LF ? p + 2 : -syntax.BARE_CR;
}

/** The rules above, on a head that is grammatical. @returns 0 or an error */
function checkRequest(head: Head, bytes: Uint8Array): number {
  if (head.hostCount > 1) return syntax.DUPLICATE_HOST;
  if (head.hostCount === 0 && head.minor === 1) return syntax.MISSING_HOST;
  if (head.hostCount === 1 && head.valueStart[head.host] === head.valueEnd[head.host]) return syntax.MISSING_HOST;
  if (head.isChunked && head.minor === 0) return syntax.BAD_TRANSFER_ENCODING;
  if (head.isChunked && head.contentLength >= 0) return syntax.LENGTH_WITH_CHUNKED;
  return checkTarget(head, bytes);
}

/** Takes in the target of a request. @returns 0 or an error of http1/syntax.ts */
export function checkTarget(head: Head, bytes: Uint8Array): number {
  const first = bytes[head.targetStart];
  head.pathStart = head.targetStart;
  head.pathEnd = head.targetEnd;
  if (isMethod(bytes, head, 'CONNECT')) return checkConnect(head, bytes);
  if (first === SLASH) return 0;
  if (first === ASTERISK && head.targetEnd === head.targetStart + 1) {
    return isMethod(bytes, head, 'OPTIONS') ? 0 : syntax.BAD_TARGET;
  }
  return checkAbsolute(head, bytes);
}

/** `authority:port`, and the same host in Host, with the same port or none. */
function checkConnect(head: Head, bytes: Uint8Array): number {
  if (head.minor === 0) return syntax.BAD_VERSION;
  if (head.isChunked || head.contentLength > 0) return syntax.BAD_CONTENT_LENGTH;
  const hostEnd = endOfHost(bytes, head.targetStart, head.targetEnd);
  if (hostEnd < 0 || !isPort(bytes, hostEnd, head.targetEnd)) return syntax.BAD_TARGET;
  head.authorityStart = head.targetStart;
  head.authorityEnd = head.targetEnd;
  const agrees =
    isHost(head, bytes, head.targetStart, head.targetEnd) || isHost(head, bytes, head.targetStart, hostEnd);
  return agrees ? 0 : syntax.HOST_MISMATCH;
}

/** Where the name or address at `from` ends, before its port; -1 when there is none. */
function endOfHost(bytes: Uint8Array, from: number, to: number): number {
  let p = from;
  if (bytes[from] !== BRACKET) {
    while (p < to && (CLASS[bytes[p]] & HOST_NAME) !== 0) p++;
    return p === from ? -1 : p;
  }
  for (p++; p < to && isOfAddress(bytes[p]); ) p++;
  return p - from > 2 && p < to && bytes[p] === BRACKET_END ? p + 1 : -1;
}

/** Hex digits, colons and dots: what an IPv6 address has between its brackets. */
function isOfAddress(byte: number): boolean {
  const letter = byte | 0x20;
  return (byte >= 46 && byte <= 58 && byte !== SLASH) || (letter >= 97 && letter <= 102);
}

/** `:1` to `:65535`, without leading zeros. */
function isPort(bytes: Uint8Array, from: number, to: number): boolean {
  if (from >= to || bytes[from] !== COLON || bytes[from + 1] === ZERO || to - from > 6) return false;
  let port = 0;
  for (let p = from + 1; p < to; p++) {
    const digit = bytes[p] - ZERO;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port > 0 && port <= 0xffff;
}

/** `http://authority/path`: the authority must be the Host, the path is what rules see. */
function checkAbsolute(head: Head, bytes: Uint8Array): number {
  const schemeBytes = schemeLength(bytes, head.targetStart, head.targetEnd);
  if (schemeBytes === 0) return syntax.BAD_TARGET;
  const authority = head.targetStart + schemeBytes;
  let p = authority;
  while (p < head.targetEnd && bytes[p] !== SLASH && bytes[p] !== QUESTION) p++;
  if (p === authority || !allAre(bytes, authority, p, HOST)) return syntax.BAD_TARGET;
  if (p < head.targetEnd && bytes[p] !== SLASH) return syntax.BAD_TARGET;
  // Without a path it is `/` (RFC 9112 3.2.1), of OPTIONS `*`; with a query alone a server makes of it what it likes.
  if (p === head.targetEnd && isMethod(bytes, head, 'OPTIONS')) return syntax.BAD_TARGET;
  if (head.host >= 0 && !isHost(head, bytes, authority, p)) return syntax.HOST_MISMATCH;
  if (head.host < 0) return syntax.MISSING_HOST;
  head.pathStart = p === head.targetEnd ? authority - 1 : p; // the slash before the authority serves as well
  head.pathEnd = p === head.targetEnd ? authority : head.targetEnd;
  head.authorityStart = authority;
  head.authorityEnd = p;
  return 0;
}

function schemeLength(bytes: Uint8Array, from: number, to: number): number {
  let p = from;
  while (p < to && bytes[p] !== COLON) p++;
  const scheme = Buffer.from(bytes.buffer, bytes.byteOffset + from, p - from)
    .toString('latin1')
    .toLowerCase();
  if ((scheme !== 'http' && scheme !== 'https') || p + 2 >= to) return 0;
  return bytes[p + 1] === SLASH && bytes[p + 2] === SLASH ? p + 3 - from : 0;
}

function isHost(head: Head, bytes: Uint8Array, from: number, to: number): boolean {
  return isSameName(bytes, from, to, head.valueStart[head.host], head.valueEnd[head.host]);
}

/** Whether bytes[from, to) and bytes[otherFrom, otherTo) are one name, without regard to case. */
export function isSameName(bytes: Uint8Array, from: number, to: number, otherFrom: number, otherTo: number): boolean {
  if (otherTo - otherFrom !== to - from) return false;
  for (let i = 0; i < to - from; i++) {
    if (lowered(bytes[from + i]) !== lowered(bytes[otherFrom + i])) return false;
  }
  return true;
}

function lowered(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** Whether each of bytes[from, to) is of a class (http1/syntax.ts). */
export function allAre(bytes: Uint8Array, from: number, to: number, bit: number): boolean {
  for (let p = from; p < to; p++) if ((CLASS[bytes[p]] & bit) === 0) return false;
  return true;
}

/**
 * Whether a request may turn its connection into a websocket (RFC 6455 4.1). No other upgrade is ever asked for: what is
 * behind it nobody would judge (h2c is HTTP again), and an allowed GET does not mean it.
 */
export function asksForWebsocket(bytes: Uint8Array, head: Head): boolean {
  const isAsked = head.namesWebsocket && head.hasUpgradeOption && !head.hasClose && head.minor === 1;
  return isAsked && !head.isChunked && head.contentLength <= 0 && isMethod(bytes, head, 'GET');
}

/** Whether a response, a 101, is the one that a request for a websocket is answered with. */
export function grantsWebsocket(head: Head): boolean {
  return head.namesWebsocket && head.hasUpgradeOption && head.hasWebsocketAccept;
}

/** Whether the request method is exactly `name` (methods are case-sensitive). */
export function isMethod(bytes: Uint8Array, head: Head, name: string): boolean {
  if (head.methodEnd - head.methodStart !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[head.methodStart + i] !== name.charCodeAt(i)) return false;
  return true;
}
