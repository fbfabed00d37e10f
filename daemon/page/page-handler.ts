/**
 * Every request of the page's listener, in this order:
 *
 *     checks (request-checks.ts) --> files, login --> token (sessions.ts) --> streams, API, questions
 *
 * Files and login are there for everyone who may connect; all else knows something about the cluster. What may be asked of the agent
 * is a list of calls (READING, CHANGING), not a pattern. Bodies have limits, and so has the number of requests under way.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { VERSION } from '../../linux/version.ts';
import type { Handler } from '../observe/flow-server.ts';
import { pathOf, type Request, REQUEST_MS, resetAfterAnswer, type Response } from '../observe/serve/observer-api.ts';
import type { JudgeDesk } from './judge-desk.ts';
import { type Asking, RequestChecks } from './request-checks.ts';
import { type Onward, Relay, type Tell } from './relay.ts';
import { BodyError, readBody } from '../../linux/request-body.ts';
import type { Sessions } from './sessions.ts';
import type { StaticFiles } from './static-files.ts';

const REQUESTS_LIMIT = 128;
/** Of a question to the observer. */
const OBSERVER_BYTES = 64 * 1024;
const LOGIN_BYTES = 4096;
/** Of a question to the judge. */
const QUESTION_BYTES = 4 * 1024 * 1024;
/** Of manifests: as the agent's own limit. */
const MANIFEST_BYTES = 16 * 1024 * 1024;

/** Calls of the agent that only read, with the parameters that are handed on. */
const READING: Readonly<Record<string, readonly string[]>> = {
  '/v1/healthz': [],
  '/v1/status': [],
  '/v1/endpoints': [],
  '/v1/identities': [],
  '/v1/services': [],
  '/v1/policies': [],
  '/v1/cookies': [],
  '/v1/objects': ['kind', 'namespace', 'name'],
  '/v1/fqdn/cache': ['endpoint', 'source', 'pattern'],
  '/v1/fqdn/names': [],
  '/metrics': [],
};
const CHANGING: Readonly<Record<string, readonly string[]>> = {
  '/v1/apply': ['file', 'namespace', 'create', 'dryRun'],
  '/v1/delete': ['file', 'namespace', 'contents', 'dryRun'],
};
/** Served by the observatory. */
const FLOWS = ['since', 'until', 'first', 'last', 'filter', 'deny'];
const QUESTION_CALL = /^\/ui\/v1\/([a-z]{1,32})$/;
const OBSERVER_CALL = /^\/observer\.Observer\/[A-Za-z]{1,64}$/;

/** Nothing from elsewhere, nothing inline, in no frame. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "worker-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
};

export interface PageMeans {
  readonly instance: string;
  readonly nodeName: string;
  readonly hosts: readonly string[];
  readonly mayWrite: boolean;
  readonly agentSocket: string;
  readonly hubbleSocket: string;
  readonly files: StaticFiles;
  readonly sessions: Sessions;
  readonly judge: Pick<JudgeDesk, 'ask'>;
  /** For the body of a request to come in whole; default: REQUEST_MS. */
  readonly bodyMs?: number;
}

export class PageHandler implements Handler {
  readonly #means: PageMeans;
  readonly #checks: RequestChecks;
  readonly #relay: Relay;
  readonly #bodyMs: number;
  #active = 0;
  #refused = 0;

  constructor(means: PageMeans) {
    this.#means = means;
    this.#checks = new RequestChecks(means.hosts);
    this.#bodyMs = means.bodyMs ?? REQUEST_MS;
    this.#relay = new Relay(this.#bodyMs);
  }

