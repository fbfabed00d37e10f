/**
 * Several channels in one WebSocket: the first byte of each message says which. `base64` protocols send text, whose first
 * character is the digit of the channel and whose rest is base64. With v5.channel.k8s.io a message 255, N ends channel N as far
 * as the client sends on it; older protocols have no such thing.
 *
 * A channel whose reader is slow stops the reading of the whole socket, as with SPDY (spdy-connection.ts). A client gives up when
 * no pong comes within a minute, and while nothing is read no ping is answered: so pongs are sent without being asked for,
 * which also find out a client that is gone.
 */
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

const CLOSE_SIGNAL = 255;
const PONG_INTERVAL_MS = 20_000;
/** What a channel keeps for a slow reader and for a slow client, bytes each. */
const BUFFER_BYTES = 128 * 1024;
/** How long a client may take to answer our close. */
const CLOSE_MS = 5000;
const NORMAL_CLOSURE = 1000; // RFC 6455 7.4.1
const PROTOCOL_ERROR = 1002;

export interface ChannelProtocol {
  readonly isBase64: boolean;
  readonly hasCloseSignal: boolean;
}

/** One channel: what the client sends on it, and what is sent to the client. */
class Channel extends Duplex {
  readonly #send: (bytes: Buffer, done: (error?: Error) => void) => void;
  readonly #drained: () => void;
  #isDone = false;

  constructor(send: (bytes: Buffer, done: (error?: Error) => void) => void, drained: (channel: Channel) => void) {
    super({ readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES });
    this.#send = send;
    this.#drained = () => drained(this);
    this.on('error', () => {});
  }

  /** @returns false when it is full */
  receive(bytes: Buffer): boolean {
    return this.#isDone || this.destroyed || bytes.length === 0 || this.push(bytes);
  }

  receiveEnd(): void {
    if (!this.#isDone) this.push(null);
    this.#isDone = true;
  }

  override _read(): void {
    this.#drained();
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#send(bytes, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isDone = true;
    this.#drained();
    done(error);
  }
}

export class WebSocketChannels {
  /** Settles when the socket is gone. */
  readonly closed: Promise<void>;
  readonly channels: readonly Duplex[];
  readonly #socket: WebSocket;
  readonly #protocol: ChannelProtocol;
  readonly #full = new Set<Channel>();

  constructor(socket: WebSocket, count: number, protocol: ChannelProtocol) {
    this.#socket = socket;
    this.#protocol = protocol;
    const channels = Array.from(
      { length: count },
      (_, i) =>
        new Channel(
          (bytes, done) => this.#send(i, bytes, done),
          (channel) => this.#drained(channel),
        ),
    );
    this.channels = channels;
    const timer = setInterval(() => this.#pong(), PONG_INTERVAL_MS).unref();
    socket.on('message', (message) => this.#receive(channels, message as Buffer));
    socket.on('error', () => socket.terminate());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        clearInterval(timer);
        for (const channel of channels) channel.destroy();
        resolve();
      });
    });
  }

  /** Says that a channel is there, as clients wait for. */
  greet(channel: number): void {
    this.#send(channel, Buffer.alloc(0), () => {});
  }

  /** Ends the socket as one does that has said everything. */
  async close(): Promise<void> {
    this.#socket.resume();
    this.#socket.close(NORMAL_CLOSURE);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_MS);
    await this.closed;
    clearTimeout(timer);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #receive(channels: readonly Channel[], message: Buffer): void {
    if (message.length === 0) return;
    const { isBase64, hasCloseSignal } = this.#protocol;
    if (hasCloseSignal && message[0] === CLOSE_SIGNAL) {
      const ended = message.length === 2 ? channels[message[1]] : undefined;
      if (ended === undefined) this.#socket.close(PROTOCOL_ERROR);
      else ended.receiveEnd();
      return;
    }
    const channel = channels[isBase64 ? message[0] - 0x30 : message[0]];
    const bytes = message.subarray(1);
    if (channel === undefined || channel.receive(isBase64 ? Buffer.from(bytes.toString('latin1'), 'base64') : bytes))
      return;
    this.#full.add(channel);
    this.#socket.pause();
  }

  #drained(channel: Channel): void {
    if (this.#full.delete(channel) && this.#full.size === 0) this.#socket.resume();
  }

  #send(channel: number, bytes: Buffer, done: (error?: Error) => void): void {
    if (this.#protocol.isBase64) {
      this.#socket.send(`${channel}${bytes.toString('base64')}`, done);
      return;
    }
    const message = Buffer.allocUnsafe(bytes.length + 1);
    message[0] = channel;
    bytes.copy(message, 1);
    this.#socket.send(message, { binary: true }, done);
  }

  #pong(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.pong();
  }
}
