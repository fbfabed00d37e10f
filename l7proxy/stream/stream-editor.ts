/**
 * Applies what a parser says to the bytes of a stream.
 *
 * In-order bytes come from a frame, or from the queue of those that came too early. Two ways lead through:
 *
 *   straight   nothing is held and the parser only passes: the bytes stay in the frame, a copy is kept, the frame goes on.
 *   held       anything else: the bytes move behind those already held, operations are applied there, and what they set
 *              free leaves in segments of our own.
 *
 * The invariant of the whole folder stands on three facts. A byte gets its out-position when it is passed, once, at `nxt`,
 * and from then on lies in `kept` (the only copy that repeats are made from or compared with). Only [from, to) below `nxt`
 * is ever handed to the transmitter. A frame goes on unbuilt only for bytes that were passed straight just now, or that
 * equal what is kept.
 */
import type { Flow } from './flow.ts';
import { CLOSING, OPEN } from './flow.ts';
import { DROP, INJECT, Operations, PASS, REQUEST, RESET } from '../parser.ts';
import type { Transmitter } from './segment-output.ts';
import type { TcpStream } from './tcp-stream.ts';

/** How long a requester may take to read our last words and say good-bye. */
export const LINGER_MS = 5000;

export class StreamEditor {
  nowMs = 0;
  /** The parser was asked since somebody last cleared this: the flow has a new state to be saved. */
  wasAsked = false;
  readonly #transmitter: Transmitter;
  readonly #operations: Operations = new Operations();
  /** The parser has answered with operations that `straight` could not carry out. */
  #isPending = false;

  constructor(transmitter: Transmitter) {
    this.#transmitter = transmitter;
  }

  /**
   * Reads bytes[start, end), the next of `stream`, while they may simply pass.
   * Preconditions: nothing is held; room for them is reserved.
   * @returns the first byte that did not pass
   */
  straight(flow: Flow, stream: TcpStream, bytes: Uint8Array, start: number, end: number, isEnd: boolean): number {
    const operations = this.#operations;
    const { kept } = stream;
    let p = start;
    for (;;) {
      if (stream.passAhead > 0) {
        const count = Math.min(stream.passAhead, end - p);
        kept.hold(bytes, p, p + count);
        kept.passHeld(count);
        stream.nextIn = (stream.nextIn + count) | 0;
        stream.nxt = (stream.nxt + count) | 0;
        stream.passAhead -= count;
        p += count;
        if (stream.passAhead > 0 || stream.deferred.length > 0) return p;
      }
      if (p === end || stream.dropAhead > 0) return p;
      operations.clear();
      this.wasAsked = true;
      flow.parser.onData(stream.direction, bytes, p, end, isEnd, operations);
      this.#isPending = operations.count !== 1 || operations.code[0] !== PASS;
      if (this.#isPending) {
        this.#isPending = operations.count > 0;
        return p;
      }
      stream.setPassAhead(operations.amount[0]);
    }
  }

  /** Puts bytes[start, end), the next of `stream`, behind what is held. Preconditions: room for them is reserved. */
  hold(stream: TcpStream, bytes: Uint8Array, start: number, end: number): void {
    stream.kept.hold(bytes, start, end);
    stream.nextIn = (stream.nextIn + end - start) | 0;
  }

  /** Notes that the sender's FIN is next in order. */
  end(stream: TcpStream): void {
    stream.finIn = true;
    stream.nextIn = (stream.nextIn + 1) | 0;
  }

  /** Carries out operations, and asks for more, until neither direction can move; then passes FINs and closes. */
  run(flow: Flow, stream: TcpStream): void {
    this.#advance(flow, stream);
    const other = flow.other(stream);
    while (flow.parser.isReady(other.direction) && other.heldBytes > 0) this.#advance(flow, other);
    this.#passFin(stream);
    this.#passFin(other);
    if (flow.wantsReset) this.reset(flow);
    else if (flow.wantsClose && flow.response.passAhead === 0 && flow.response.deferred.length === 0) this.close(flow);
  }

