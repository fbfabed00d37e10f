/**
 * A listening TCP socket: connections that queries come over, each behind its length (RFC 7766). Several may be under way on a
 * connection, and are answered as they are known.
 *
 *   read -> queries -> answers --the peer does not read--> not read any more, until it does
 *                      MAX_UNDER_WAY without an answer --> not read any more, until there is one
 *
 * A connection ends when its peer ends it, when for `idleMs` no whole query came and no answer went (so one that sends a byte at a time
 * gets no longer), or to make room: of one address there are `maxOfClient`, in all `maxConnections`, and the one that has
 * been quiet for longest goes. What one address does costs others nothing until it has many addresses.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { setU16, u16 } from '../wire/bytes.ts';
import type { Counters } from './counters.ts';
import { MAX_MESSAGE_BYTES } from './reply.ts';
import type { NameServer, Way } from './server.ts';

const MAX_UNDER_WAY = 64;
const MAX_UNSENT_BYTES = 256 << 10;
/** Of one query; longer ones end the connection. */
const MAX_QUERY_BYTES = 4_096;
const HEAD_BYTES = 2;

/** Times and bounds; others than LIMITS in tests only. */
export interface ConnectionLimits {
  /** RFC 7766 6.2.3: a few seconds. */
  readonly idleMs: number;
  readonly sweepMs: number;
  readonly maxConnections: number;
  readonly maxOfClient: number;
}

const LIMITS: ConnectionLimits = { idleMs: 10_000, sweepMs: 1_000, maxConnections: 512, maxOfClient: 32 };

const answer = new Uint8Array(HEAD_BYTES + MAX_MESSAGE_BYTES);

/** All connections of one process, over several listeners. */
export class Connections {
  readonly #open = new Set<Connection>();
  readonly #counters: Counters;
  readonly #limits: ConnectionLimits;
  readonly #sweeper: NodeJS.Timeout;

  constructor(counters: Counters, limits: Partial<ConnectionLimits> = {}) {
    this.#counters = counters;
    this.#limits = { ...LIMITS, ...limits };
    this.#sweeper = setInterval(() => this.#sweep(), this.#limits.sweepMs);
    this.#sweeper.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  take(socket: Socket, server: NameServer): void {
    const client = socket.remoteAddress ?? '';
    const ofClient = [...this.#open].filter((one) => one.address === client);
    if (ofClient.length >= this.#limits.maxOfClient) this.#displace(ofClient);
    else if (this.#open.size >= this.#limits.maxConnections) this.#displace([...this.#open]);
    this.#counters.connections++;
    const connection = new Connection(socket, client, server, this.#counters);
    this.#open.add(connection);
    socket.once('close', () => this.#open.delete(connection));
  }

  /** Ends all of them. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const connection of this.#open) connection.close();
  }

  #displace(candidates: Connection[]): void {
    const quietest = candidates.reduce((one, other) => (other.activeMs < one.activeMs ? other : one));
    this.#counters.connectionsDisplaced++;
    quietest.close();
    this.#open.delete(quietest);
  }

  #sweep(): void {
    const beforeMs = Date.now() - this.#limits.idleMs;
    for (const connection of this.#open) {
      if (connection.activeMs >= beforeMs) continue;
      this.#counters.connectionsIdle++;
      connection.close();
    }
  }
}

class Connection implements Way {
  readonly isStream = true;
  readonly address: string;
  /** When a whole query came, or an answer went. */
  activeMs: number = Date.now();
  readonly #socket: Socket;
  readonly #server: NameServer;
  readonly #counters: Counters;
  #received: Uint8Array = new Uint8Array(0);
  #underWay = 0;
  #hasPeerEnded = false;
  #isReading = false;

  constructor(socket: Socket, address: string, server: NameServer, counters: Counters) {
    this.#socket = socket;
    this.address = address;
    this.#server = server;
    this.#counters = counters;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('drain', () => this.#resume());
    socket.on('error', () => socket.destroy());
    socket.once('end', () => this.#peerEnded());
  }

  close(): void {
    this.#socket.destroy();
  }

  client(): string {
    return this.address;
  }

  back(): (bytes: Uint8Array) => void {
    this.#underWay++;
    let isSent = false;
    return (bytes) => {
      if (isSent) return;
      isSent = true;
      this.#underWay--;
      setU16(answer, 0, bytes.length);
      answer.set(bytes, HEAD_BYTES);
      this.#send(bytes.length);
      this.#resume();
      if (this.#hasPeerEnded && this.#underWay === 0) this.#socket.end();
    };
  }

  /** Who asks no more still gets what it asked. */
  #peerEnded(): void {
    this.#hasPeerEnded = true;
    if (this.#underWay === 0) this.#socket.end();
  }

  #take(chunk: Uint8Array): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#read();
  }

  /** Answers the whole queries that have come, as far as there is room for answers; one may be answered before it has been read. */
  #read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    const bytes = this.#received;
    let at = 0;
    while (!this.#isFull && !this.#socket.destroyed && at + HEAD_BYTES <= bytes.length) {
      const length = u16(bytes, at);
      if (length === 0 || length > MAX_QUERY_BYTES) {
        this.close();
        break;
      }
      const end = at + HEAD_BYTES + length;
      if (end > bytes.length) break;
      this.#answer(bytes, at + HEAD_BYTES, end);
      at = end;
    }
    this.#received = bytes.subarray(at);
    this.#isReading = false;
    if (this.#isFull) this.#socket.pause();
  }

  #answer(bytes: Uint8Array, start: number, end: number): void {
    this.activeMs = Date.now();
    this.#server.nowSec = this.#server.clock();
    this.#counters.tcpQueries++;
    const length = this.#server.handle(bytes, start, end, answer, HEAD_BYTES, this);
    if (length === 0) return;
    setU16(answer, 0, length);
    this.#send(length);
  }

  #send(length: number): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    this.activeMs = Date.now();
    this.#socket.write(Uint8Array.from(answer.subarray(0, HEAD_BYTES + length)));
  }

  #resume(): void {
    if (this.#isFull || this.#socket.destroyed) return;
    this.#read();
    if (!this.#isFull) this.#socket.resume();
  }

  get #isFull(): boolean {
    return this.#underWay >= MAX_UNDER_WAY || this.#socket.writableLength > MAX_UNSENT_BYTES;
  }
}

/** Accepts on a listening socket. @returns what ends that; connections stay */
export function listenTcp(
  fd: number,
  server: NameServer,
  { connections, onError }: { connections: Connections; onError: (error: Error) => void },
): Server {
  const listener = createServer({ allowHalfOpen: true }, (socket) => connections.take(socket, server));
  listener.on('error', onError);
  listener.listen({ fd });
  return listener;
}
