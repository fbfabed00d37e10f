/**
 * The server's end of a SPDY/3.1 connection as moby/spdystream makes it, which kubectl and Kubernetes use after an HTTP upgrade.
 *
 * The client opens streams (odd numbers, rising); each is refused, or answered at once and handed on as a Duplex. There are no
 * windows: spdystream neither sends nor minds WINDOW_UPDATE, so that TCP alone holds a sender back. A stream whose reader is slow
 * therefore stops the reading of the whole connection, and with it that of its neighbours, as at Kubernetes.
 *
 * While nothing is read, the end of a client cannot be seen; a PING every 20 s finds it out, for a kernel answers data for a
 * socket that is gone with a reset.
 *
 * Bounds: `maxStreams` at a time, 128 KiB and one read of the socket a stream and direction, 16 KiB of headers, 32 KiB of a
 * control frame, 1 MiB of answers (pongs, resets) that the client does not read. What breaks a rule ends the connection with
 * GOAWAY; frames for streams that are gone are passed over, for they may have been on their way.
 */
import type { Duplex } from 'node:stream';
import { HeaderReader, HeaderWriter, type Headers } from './header-blocks.ts';
import {
  controlFrame,
  dataHeader,
  FLAG_FIN,
  FRAME,
  FrameReader,
  GOAWAY,
  MAX_DATA_BYTES,
  RESET,
} from './spdy-frames.ts';
import { SpdyStream } from './spdy-stream.ts';
import { endPipe } from './stream-end.ts';

const PING_INTERVAL_MS = 20_000;
const ANSWER_LIMIT = 1024 * 1024; // bytes
const NO_HEADERS: Headers = new Map();

export interface SpdyOptions {
  readonly maxStreams: number;
  /** Whether a stream of such headers may be opened. */
  readonly accepts: (headers: Headers) => boolean;
  readonly onStream: (stream: SpdyStream) => void;
}

export class SpdyConnection {
  /** Settles when the connection is gone; nothing comes or goes after it. */
  readonly closed: Promise<void>;
  readonly #pipe: Duplex;
  readonly #options: SpdyOptions;
  readonly #headerReader = new HeaderReader();
  readonly #headerWriter = new HeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  /** Streams that keep the connection from being read. */
  readonly #full = new Set<SpdyStream>();
  #lastStream = 0;
  #lastPing = 0;
  /** Bytes of answers that wait; data has a bound of its own in each stream, and is much more with many of them. */
  #unread = 0;

