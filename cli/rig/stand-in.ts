/**
 * A small server in place of an image, for rigs run none: `stand-in KIND PORT...` (image-table.ts says which image is which).
 *
 *     httpbin    /headers /get /post /put /delete /anything /ip /user-agent /uuid /status/N /bytes/N /delay/N
 *     deathstar  /v1 (GET), /v1/request-landing (POST), /v1/exhaust-port (PUT)
 *     json-mock  / /public /private /posts /posts/N /comments
 *     echo       the request line and its headers
 *     nginx      one page
 *
 * It serves IPv4 and IPv6. Pods talk to it that nobody has vetted: a body above 1 MiB is refused, and so is a wait above 10 s.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

interface Answer {
  readonly status?: number;
  /** Text, or a document that is sent as JSON. */
  readonly body: unknown;
  readonly delaySec?: number;
}

type Request = Pick<IncomingMessage, 'method' | 'headers'> & {
  readonly url: URL;
  readonly body: string;
  readonly origin: string;
};

type Server = (request: Request) => Answer | undefined;

const MAX_BODY_BYTES = 1 << 20;
const MAX_DELAY_SEC = 10;
const NOT_FOUND: Answer = { status: 404, body: 'not found\n' };

/** What each kind answers; undefined is 404. */
export const SERVERS: Readonly<Record<string, Server>> = {
  httpbin,
  deathstar,
  'json-mock': jsonMock,
  echo: ({ method, url, headers, body }) => ({ body: { method, path: url.pathname + url.search, headers, body } }),
  nginx: ({ url }) => (url.pathname === '/' ? { body: NGINX_PAGE } : undefined),
};

const NGINX_PAGE =
  '<!DOCTYPE html>\n<html>\n<head><title>Welcome to nginx!</title></head>\n<body><h1>Welcome to nginx!</h1></body>\n</html>\n';

function httpbin(request: Request): Answer | undefined {
  const { url, headers, method, body, origin } = request;
  const all = { args: Object.fromEntries(url.searchParams), headers: titled(headers), origin, url: url.href };
  const [, word, value = ''] = url.pathname.split('/');
  const number = /^\d{1,6}$/.test(value) ? Number(value) : undefined;
  if (word === 'headers') return { body: { headers: titled(headers) } };
  if (word === 'ip') return { body: { origin } };
  if (word === 'uuid') return { body: { uuid: randomUUID() } };
  if (word === 'user-agent') return { body: { 'user-agent': headers['user-agent'] ?? '' } };
  if (word === 'get') return method === 'GET' || method === 'HEAD' ? { body: all } : WRONG_METHOD;
  if (word === 'post' || word === 'put' || word === 'patch' || word === 'delete')
    return method === word.toUpperCase() ? { body: { ...all, data: body } } : WRONG_METHOD;
  if (word === 'anything') return { body: { ...all, method, data: body } };
  if (word === 'status' && number !== undefined && number >= 200 && number <= 599) return { status: number, body: '' };
  if (word === 'bytes' && number !== undefined) return { body: 'x'.repeat(Math.min(number, MAX_BODY_BYTES)) };
  if (word === 'delay' && number !== undefined) return { body: all, delaySec: Math.min(number, MAX_DELAY_SEC) };
  return word === '' ? { body: '<h1>httpbin</h1>\n' } : undefined;
}

const WRONG_METHOD: Answer = { status: 405, body: 'method not allowed\n' };

/** `user-agent` as `User-Agent`, as httpbin shows them. */
function titled(headers: IncomingMessage['headers']): Record<string, unknown> {
  const title = (name: string): string => name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [title(name), value]));
}

function deathstar({ method, url }: Request): Answer | undefined {
  if (url.pathname === '/v1/request-landing' && method === 'POST') return { body: 'Ship landed\n' };
  if (url.pathname === '/v1/exhaust-port' && method === 'PUT')
    return {
      status: 503,
      body: 'Panic: deathstar exploded\n\ngoroutine 1 [running]:\nmain.HandleGarbage(0x2080c3f50)\n',
    };
  if (url.pathname === '/v1' || url.pathname === '/v1/') return { body: DEATHSTAR };
  return undefined;
}

const DEATHSTAR = {
  name: 'Death Star',
  hyperdriveRating: '4.0',
  length: '120000',
  manufacturer: 'Imperial Department of Military Research, Sienar Fleet Systems',
  model: 'DS-1 Orbital Battle Station',
  passengers: '843342',
  starshipClass: 'Deep Space Mobile Battlestation',
};

function jsonMock({ url }: Request): Answer | undefined {
  const posts = [1, 2, 3].map((id) => ({ id, title: `post ${id}` }));
  const post = /^\/posts\/(\d)$/.exec(url.pathname)?.[1];
  if (post !== undefined) return posts[Number(post) - 1] && { body: posts[Number(post) - 1] };
  const documents: Readonly<Record<string, unknown>> = {
    '/': { name: 'json-mock' },
    '/posts': posts,
    '/comments': [{ id: 1, postId: 1, body: 'some comment' }],
    '/public': [{ id: 1, body: 'public information' }],
    '/private': [{ id: 1, body: 'secret information' }],
  };
  return Object.hasOwn(documents, url.pathname) ? { body: documents[url.pathname] } : undefined;
}

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
  const { status = 200, body: sent, delaySec = 0 } = answer ?? NOT_FOUND;
  const text = typeof sent === 'string' ? sent : `${JSON.stringify(sent, undefined, 2)}\n`;
  const type = typeof sent === 'string' ? 'text/plain' : 'application/json';
  const send = (): void => void response.writeHead(status, { 'content-type': type }).end(text);
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

/** Serves on every port. @returns what ends it */
export function standIn(kind: string, ports: readonly number[]): () => void {
  const servers = ports.map((port) =>
    createServer((incoming, response) => {
      serve(kind, incoming, response).catch(() => response.destroy()); // the client broke off
    }).listen(port, '::'),
  );
  return () => {
    for (const server of servers) server.close().closeAllConnections();
  };
}

if (process.argv[1].endsWith('stand-in.cjs')) standIn(process.argv[2], process.argv.slice(3).map(Number));
