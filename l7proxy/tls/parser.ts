/**
 * Reads the beginning of TLS: the ClientHello, which waits until it is whole and its server name was judged. Behind it the
 * stream is opaque, but for one thing. A server may answer with a HelloRetryRequest (RFC 8446 4.1.4), and the client then
 * says hello again, in the open and with a name of its own: what is taken for the name then is up to the server. So the first record of the
 * server is looked at, and a second hello is judged like the first.
 *
 *   request way    HELLO -> ANSWER (early data passes, a handshake record waits) -> SECOND (as HELLO) -> PASSING
 *   response way   a server that speaks in HELLO is refused; its first record is read in ANSWER; then all passes
 *
 * A refused first hello is answered by an alert and the end of the connection: the server sees a reset and not one byte. A
 * refused second one resets both ways, for the stream of answers is no longer ours to write into.
 */
import { NOBODY, type Operations, type Parser, REQUEST, RESPONSE, type StreamOwner, type Way } from '../parser.ts';
import { TLS_BAD_ANSWER, TLS_SERVER_FIRST, TLS_TRUNCATED } from './errors.ts';
import { HelloReader, type HelloScratch } from './hello-reader.ts';
import { contentLength, HANDSHAKE, RECORD_HEADER_BYTES, recordError } from './record.ts';
import type { TlsJudge } from './rules.ts';
import { ServerName } from './server-name.ts';

const HELLO = 0;
const ANSWER = 1;
const SECOND = 2;
const PASSING = 3;
/** Never saved: the connection ends. */
const ENDED = 4;

const FOREVER = Number.POSITIVE_INFINITY;

const SERVER_HELLO = 2;
/** Of a record with a ServerHello: its type and length, its version. */
const BEFORE_RANDOM = RECORD_HEADER_BYTES + 4 + 2;
/** The random of a ServerHello that is a HelloRetryRequest: SHA-256 of that word. */
const RETRY_RANDOM = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

/** Fatal alerts of denied access (access_denied, 49), by the minor version of the record: old clients want their own. */
const ALERTS = [0, 1, 2, 3].map((minor) => Uint8Array.of(21, 3, minor, 0, 2, 2, 49));

/** Told of hellos (protocol.ts). */
export interface TlsRecords {
  readonly scratch: HelloScratch;
  /** The judge says what came of it. The name is bytes[start, end); start = end: there is none. */
  tellHello(owner: StreamOwner, judge: TlsJudge, bytes: Uint8Array, start: number, end: number): void;
  tellError(owner: StreamOwner, error: number): void;
}

const name = new ServerName();

export class TlsParser implements Parser<TlsJudge> {
  readonly #records: TlsRecords;
  readonly #reader: HelloReader;
  #judge: TlsJudge;
  #owner: StreamOwner = NOBODY;
  #state = HELLO;
  #isBlocked = false; // a handshake record waits for the answer of the server

  constructor(records: TlsRecords, judge: TlsJudge) {
    this.#records = records;
    this.#judge = judge;
    this.#reader = new HelloReader(records.scratch);
  }

  begin(judge: TlsJudge, owner: StreamOwner): void {
    this.end();
    this.#judge = judge;
    this.#owner = owner;
  }

  setJudge(judge: TlsJudge): void {
    this.#judge = judge;
  }

