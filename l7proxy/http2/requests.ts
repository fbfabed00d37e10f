/**
 * The frames of the client; request-heads.ts reads its header blocks.
 *
 * Until the server has said SETTINGS, it gets the preface and the client's first SETTINGS, nothing else: to a server that speaks HTTP/1
 * only, what is in other frames might be a request that nobody has judged; no answer of ours may come before; and a block
 * is read once only.
 *
 * Of streams that are none of the server's (denied, refused, reset) nothing is passed on; what their DATA took of the
 * connection's window is granted to the client again. Content must be as long as its content-length says: a server that hands
 * the request on in HTTP/1 would take what is beyond for another request.
 */
import * as syntax from '../http1/syntax.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { i32 } from '../../wire/bytes.ts';
import { FrameReader } from './frame-reader.ts';
import * as frames from './frames.ts';
import { RequestHeads } from './request-heads.ts';
import type { Http2Session } from './session.ts';
import { CLIENT_ENDED } from './stream-table.ts';

const { FRAME_HEADER_BYTES } = frames;

export class Requests extends FrameReader {
  readonly #heads: RequestHeads;

  constructor(session: Http2Session) {
    super(session);
    this.#heads = new RequestHeads(session);
  }

  protected override readFrame(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    if (!session.hasPreface) return this.#readPreface(bytes, at, end);
    if (end - at < FRAME_HEADER_BYTES) return 0;
    const { header } = this.shared;
    header.read(bytes, at);
    const isFirst = session.clientSettings.isFirst;
    if (isFirst && (header.type !== frames.SETTINGS || header.has(frames.ACK)))
      return this.#fail(frames.PROTOCOL_ERROR);
    this.isBlocked = !isFirst && !session.hasServerPreface;
    if (this.isBlocked) return 0;
    if (header.length > session.serverSettings.maxFrameBytes) return this.#fail(frames.FRAME_SIZE_ERROR);
    switch (header.type) {
      case frames.DATA:
        return this.#readData(bytes, at, end);
      case frames.HEADERS:
        return this.#readHeaders(bytes, at, end);
      case frames.RST_STREAM:
        return this.#readReset(at, end);
      case frames.SETTINGS:
        return this.#readSettings(bytes, at, end);
      case frames.PING:
        return this.#readPing(at, end);
      case frames.WINDOW_UPDATE:
        return this.#readWindowUpdate(bytes, at, end);
      case frames.PRIORITY:
        if (header.stream === 0) return this.#fail(frames.PROTOCOL_ERROR);
        return header.length === 5 ? this.#passIdle() : this.#fail(frames.FRAME_SIZE_ERROR);
      case frames.GOAWAY:
        if (header.stream !== 0) return this.#fail(frames.PROTOCOL_ERROR);
        return header.length >= 8 ? this.#passIdle() : this.#fail(frames.FRAME_SIZE_ERROR);
      case frames.PUSH_PROMISE:
      case frames.CONTINUATION:
        return this.#fail(frames.PROTOCOL_ERROR);
      default: // RFC 9113 5.5: whoever does not know a frame discards it
        return session.isCalm() ? this.drop() : -1;
    }
  }

  protected override failTruncated(): void {
    this.session.fail(frames.PROTOCOL_ERROR, syntax.TRUNCATED);
  }