  /** Requests under way, and those that were refused. */
  get counts(): { readonly active: number; readonly refused: number } {
    return { active: this.#active, refused: this.#refused };
  }

  owns(): boolean {
    return true;
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    this.#active++;
    response.once('close', () => this.#active--);
    const tell: Tell = (status, error) => this.#refuse(request, response, status, error);
    try {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
      this.#serve(request, response, tell);
    } catch (error) {
      tell(500, (error as Error).message);
    }
  }

  #serve(request: Request, response: Response, tell: Tell): void {
    const asking = askingOf(request);
    if (this.#active > REQUESTS_LIMIT) {
      tell(503, `${REQUESTS_LIMIT} requests are under way: try again`);
      return;
    }
    const refusal = this.#checks.refusal(asking);
    if (refusal !== undefined) {
      tell(refusal.status, refusal.error);
      return;
    }
    if (this.#sendFile(asking, response)) return;
    if (asking.path === '/login' || asking.path === '/logout') {
      this.#session(request, response, tell);
      return;
    }
    const { sessions } = this.#means;
    if (asking.path === '/ui/v1/session') {
      this.#tellSession(asking, response, tell);
      return;
    }
    if (!sessions.isLetIn(asking.header('cookie'), asking.header('authorization'))) {
      tell(401, 'wanted the token of ui-token-file: POST /login {"token":"..."}');
      return;
    }
    this.#answer(request, response, asking, tell);
  }

  #answer(request: Request, response: Response, asking: Asking, tell: Tell): void {
    const { method, path } = asking;
    const [, question] = QUESTION_CALL.exec(path) ?? [];
    if (question !== undefined && method === 'POST') {
      void this.#question(request as IncomingMessage, response, question, tell);
      return;
    }
    const onward = this.#onward(asking, queryOf(request));
    if (onward === undefined) {
      tell(404, `${method} ${path.slice(0, 100)}: no such call: see docs/ui.md`);
      return;
    }
    if (typeof onward === 'string') {
      tell(403, onward);
      return;
    }
    response.setHeader('cache-control', 'no-store');
    this.#relay.relay(request, response, onward, tell);
  }

  /** Where a request goes on to, why it may not, or undefined. */
  #onward({ method, path, header }: Asking, query: URLSearchParams): Onward | string | undefined {
    const { agentSocket, hubbleSocket, mayWrite } = this.#means;
    if (method === 'GET') {
      if (path === '/v1/flows') return { socketPath: hubbleSocket, path: withQuery(path, query, FLOWS), bodyLimit: 0 };
      if (path === '/metrics/flows') return { socketPath: hubbleSocket, path: '/metrics', bodyLimit: 0 };
      if (!Object.hasOwn(READING, path)) return undefined;
      const except = path === '/v1/objects' ? 'exceptKind=Secret' : '';
      return { socketPath: agentSocket, path: withQuery(path, query, READING[path], except), bodyLimit: 0 };
    }
    if (method !== 'POST') return undefined;
    if (OBSERVER_CALL.test(path)) {
      // What gRPC itself needs (trailers) does not pass; its forms for browsers do.
      if (/^application\/grpc(?!-web)/.test(header('content-type'))) return 'found gRPC, wanted gRPC-Web or Connect';
      return { socketPath: hubbleSocket, path, bodyLimit: OBSERVER_BYTES, isFollowing: true };
    }
    if (!Object.hasOwn(CHANGING, path)) return undefined;
    if (!mayWrite) return 'this page only reads: ui-write is false';
    return { socketPath: agentSocket, path: withQuery(path, query, CHANGING[path]), bodyLimit: MANIFEST_BYTES };
  }

