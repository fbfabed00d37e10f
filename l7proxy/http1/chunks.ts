/**
 * Chunked content (RFC 9112 section 7.1), a line at a time. A line must be whole before its first byte moves; the data
 * behind it is passed as a length. As in http1/head.ts: > 0 is a position, 0 wants more bytes, < 0 is minus an error.
 */
import { isJudgedName } from '../http/headers.ts';
import { Head, parseHeaders } from './head.ts';
import type { Operations } from '../parser.ts';
import * as syntax from './syntax.ts';

const { CLASS, CR, HTAB, LF, SEMICOLON, SP, VALUE } = syntax;

/** The size on the chunk line that was read last. */
class ChunkLine {
  size = 0;
}

/**
 * Reads `size[;extensions]` CRLF. Hex digits only (no sign, no 0x, no space but, in a response, behind them), at most MAX_CHUNK_DIGITS; extensions are
 * any printable bytes, up to MAX_CHUNK_LINE_BYTES.
 */
function parseChunkLine(line: ChunkLine, bytes: Uint8Array, start: number, end: number, isResponse: boolean): number {
  let p = start;
  let size = 0;
  for (; p < end; p++) {
    const digit = hexDigit(bytes[p]);
    if (digit < 0) break;
    size = size * 16 + digit;
    if (p - start >= syntax.MAX_CHUNK_DIGITS) return -syntax.BAD_CHUNK;
  }
  if (p >= end) return 0;
  if (p === start) return -syntax.BAD_CHUNK;
  if (isResponse) while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
  if (bytes[p] === SEMICOLON) while (p < end && (CLASS[bytes[p]] & VALUE) !== 0) p++;
  if (p - start > syntax.MAX_CHUNK_LINE_BYTES) return -syntax.BAD_CHUNK;
  if (p >= end) return 0;
  if (bytes[p] !== CR) return -syntax.errorOfByte(bytes[p], syntax.BAD_CHUNK);
  if (p + 1 >= end) return 0;
  if (bytes[p + 1] !== LF) return -syntax.BARE_CR;
  line.size = size;
  return p + 2;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

/** Reads the CRLF behind the data of a chunk. */
function parseChunkEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return 0;
  if (bytes[start] !== CR) return -syntax.BAD_CHUNK;
  if (start + 1 >= end) return 0;
  return bytes[start + 1] === LF ? start + 2 : -syntax.BAD_CHUNK;
}

const trailer = new Head();
const NO_NAMES: ReadonlySet<string> = new Set();

/** Reads the trailer section with its empty line; one that would frame a message, or is about a header that was judged, is an error (RFC 9110 6.5.1). */
function parseTrailers(bytes: Uint8Array, start: number, end: number, judged: ReadonlySet<string>): number {
  trailer.reset(start);
  const after = parseHeaders(trailer, bytes, start, end);
  if (after === 0) return end - start >= syntax.MAX_TRAILER_BYTES ? -syntax.BAD_TRAILER : 0;
  if (after < 0) return after;
  const frames = trailer.isChunked || trailer.contentLength >= 0 || trailer.hostCount > 0 || trailer.hasUpgrade;
  return frames || isAboutJudged(bytes, judged) || after - start > syntax.MAX_TRAILER_BYTES
    ? -syntax.BAD_TRAILER
    : after;
}

function isAboutJudged(bytes: Uint8Array, judged: ReadonlySet<string>): boolean {
  for (let i = 0; i < trailer.headerCount; i++) {
    if (isJudgedName(bytes, trailer.nameStart[i], trailer.nameEnd[i], judged)) return true;
  }
  return false;
}

/** Where in chunked content one way of a connection is. */
const CHUNK_LINE = 0;
const CHUNK_END = 1;
const TRAILERS = 2;

/** Outcome of ChunkedContent.read at the end of the content; 0 says that more is to come, below 0 is minus an error. */
export const CONTENT_DONE = 1;

/** Reads chunked content and passes or drops it, data as lengths, lines when they are whole. */
export class ChunkedContent {
  state = CHUNK_LINE;
  /** After `read`: first byte that no operation covers; beyond `end` when data that has not come yet is covered. */
  at = 0;
  /** Lower-case names that no trailer may have. */
  judged: ReadonlySet<string> = NO_NAMES;
  readonly #line: ChunkLine = new ChunkLine();
  readonly #isResponse: boolean;

  constructor(isResponse: boolean) {
    this.#isResponse = isResponse;
  }

  /** Back to the first chunk line of content to come. */
  reset(): void {
    this.state = CHUNK_LINE;
    this.at = 0;
  }

  /** @param drops take the content away instead of passing it */
  read(bytes: Uint8Array, start: number, end: number, drops: boolean, operations: Operations): number {
    this.at = start;
    for (;;) {
      const after = this.#step(bytes, this.at, end);
      if (after <= 0) return after;
      const wasTrailers = this.state === TRAILERS;
      if (this.state === CHUNK_END) this.state = CHUNK_LINE;
      else if (this.state === CHUNK_LINE) this.state = this.#line.size === 0 ? TRAILERS : CHUNK_END;
      const data = this.state === CHUNK_END ? this.#line.size : 0;
      if (drops) operations.drop(after + data - this.at);
      else operations.pass(after + data - this.at);
      this.at = after + data;
      if (wasTrailers) {
        this.state = CHUNK_LINE;
        return CONTENT_DONE;
      }
    }
  }

  #step(bytes: Uint8Array, at: number, end: number): number {
    if (at >= end) return 0;
    if (this.state === CHUNK_LINE) return parseChunkLine(this.#line, bytes, at, end, this.#isResponse);
    return this.state === CHUNK_END ? parseChunkEnd(bytes, at, end) : parseTrailers(bytes, at, end, this.judged);
  }
}
