/**
 * Which version of HTTP a connection speaks: told by its first bytes, and read by the parser of that version from then on.
 *
 *   the preface of HTTP/2 (RFC 9113 3.4)   version 2, by prior knowledge
 *   a TLS record (RFC 8446 5.1)            nothing that can be judged: reset
 *   anything else                          version 1, which refuses what is not
 *
 * `Upgrade: h2c` is taken out of requests (RFC 9113 has given it up). A server of version 2 may speak first: its SETTINGS wait for
 * the client's preface. Other first words of a server go to version 1, which refuses them.
 */
import type { Http1Parser } from '../http1/parser.ts';
import * as syntax from '../http1/syntax.ts';
import { PREFACE } from '../http2/frames.ts';
import type { Http2Parser } from '../http2/parser.ts';
import {
  NOBODY,
  type Operations,
  type Parser,
  type ParserState,
  REQUEST,
  type StreamOwner,
  type Way,
} from '../parser.ts';
import type { HttpJudge } from './judgement.ts';

/** In the place where version 1 keeps the state of requests (bits 19 to 21 of its word), numbers that it does not have. */
const STATE_SHIFT = 19;
const STATE_MASK = 7;
const IS_UNKNOWN = 6;
const IS_VERSION_2 = 7;

const TLS_HANDSHAKE = 22;
/** No frame that a server begins with is this long: any other first byte is no HTTP/2. */
const MAX_FIRST_BYTE = 0;

/** Where parsers come from, and go when a connection has ended. */
export interface VersionParsers {
  takeVersion1(): Http1Parser;
  giveVersion1(parser: Http1Parser): void;
  takeVersion2(): Http2Parser;
  giveVersion2(parser: Http2Parser): void;
  tellError(owner: StreamOwner, error: number): void;
}

export class HttpParser implements Parser<HttpJudge> {
  readonly #parsers: VersionParsers;
  #version1: Http1Parser | undefined;
  #version2: Http2Parser | undefined;
  /** The parser of the version that is known; undefined while none is. */
  #chosen: Parser<HttpJudge> | undefined;
  #judge: HttpJudge;
  #owner: StreamOwner = NOBODY;
  /** The server has spoken first, and waits. */
  #isHeld = false;

  constructor(parsers: VersionParsers, judge: HttpJudge) {
    this.#parsers = parsers;
    this.#judge = judge;
  }

  begin(judge: HttpJudge, owner: StreamOwner): void {
    this.end();
    this.#judge = judge;
    this.#owner = owner;
    this.#isHeld = false;
  }

  setJudge(judge: HttpJudge): void {
    this.#judge = judge;
    this.#chosen?.setJudge(judge);
  }

  end(): void {
    this.#chosen?.end();
    if (this.#version1 !== undefined) this.#parsers.giveVersion1(this.#version1);
    if (this.#version2 !== undefined) this.#parsers.giveVersion2(this.#version2);
    this.#version1 = undefined;
    this.#version2 = undefined;
    this.#chosen = undefined;
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    const parser = this.#chosen ?? this.#choose(way, bytes, start, end, isEnd, operations);
    if (parser !== undefined) parser.onData(way, bytes, start, end, isEnd, operations);
  }

  /** @returns undefined while it is not known, or when nobody can read it */
  #choose(
    way: Way,
    bytes: Uint8Array,
    start: number,
    end: number,
    isEnd: boolean,
    operations: Operations,
  ): Parser<HttpJudge> | undefined {
    if (start === end) return isEnd ? this.#useVersion1() : undefined;
    if (way !== REQUEST) {
      this.#isHeld = bytes[start] <= MAX_FIRST_BYTE && !isEnd;
      return this.#isHeld ? undefined : this.#useVersion1();
    }
    if (bytes[start] === TLS_HANDSHAKE) {
      this.#parsers.tellError(this.#owner, syntax.TLS);
      operations.reset();
      return undefined;
    }
    const count = Math.min(PREFACE.length, end - start);
    for (let i = 0; i < count; i++) if (bytes[start + i] !== PREFACE[i]) return this.#useVersion1();
    if (count < PREFACE.length) return isEnd ? this.#useVersion1() : undefined;
    this.#version2 = this.#parsers.takeVersion2();
    return this.#use(this.#version2);
  }

  #useVersion1(): Parser<HttpJudge> {
    this.#version1 = this.#parsers.takeVersion1();
    return this.#use(this.#version1);
  }

  #use(parser: Parser<HttpJudge>): Parser<HttpJudge> {
    parser.begin(this.#judge, this.#owner);
    this.#chosen = parser;
    return parser;
  }

  isWaiting(way: Way): boolean {
    return this.#chosen?.isWaiting(way) === true;
  }

  isReady(way: Way): boolean {
    if (this.#chosen === undefined) return false;
    if (way === REQUEST || !this.#isHeld) return this.#chosen.isReady(way);
    this.#isHeld = false;
    return true;
  }

  saveState(words: Int32Array, at: number, more: ParserState): boolean {
    if (this.#chosen === undefined) {
      words[at] = IS_UNKNOWN << STATE_SHIFT;
      return true;
    }
    const isSaved = this.#chosen.saveState(words, at, more);
    if (isSaved && this.#version2 !== undefined) words[at] = IS_VERSION_2 << STATE_SHIFT;
    return isSaved;
  }

  loadState(words: Int32Array, at: number, more: ParserState): boolean {
    const state = (words[at] >>> STATE_SHIFT) & STATE_MASK;
    if (state === IS_UNKNOWN) return true;
    if (state === IS_VERSION_2) this.#version2 = this.#parsers.takeVersion2();
    const parser = this.#version2 === undefined ? this.#useVersion1() : this.#use(this.#version2);
    return parser.loadState(words, at, more);
  }
}