  #sendFile({ method, path, header }: Asking, response: Response): boolean {
    if (method !== 'GET' && method !== 'HEAD') return false;
    const { files } = this.#means;
    const asked = { acceptEncoding: header('accept-encoding'), ifNoneMatch: header('if-none-match') };
    const answer = files.answer(path, asked);
    if (answer === undefined) {
      if (path !== '/') return false;
      const text = `${files.problem}\n`;
      const headers = { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) };
      response.writeHead(503, headers);
      response.end(method === 'HEAD' ? '' : text);
      return true;
    }
    response.writeHead(answer.status, answer.headers);
    response.end(method === 'HEAD' ? '' : answer.bytes);
    return true;
  }

  async #question(request: IncomingMessage, response: Response, question: string, tell: Tell): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      const body = await readBody(request, { limit: QUESTION_BYTES, ms: this.#bodyMs });
      if (gone.signal.aborted) return;
      const { status, text } = await this.#means.judge.ask(question, body, gone.signal);
      if (!response.destroyed) sendText(response, status, text);
    } catch (error) {
      tell(statusOf(error), (error as Error).message);
    }
  }

  /** What the page must know before anything else; told to everyone who may connect. */
  #tellSession({ method, header }: Asking, response: Response, tell: Tell): void {
    if (method !== 'GET') {
      tell(405, 'wanted GET');
      return;
    }
    const { sessions, instance, nodeName, mayWrite } = this.#means;
    const isLetIn = sessions.isLetIn(header('cookie'), header('authorization'));
    const token = !sessions.isTokenWanted ? 'none' : isLetIn ? 'given' : 'wanted';
    const about = isLetIn ? { instance, nodeName, version: VERSION, write: mayWrite } : {};
    send(response, 200, { token, ...about });
  }

  #session(request: Request, response: Response, tell: Tell): void {
    if (request.method !== 'POST') {
      tell(405, 'wanted POST');
      return;
    }
    const { sessions } = this.#means;
    if (pathOf(request) === '/logout') {
      response.setHeader('set-cookie', sessions.logout);
      send(response, 200, { token: 'wanted' });
      return;
    }
    readBody(request, { limit: LOGIN_BYTES, ms: this.#bodyMs })
      .then((body) => {
        const result = sessions.login(tokenIn(body.toString('utf8')));
        if (result === 'too many') {
          tell(429, 'there were too many attempts: try again in a minute');
          return;
        }
        if (result === 'wrong') {
          tell(401, 'found another token, wanted that of ui-token-file');
          return;
        }
        response.setHeader('set-cookie', result.setCookie);
        send(response, 200, { token: 'given' });
      })
      .catch((error: unknown) => tell(statusOf(error), (error as Error).message));
  }

  #refuse(request: Request, response: Response, status: number, error: string): void {
    this.#refused++;
    if (response.headersSent || response.destroyed) return void response.destroy();
    if ('stream' in request) resetAfterAnswer(request.stream);
    else if (!request.complete) response.setHeader('connection', 'close');
    if (status === 503) response.setHeader('retry-after', '1');
    send(response, status, { error });
  }
}

function askingOf(request: Request): Asking {
  const { headers, socket, method = 'GET' } = request;
  const authority = headers[':authority'] ?? headers.host;
  return {
    method,
    path: pathOf(request),
    authority: typeof authority === 'string' ? authority : '',
    isSecure: (socket as TLSSocket).encrypted,
    localAddress: socket.localAddress ?? '',
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value.join(', ') : (value ?? '');
    },
  };
}

function queryOf({ url = '' }: Request): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
}

/** Parameters that a call knows, and one of ours. */
function withQuery(path: string, query: URLSearchParams, known: readonly string[], own = ''): string {
  const passed = new URLSearchParams([...query].filter(([name]) => known.includes(name))).toString();
  const text = [passed, own].filter((one) => one !== '').join('&');
  return text === '' ? path : `${path}?${text}`;
}

function send(response: Response, status: number, document: object): void {
  sendText(response, status, `${JSON.stringify(document)}\n`);
}

function sendText(response: Response, status: number, text: string): void {
  const headers = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': Buffer.byteLength(text),
  };
  response.writeHead(status, headers);
  response.end(text);
}

function tokenIn(body: string): string {
  const value = JSON.parse(body) as { token?: unknown } | null;
  const token = value?.token;
  if (typeof token !== 'string') throw new SyntaxError('read login: wanted {"token":"..."}');
  return token;
}

const statusOf = (error: unknown): number => (error instanceof BodyError ? error.status : 400);
