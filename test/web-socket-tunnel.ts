/**
 * A stream of bytes inside the binary messages of a WebSocket, from the client's end, as kubectl makes it for port-forward. The
 * client of ws cannot: it refuses the name of the protocol for its slash.
 */
import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';

const FINAL_BINARY = 0x82;
const BINARY = 2;
const MASKED = 0x80;

class Tunnel extends Duplex {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', () => {});
    socket.on('close', () => this.destroy());
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    // The key of zeros is a mask as good as any, and leaves the bytes as they are.
    const header = Buffer.alloc(14);
    header[0] = FINAL_BINARY;
    header[1] = MASKED | 127;
    header.writeUInt32BE(bytes.length, 6);
    this.#socket.write(Buffer.concat([header, bytes]), done);
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.#socket.destroy();
    done();
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const found = this.#received;
      if (found.length < 2) return;
      const long = { 126: 2, 127: 8 }[found[1]] ?? 0;
      if (found.length < 2 + long) return;
      const length = long === 0 ? found[1] : found.readUIntBE(2 + long - Math.min(long, 6), Math.min(long, 6));
      const end = 2 + long + length;
      if (found.length < end) return;
      this.#received = found.subarray(end);
      if ((found[0] & 0xf) === BINARY) this.push(found.subarray(2 + long, end));
    }
  }
}

/** @throws Error with the answer that refused it */
export async function dialTunnel(port: number, path: string, protocol: string): Promise<Duplex> {
  const socket = connect(port, '127.0.0.1');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
  );
  let answer = Buffer.alloc(0);
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    answer = Buffer.concat([answer, bytes as Buffer]);
    const end = answer.indexOf('\r\n\r\n');
    if (end < 0 || !answer.includes(`\r\nSec-WebSocket-Protocol: ${protocol}\r\n`)) continue;
    socket.unshift(answer.subarray(end + 4));
    return new Tunnel(socket);
  }
  throw new Error(answer.toString());
}
