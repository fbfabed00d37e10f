/**
 * The header section of an HTTP/1.x message, read in place.
 *
 * A Head is used over and over. It holds offsets into the bytes it was read from and what the framing headers said; it is
 * valid until the next parse or until those bytes move. Every header is checked byte by byte (RFC 9112 section 5): what
 * two readers could take in two ways (obs-fold, space before the colon, bare CR or LF, two lengths) is an error and never
 * corrected, since the receiver may correct it otherwise. A response is read only for where it ends, and passes as it is: in it
 * lines may end in LF, and be folded where they frame nothing, and Host says nothing.
 *
 * The numbers of all parse functions here: > 0 is the position after what was read, 0 means that more bytes are needed,
 * < 0 is minus an error of http1/syntax.ts.
 */
import * as syntax from './syntax.ts';

const { ascii, CLASS, COLON, CR, HOST, HTAB, LF, MAX_HEADERS, SP, TOKEN, VALUE } = syntax;

const CONTENT_LENGTH = ascii('content-length');
const TRANSFER_ENCODING = ascii('transfer-encoding');
const HOST_NAME = ascii('host');
const CONNECTION = ascii('connection');
const UPGRADE = ascii('upgrade');
const EXPECT = ascii('expect');
const CHUNKED = ascii('chunked');
const CLOSE = ascii('close');
const KEEP_ALIVE = ascii('keep-alive');
const WEBSOCKET = ascii('websocket');
const WEBSOCKET_ACCEPT = ascii('sec-websocket-accept');
const COMMA = 44;
/** Content-Length digits: 10^15 bytes stay exact in a double. */
const MAX_LENGTH_DIGITS = 15;

export class Head {
  /** First byte of the message (an empty line before a request line is part of it) and first byte of its content. */
  start = 0;
  end = 0;

  methodStart = 0;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  /** The part of the target that rules judge: without scheme and authority when the target is absolute. */
  pathStart = 0;
  pathEnd = 0;
  /** The authority in the target of a CONNECT or in an absolute target; empty in any other. */
  authorityStart = 0;
  authorityEnd = 0;
  /** HTTP/<major>.<minor> */
  major = 1;
  minor = 1;
  /** Status code of a response, 0 in a request. */
  status = 0;

  headerCount = 0;
  readonly nameStart: Int32Array = new Int32Array(MAX_HEADERS);
  readonly nameEnd: Int32Array = new Int32Array(MAX_HEADERS);
  readonly valueStart: Int32Array = new Int32Array(MAX_HEADERS);
  readonly valueEnd: Int32Array = new Int32Array(MAX_HEADERS);

  /** Index of the Host header, -1 when there is none. */
  host = -1;
  hostCount = 0;
  /** Content-Length, -1 when there is none. */
  contentLength = -1;
  isChunked = false;
  /** Connection options. */
  hasClose = false;
  hasKeepAlive = false;
  hasUpgradeOption = false;
  hasUpgrade = false;
  /** There is one Upgrade header, and it says `websocket` and nothing else. */
  namesWebsocket = false;
  hasWebsocketAccept = false;
  hasExpect = false;
  /** Connection names headers that the next hop is to take away, beside those that concern it alone. */
  namesHopHeaders = false;

  reset(start: number): void {
    this.start = start;
    this.end = 0;
    this.major = 1;
    this.authorityStart = 0;
    this.authorityEnd = 0;
    this.status = 0;
    this.headerCount = 0;
    this.host = -1;
    this.hostCount = 0;
    this.contentLength = -1;
    this.isChunked = false;
    this.hasClose = false;
    this.hasKeepAlive = false;
    this.hasUpgradeOption = false;
    this.hasUpgrade = false;
    this.namesWebsocket = false;
    this.hasWebsocketAccept = false;
    this.hasExpect = false;
    this.namesHopHeaders = false;
  }
}

/**
 * Reads header lines up to and with the empty line.
 * @param at first byte after the start line
 */
