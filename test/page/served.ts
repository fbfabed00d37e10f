/**
 * The built page, served by the test itself with the headers that the agent gives it, and with answers that the test makes up:
 * for what the page does when the agent is away, slow, or has more to tell than a rig could.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import type { Test } from 'tap';

const PAGE = join(import.meta.dirname, '../../page');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src 'self'; " +
    "font-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export interface Served {
  readonly url: string;
  readonly port: number;
  /** Ends the server and its connections, as an agent does that goes away. */
  readonly stop: () => Promise<void>;
  /** Serves again at the same place. */
  readonly start: () => Promise<void>;
}

/** @param routes what stands beside the files, by path */
export async function servePage(t: Test, routes: Readonly<Record<string, Handler>>): Promise<Served> {
  let server: Server | undefined;
  let port = 0;
  const start = async () => {
    server = createServer((request, response) => answer({ ...NOBODY, ...routes }, request, response));
    await new Promise<void>((resolve, reject) => server!.once('error', reject).listen(port, '127.0.0.1', resolve));
    server.unref(); // a test that fails before it stops its server still ends
    port = (server.address() as AddressInfo).port;
  };
  const stop = async () => {
    const ending = server;
    server = undefined;
    if (ending === undefined) return;
    const ended = new Promise((resolve) => ending.close(resolve));
    ending.closeAllConnections(); // after close(): a connection that comes in between would stay
    await ended;
  };
  await start();
  t.teardown(stop);
  return { url: `http://127.0.0.1:${port}/`, port, start, stop };
}

/** A handler that answers with JSON. */
export const json =
  (value: unknown): Handler =>
  (_, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value));

/** An agent that knows nobody: the query line asks for names to offer, and a view that a test only passes by for what it shows. */
const NOBODY = {
  ...Object.fromEntries(
    ['endpoints', 'services', 'identities', 'policies', 'cookies'].map((call) => [`/v1/${call}`, json([])]),
  ),
  '/ui/v1/selected': json({ policies: [] }),
  '/ui/v1/lint': json({ problems: [] }),
};

function answer(routes: Readonly<Record<string, Handler>>, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url!.split('?')[0];
  const route = routes[path];
  if (route !== undefined) return route(request, response);
  const file = join(PAGE, normalize(path === '/' ? '/index.html' : path));
  if (!existsSync(file)) return void response.writeHead(404).end();
  response.writeHead(200, { ...HEADERS, 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
  response.end(readFileSync(file));
}
