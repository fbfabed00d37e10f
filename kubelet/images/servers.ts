/** What small servers answer that stand in for images: each by the request alone, with nothing kept between two. */
import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';

export interface Answer {
  readonly status?: number;
  /** Text, bytes, or a document that is sent as JSON. */
  readonly body: unknown;
  readonly delaySec?: number;
  /** Besides the content's type and length. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Request = Pick<IncomingMessage, 'method' | 'headers'> & {
  readonly url: URL;
  readonly body: string;
  readonly origin: string;
};

type Server = (request: Request) => Answer | undefined;

export const MAX_BODY_BYTES = 1 << 20;
const MAX_DELAY_SEC = 10;

/** What each kind answers; undefined is 404. */
export const SERVERS: Readonly<Record<string, Server>> = {
  httpbin,
  deathstar,
  'json-mock': jsonMock,
  echo: ({ method, url, headers, body }) => ({ body: { method, path: url.pathname + url.search, headers, body } }),
  nginx,
  prometheus,
};

const NGINX_PAGE =
  '<!DOCTYPE html>\n<html>\n<head><title>Welcome to nginx!</title></head>\n<body><h1>Welcome to nginx!</h1></body>\n</html>\n';

/** Pages of a volume that is mounted where nginx looks for them; else the one that it brings. */
function nginx({ url }: Request): Answer | undefined {
  const headers = { Server: 'nginx' };
  const page = pageBelow('/usr/share/nginx/html', url.pathname);
  if (page !== undefined) return { body: page.bytes, headers: { ...headers, 'Content-Type': page.type } };
  return url.pathname === '/' ? { body: NGINX_PAGE, headers: { ...headers, 'Content-Type': 'text/html' } } : undefined;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'application/javascript',
  '.json': 'application/json',
  '.txt': 'text/plain',
};

/** @returns undefined when there is none, and for one that a link leads elsewhere for */
function pageBelow(folder: string, pathname: string): { bytes: Buffer; type: string } | undefined {
  try {
    const named = decodeURIComponent(pathname);
    const path = realpathSync(join(folder, named.endsWith('/') ? `${named}index.html` : named));
    if (!path.startsWith(`${realpathSync(folder)}/`)) return undefined;
    const bytes = readFileSync(path);
    const type = TYPES[extname(named) || '.html'] ?? 'application/octet-stream';
    return bytes.length > MAX_BODY_BYTES ? undefined : { bytes, type };
  } catch {
    return undefined;
  }
}

const PROMETHEUS_METRICS =
  '# HELP prometheus_build_info Constant 1.\n# TYPE prometheus_build_info gauge\nprometheus_build_info{version="stand-in"} 1\n';

function prometheus({ url: { pathname } }: Request): Answer | undefined {
  if (pathname === '/-/healthy' || pathname === '/-/ready') return { body: 'Prometheus Server is Healthy.\n' };
  if (pathname === '/metrics') return { body: PROMETHEUS_METRICS };
  if (pathname.startsWith('/api/v1/'))
    return { body: { status: 'success', data: { resultType: 'vector', result: [] } } };
  return pathname === '/' || pathname === '/graph' ? { body: '<h1>Prometheus</h1>\n' } : undefined;
}

function httpbin(request: Request): Answer | undefined {
  const { url, headers, method, body, origin } = request;
  const args = Object.fromEntries(url.searchParams);
  const shown = titled(headers);
  const all = { args, headers: shown, origin, url: url.href };
  const posted = { args, data: body, files: {}, form: {}, headers: shown, json: jsonOf(body), origin, url: url.href };
  const [, word, value = ''] = url.pathname.split('/');
  const number = /^\d{1,6}$/.test(value) ? Number(value) : undefined;
  if (word === 'headers') return { body: { headers: shown } };
  if (word === 'ip') return { body: { origin } };
  if (word === 'uuid') return { body: { uuid: randomUUID() } };
  if (word === 'user-agent') return { body: { 'user-agent': headers['user-agent'] ?? '' } };
  if (word === 'get') return method === 'GET' || method === 'HEAD' ? { body: all } : WRONG_METHOD;
  if (word === 'post' || word === 'put' || word === 'patch' || word === 'delete')
    return method === word.toUpperCase() ? { body: posted } : WRONG_METHOD;
  if (word === 'anything') return { body: { ...posted, method } };
  if (word === 'status' && number !== undefined && number >= 200 && number <= 599) return { status: number, body: '' };
  if (word === 'bytes' && number !== undefined) return { body: 'x'.repeat(Math.min(number, MAX_BODY_BYTES)) };
  if (word === 'delay' && number !== undefined) return { body: all, delaySec: Math.min(number, MAX_DELAY_SEC) };
  return word === '' ? { body: '<h1>httpbin</h1>\n' } : undefined;
}

const WRONG_METHOD: Answer = { status: 405, body: 'method not allowed\n' };

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** `user-agent` as `User-Agent`, as httpbin shows them. */
function titled(headers: IncomingMessage['headers']): Record<string, unknown> {
  const title = (name: string): string => name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase());
  return Object.fromEntries(
    Object.keys(headers)
      .sort()
      .map((name) => [title(name), headers[name]]),
  );
}

