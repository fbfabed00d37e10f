/**
 * port-forward: connections to ports of a pod, each a pair of SPDY streams of one `requestid`: data, and an error stream on which
 * words come when it failed. SPDY comes over an HTTP upgrade, or inside the binary messages of a WebSocket (kubectl 1.31 on).
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream } from 'ws';
import type { Headers } from './header-blocks.ts';
import { SpdyConnection } from './spdy-connection.ts';
import type { SpdyStream } from './spdy-stream.ts';
import { endAll } from './stream-end.ts';
import { isWebSocket, spdyProtocol, takeSpdy, takeWebSocket, webSocketProtocol } from './upgrade.ts';

const PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = `SPDY/3.1+${PROTOCOL}`;
const MAX_STREAMS = 512;
/** How long the second stream of a pair may take. */
const PAIR_MS = 30_000;

/** Connects to a port of the pod. It rejects with the words for the client. */
export type Connect = (port: number) => Promise<Duplex>;

/** Settles when the connection of the client is over. @throws UpgradeRefused when there never was one */
export async function servePortForward(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  connect: Connect,
): Promise<void> {
  const pipe = isWebSocket(request)
    ? createWebSocketStream(await takeWebSocket(request, socket, head, webSocketProtocol(request, [TUNNEL_PROTOCOL])))
    : takeSpdy(socket, head, spdyProtocol(request, [PROTOCOL]));
  const pairs = new Pairs(connect);
  const spdy = new SpdyConnection(pipe, {
    maxStreams: MAX_STREAMS,
    accepts: (headers) => portOf(headers) > 0 && /^(data|error)$/.test(headers.get('streamtype') ?? ''),
    onStream: (stream) => pairs.add(stream),
  });
  await spdy.closed;
}

function portOf(headers: Headers): number {
  const text = headers.get('port') ?? '';
  return /^\d{1,5}$/.test(text) && Number(text) <= 0xffff ? Number(text) : 0;
}

/** Clients that send no requestID open the error stream first, and the data stream next after it. */
function requestId({ headers, id }: SpdyStream): string {
  return headers.get('requestid') ?? `#${headers.get('streamtype') === 'error' ? id : id - 2}`;
}

/** Streams that wait for their other half. */
class Pairs {
  readonly #connect: Connect;
  readonly #waiting = new Map<string, { stream: SpdyStream; timer: NodeJS.Timeout }>();

  constructor(connect: Connect) {
    this.#connect = connect;
  }

  add(stream: SpdyStream): void {
    const id = requestId(stream);
    const other = this.#waiting.get(id);
    const type = stream.headers.get('streamtype');
    if (other === undefined) {
      const timer = setTimeout(() => this.#giveUp(id), PAIR_MS);
      this.#waiting.set(id, { stream, timer });
      stream.once('close', () => this.#forget(id, stream));
      return;
    }
    if (other.stream.headers.get('streamtype') === type || portOf(other.stream.headers) !== portOf(stream.headers)) {
      stream.destroy();
      return;
    }
    clearTimeout(other.timer);
    this.#waiting.delete(id);
    const [data, error] = type === 'data' ? [stream, other.stream] : [other.stream, stream];
    void forward(data, error, this.#connect);
  }

  #forget(id: string, stream: SpdyStream): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.stream !== stream) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
  }

  #giveUp(id: string): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting?.stream.headers.get('streamtype') === 'error')
      waiting.stream.write(`request ${id}: timed out waiting for its data stream`);
    waiting?.stream.end();
  }
}

async function forward(data: SpdyStream, error: SpdyStream, connect: Connect): Promise<void> {
  error.resume();
  try {
    await join(data, await connect(portOf(data.headers)));
    await endAll([data]);
  } catch (reason) {
    error.write(reason instanceof Error ? reason.message : String(reason));
    data.destroy();
  }
  await endAll([error]);
}

/**
 * Carries bytes both ways; the end of one way is passed on, and the other goes on.
 * @throws Error of the connection to the pod
 */
function join(client: Duplex, pod: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    pod.once('error', (error) => {
      client.unpipe(pod);
      reject(error);
    });
    client.once('close', () => pod.destroy());
    pod.once('close', resolve);
    // Half-closed by the pod: the client reads the end, and may still send.
    pod.pipe(client);
    client.pipe(pod);
  });
}