export function parseHeaders(head: Head, bytes: Uint8Array, at: number, end: number): number {
  let p = at;
  for (;;) {
    if (p >= end) return 0;
    const first = bytes[p];
    if (first === LF && head.status > 0) return p + 1;
    if (first === CR) {
      if (p + 1 >= end) return 0;
      if (bytes[p + 1] !== LF) return -syntax.BARE_CR;
      return p + 2;
    }
    p = parseHeader(head, bytes, p, end);
    if (p <= 0) return p;
  }
}

function parseHeader(head: Head, bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first === SP || first === HTAB) return skipFold(head, bytes, at, end);
  const index = head.headerCount;
  if (index === MAX_HEADERS) return -syntax.TOO_MANY_HEADERS;
  let p = at;
  while (p < end && (CLASS[bytes[p]] & TOKEN) !== 0) p++;
  if (p >= end) return 0;
  if (bytes[p] !== COLON || p === at) return -errorOfName(bytes[p]);
  const nameEnd = p++;
  while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
  const valueStart = p;
  while (p < end && (CLASS[bytes[p]] & VALUE) !== 0) p++;
  if (p >= end) return 0;
  const next = endOfLine(head, bytes, p, end);
  if (next <= 0) return next;
  let valueEnd = p;
  while (valueEnd > valueStart && (bytes[valueEnd - 1] === SP || bytes[valueEnd - 1] === HTAB)) valueEnd--;
  head.nameStart[index] = at;
  head.nameEnd[index] = nameEnd;
  head.valueStart[index] = valueStart;
  head.valueEnd[index] = valueEnd;
  head.headerCount = index + 1;
  const error = noteHeader(head, bytes, index);
  return error === 0 ? next : -error;
}

/** The position behind the line that ends at `at`. */
function endOfLine(head: Head, bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === LF && head.status > 0) return at + 1;
  if (bytes[at] !== CR) return -syntax.errorOfByte(bytes[at], syntax.CONTROL_CHARACTER);
  if (at + 1 >= end) return 0;
  return bytes[at + 1] === LF ? at + 2 : -syntax.BARE_CR;
}

/** A folded line of a response, the value of whose header says nothing of where it ends. */
function skipFold(head: Head, bytes: Uint8Array, at: number, end: number): number {
  const last = head.headerCount - 1;
  if (head.status === 0 || last < 0 || isFraming(bytes, head.nameStart[last], head.nameEnd[last]))
    return -syntax.OBS_FOLD;
  let p = at;
  while (p < end && (CLASS[bytes[p]] & VALUE) !== 0) p++;
  return p >= end ? 0 : endOfLine(head, bytes, p, end);
}

function isFraming(bytes: Uint8Array, at: number, to: number): boolean {
  return [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE].some(
    (name) => to - at === name.length && equals(bytes, at, name),
  );
}

function errorOfName(byte: number): number {
  return byte === SP || byte === HTAB ? syntax.SPACE_BEFORE_COLON : syntax.errorOfByte(byte, syntax.BAD_HEADER_NAME);
}

/** Takes in a header that frames the message. @param index of it @returns 0 or an error of http1/syntax.ts */
export function noteHeader(head: Head, bytes: Uint8Array, index: number): number {
  const at = head.nameStart[index];
  const from = head.valueStart[index];
  const to = head.valueEnd[index];
  switch (head.nameEnd[index] - at) {
    case 4:
      return equals(bytes, at, HOST_NAME) ? noteHost(head, bytes, index) : 0;
    case 6:
      head.hasExpect ||= equals(bytes, at, EXPECT);
      return 0;
    case 7:
      if (equals(bytes, at, UPGRADE)) {
        head.namesWebsocket = !head.hasUpgrade && to - from === WEBSOCKET.length && equals(bytes, from, WEBSOCKET);
        head.hasUpgrade = true;
      }
      return 0;
    case 10:
      return equals(bytes, at, CONNECTION) ? noteConnection(head, bytes, from, to) : 0;
    case 14:
      return equals(bytes, at, CONTENT_LENGTH) ? noteLength(head, bytes, from, to) : 0;
    case 17:
      return equals(bytes, at, TRANSFER_ENCODING) ? noteTransferEncoding(head, bytes, from, to) : 0;
    case 20:
      head.hasWebsocketAccept ||= equals(bytes, at, WEBSOCKET_ACCEPT);
      return 0;
    default:
      return 0;
  }
}