function deathstar({ method, url }: Request): Answer | undefined {
  if (url.pathname === '/v1/request-landing' && method === 'POST') return { body: 'Ship landed\n' };
  if (url.pathname === '/v1/exhaust-port' && method === 'PUT')
    return {
      status: 503,
      body: 'Panic: deathstar exploded\n\ngoroutine 1 [running]:\nmain.HandleGarbage(0x2080c3f50)\n',
    };
  if (url.pathname === '/v1' || url.pathname === '/v1/') return { body: DEATHSTAR };
  if (url.pathname === '/metrics' && method === 'GET') return { body: DEATHSTAR_METRICS };
  return undefined;
}

const DEATHSTAR_METRICS = '# TYPE ships_landed counter\nships_landed 0\n';

const DEATHSTAR = {
  name: 'Death Star',
  hyperdriveRating: '4.0',
  length: '120000',
  manufacturer: 'Imperial Department of Military Research, Sienar Fleet Systems',
  model: 'DS-1 Orbital Battle Station',
  passengers: '843342',
  starshipClass: 'Deep Space Mobile Battlestation',
};

/** As json-server answers, by Express. */
function jsonMock(request: Request): Answer | undefined {
  const { pathname } = request.url;
  if (pathname === '/') return { body: MOCK_PAGE, headers: MOCK_PAGE_HEADERS };
  const answer = mocked(request);
  return answer && { ...answer, headers: { ...MOCK_HEADERS, 'Content-Type': 'application/json; charset=utf-8' } };
}

const MOCK_HEADERS = {
  'X-Powered-By': 'Express',
  Vary: 'Origin, Accept-Encoding',
  'Access-Control-Allow-Credentials': 'true',
};
const MOCK_PAGE_HEADERS = {
  ...MOCK_HEADERS,
  'Accept-Ranges': 'bytes',
  'Cache-Control': 'public, max-age=0',
  'Last-Modified': 'Sat, 26 Oct 1985 08:15:00 GMT',
  ETag: 'W/"83d-7438674ba0"',
  'Content-Type': 'text/html; charset=UTF-8',
};
/** As long as the image's. */
const MOCK_PAGE = `<html><head><title>JSON Server</title></head><body><h1>json-mock</h1>${' '.repeat(2025)}</body></html>\n`;

function mocked({ url }: Request): Answer | undefined {
  const posts = [1, 2, 3].map((id) => ({ id, title: `post ${id}` }));
  const post = /^\/posts\/(\d)$/.exec(url.pathname)?.[1];
  if (post !== undefined) return posts[Number(post) - 1] && { body: posts[Number(post) - 1] };
  const documents: Readonly<Record<string, unknown>> = {
    '/posts': posts,
    '/comments': [{ id: 1, postId: 1, body: 'some comment' }],
    '/public': [{ id: 1, body: 'public information' }],
    '/private': [{ id: 1, body: 'secret information' }],
  };
  return Object.hasOwn(documents, url.pathname) ? { body: documents[url.pathname] } : undefined;
}
