/**
 * Applies what a parser says to the bytes of a stream.
 *
 * In-order bytes come from a frame, or from the queue of those that came too early. Two ways lead through:
 *
 *   straight   nothing is held and the parser only passes: the bytes stay in the frame, a copy is kept, the frame goes on.
 *   held       anything else: the bytes move behind those already held, operations are applied there, and what they set
 *              free leaves in segments of our own.
 *
 * A client that sends requests faster than their answers are taken is held back: while an end is behind (`isCrowded`), its
 * requests are not read but held, so that the window it is told closes. They go on with the acknowledgement that makes room.
 *
 * The invariant of the whole folder stands on three facts. A byte gets its out-position when it is passed, once, at `nxt`,
 * and from then on lies in `kept` (the only copy that repeats are made from or compared with). Only [from, to) below `nxt`
 * is ever handed to the transmitter. A frame goes on unbuilt only for bytes that were passed straight just now, or that
 * equal what is kept.
 */
import type { Frame } from '../../wire/frame.ts';
import { CLOSING, type Connection, OPEN } from './connection.ts';
import { DROP, INJECT, PASS, REQUEST, RESET } from '../parser.ts';
import type { SegmentAtHand } from './segment-at-hand.ts';
import type { Transmitter } from './segment-output.ts';
import type { TcpStream } from './tcp-stream.ts';

export class StreamEditor {
  nowMs = 0;
  readonly #transmitter: Transmitter;

  constructor(transmitter: Transmitter) {
    this.#transmitter = transmitter;
  }

  /**
   * Reads the payload of a frame, the next bytes of `stream`, while they may simply pass. An answer of the parser that says
   * anything else is left pending in `at`, for `run`.
   * Preconditions: nothing is held; room for them is reserved.
   * @returns the first byte that did not pass
   */
  straight(at: SegmentAtHand, connection: Connection, stream: TcpStream, frame: Frame, isEnd: boolean): number {
    const { operations } = at;
    const { bytes } = frame;
    let p = frame.payloadOffset;
    const end = p + frame.payloadLength;
    for (;;) {
      if (stream.passAhead > 0) {
        p += stream.passStraight(bytes, p, end);
        if (stream.passAhead > 0 || stream.hasDeferred) return p;
      }
      if (p === end || stream.dropAhead > 0 || mustWait(connection, stream)) return p;
      operations.clear();
      at.wasAsked = true;
      connection.parser.onData(stream.way, bytes, p, end, isEnd, operations);
      if (operations.count !== 1 || operations.code[0] !== PASS) {
        at.isPending = operations.count > 0;
        return p;
      }
      stream.pass(0, operations.amount[0]);
    }
  }

  /**
   * Carries out operations, and asks for more, until neither way can move; then passes FINs and closes.
   * @param stream the way in which bytes have come
   */
  run(at: SegmentAtHand, stream: TcpStream = at.stream): void {
    const { connection } = at;
    const { response } = connection;
    const other = connection.other(stream);
    this.#advance(at, stream);
    for (let held = -1; other.heldBytes !== held && this.#mayGoOn(connection, other); ) {
      held = other.heldBytes;
      if (held > 0) this.#advance(at, other); // a parser that is ready but takes nothing is not asked for ever
    }
    stream.passFin();
    other.passFin();
    if (connection.wantsReset) this.reset(connection);
    else if (connection.wantsClose && response.passAhead === 0 && !response.hasDeferred) this.close(connection);
  }

  #mayGoOn(connection: Connection, stream: TcpStream): boolean {
    return connection.parser.isReady(stream.way) || (connection.isHeldBack && !mustWait(connection, stream));
  }

  /** Sends what was passed and has not left yet. @returns true when something was sent */
  flush(connection: Connection, stream: TcpStream): boolean {
    if (stream.sent === stream.nxt) return false;
    this.#transmitter.data(connection, stream, stream.sent, stream.nxt);
    if (stream.owes) stream.startTimer(this.nowMs);
    return true;
  }

  #advance(at: SegmentAtHand, stream: TcpStream): void {
    const { connection, operations } = at;
    const { kept } = stream;
    let wasAskedAtEnd = false;
    for (;;) {
      if (at.isPending) this.#apply(at, stream);
      if (connection.wantsReset) return;
      this.applyAhead(connection, stream);
      if (stream.passAhead > 0 || stream.dropAhead > 0) break;
      const hasHeld = kept.held < kept.end;
      if (!hasHeld && (!stream.finIn || stream.finOut || wasAskedAtEnd)) break;
      wasAskedAtEnd = !hasHeld;
      const isHeldBack = hasHeld && mustWait(connection, stream);
      if (stream.way === REQUEST) connection.holdBack(isHeldBack);
      if (isHeldBack) break;
      operations.clear();
      at.wasAsked = true;
      connection.parser.onData(stream.way, kept.bytes, kept.held, kept.end, stream.finIn, operations);
      if (operations.count === 0) break;
      at.isPending = true;
    }
  }

  /** Applies to held bytes what was said before they came. */
  applyAhead(connection: Connection, stream: TcpStream): void {
    if (!stream.applyAhead()) connection.wantReset();
  }

  #apply(at: SegmentAtHand, stream: TcpStream): void {
    at.isPending = false;
    const { connection, operations } = at;
    const { count, code, amount, payload, way } = operations;
    for (let i = 0; i < count; i++) {
      const held = Math.min(amount[i], stream.heldBytes);
      let isDone = true;
      if (code[i] === PASS) stream.pass(held, amount[i] - held);
      else if (code[i] === DROP) isDone = stream.drop(held, amount[i] - held);
      else if (code[i] === INJECT) {
        isDone = (way[i] === REQUEST ? connection.request : connection.response).inject(payload[i]);
      } else if (code[i] === RESET) connection.wantReset();
      else connection.wantClose();
      if (!isDone) connection.wantReset();
    }
  }

  /** Ends the connection: the responder is reset, the requester gets what is owed and a FIN. */
  close(connection: Connection): void {
    this.#transmitter.reset(connection, connection.request);
    connection.startClosing(this.nowMs);
  }

  /** Ends the connection at once, on both sides. */
  reset(connection: Connection): void {
    const { mode, request, response } = connection;
    if (mode === OPEN) this.#transmitter.reset(connection, request);
    if (mode === OPEN || mode === CLOSING) this.#transmitter.reset(connection, response);
    connection.die();
  }
}

/** Requests wait while more answers or edits would only pile up. */
function mustWait(connection: Connection, stream: TcpStream): boolean {
  return stream.way === REQUEST && connection.isCrowded;
}
