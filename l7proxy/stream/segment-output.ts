/**
 * Segments that leave on our own account: what is sent again, injected, acknowledged or reset. The owner of the ports
 * builds the frame around them (SegmentOutput); here their TCP fields are found.
 */
import * as tcp from '../../wire/header/tcp.ts';
import type { Connection } from './connection.ts';
import { REQUEST } from '../parser.ts';
import type { TcpStream } from './tcp-stream.ts';

/** One segment to be built. Valid during `send` only: it is used again. */
export interface BuiltSegment {
  readonly seq: number;
  readonly ack: number;
  /** TCP flags byte. */
  readonly flags: number;
  /** The raw 16 bits. */
  readonly window: number;
  readonly hasTimestamps: boolean;
  readonly tsVal: number;
  readonly tsEcr: number;
  /** SACK blocks: left and right edge in turn, of `sackCount` blocks. */
  readonly sackCount: number;
  readonly sack: Int32Array;
  /** The payload is payload[start, end). */
  readonly payload: Uint8Array;
  readonly start: number;
  readonly end: number;
}

export interface SegmentOutput {
  /** Builds and sends one segment of the connection in `ctSlot`; one that cannot be sent is lost, as on any wire. */
  send(ctSlot: number, toResponder: boolean, segment: BuiltSegment): unknown;
}

const NOTHING = new Uint8Array(0);
/** Segments sent in one go for a timeout; the rest follows as these are acknowledged. */
export const MAX_BURST = 8;

/** What fits beside nothing, and beside timestamps. */
const MAX_SACK_BLOCKS = 4;
const MAX_TIMED_SACK_BLOCKS = 3;

class Segment implements BuiltSegment {
  seq = 0;
  ack = 0;
  flags = 0;
  window = 0;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  readonly sack: Int32Array = new Int32Array(2 * MAX_SACK_BLOCKS);
  payload: Uint8Array = NOTHING;
  start = 0;
  end = 0;
}

export class Transmitter {
  readonly #output: SegmentOutput;
  readonly #segment: Segment = new Segment();

  constructor(output: SegmentOutput) {
    this.#output = output;
  }

  /**
   * Sends what `stream` keeps from out-position `from` up to `to`, its FIN included when `to` is behind it.
   * Preconditions: keptFrom, una <= from < to <= nxt.
   */
  data(connection: Connection, stream: TcpStream, from: number, to: number): void {
    const { kept } = stream;
    const base = stream.keptBase;
    const dataEnd = ((to - stream.dataEnd) | 0) > 0 ? stream.dataEnd : to;
    const hasFin = dataEnd !== to;
    let position = from;
    for (;;) {
      const bytes = Math.max(0, Math.min(stream.mss, (dataEnd - position) | 0));
      const isLast = ((position + bytes - dataEnd) | 0) >= 0;
      const start = kept.start + ((position - base) | 0);
      const flags = tcp.ACK | (isLast ? tcp.PSH : 0) | (isLast && hasFin ? tcp.FIN : 0);
      this.#fill(connection, stream, position, flags);
      this.#segment.payload = bytes > 0 ? kept.bytes : NOTHING;
      this.#segment.start = bytes > 0 ? start : 0;
      this.#segment.end = bytes > 0 ? start + bytes : 0;
      this.#send(connection, stream);
      position = (position + bytes) | 0;
      if (isLast) break;
    }
    stream.noteSentTo(to);
  }

  /** Tells the sender of `stream` what has arrived; when nobody here knows, the receiver is asked. */
  ack(connection: Connection, stream: TcpStream): void {
    if (stream.isUnsure) {
      this.ask(connection, stream);
      return;
    }
    const back = connection.other(stream);
    this.#fill(connection, back, back.sent, tcp.ACK);
    this.#sack(connection, stream);
    this.#send(connection, back);
  }

  #sack(connection: Connection, stream: TcpStream): void {
    if (!connection.hasSack || stream.early.length === 0) return;
    const segment = this.#segment;
    segment.sackCount = stream.early.blocks(
      segment.sack,
      segment.hasTimestamps ? MAX_TIMED_SACK_BLOCKS : MAX_SACK_BLOCKS,
    );
  }

  /** After a restart: an old segment without data, which the receiver answers with what it has (RFC 9293 3.10.7.4). */
  ask(connection: Connection, stream: TcpStream): void {
    stream.noteProbe();
    this.#fill(connection, stream, (stream.safeOut - 1) | 0, tcp.ACK);
    this.#send(connection, stream);
  }

  /** Resets the receiver of `stream`. */
  reset(connection: Connection, stream: TcpStream): void {
    this.#fill(connection, stream, stream.sent, tcp.RST | tcp.ACK);
    this.#send(connection, stream);
  }

  /** A reset outside any known stream: sequence and acknowledgement are those of the segment it answers. */
  bareReset(ctSlot: number, toResponder: boolean, seq: number, ack: number, hasAck: boolean): void {
    this.#bare(ctSlot, toResponder, seq, ack, hasAck ? tcp.RST | tcp.ACK : tcp.RST);
  }

  /** A segment that makes its receiver say where it is: an acknowledgement from nowhere (RFC 9293 3.10.7.4). */
  knock(ctSlot: number, toResponder: boolean): void {
    this.#bare(ctSlot, toResponder, 0, 0, tcp.ACK);
  }

  #bare(ctSlot: number, toResponder: boolean, seq: number, ack: number, flags: number): void {
    const segment = this.#segment;
    segment.seq = seq;
    segment.ack = ack;
    segment.flags = flags;
    segment.window = 0;
    segment.hasTimestamps = false;
    segment.sackCount = 0;
    segment.payload = NOTHING;
    segment.start = 0;
    segment.end = 0;
    this.#output.send(ctSlot, toResponder, segment);
  }

  #fill(connection: Connection, stream: TcpStream, seq: number, flags: number): void {
    const segment = this.#segment;
    const back = connection.other(stream);
    segment.seq = seq;
    segment.ack = back.ackIn;
    segment.flags = flags;
    segment.window = back.windowIn;
    segment.hasTimestamps = connection.hasTimestamps && stream.hasTimestamp;
    segment.tsVal = stream.latestTimestamp;
    segment.tsEcr = back.timestamp;
    segment.sackCount = 0;
    segment.payload = NOTHING;
    segment.start = 0;
    segment.end = 0;
  }

  #send(connection: Connection, stream: TcpStream): void {
    this.#output.send(connection.slot, stream.way === REQUEST, this.#segment);
  }
}
