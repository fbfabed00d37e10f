/**
 * A small server in place of an image, for Sluice fetches none: `stand-in KIND PORT...` (image-table.ts says which image is which).
 *
 *     httpbin    /headers /get /post /put /delete /anything /ip /user-agent /uuid /status/N /bytes/N /delay/N
 *     deathstar  /v1 (GET), /v1/request-landing (POST), /v1/exhaust-port (PUT)
 *     json-mock  / /public /private /posts /posts/N /comments
 *     echo       the request line and its headers
 *     nginx      one page, or those of a volume at /usr/share/nginx/html
 *     prometheus /metrics /-/healthy /api/v1/...
 *     tcp        takes connections and says nothing (mariadb, postgres, redis ...)
 *     agnhost    Kubernetes' own test image: netexec, serve-hostname, porter, connect (agnhost.ts)
 *
 * It serves IPv4 and IPv6. Pods talk to it that nobody has vetted: a body above 1 MiB is refused, and so is a wait above 10 s.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { runAgnhost } from './agnhost.ts';
import { type Answer, MAX_BODY_BYTES, SERVERS } from './servers.ts';

const NOT_FOUND: Answer = { status: 404, body: 'not found\n' };

/** Answers one request. @param kind a key of SERVERS */
async function serve(kind: string, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(incoming);
  if (body === undefined) {
    response.writeHead(413, { connection: 'close' }).end('too large\n');
    return;
  }
  const { method, headers, socket } = incoming;
  const origin = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  const url = urlOf(incoming);
  const answer =
    url === undefined ? { status: 400, body: 'bad request\n' } : SERVERS[kind]({ method, headers, url, body, origin });
  const { status = 200, body: sent, delaySec = 0, headers: own = {} } = answer ?? NOT_FOUND;
  const isRaw = typeof sent === 'string' || Buffer.isBuffer(sent);
  const bytes = isRaw ? Buffer.from(sent) : Buffer.from(`${JSON.stringify(sent, undefined, 2)}\n`);
  const type = isRaw ? 'text/plain' : 'application/json';
  const send = (): void => {
    const fields = {
      ...('Content-Type' in own ? {} : { 'Content-Type': type }),
      ...own,
      'Content-Length': bytes.length,
    };
    response.writeHead(status, fields).end(bytes);
  };
  console.log(`${origin} ${method} ${incoming.url} ${status}`);
  if (delaySec === 0) send();
  else setTimeout(send, delaySec * 1000);
}

function urlOf({ url = '/', headers }: IncomingMessage): URL | undefined {
  try {
    return new URL(url, `http://${headers.host ?? 'localhost'}`);
  } catch {
    return undefined;
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of incoming as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MAX_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** An idle connection is closed. */
const IDLE_MS = 60_000;

/** Serves on every port. @returns what ends it */
export function standIn(kind: string, ports: readonly number[]): () => void {
  const servers = ports.map((port) => {
    if (kind === 'tcp')
      return createTcpServer((socket) =>
        socket
          .on('error', () => {})
          .setTimeout(IDLE_MS, () => socket.destroy())
          .resume(),
      ).listen(port, '::');
    const server = createServer((incoming, response) => {
      serve(kind, incoming, response).catch(() => response.destroy()); // the client broke off
    });
    server.keepAliveTimeout = 0; // its header would be one that the images do not send
    server.timeout = IDLE_MS;
    return server.listen(port, '::');
  });
  return () => {
    for (const server of servers) {
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
    }
  };
}

function main([kind, ...words]: readonly string[]): void {
  const dashes = words.indexOf('--');
  const ports = (dashes < 0 ? words : words.slice(0, dashes)).map(Number);
  const args = dashes < 0 ? [] : words.slice(dashes + 1);
  // The first process of a container takes no signal that it has no handler for.
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => process.exit(0));
  if (kind === 'agnhost') runAgnhost(args);
  else standIn(kind, listenPorts(args) ?? ports);
}

/** `-listen=:5678` of http-echo. */
function listenPorts(args: readonly string[]): number[] | undefined {
  const port = args.map((arg) => /^--?listen=.*:(\d{1,5})$/.exec(arg)?.[1]).find((found) => found !== undefined);
  return port === undefined ? undefined : [Number(port)];
}

if (process.argv[1].endsWith('stand-in.cjs')) main(process.argv.slice(2));
