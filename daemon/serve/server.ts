/**
 * The agent's HTTP API over a unix socket: routing, bodies, answers, streams. What the routes do is in serve/routes.ts; the
 * contract is docs/api.md.
 *
 * Bounds: a body of at most BODY_LIMIT bytes, CONNECTION_LIMIT connections, heads as Node limits them. An error is answered as
 * `{"error": "...", "problems": [...]}`.
 */
import { chmodSync, chownSync, readFileSync, rmSync } from 'node:fs';
import { decodeText } from '../../policy/document/encoding.ts';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

const BODY_LIMIT = 16 * 1024 * 1024;
const CONNECTION_LIMIT = 256;

/** A request as routes see it. */
export interface Call {
  readonly query: URLSearchParams;
  readonly body: string;
  /** What stood for `*` in the route. */
  readonly argument: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** The answer of a route: a status and a document; undefined when the route has answered by itself. */
export interface Answer<T = unknown> {
  readonly status?: number;
  readonly document: T;
}

export type Route<T = unknown> = (call: Call) => Answer<T> | undefined;

/** An error with an HTTP status. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class ApiServer {
  readonly #path: string;
  readonly #groupId: number | undefined;
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #server: Server;

  /**
   * @param routes by `METHOD /path`, where a last segment `*` stands for anything
   * @param group that may use the socket besides root; '' for none
   * @throws Error when there is no such group
   */
  constructor(path: string, routes: Readonly<Record<string, Route>>, group: string) {
    this.#path = path;
    this.#groupId = group === '' ? undefined : groupId(group);
    this.#routes = new Map(Object.entries(routes));
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.maxConnections = CONNECTION_LIMIT;
    this.#server.requestTimeout = 30_000;
  }

  async start(): Promise<void> {
    rmSync(this.#path, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#path, resolve);
    });
    if (this.#groupId !== undefined) chownSync(this.#path, 0, this.#groupId);
    chmodSync(this.#path, this.#groupId === undefined ? 0o600 : 0o660);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    rmSync(this.#path, { force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://sluice');
      const { route, argument } = this.#find(request.method ?? 'GET', url.pathname);
      const body = await readBody(request);
      const answer = route({ query: url.searchParams, body, argument, request, response });
      if (answer !== undefined) send(response, answer.status ?? 200, answer.document);
    } catch (error) {
      if (response.headersSent) {
        response.destroy();
        return;
      }
      const status = error instanceof ApiError ? error.status : 500;
      send(response, status, { error: (error as Error).message, problems: [] });
    }
  }

  #find(method: string, path: string): { route: Route; argument: string } {
    const exact = this.#routes.get(`${method} ${path}`);
    if (exact !== undefined) return { route: exact, argument: '' };
    const slash = path.lastIndexOf('/');
    const pattern = this.#routes.get(`${method} ${path.slice(0, slash)}/*`);
    if (pattern !== undefined) return { route: pattern, argument: decodeURIComponent(path.slice(slash + 1)) };
    throw new ApiError(404, `${method} ${path}: no such call: see docs/api.md`);
  }
}

function send(response: ServerResponse, status: number, document: unknown): void {
  const text = `${JSON.stringify(document)}\n`;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new ApiError(413, `read body: found more than ${BODY_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return decodeText(Buffer.concat(chunks));
}

function groupId(name: string): number {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  if (line === undefined) throw new Error(`socketGroup: found "${name}", wanted a group of /etc/group`);
  return Number(line.split(':')[2]);
}