  /** @param pipe the connection after its upgrade */
  constructor(pipe: Duplex, options: SpdyOptions) {
    this.#pipe = pipe;
    this.#options = options;
    const reader = new FrameReader({
      control: (type, flags, payload) => this.#control(type, flags, payload),
      data: (stream, bytes, isLast) => this.#data(stream, bytes, isLast),
    });
    const read = (bytes: Buffer) => {
      try {
        if (!pipe.destroyed && !pipe.writableEnded) reader.read(bytes);
      } catch {
        this.#break();
      }
    };
    const timer = setInterval(() => this.#ping(), PING_INTERVAL_MS).unref();
    this.closed = new Promise((resolve) => {
      pipe.once('close', () => {
        clearInterval(timer);
        for (const stream of this.#streams.values()) stream.wasReset();
        resolve();
      });
    });
    pipe.on('error', () => pipe.destroy());
    pipe.on('end', () => pipe.destroy());
    pipe.on('data', read);
  }

  /** Says goodbye and ends the connection; streams that are open are cut. */
  async close(): Promise<void> {
    if (!this.#pipe.destroyed) this.#answer(controlFrame(FRAME.GOAWAY, 0, [this.#lastStream, GOAWAY.OK]));
    await endPipe(this.#pipe);
  }

  destroy(): void {
    this.#pipe.destroy();
  }

  #break(): void {
    this.#pipe.end(controlFrame(FRAME.GOAWAY, 0, [this.#lastStream, GOAWAY.PROTOCOL_ERROR]));
    void endPipe(this.#pipe);
  }

  #control(type: number, flags: number, payload: Buffer): void {
    switch (type) {
      case FRAME.SYN_STREAM:
        this.#open(payload, (flags & FLAG_FIN) !== 0);
        return;
      case FRAME.RST_STREAM:
        needs(payload, 8);
        this.#streams.get(payload.readUInt32BE(0))?.wasReset();
        return;
      case FRAME.HEADERS:
        needs(payload, 4);
        // They say nothing to us, but the blocks after them depend on them.
        this.#headerReader.read(payload.subarray(4));
        this.#data(payload.readUInt32BE(0), Buffer.alloc(0), (flags & FLAG_FIN) !== 0);
        return;
      case FRAME.PING:
        needs(payload, 4);
        // An even number answers one of ours.
        if ((payload[3] & 1) === 1) this.#answer(controlFrame(FRAME.PING, 0, [payload.readUInt32BE(0)]));
        return;
      case FRAME.GOAWAY:
      case FRAME.SETTINGS:
      case FRAME.WINDOW_UPDATE:
        return; // A client that says goodbye closes the connection when it is done.
      default:
        throw new Error(`read a control frame: found type ${type}`);
    }
  }

  #open(payload: Buffer, isLast: boolean): void {
    needs(payload, 10);
    const id = payload.readUInt32BE(0);
    const headers = this.#headerReader.read(payload.subarray(10));
    if (id % 2 === 0 || id <= this.#lastStream || id > 0x7fffffff)
      throw new Error(`open a stream: found number ${id} after ${this.#lastStream}`);
    this.#lastStream = id;
    if (this.#streams.size >= this.#options.maxStreams || !this.#options.accepts(headers)) {
      this.#reset(id, RESET.REFUSED_STREAM);
      return;
    }
    const stream = new SpdyStream(this.#owner, id, headers);
    this.#streams.set(id, stream);
    this.#answer(controlFrame(FRAME.SYN_REPLY, 0, [id], this.#headerWriter.write(NO_HEADERS)));
    if (isLast) stream.receive(Buffer.alloc(0), true);
    this.#options.onStream(stream);
  }

  #data(id: number, bytes: Buffer, isLast: boolean): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.receive(bytes, isLast)) return;
    this.#full.add(stream);
    this.#pipe.pause();
  }

  readonly #owner = {
    send: (stream: SpdyStream, bytes: Buffer, isLast: boolean, done: (error?: Error | null) => void): void => {
      if (this.#pipe.destroyed || this.#pipe.writableEnded) {
        done(new Error('the connection is closed'));
        return;
      }
      const part = bytes.subarray(0, MAX_DATA_BYTES);
      const rest = bytes.subarray(part.length);
      this.#pipe.cork();
      this.#pipe.write(dataHeader(stream.id, part.length, isLast && rest.length === 0 ? FLAG_FIN : 0));
      this.#pipe.write(part, (error) => {
        if (error || rest.length === 0) done(error);
        else this.#owner.send(stream, rest, isLast, done);
      });
      this.#pipe.uncork();
    },
    drained: (stream: SpdyStream): void => {
      if (this.#full.delete(stream) && this.#full.size === 0) this.#pipe.resume();
    },
    closed: (stream: SpdyStream, isReset: boolean): void => {
      this.#streams.delete(stream.id);
      this.#owner.drained(stream);
      if (isReset && !this.#pipe.destroyed) this.#reset(stream.id, RESET.CANCEL);
    },
  };

  #reset(id: number, status: number): void {
    this.#answer(controlFrame(FRAME.RST_STREAM, 0, [id, status]));
  }

  #ping(): void {
    this.#lastPing += 2;
    this.#answer(controlFrame(FRAME.PING, 0, [this.#lastPing]));
  }

  /** A client that has us answer and reads no answers is left. */
  #answer(frame: Buffer): void {
    if (this.#pipe.writableEnded || this.#pipe.destroyed) return;
    this.#unread += frame.length;
    if (this.#unread > ANSWER_LIMIT) this.#pipe.destroy();
    else this.#pipe.write(frame, () => (this.#unread -= frame.length));
  }
}

function needs(payload: Buffer, bytes: number): void {
  if (payload.length < bytes) throw new Error(`read a control frame: found ${payload.length} bytes, wanted ${bytes}`);
}
