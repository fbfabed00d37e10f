/**
 * The segment that is being treated: whose it is, its TCP fields, and what was found out about it so far. One object, used
 * for one segment after the other and handed from step to step.
 */
import type { Frame } from '../../wire/frame.ts';
import * as tcp from '../../wire/header/tcp.ts';
import { Operations } from '../parser.ts';
import type { Connection } from './connection.ts';
import type { TcpStream } from './tcp-stream.ts';

export class SegmentAtHand {
  // Of the fast path too, which sets nothing else.
  /** The parser was asked: the connection has a new state to be saved. */
  wasAsked = false;
  /** What the parser answered last. */
  readonly operations: Operations = new Operations();
  /** That answer has not been carried out yet. */
  isPending = false;

  // Whose it is.
  connection: Connection;
  frame: Frame;
  stream: TcpStream;
  other: TcpStream;

  // What it says.
  seq = 0;
  ack = 0;
  flags = 0;
  window = 0;
  payloadBytes = 0;
  hasFin = false;
  /** Behind the last byte, a FIN counted. */
  end = 0;
  hasTimestamp = false;
  timestamp = 0;
  /** Timestamp echoed: the latest of the other side that this side has seen. */
  echo = 0;
  /** What it acknowledges selectively: the lowest block, in the terms of its sender; empty when it does not. */
  sackFrom = 0;
  sackTo = 0;

  // What its acknowledgement does: says something that the other side does not know; acknowledges more than the last did.
  isNews = false;
  isAdvance = false;

  // What held before its bytes were read: the out-position of the next byte; what the sender could be told had arrived.
  outBefore = 0;
  ackBefore = 0;

  constructor(connection: Connection, frame: Frame) {
    this.connection = connection;
    this.frame = frame;
    this.stream = connection.request;
    this.other = connection.response;
  }

  /** Nothing is known of the next segment. */
  begin(): void {
    this.wasAsked = false;
    this.isPending = false;
  }

  read(connection: Connection, frame: Frame, stream: TcpStream): void {
    const { bytes, l4Offset } = frame;
    this.connection = connection;
    this.frame = frame;
    this.stream = stream;
    this.other = connection.other(stream);
    this.seq = tcp.seq(bytes, l4Offset);
    this.ack = tcp.ack(bytes, l4Offset);
    this.flags = frame.tcpFlags;
    this.window = tcp.window(bytes, l4Offset);
    this.payloadBytes = frame.payloadLength;
    this.hasFin = (this.flags & tcp.FIN) !== 0;
    this.end = (this.seq + this.payloadBytes + (this.hasFin ? 1 : 0)) | 0;
    this.#readSack(bytes, l4Offset);
    const at = tcp.timestamps(bytes, l4Offset);
    this.hasTimestamp = at > 0;
    this.timestamp = at > 0 ? tcp.timestampValue(bytes, at) : 0;
    this.echo = at > 0 ? tcp.timestampEcho(bytes, at) : 0;
  }

  /** There is no segment: the connection goes on by itself. @param stream the way that may */
  takeUp(connection: Connection, stream: TcpStream): void {
    this.connection = connection;
    this.stream = stream;
    this.other = connection.other(stream);
  }

  #readSack(bytes: Uint8Array, l4Offset: number): void {
    this.sackFrom = this.sackTo = 0;
    const at = tcp.findOption(bytes, l4Offset, tcp.OPTION_SACK);
    if (at < 0) return;
    for (let i = 0; i < tcp.sackCount(bytes, at); i++) {
      const left = tcp.sackLeft(bytes, at, i);
      // A block below the acknowledgement repeats what came twice (RFC 2883).
      if (((left - this.ack) | 0) <= 0 || (this.sackFrom !== this.sackTo && ((left - this.sackFrom) | 0) >= 0))
        continue;
      this.sackFrom = left;
      this.sackTo = tcp.sackRight(bytes, at, i);
    }
    if (this.sackFrom !== this.sackTo) this.connection.noteSack();
  }

  /** Notes what holds before the bytes are read. */
  noteBefore(outBefore: number, ackBefore: number): void {
    this.outBefore = outBefore;
    this.ackBefore = ackBefore;
  }
}
