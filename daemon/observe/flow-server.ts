/**
 * Where flows are served: listeners for HTTP/1 and HTTP/2 without negotiation (gRPC begins with HTTP/2 at once), told apart by
 * the first bytes of a connection. The requests go to the first handler that owns the path.
 *
 *     net.Server --socket--> first bytes --+--> http  server --+
 *                                          +--> http2 server --+--> Handler
 *
 * Bounds: the connections of unix-listener.ts, STREAM_LIMIT streams of each, FIRST_BYTES_MS until a connection says what it speaks.
 */
import { rmSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import { createServer as createNet, type Server as NetServer, type Socket } from 'node:net';
import { listenUnix } from '../serve/unix-listener.ts';

// --- specification
/** What a connection of HTTP/2 begins with, RFC 9113 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

// --- implementation
const STREAM_LIMIT = 128;
const FIRST_BYTES_MS = 10_000;
const REQUEST_MS = 30_000;

/** Answers the requests of some paths. With HTTP/2 both are of Node's compatibility layer, which has the same members. */
export interface Handler {
  /** @param path without the query */
  owns(path: string): boolean;
  /** Answers; must not throw. */
  serve(request: IncomingMessage, response: ServerResponse): void;
}

export class FlowServer {
  readonly #handlers: readonly Handler[];
  readonly #http: Server;
  readonly #http2: Http2Server;
  readonly #listeners = new Map<string, NetServer>();
  readonly #sockets = new Set<Socket>();

  /** @param handlers the last of which owns every path */
  constructor(handlers: readonly Handler[]) {
    this.#handlers = handlers;
    this.#http = createHttp((request, response) => this.#serve(request, response));
    this.#http.requestTimeout = REQUEST_MS;
    this.#http2 = createHttp2({ settings: { maxConcurrentStreams: STREAM_LIMIT } }, (request, response) =>
      this.#serve(request as unknown as IncomingMessage, response as unknown as ServerResponse),
    );
    // Without a listener, what one client does wrong would end the thread.
    this.#http2.on('sessionError', () => {});
  }

  /** Listens on a unix socket. @param groupId who may use it besides root */
  async listen(path: string, groupId: number | undefined): Promise<void> {
    const server = createNet((socket) => this.accept(socket));
    await listenUnix(server, path, groupId);
    this.#listeners.set(path, server);
  }

  /** Serves a connection, as soon as it says what it speaks. */
  accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(FIRST_BYTES_MS, () => socket.destroy());
    let seen = Buffer.alloc(0);
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      seen = Buffer.concat([seen, chunk]);
      const length = Math.min(seen.length, PREFACE.length);
      const isHttp2 = seen.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (isHttp2 && length < PREFACE.length) return;
      socket.off('readable', look);
      socket.setTimeout(0);
      socket.unshift(seen);
      (isHttp2 ? this.#http2 : this.#http).emit('connection', socket);
    };
    socket.on('readable', look);
  }

  /** Ends all connections and listeners. */
  async stop(): Promise<void> {
    const closed = [...this.#listeners].map(async ([path, server]) => {
      await new Promise((resolve) => {
        server.close(resolve);
        for (const socket of this.#sockets) socket.destroy();
      });
      rmSync(path, { force: true });
    });
    await Promise.all(closed);
    this.#listeners.clear();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '/', 'http://sluice');
    this.#handlers.find((handler) => handler.owns(pathname))?.serve(request, response);
  }
}