  #readPreface(bytes: Uint8Array, at: number, end: number): number {
    const { PREFACE } = frames;
    if (end - at < PREFACE.length) return 0;
    for (let i = 0; i < PREFACE.length; i++) if (bytes[at + i] !== PREFACE[i]) return this.#fail(frames.PROTOCOL_ERROR);
    this.session.hasPreface = true;
    this.shared.turn.pass(PREFACE.length);
    return PREFACE.length;
  }

  // --- header blocks

  #readHeaders(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header, requestBlock } = this.shared;
    if ((header.stream & 1) === 0) return this.#fail(frames.PROTOCOL_ERROR);
    const total = requestBlock.read(header, bytes, at, end, session.serverSettings.maxFrameBytes);
    if (total > 0) return this.#heads.read(total);
    if (total === 0) return 0;
    const isFlood = requestBlock.error === frames.ENHANCE_YOUR_CALM;
    return session.fail(requestBlock.error, isFlood ? syntax.FLOOD : syntax.BAD_FRAME);
  }

  // --- content

  #readData(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header } = this.shared;
    if (this.isIdle()) return this.#fail(frames.PROTOCOL_ERROR);
    let content = header.length;
    if (header.has(frames.PADDED)) {
      if (content === 0) return this.#fail(frames.FRAME_SIZE_ERROR);
      if (end - at <= FRAME_HEADER_BYTES) return 0;
      content -= 1 + bytes[at + FRAME_HEADER_BYTES];
      if (content < 0) return this.#fail(frames.PROTOCOL_ERROR);
    }
    const isEnd = header.has(frames.END_STREAM);
    if (content === 0 && !isEnd && !session.isCalm()) return -1;
    const place = session.streams.find(header.stream);
    if (place < 0) return this.#dropData();
    if ((session.streams.flags[place] & CLIENT_ENDED) !== 0) {
      return session.fail(frames.STREAM_CLOSED, syntax.BAD_STREAM);
    }
    if (!session.take(place, content, isEnd)) {
      session.tell(syntax.CONTENT_MISMATCH);
      if (!session.resetStream(place, frames.PROTOCOL_ERROR)) return -1;
      this.shared.turn.credit += header.length;
      return this.drop();
    }
    return this.pass();
  }

  /** Content of a stream that is none of the server's. */
  #dropData(): number {
    const { session } = this;
    const { header, turn } = this.shared;
    turn.credit += header.length;
    if (!session.wasReset(header.stream)) {
      if (!session.isCalm()) return -1;
      turn.out[RESPONSE].resetStream(header.stream, frames.STREAM_CLOSED);
      session.noteReset(header.stream);
    }
    return this.drop();
  }

  // --- what is about a stream, or the connection

  #readReset(at: number, end: number): number {
    const { session } = this;
    const { header } = this.shared;
    if (header.length !== 4) return this.#fail(frames.FRAME_SIZE_ERROR);
    if (this.isIdle()) return this.#fail(frames.PROTOCOL_ERROR);
    if (!this.isWhole(at, end)) return 0;
    const place = session.streams.find(header.stream);
    if (place < 0) return this.drop();
    if (!session.giveUp(place)) return -1;
    return this.pass();
  }

  #readSettings(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header, turn, scratch } = this.shared;
    if (header.stream !== 0) return this.#fail(frames.PROTOCOL_ERROR);
    if (header.has(frames.ACK)) {
      if (header.length !== 0) return this.#fail(frames.FRAME_SIZE_ERROR);
      return session.serverSettings.acknowledge()
        ? this.pass()
        : session.fail(frames.PROTOCOL_ERROR, syntax.BAD_SETTINGS);
    }
    if (!this.isWhole(at, end)) return 0;
    const from = at + FRAME_HEADER_BYTES;
    const error = session.clientSettings.read(bytes, from, from + header.length, scratch);
    if (error !== frames.NO_ERROR) {
      return session.fail(error, error === frames.ENHANCE_YOUR_CALM ? syntax.FLOOD : syntax.BAD_SETTINGS);
    }
    turn.replaceSettings(scratch, bytes, at, header.length);
    return FRAME_HEADER_BYTES + header.length;
  }

  #readPing(at: number, end: number): number {
    const { session } = this;
    const { header } = this.shared;
    if (header.stream !== 0) return this.#fail(frames.PROTOCOL_ERROR);
    if (header.length !== 8) return this.#fail(frames.FRAME_SIZE_ERROR);
    if (!this.isWhole(at, end)) return 0;
    const isAnswer = header.has(frames.ACK);
    if (isAnswer && session.pings[RESPONSE] === 0) return session.isCalm() ? this.drop() : -1;
    if (!session.notePing(isAnswer ? RESPONSE : REQUEST, isAnswer)) {
      return session.fail(frames.ENHANCE_YOUR_CALM, syntax.FLOOD);
    }
    return this.pass();
  }

  #readWindowUpdate(bytes: Uint8Array, at: number, end: number): number {
    const { session } = this;
    const { header, turn } = this.shared;
    if (header.length !== 4) return this.#fail(frames.FRAME_SIZE_ERROR);
    if (header.stream !== 0 && this.isIdle()) return this.#fail(frames.PROTOCOL_ERROR);
    if (!this.isWhole(at, end)) return 0;
    const increment = i32(bytes, at + FRAME_HEADER_BYTES) & frames.MAX_WINDOW;
    if (increment === 0) return session.fail(frames.PROTOCOL_ERROR, syntax.BAD_WINDOW);
    if (header.stream !== 0) return session.streams.find(header.stream) >= 0 ? this.pass() : this.drop();
    const passed = session.window.grant(increment);
    if (passed < 0) return session.fail(frames.FLOW_CONTROL_ERROR, syntax.BAD_WINDOW);
    if (passed === increment) return this.pass();
    if (passed > 0) turn.out[REQUEST].windowUpdate(0, passed);
    return this.drop();
  }

  /** It is legal, and does nothing. */
  #passIdle(): number {
    return this.session.isCalm() ? this.pass() : -1;
  }

  #fail(code: number): number {
    return this.session.fail(code, syntax.BAD_FRAME);
  }
}