  /** Sends what was passed and has not left yet. @returns true when something was sent */
  flush(flow: Flow, stream: TcpStream): boolean {
    if (stream.sent === stream.nxt) return false;
    this.#transmitter.data(flow, stream, stream.sent, stream.nxt);
    if (stream.owes) stream.startTimer(this.nowMs);
    return true;
  }

  #advance(flow: Flow, stream: TcpStream): void {
    const { kept } = stream;
    let wasAskedAtEnd = false;
    for (;;) {
      if (this.#isPending) this.#apply(flow, stream);
      if (flow.wantsReset) return;
      this.applyAhead(flow, stream);
      if (stream.passAhead > 0 || stream.dropAhead > 0) break;
      if (kept.heldBytes === 0 && (!stream.finIn || stream.finOut || wasAskedAtEnd)) break;
      wasAskedAtEnd = kept.heldBytes === 0;
      this.#operations.clear();
      this.wasAsked = true;
      flow.parser.onData(stream.direction, kept.bytes, kept.held, kept.end, stream.finIn, this.#operations);
      if (this.#operations.count === 0) break;
      this.#isPending = true;
    }
  }

  /** Applies to held bytes what was said before they came. */
  applyAhead(flow: Flow, stream: TcpStream): void {
    const { kept } = stream;
    if (stream.passAhead > 0) {
      const count = Math.min(stream.passAhead, kept.heldBytes);
      stream.pass(count);
      stream.passAhead -= count;
    }
    if (stream.passAhead === 0 && stream.deferred.length > 0) {
      for (const payload of stream.deferred) flow.wantsReset ||= !stream.inject(payload);
      stream.deferred.length = 0;
    }
    if (stream.dropAhead > 0 && kept.heldBytes > 0) {
      const count = Math.min(stream.dropAhead, kept.heldBytes);
      flow.wantsReset ||= !stream.drop(count);
      stream.dropAhead -= count;
    }
  }

  #apply(flow: Flow, stream: TcpStream): void {
    this.#isPending = false;
    const { count, code, amount, payload, direction } = this.#operations;
    for (let i = 0; i < count; i++) {
      const bytes = Math.min(amount[i], stream.heldBytes);
      if (code[i] === PASS) {
        stream.pass(bytes);
        stream.setPassAhead(amount[i] - bytes);
      } else if (code[i] === DROP) {
        if (bytes > 0) flow.wantsReset ||= !stream.drop(bytes);
        stream.dropAhead = amount[i] - bytes;
      } else if (code[i] === INJECT) {
        const target = direction[i] === REQUEST ? flow.request : flow.response;
        if (target.passAhead > 0) target.deferred.push(payload[i]);
        else flow.wantsReset ||= !target.inject(payload[i]);
      } else if (code[i] === RESET) flow.wantsReset = true;
      else flow.wantsClose = true;
    }
  }

  /** A FIN goes on when all before it has gone on or away. */
  #passFin(stream: TcpStream): void {
    if (!stream.finIn || stream.finOut || stream.heldBytes > 0 || stream.isDiscarding) return;
    stream.deferred.length = 0; // the end came in the middle of what they waited for
    stream.finOut = true;
    stream.nxt = (stream.nxt + 1) | 0;
  }

  /** Ends the connection: the responder is reset, the requester gets what is owed and a FIN. */
  close(flow: Flow): void {
    const { request, response } = flow;
    flow.mode = CLOSING;
    flow.closeAtMs = this.nowMs + LINGER_MS;
    this.#transmitter.reset(flow, request);
    request.release();
    request.isDiscarding = true;
    request.owedTo = request.una;
    request.sent = request.nxt;
    response.kept.dropAllHeld();
    response.early.drop();
    if (!response.finOut) {
      response.finOut = true;
      response.nxt = (response.nxt + 1) | 0;
    }
    response.owedTo = response.nxt;
    response.startTimer(this.nowMs);
    flow.heldSinceMs = 0;
  }

  /** Ends the connection at once, on both sides. */
  reset(flow: Flow): void {
    if (flow.mode === OPEN) this.#transmitter.reset(flow, flow.request);
    if (flow.mode === OPEN || flow.mode === CLOSING) this.#transmitter.reset(flow, flow.response);
    flow.die();
  }
}
