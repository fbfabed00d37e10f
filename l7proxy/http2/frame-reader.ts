/** What reading frames is the same for in both ways of a connection: one by one, as they come, each passed or dropped. */
import * as frames from './frames.ts';
import type { Http2Session } from './session.ts';
import type { Http2Shared } from './shared.ts';

const { FRAME_HEADER_BYTES } = frames;

export abstract class FrameReader {
  /** What is at hand waits for the other way. */
  isBlocked = false;
  protected readonly session: Http2Session;
  protected readonly shared: Http2Shared;

  constructor(session: Http2Session) {
    this.session = session;
    this.shared = session.shared;
  }

  /** Reads frames from bytes[start, end). */
  read(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    const { session } = this;
    const { turn } = this.shared;
    this.isBlocked = false;
    if (session.isOver) turn.drop(Number.POSITIVE_INFINITY);
    for (let at = start; at < end && !session.isOver && !turn.isFull; ) {
      const length = this.readFrame(bytes, at, end);
      if (length === 0 && isEnd && !this.isBlocked) this.failTruncated();
      if (length <= 0) return;
      at += length;
    }
  }

  /** @returns its bytes, which may be beyond `end`; 0 when nothing can be done with it yet; -1 when the connection is over */
  protected abstract readFrame(bytes: Uint8Array, at: number, end: number): number;

  /** The stream ends within a frame. */
  protected abstract failTruncated(): void;

  // --- the frame in `header`

  protected pass(): number {
    const total = FRAME_HEADER_BYTES + this.shared.header.length;
    this.shared.turn.pass(total);
    return total;
  }

  protected drop(): number {
    const total = FRAME_HEADER_BYTES + this.shared.header.length;
    this.shared.turn.drop(total);
    return total;
  }

  protected isWhole(at: number, end: number): boolean {
    return end - at >= FRAME_HEADER_BYTES + this.shared.header.length;
  }

  /** It is about a stream that the client has not begun, or that no client may begin. */
  protected isIdle(): boolean {
    const { stream } = this.shared.header;
    return (stream & 1) === 0 || stream > this.session.lastStream;
  }
}
