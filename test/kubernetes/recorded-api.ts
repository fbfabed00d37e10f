/**
 * A server that answers as Kubernetes' own API server did when it was recorded (scripts/cluster/record.mjs), byte by byte, in pieces of chance. What
 * was not recorded, it answers with 418: a test that asks for something else finds out.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { randomFrom, SEED } from '../random.ts';

export interface Recording {
  readonly path: string;
  /** Who asked: all may be read by `admin`, nothing by `powerless`; nobody knows `nobody`. */
  readonly whom: string;
  readonly accept: string;
  /** When it was asked. */
  readonly atMs: number;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const FILE = join(PACKAGE_ROOT, 'test/kubernetes/recorded-api.json.gz');

export function readRecordings(): Recording[] {
  const { recordings } = JSON.parse(gunzipSync(readFileSync(FILE)).toString('utf8')) as { recordings: Recording[] };
  return recordings;
}

/** A request without the order of its parameters, and without what a client chooses or only the server knows. */
function keyOf(path: string): string {
  const { pathname, searchParams } = new URL(path, 'http://x');
  searchParams.delete('timeoutSeconds');
  if (searchParams.has('resourceVersion')) searchParams.set('resourceVersion', 'some');
  return `${pathname}?${[...searchParams]
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join('&')}`;
}

export class RecordedApi {
  /** What was asked, in order. */
  readonly asked: string[] = [];
  readonly #server: Server;
  readonly #answers: Map<string, Recording>;
  readonly #random = randomFrom(SEED);

  /** @param recordings later ones take the place of earlier ones to the same request */
  constructor(recordings: readonly Recording[]) {
    this.#answers = new Map(recordings.map((one) => [`${one.whom} ${keyOf(one.path)}`, one]));
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = keyOf(request.url ?? '/');
    this.asked.push(key);
    const whom = (request.headers.authorization ?? '').replace('Bearer ', '');
    const found = this.#answers.get(`${whom} ${key}`);
    response.writeHead(found?.status ?? 418, found?.headers ?? {});
    const bytes = Buffer.from(found?.body ?? 'not recorded');
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + this.#random(4000);
      response.write(bytes.subarray(at, at + size));
      at += size;
      await new Promise(setImmediate);
    }
    response.end();
  }
}
