/**
 * From an HTTP/1.1 request to a connection of streams: which protocol both ends speak, 101 or a refusal, and the takeover of the
 * socket. kubectl before 1.30 (or 1.31 for port-forward) asks for SPDY/3.1, later ones for a WebSocket first.
 */
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

/** Of one message, bytes: kubectl sends 32 KiB, other clients as much as their users give them at once. */
const MESSAGE_LIMIT = 4 * 1024 * 1024;
const SPDY = 'SPDY/3.1';

/** A request that cannot become a connection: what it is answered. */
export class UpgradeRefused extends Error {
  override readonly name = 'UpgradeRefused';
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(code: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** Whether the client wants a WebSocket, rather than SPDY. */
export function isWebSocket(request: IncomingMessage): boolean {
  return (request.headers.upgrade ?? '').toLowerCase() === 'websocket';
}

/** Answers a request that stays plain HTTP, and ends its connection. */
export function refuse(socket: Duplex, { code, message, headers, type = 'text/plain; charset=utf-8' }: Refusal): void {
  socket.on('error', () => {});
  if (socket.destroyed || socket.writableEnded) return;
  const lines = Object.entries({
    'Content-Type': type,
    'Content-Length': String(Buffer.byteLength(message)),
    Connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${code} ${STATUS_CODES[code] ?? ''}\r\n${lines.join('')}\r\n${message}`, () => socket.destroy());
}

interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
}

/**
 * Chooses the first protocol of the client that the server has, as Kubernetes does.
 * @throws UpgradeRefused
 */
export function spdyProtocol(request: IncomingMessage, supported: readonly string[]): string {
  if (!(request.headers.upgrade ?? '').toLowerCase().includes(SPDY.toLowerCase()))
    throw new UpgradeRefused(400, `unable to upgrade: wanted ${SPDY} or a WebSocket in the Upgrade header`);
  const asked = listOf(request.headers['x-stream-protocol-version']);
  if (asked.length === 0) throw new UpgradeRefused(400, 'unable to upgrade: no X-Stream-Protocol-Version header');
  const chosen = asked.find((protocol) => supported.includes(protocol));
  if (chosen !== undefined) return chosen;
  throw new UpgradeRefused(
    403,
    `unable to upgrade: unable to negotiate protocol: client supports ${JSON.stringify(asked)}, server accepts ${JSON.stringify(supported)}`,
    { 'X-Accepted-Stream-Protocol-Versions': supported.join(', ') },
  );
}

/** Turns the connection into one of SPDY. */
export function takeSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${SPDY}\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/**
 * The protocol of a WebSocket; '' when the client names none and the server has a default.
 * @throws UpgradeRefused
 */
export function webSocketProtocol(request: IncomingMessage, supported: readonly string[]): string {
  const asked = listOf(request.headers['sec-websocket-protocol']);
  const chosen = (asked.length === 0 ? [''] : asked).find((protocol) => supported.includes(protocol));
  if (chosen !== undefined) return chosen;
  const named = (protocols: readonly string[]) => JSON.stringify(protocols.filter(Boolean));
  throw new UpgradeRefused(
    400,
    `unable to upgrade: requested protocol(s) are not supported: ${named(asked)}; supports ${named(supported)}`,
  );
}

/**
 * Turns the connection into a WebSocket of that protocol.
 *
 * The names of protocols are kept from ws, which refuses all of them when one has a slash (RFC 6455 wants tokens), as that of kubectl's
 * port-forward has.
 * @throws UpgradeRefused for a request that ws refuses, which ws has answered then
 */
export function takeWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  protocol: string,
): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_LIMIT,
  });
  delete request.headers['sec-websocket-protocol'];
  if (protocol !== '') server.on('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve, reject) => {
    socket.once('close', () => reject(new UpgradeRefused(400, 'the request is none for a WebSocket')));
    server.handleUpgrade(request, socket, head, resolve);
  });
}

function listOf(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
}
