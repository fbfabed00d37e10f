/**
 * A stream of a SPDY connection as Node's Duplex. What the client sends is kept until it is read, up to a limit at which the
 * connection reads no more; `end()` half-closes (FIN), `destroy()` resets it unless both ends are done with it.
 */
import { Duplex } from 'node:stream';
import type { Headers } from './header-blocks.ts';

/** What a stream keeps for a slow reader and for a slow client, bytes each. */
const BUFFER_BYTES = 128 * 1024;

/** What a stream asks of its connection. */
export interface StreamOwner {
  /** Sends part of the stream. @param done called when it was handed to the kernel */
  send: (stream: SpdyStream, bytes: Buffer, isLast: boolean, done: (error?: Error | null) => void) => void;
  /** The stream has room again. */
  drained: (stream: SpdyStream) => void;
  /** The stream is over here. @param isReset whether the client is to be told */
  closed: (stream: SpdyStream, isReset: boolean) => void;
}

export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #owner: StreamOwner;
  #isRemoteDone = false;
  #isLocalDone = false;

  constructor(owner: StreamOwner, id: number, headers: Headers) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES });
    this.#owner = owner;
    this.id = id;
    this.headers = headers;
    // Whoever uses the stream learns of its end by 'close'; nobody is to die of a client that went.
    this.on('error', () => {});
  }

  /** Takes what the client sent. @returns false when it is full */
  receive(bytes: Buffer, isLast: boolean): boolean {
    if (this.#isRemoteDone || this.destroyed) return true;
    const hasRoom = bytes.length === 0 || this.push(bytes);
    if (isLast) {
      this.#isRemoteDone = true;
      this.push(null);
    }
    return hasRoom;
  }

  /** The client has reset it. */
  wasReset(): void {
    this.#isRemoteDone = true;
    this.#isLocalDone = true;
    this.destroy();
  }

  override _read(): void {
    this.#owner.drained(this);
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#owner.send(this, bytes, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#isLocalDone = true;
    this.#owner.send(this, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#owner.closed(this, !(this.#isRemoteDone && this.#isLocalDone));
    done(error);
  }
}
