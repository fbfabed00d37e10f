/**
 * Segments before and after an open connection: SYN and SYN-ACK, and what comes when the connection is over or we are
 * ending it.
 */
import {
  DROP_PROXY_UNKNOWN_PROTO,
  DROP_STREAM_CLOSED,
  DROP_STREAM_INVALID,
  FORWARD,
  HELD,
} from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { OPEN, REFUSED, SynOptions } from './connection.ts';
import { REQUEST } from '../parser.ts';
import type { StreamCounters } from './counters.ts';
import type { Parsers } from './parsers.ts';
import type { Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import { cleanSyn, noteSyn, openConnection } from './tcp-handshake.ts';
import type { SegmentAtHand } from './segment-at-hand.ts';

export class SegmentEnds {
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #counters: StreamCounters;
  readonly #parsers: Parsers;
  readonly #keepBytes: number;
  readonly #options: SynOptions = new SynOptions();

  /** @param keepBytes what one stream can keep */
  constructor(
    editor: StreamEditor,
    transmitter: Transmitter,
    counters: StreamCounters,
    parsers: Parsers,
    keepBytes: number,
  ) {
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#counters = counters;
    this.#parsers = parsers;
    this.#keepBytes = keepBytes;
  }

  #invalid(): number {
    this.#counters.invalid++;
    return DROP_STREAM_INVALID;
  }

  /** A SYN begins a connection; it is believed when its SYN-ACK comes. Neither carries data on. */
  syn(at: SegmentAtHand): number {
    const { connection, frame, stream, seq } = at;
    const isAnswer = (at.flags & tcp.ACK) !== 0;
    if (isAnswer === (stream.way === REQUEST) || !cleanSyn(frame, this.#keepBytes)) return this.#invalid();
    if (isAnswer) return this.#synAck(at);
    if (connection.mode === OPEN && seq === connection.initiatorIsn) this.#noteTime(at);
    if (connection.mode !== REFUSED) return noteSyn(connection, frame, this.#options) ? FORWARD : this.#invalid();
    this.#counters.refused++;
    this.#transmitter.bareReset(connection.slot, false, 0, (seq + 1) | 0, true);
    return DROP_PROXY_UNKNOWN_PROTO;
  }

  #synAck(at: SegmentAtHand): number {
    const { connection, frame, seq, ack } = at;
    const isKnown =
      connection.mode === OPEN && seq === connection.responderIsn && ack === ((connection.initiatorIsn + 1) | 0);
    if (isKnown) {
      this.#noteTime(at);
      return FORWARD;
    }
    if (!connection.hasPendingSyn || ack !== ((connection.syn.seq + 1) | 0)) return this.#invalid();
    openConnection(connection, frame, this.#options, this.#keepBytes);
    this.#parsers.assign(connection);
    return FORWARD;
  }

  /** A SYN was repeated: its receiver may have seen this one first, and takes nothing older from us. */
  #noteTime({ stream, hasTimestamp, timestamp }: SegmentAtHand): void {
    if (hasTimestamp) stream.noteTimestamp(timestamp, false);
  }

  /** Whatever comes for a connection that is over is answered by a reset. */
  answerDead({ connection, stream, flags, ack, end }: SegmentAtHand): number {
    if ((flags & tcp.RST) === 0) {
      const hasAck = (flags & tcp.ACK) !== 0;
      this.#transmitter.bareReset(connection.slot, stream.way !== REQUEST, hasAck ? ack : 0, end, !hasAck);
    }
    return DROP_STREAM_CLOSED;
  }

  /** No SYN-ACK was seen. With no SYN either, a former process knew this connection, and nobody can take it up. */
  beforeOpen(at: SegmentAtHand): number {
    if (at.connection.hasPendingSyn) return this.#invalid();
    at.connection.die();
    return this.answerDead(at);
  }

  /** We have ended the connection: the requester's bytes are acknowledged and forgotten, the responder is gone. */
  closing(at: SegmentAtHand): number {
    const { connection, stream, seq, ack, end } = at;
    const { request, response } = connection;
    if (stream !== request) {
      this.#transmitter.bareReset(connection.slot, true, ack, 0, false);
      return HELD;
    }
    if (((ack - response.una) | 0) > 0 && ((ack - response.nxt) | 0) <= 0) {
      response.acknowledge(ack, response.window, this.#editor.nowMs);
    }
    if (((seq - request.nextIn) | 0) <= 0 && ((end - request.nextIn) | 0) > 0) request.discardTo(end, at.hasFin);
    if (end !== seq) this.#transmitter.ack(connection, request);
    if (request.finIn && response.una === response.nxt) connection.die();
    return HELD;
  }
}
