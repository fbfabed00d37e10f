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
    const at = tcp.timestamps(bytes, l4Offset);
    this.hasTimestamp = at > 0;
    this.timestamp = at > 0 ? tcp.timestampValue(bytes, at) : 0;
    this.echo = at > 0 ? tcp.timestampEcho(bytes, at) : 0;
  }

  /** Notes what holds before the bytes are read. */
  noteBefore(outBefore: number, ackBefore: number): void {
    this.outBefore = outBefore;
    this.ackBefore = ackBefore;
  }
}
