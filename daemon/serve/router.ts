/**
 * Requests of HTTP to routes: finding the route, bodies, answers. An error is answered as
 * `{"error": "...", "problems": [...]}`. Bounds: a body of at most BODY_LIMIT bytes; heads as Node limits them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { decodeText } from '../../policy/document/encoding.ts';

const BODY_LIMIT = 16 * 1024 * 1024;

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

export class Router {
  readonly #routes: ReadonlyMap<string, Route>;

  /** @param routes by `METHOD /path`, where a last segment `*` stands for anything */
  constructor(routes: Readonly<Record<string, Route>>) {
    this.#routes = new Map(Object.entries(routes));
  }

  /** Answers a request, whatever it is. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
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
