/**
 * Segments before and after an open connection: SYN and SYN-ACK, and what comes when the connection is over or we are
 * ending it.
 */
import type { Frame } from '../../wire/frame.ts';
import {
  DROP_PROXY_UNKNOWN_PROTO,
  DROP_STREAM_CLOSED,
  DROP_STREAM_INVALID,
  FORWARD,
  HELD,
} from '../../wire/reasons.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { type Flow, OPEN, REFUSED, SynOptions } from './flow.ts';
import { REQUEST } from '../parser.ts';
import type { ProxyStats } from './proxy-stats.ts';
import type { Transmitter } from './segment-output.ts';
import type { StreamEditor } from './stream-editor.ts';
import { cleanSyn, noteSyn, openStreams } from './tcp-handshake.ts';
import { type SegmentFields } from './tcp-segment.ts';
import type { TcpStream } from './tcp-stream.ts';

export class SegmentEnds {
  readonly #fields: SegmentFields;
  readonly #editor: StreamEditor;
  readonly #transmitter: Transmitter;
  readonly #stats: ProxyStats;
  readonly #keepBytes: number;
  readonly #answer: SynOptions = new SynOptions();

  /** @param fields of the segment at hand, read by the caller */
  constructor(
    fields: SegmentFields,
    editor: StreamEditor,
    transmitter: Transmitter,
    stats: ProxyStats,
    keepBytes: number,
  ) {
    this.#fields = fields;
    this.#editor = editor;
    this.#transmitter = transmitter;
    this.#stats = stats;
    this.#keepBytes = keepBytes;
  }

  #invalid(): number {
    this.#stats.invalid++;
    return DROP_STREAM_INVALID;
  }

  /** A SYN begins a connection; it is believed when its SYN-ACK comes. Neither carries data on. */
  syn(flow: Flow, frame: Frame, stream: TcpStream): number {
    const fields = this.#fields;
    const isAnswer = (fields.flags & tcp.ACK) !== 0;
    if (isAnswer === (stream.direction === REQUEST) || !cleanSyn(frame)) return this.#invalid();
    if (!isAnswer) {
      if (flow.mode === OPEN && fields.seq === flow.initiatorIsn) this.#noteTime(stream);
      if (flow.mode !== REFUSED) return noteSyn(flow, frame) ? FORWARD : this.#invalid();
      this.#stats.refused++;
      this.#transmitter.bareReset(flow.slot, false, 0, (fields.seq + 1) | 0, true);
      return DROP_PROXY_UNKNOWN_PROTO;
    }
    const isKnown =
      flow.mode === OPEN && fields.seq === flow.responderIsn && fields.ack === ((flow.initiatorIsn + 1) | 0);
    if (isKnown) {
      this.#noteTime(stream);
      return FORWARD;
    }
    if (!flow.hasPendingSyn || fields.ack !== ((flow.syn.seq + 1) | 0)) return this.#invalid();
    openStreams(flow, frame, this.#answer, this.#keepBytes);
    flow.parser.begin(flow.judge, flow);
    return FORWARD;
  }

  /** A SYN was repeated: its receiver may have seen this one first, and takes nothing older from us. */
  #noteTime(stream: TcpStream): void {
    if (this.#fields.hasTimestamp) stream.noteTimestamp(this.#fields.timestamp, false);
  }

  /** Whatever comes for a connection that is over is answered by a reset. */
  answerDead(flow: Flow, stream: TcpStream): number {
    const { flags, ack, end } = this.#fields;
    if ((flags & tcp.RST) === 0) {
      const hasAck = (flags & tcp.ACK) !== 0;
      this.#transmitter.bareReset(flow.slot, stream.direction !== REQUEST, hasAck ? ack : 0, end, !hasAck);
    }
    return DROP_STREAM_CLOSED;
  }

  /** No SYN-ACK was seen. With no SYN either, a former process knew this connection, and nobody can take it up. */
  beforeOpen(flow: Flow, stream: TcpStream): number {
    if (flow.hasPendingSyn) return this.#invalid();
    flow.die();
    return this.answerDead(flow, stream);
  }

  /** We have ended the connection: the requester's bytes are acknowledged and forgotten, the responder is gone. */
  closing(flow: Flow, stream: TcpStream): number {
    const fields = this.#fields;
    const { request, response } = flow;
    if (stream !== request) {
      this.#transmitter.bareReset(flow.slot, true, fields.ack, 0, false);
      return HELD;
    }
    if (((fields.ack - response.una) | 0) > 0 && ((fields.ack - response.nxt) | 0) <= 0) {
      response.acknowledge(fields.ack, this.#editor.nowMs);
    }
    const isNext = ((fields.seq - request.nextIn) | 0) <= 0 && ((fields.end - request.nextIn) | 0) > 0;
    if (isNext) request.nextIn = fields.end;
    if (isNext && fields.hasFin) request.finIn = true;
    if (fields.end !== fields.seq) this.#transmitter.ack(flow, request);
    if (request.finIn && response.una === response.nxt) flow.die();
    return HELD;
  }
}
