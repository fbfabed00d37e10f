/**
 * The frames of the server. They pass as they are, but for SETTINGS (settings.ts) and frames that nobody knows; they are read for
 * where one ends and the next may be put, for what ends a stream, and, while somebody wants records, for the status.
 *
 * A header block is held until it is whole: nothing may come between its frames. DATA may have to wait for the client's window
 * (answer-window.ts). Pushes were forbidden to the server on its client's behalf.
 */
import { i32 } from '../../wire/bytes.ts';
import * as syntax from '../http1/syntax.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { FrameReader } from './frame-reader.ts';
import * as frames from './frames.ts';
import { ResponseRecords } from './response-records.ts';
import type { Http2Session } from './session.ts';
import { SERVER_ENDED } from './stream-table.ts';

const { FRAME_HEADER_BYTES } = frames;

export class Responses extends FrameReader {
  readonly #records: ResponseRecords;
  /** Bytes of the DATA for which the client has no window. */
  #waiting = 0;

  constructor(session: Http2Session) {
    super(session);
    this.#records = new ResponseRecords(session);
  }

  /** Whether what was blocked may go on. */
  get isReady(): boolean {
    return this.isBlocked && this.session.window.mayPass(this.#waiting);
  }

  protected override readFrame(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    if (end - at < FRAME_HEADER_BYTES) return 0;
    const { header } = this.shared;
    header.read(bytes, at);
    const isFirst = session.serverSettings.isFirst;
    if (isFirst && (header.type !== frames.SETTINGS || header.has(frames.ACK))) return session.failServer();
    if (header.length > session.clientSettings.maxFrameBytes) return session.failServer();
    switch (header.type) {
      case frames.DATA:
        return this.#readData();
      case frames.HEADERS:
        return this.#readHeaders(bytes, at, end);
      case frames.RST_STREAM:
        return this.#readReset(at, end);
      case frames.SETTINGS:
        return this.#readSettings(bytes, at, end);
      case frames.PING:
        return this.#readPing(at, end);
      case frames.GOAWAY:
        return this.#readGoAway(bytes, at, end);
      case frames.WINDOW_UPDATE:
        return header.length === 4 ? this.pass() : session.failServer();
      case frames.PRIORITY:
        return header.length === 5 ? this.pass() : session.failServer();
      case frames.PUSH_PROMISE:
      case frames.CONTINUATION:
        return session.failServer();
      default:
        return this.drop();
    }
  }

  protected override failTruncated(): void {
    this.session.failServer();
  }

  #readHeaders(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header, responseBlock, turn } = this.shared;
    if (this.isIdle()) return session.failServer();
    const total = responseBlock.read(header, bytes, at, end, session.clientSettings.maxFrameBytes);
    if (total < 0) return session.failServer();
    if (total === 0) return 0;
    if (responseBlock.start < responseBlock.end && (responseBlock.source[responseBlock.start] & 0xe0) === 0x20) {
      session.owedTableBytes = -1;
    }
    const place = session.streams.find(header.stream);
    if (place >= 0) this.#records.head(place);
    if (place >= 0 && header.has(frames.END_STREAM)) session.endServer(place);
    turn.pass(total);
    return total;
  }

  #readData(): number {
    const { session } = this;
    const { header } = this.shared;
    if (this.isIdle()) return session.failServer();
    if (!session.window.mayPass(header.length)) {
      this.isBlocked = true;
      this.#waiting = header.length;
      return 0;
    }
    session.window.passed(header.length);
    const { streams } = session;
    const isEnd = header.has(frames.END_STREAM);
    const place = isEnd || streams.tunnels > 0 ? streams.find(header.stream) : -1;
    if (place >= 0) streams.carried(place, false, header.length);
    if (place >= 0 && isEnd) {
      this.#records.end(place);
      session.endServer(place);
    }
    return this.pass();
  }

  #readReset(at: number, end: number): number {
    const { session } = this;
    const { header, clock } = this.shared;
    if (header.length !== 4 || this.isIdle()) return session.failServer();
    if (!this.isWhole(at, end)) return 0;
    const place = session.streams.find(header.stream);
    if (place >= 0) {
      // A client that makes the server give streams up has them begun for nothing, as one that gives them up itself.
      const isAnswered = (session.streams.flags[place] & SERVER_ENDED) !== 0;
      if (!isAnswered && !session.serverResets.take(clock.nowMs)) {
        return session.fail(frames.ENHANCE_YOUR_CALM, syntax.SERVER_FLOOD);
      }
      session.forget(place);
    }
    return this.pass();
  }

  #readSettings(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header, turn, scratch } = this.shared;
    if (header.stream !== 0) return session.failServer();
    if (header.has(frames.ACK)) {
      if (header.length !== 0 || !session.clientSettings.acknowledge()) return session.failServer();
      session.noteTable();
      return this.pass();
    }
    if (!this.isWhole(at, end)) return 0;
    const from = at + FRAME_HEADER_BYTES;
    const error = session.serverSettings.read(bytes, from, from + header.length, scratch);
    if (error !== frames.NO_ERROR) return session.failServer();
    turn.replaceSettings(scratch, bytes, at, header.length);
    return FRAME_HEADER_BYTES + header.length;
  }

  #readPing(at: number, end: number): number {
    const { session } = this;
    const { header } = this.shared;
    if (header.stream !== 0 || header.length !== 8) return session.failServer();
    if (!this.isWhole(at, end)) return 0;
    const isAnswer = header.has(frames.ACK);
    if (isAnswer && session.pings[REQUEST] === 0) return this.drop();
    if (session.notePing(isAnswer ? REQUEST : RESPONSE, isAnswer)) return this.pass();
    return session.fail(frames.ENHANCE_YOUR_CALM, syntax.SERVER_FLOOD);
  }

  #readGoAway(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header } = this.shared;
    if (header.stream !== 0 || header.length < 8) return session.failServer();
    if (end - at < FRAME_HEADER_BYTES + 4) return 0;
    session.goAwayStream = Math.min(session.goAwayStream, i32(bytes, at + FRAME_HEADER_BYTES) & 0x7fffffff);
    return this.pass();
  }
}