  end(): void {
    this.#owner = NOBODY;
    this.#state = HELLO;
    this.#isBlocked = false;
    this.#reader.reset();
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    if (this.#state === ENDED) {
      operations.drop(FOREVER);
      return;
    }
    if (start === end) return;
    if (this.#state === HELLO && this.#judge.isOpen) this.#state = PASSING;
    if (way === REQUEST) this.#isBlocked = false;
    if (this.#state === PASSING || (this.#state === SECOND && way === RESPONSE)) operations.pass(FOREVER);
    else if (way === RESPONSE) this.#readAnswer(bytes, start, end, isEnd, operations);
    else this.#readRequest(bytes, start, end, isEnd, operations);
  }

  #readRequest(bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    let at = start;
    while (at < end && this.#state !== PASSING) {
      const isHello = this.#state === HELLO || (this.#state === SECOND && bytes[at] === HANDSHAKE);
      const taken = isHello ? this.#readHello(bytes, at, end, operations) : this.#readRecord(bytes, at, end);
      if (taken < 0) this.#fail(-taken, operations);
      else if (taken === 0 && isEnd && !this.#isBlocked && this.#state !== ENDED) this.#fail(TLS_TRUNCATED, operations);
      if (taken <= 0) return;
      operations.pass(taken);
      at += taken;
    }
    if (this.#state === PASSING) operations.pass(FOREVER);
  }

  /** @returns bytes that may pass, 0 when there is nothing more to do now, or the negative number of an error */
  #readHello(bytes: Uint8Array, at: number, end: number, operations: Operations): number {
    const taken = this.#reader.read(bytes, at, end);
    if (taken <= 0) return taken;
    const { nameStart, nameEnd } = this.#records.scratch.hello;
    const { source } = this.#reader;
    const isAllowed = this.#judge.judge(name.load(source, nameStart, nameEnd) ? name : null);
    this.#records.tellHello(this.#owner, this.#judge, source, nameStart, nameEnd);
    this.#reader.reset();
    if (!isAllowed) {
      this.#refuse(operations);
      return 0;
    }
    this.#state = this.#state === HELLO ? ANSWER : PASSING;
    return taken;
  }

  /** Early data, its change of ciphers, or an alert may come before the server has answered. */
  #readRecord(bytes: Uint8Array, at: number, end: number): number {
    const error = recordError(bytes, at, end);
    if (error !== 0) return -error;
    this.#isBlocked = bytes[at] === HANDSHAKE;
    if (this.#isBlocked || end - at < RECORD_HEADER_BYTES) return 0;
    return RECORD_HEADER_BYTES + contentLength(bytes, at);
  }

  #readAnswer(bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    if (this.#state === HELLO) {
      this.#fail(TLS_SERVER_FIRST, operations);
      return;
    }
    const isHandshake = bytes[start] === HANDSHAKE;
    if (isHandshake && end - start < BEFORE_RANDOM + RETRY_RANDOM.length) {
      if (isEnd) this.#fail(TLS_BAD_ANSWER, operations);
      return;
    }
    // A ServerHello that is cut up might hide that it asks for another hello.
    const isWhole = contentLength(bytes, start) >= BEFORE_RANDOM + RETRY_RANDOM.length - RECORD_HEADER_BYTES;
    if (isHandshake && (bytes[start + RECORD_HEADER_BYTES] !== SERVER_HELLO || !isWhole)) {
      this.#fail(TLS_BAD_ANSWER, operations);
      return;
    }
    this.#state = isHandshake && isRetry(bytes, start + BEFORE_RANDOM) ? SECOND : PASSING;
    operations.pass(FOREVER);
  }

  #refuse(operations: Operations): void {
    const isFirst = this.#state === HELLO;
    this.#state = ENDED;
    if (!isFirst) {
      operations.reset();
      return;
    }
    const minor = this.#records.scratch.hello.version & 0xff;
    operations.drop(FOREVER);
    operations.inject(RESPONSE, ALERTS[Math.min(minor, 3)]);
    operations.close();
  }

  #fail(error: number, operations: Operations): void {
    this.#state = ENDED;
    this.#records.tellError(this.#owner, error);
    operations.reset();
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST && this.#isBlocked && this.#state === ANSWER;
  }

  isReady(way: Way): boolean {
    return way === REQUEST && this.#isBlocked && this.#state !== ANSWER;
  }

  saveState(words: Int32Array, at: number): boolean {
    if (this.#state === ENDED) return false;
    words[at] = this.#state;
    return true;
  }

  loadState(words: Int32Array, at: number): boolean {
    const state = words[at] & 0x7fffffff;
    if (state > PASSING) return false;
    this.#state = state;
    return true;
  }
}

function isRetry(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < RETRY_RANDOM.length; i++) if (bytes[at + i] !== RETRY_RANDOM[i]) return false;
  return true;
}
