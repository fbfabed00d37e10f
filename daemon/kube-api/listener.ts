/**
 * The port of the Kubernetes API: TLS, HTTP/1.1 (kubectl's exec needs no other), and a client certificate of our authority, without which no
 * request is read.
 *
 * Every user of this machine can connect, and hold a connection without a word. So those that have not shown a certificate are few (STRANGERS), and
 * the oldest of them makes room for a new one: whoever has a certificate needs milliseconds to show it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Pki } from './pki.ts';

const CONNECTIONS = 1024;
const STRANGERS = 64;
const HANDSHAKE_MS = 5000;
const HEADERS_MS = 10_000;
const KEEP_ALIVE_MS = 120_000;
const HEADER_BYTES = 64 * 1024;
const HEADERS = 100;

export interface ListenerParts {
  readonly pki: Pki;
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export class KubeListener {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** By the client's port, the oldest first. */
  readonly #strangers = new Map<string, Socket>();

  constructor({ pki, serve, upgrade }: ListenerParts) {
    this.#server = createServer(
      {
        cert: pki.serverCert,
        key: pki.serverKey,
        ca: pki.ca,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: HANDSHAKE_MS,
        headersTimeout: HEADERS_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: HEADER_BYTES,
      },
      serve,
    );
    this.#server.maxHeadersCount = HEADERS;
    this.#server.maxConnections = CONNECTIONS;
    this.#server.on('tlsClientError', () => undefined);
    this.#server.on('clientError', (_error, socket) => void socket.destroy());
    this.#server.on('connection', (socket: Socket) => this.#meet(socket));
    this.#server.on('secureConnection', (socket: TLSSocket) => this.#strangers.delete(nameOf(socket)));
    this.#server.on('upgrade', upgrade);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** @throws Error when the address is taken */
  async start(place: { readonly host: string; readonly port: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(place, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', () => undefined); // of accepting one connection; the next may do
  }

  /** Ends all connections. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #meet(socket: Socket): void {
    socket.on('error', () => undefined);
    const name = nameOf(socket);
    this.#sockets.add(socket);
    this.#strangers.set(name, socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#strangers.get(name) === socket) this.#strangers.delete(name);
    });
    const [oldest] = this.#strangers.values();
    if (this.#strangers.size > STRANGERS) oldest.destroy();
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
