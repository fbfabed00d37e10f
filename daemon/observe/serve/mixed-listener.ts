/**
 * One port for HTTP/1.1 and HTTP/2, with TLS or without: gRPC needs HTTP/2, browsers and curl come with either. With TLS the
 * client says which (ALPN). Without, the first bytes do: every HTTP/2 connection begins with the same preface.
 *
 *   connection --first bytes--> "PRI * HTTP/2.0" ? HTTP/2 : HTTP/1.1 --> 'request'
 *
 * Bounds, for one listener: MAX_CONNECTIONS (of a socket as unix-listener.ts has it); STREAMS at a time on each; GREETING_MS without a whole request on a new connection
 * (HTTP/1.1: also after each answer); IDLE_MS without one later; HEADER_BYTES and HEADERS of a request's head.
 */
import { rmSync } from 'node:fs';
import { createServer as createHttp1, type Server as Http1Server } from 'node:http';
import {
  constants,
  createSecureServer,
  createServer as createHttp2,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createNet, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Request, Response } from './observer-api.ts';
import { listenUnix } from '../../serve/unix-listener.ts';
import type { TlsMaterial } from './tls-files.ts';

const MAX_CONNECTIONS = 64;
const STREAMS = 64;
const HEADER_BYTES = 16 * 1024;
const HEADERS = 64;
const GREETING_MS = 10_000;
const IDLE_MS = 300_000;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');

type Answer = (request: Request, response: Response) => void;

/** Where to listen: a unix socket, which root and perhaps a group may use, or a port; host '' is every address. */
export type Place =
  | { readonly path: string; readonly groupId: number | undefined }
  | { readonly host: string; readonly port: number };

const HTTP1_OPTIONS = { maxHeaderSize: HEADER_BYTES, headersTimeout: GREETING_MS, keepAliveTimeout: GREETING_MS };
const HTTP2_OPTIONS = {
  settings: { maxConcurrentStreams: STREAMS, maxHeaderListSize: HEADER_BYTES, enablePush: false },
  maxHeaderListPairs: HEADERS,
};

export class MixedListener {
  readonly #place: Place;
  readonly #answer: Answer;
  readonly #connections = new Set<Socket>();
  readonly #timers = new WeakMap<object, NodeJS.Timeout>();
  readonly #server: Server | TlsServer;

  /** @param tls without it, connections are in the clear */
  constructor(place: Place, tls: TlsMaterial | undefined, answer: Answer) {
    this.#place = place;
    this.#answer = answer;
    this.#server = tls === undefined ? this.#clear() : this.#secure(tls);
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => this.#connections.delete(socket));
      socket.setKeepAlive(true, GREETING_MS);
    });
  }

  /** The port, also when 0 was asked for; 0 of a unix socket. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** @throws Error when the address is taken or may not be had */
  async start(): Promise<void> {
    const place = this.#place;
    if ('path' in place) await listenUnix(this.#server, place.path, place.groupId);
    else await listenPort(this.#server, place);
    this.#server.on('error', () => undefined); // of accepting one connection; the next may do
  }

  /** For connections from now on. */
  renew(tls: TlsMaterial): void {
    (this.#server as TlsServer).setSecureContext(tls);
  }

  /** Ends all connections. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
    if ('path' in this.#place) rmSync(this.#place.path, { force: true });
  }

  #clear(): Server {
    const http1 = createHttp1(HTTP1_OPTIONS, this.#answer);
    const http2 = createHttp2(HTTP2_OPTIONS, this.#answer);
    this.#bound(http1, http2);
    return createNet((socket) => {
      this.#arm(socket, GREETING_MS, () => socket.destroy());
      firstBytes(socket, (bytes) => {
        const isHttp2 = isPreface(bytes);
        if (isHttp2) this.#disarm(socket);
        socket.unshift(bytes);
        (isHttp2 ? http2 : http1).emit('connection', socket);
        if (!isHttp2) socket.resume();
      });
    });
  }

  #secure(tls: TlsMaterial): TlsServer {
    const options = { ...HTTP1_OPTIONS, ...HTTP2_OPTIONS, ...tls, allowHTTP1: true, handshakeTimeout: GREETING_MS };
    const server = createSecureServer(options, this.#answer);
    server.on('tlsClientError', () => undefined);
    this.#bound(undefined, server);
    return server;
  }

  /** Ends what neither asks nor is answered. */
  #bound(http1: Http1Server | undefined, http2: Http2Server | ReturnType<typeof createSecureServer>): void {
    http1?.on('request', ({ socket }, response) => {
      this.#disarm(socket);
      response.once('close', () => this.#arm(socket, GREETING_MS, () => socket.destroy()));
    });
    http2.on('sessionError', () => undefined);
    http2.on('session', (session: ServerHttp2Session) => {
      let open = 0;
      const idle = (ms: number): void => this.#arm(session, ms, () => session.destroy());
      idle(GREETING_MS);
      session.on('error', () => undefined);
      session.once('close', () => this.#disarm(session));
      session.prependListener('stream', (stream: ServerHttp2Stream) => {
        this.#disarm(session);
        if (++open > STREAMS) stream.close(constants.NGHTTP2_REFUSED_STREAM); // a client may not know the limit yet
        stream.on('error', () => undefined);
        stream.once('close', () => --open === 0 && !session.destroyed && idle(IDLE_MS));
      });
    });
  }

  #arm(who: object, ms: number, end: () => void): void {
    this.#disarm(who);
    this.#timers.set(who, setTimeout(end, ms).unref());
  }

  #disarm(who: object): void {
    clearTimeout(this.#timers.get(who));
  }
}

async function listenPort(server: Server | TlsServer, place: { readonly host: string; readonly port: number }) {
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(place.host === '' ? { port: place.port } : place, resolve);
  });
}

/** So many bytes tell HTTP/2 from every method of HTTP/1.1. */
const TELLING_BYTES = 3;

/** Calls `then` with the first bytes of a connection, which is paused. */
function firstBytes(socket: Socket, then: (bytes: Buffer) => void, seen = Buffer.alloc(0)): void {
  socket.once('data', (chunk: Buffer) => {
    const bytes = Buffer.concat([seen, chunk]);
    if (bytes.length < TELLING_BYTES) firstBytes(socket, then, bytes);
    else {
      socket.pause();
      then(bytes);
    }
  });
}

function isPreface(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, PREFACE.length);
  return bytes.subarray(0, length).equals(PREFACE.subarray(0, length));
}
