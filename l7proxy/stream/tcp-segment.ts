/** The TCP fields of the frame at hand, read once a segment on the slow path. One object, used over and over. */
import type { Frame } from '../../wire/frame.ts';
import * as tcp from '../../wire/header/tcp.ts';

export class SegmentFields {
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

  read(frame: Frame): void {
    const { bytes, l4Offset } = frame;
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
}