function noteHost(head: Head, bytes: Uint8Array, index: number): number {
  if (head.status > 0) return 0;
  head.hostCount++;
  head.host = index;
  for (let p = head.valueStart[index]; p < head.valueEnd[index]; p++) {
    if ((CLASS[bytes[p]] & HOST) === 0) return syntax.BAD_HOST;
  }
  return 0;
}

function noteLength(head: Head, bytes: Uint8Array, from: number, to: number): number {
  const before = head.contentLength;
  if (before >= 0 && head.status === 0) return syntax.DUPLICATE_CONTENT_LENGTH;
  if (from === to || to - from > MAX_LENGTH_DIGITS) return syntax.BAD_CONTENT_LENGTH;
  let length = 0;
  for (let p = from; p < to; p++) {
    const digit = bytes[p] - 48;
    if (digit < 0 || digit > 9) return syntax.BAD_CONTENT_LENGTH;
    length = length * 10 + digit;
  }
  // Of a response it may be said twice (RFC 9112 6.3), since whoever reads it reads the same.
  if (before >= 0 && before !== length) return syntax.DUPLICATE_CONTENT_LENGTH;
  head.contentLength = length;
  return 0;
}

function noteTransferEncoding(head: Head, bytes: Uint8Array, from: number, to: number): number {
  if (head.isChunked || to - from !== CHUNKED.length || !equals(bytes, from, CHUNKED)) {
    return syntax.BAD_TRANSFER_ENCODING;
  }
  head.isChunked = true;
  return 0;
}

/** Connection options; one that names a framing header asks the next hop to remove it, which would change the framing. */
function noteConnection(head: Head, bytes: Uint8Array, from: number, to: number): number {
  let p = from;
  while (p < to) {
    while (p < to && (bytes[p] === SP || bytes[p] === HTAB || bytes[p] === COMMA)) p++;
    const option = p;
    while (p < to && (CLASS[bytes[p]] & TOKEN) !== 0) p++;
    if (!noteOption(head, bytes, option, p - option)) return syntax.BAD_CONNECTION;
    while (p < to && bytes[p] !== COMMA) p++;
  }
  return 0;
}

/** @returns false for an option that must not be */
function noteOption(head: Head, bytes: Uint8Array, at: number, length: number): boolean {
  if (length === 0) return true;
  switch (length) {
    case 4:
      if (equals(bytes, at, HOST_NAME)) return false;
      break;
    case 5:
      if (!equals(bytes, at, CLOSE)) break;
      head.hasClose = true;
      return true;
    case 7:
      if (!equals(bytes, at, UPGRADE)) break;
      head.hasUpgradeOption = true;
      return true;
    case 10:
      if (!equals(bytes, at, KEEP_ALIVE)) break;
      head.hasKeepAlive = true;
      return true;
    case 14:
      if (equals(bytes, at, CONTENT_LENGTH)) return false;
      break;
    case 17:
      if (equals(bytes, at, TRANSFER_ENCODING)) return false;
      break;
    default:
  }
  head.namesHopHeaders = true;
  return true;
}

/** Whether bytes at `at` are `lowered`, without regard to case. `lowered` holds letters, digits and `-` only. */
function equals(bytes: Uint8Array, at: number, lowered: Uint8Array): boolean {
  for (let i = 0; i < lowered.length; i++) {
    const byte = bytes[at + i];
    const want = lowered[i];
    if (byte !== want && !(want >= 97 && want <= 122 && byte === want - 32)) return false;
  }
  return true;
}
