/** A client of SPDY/3.1 for tests: frames as kubectl sends them, built by the same writers as the server's, and those that come back. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { HeaderReader, HeaderWriter } from '../apiserver/streaming/header-blocks.ts';
import { controlFrame, dataHeader, FLAG_FIN, FRAME, FrameReader } from '../apiserver/streaming/spdy-frames.ts';

/** What kubectl 1.20 sent for `exec -i p -- cat` with `hi` and an end on its stdin. */
export const KUBECTL_EXEC = Buffer.from(
  [
    '80030001000000290000000100000000000078f9e3c6a7c26260606004a7b392a2d4c45c6851c29a0a0a6800000000ffff',
    '800300010000001700000003000000000000c22e555c92929907000000ffff',
    '800300010000001900000005000000000000c22ac5565c92925f5a02000000ffff',
    '800300010000001500000007000000000000c229975a5404000000ffff',
    '000000030000000368690a' + '0000000301000000',
    '80030003000000080000000100000005' + '80030003000000080000000500000005' + '80030003000000080000000700000005',
    '80030007000000080000000000000000',
  ].join(''),
  'hex',
);

export interface ClientStream {
  readonly id: number;
  isReplied: boolean;
  isEnded: boolean;
  resetStatus: number;
  bytes: Buffer[];
}

export class SpdyClient {
  readonly socket: Duplex;
  readonly streams = new Map<number, ClientStream>();
  readonly pongs: number[] = [];
  goAway: number | undefined;
  isClosed = false;
  #nextId = 1;
  #changed: (() => void)[] = [];
  readonly #headers = new HeaderWriter();
  readonly #replies = new HeaderReader();

  constructor(socket: Duplex) {
    this.socket = socket;
    const reader = new FrameReader({
      control: (type, flags, payload) => this.#control(type, flags, payload),
      data: (id, bytes, isLast) => this.#data(id, Buffer.from(bytes), isLast),
    });
    socket.on('data', (bytes: Buffer) => reader.read(bytes));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
      this.#tell();
    });
  }

  /** Asks for an upgrade at a server on this machine. @returns the client, or the answer that refused it */
  static async dial(port: number, path: string, protocols: readonly string[]): Promise<SpdyClient | string> {
    const socket = connect(port, '127.0.0.1');
    const lines = protocols.map((protocol) => `X-Stream-Protocol-Version: ${protocol}\r\n`).join('');
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${lines}\r\n`);
    let answer = Buffer.alloc(0);
    for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
      answer = Buffer.concat([answer, bytes as Buffer]);
      const end = answer.indexOf('\r\n\r\n');
      if (!answer.toString().startsWith('HTTP/1.1 101') || end < 0) continue;
      socket.unshift(answer.subarray(end + 4));
      return new SpdyClient(socket);
    }
    return answer.toString();
  }

  open(headers: Record<string, string>): ClientStream {
    const stream: ClientStream = { id: this.#nextId, isReplied: false, isEnded: false, resetStatus: 0, bytes: [] };
    this.#nextId += 2;
    this.streams.set(stream.id, stream);
    const block = this.#headers.write(new Map(Object.entries(headers)));
    this.socket.write(controlFrame(FRAME.SYN_STREAM, 0, [stream.id, 0], Buffer.concat([Buffer.alloc(2), block])));
    return stream;
  }

  /** @returns false when the kernel's buffer is full */
  send({ id }: ClientStream, bytes: Uint8Array, isLast = false): boolean {
    this.socket.write(dataHeader(id, bytes.length, isLast ? FLAG_FIN : 0));
    return this.socket.write(bytes);
  }

  ping(id: number): void {
    this.socket.write(controlFrame(FRAME.PING, 0, [id]));
  }

  reset({ id }: ClientStream): void {
    this.socket.write(controlFrame(FRAME.RST_STREAM, 0, [id, 5]));
  }

  /** Waits for a condition of what came. */
  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) {
      if (this.isClosed) throw new Error('the server closed the connection');
      await new Promise<void>((resolve) => void this.#changed.push(resolve));
    }
  }

  #control(type: number, flags: number, payload: Buffer): void {
    const stream = this.streams.get(payload.readUInt32BE(0));
    if (type === FRAME.PING) this.pongs.push(payload.readUInt32BE(0));
    if (type === FRAME.GOAWAY) this.goAway = payload.readUInt32BE(4);
    if (type === FRAME.SYN_REPLY) {
      this.#replies.read(payload.subarray(4));
      if (stream) stream.isReplied = true;
    }
    if (type === FRAME.RST_STREAM && stream) {
      stream.resetStatus = payload.readUInt32BE(4);
      stream.isEnded = true;
    }
    if (stream && type === FRAME.SYN_REPLY && (flags & FLAG_FIN) !== 0) stream.isEnded = true;
    this.#tell();
  }

  #data(id: number, bytes: Buffer, isLast: boolean): void {
    const stream = this.streams.get(id);
    if (stream === undefined) return;
    stream.bytes.push(bytes);
    if (isLast) stream.isEnded = true;
    this.#tell();
  }

  #tell(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const go of waiting) go();
  }
}

export const textOf = ({ bytes }: ClientStream): string => Buffer.concat(bytes).toString();
