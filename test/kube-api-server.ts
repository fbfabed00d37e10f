/**
 * A small API server of Kubernetes for tests and benches: lists with pages, streamed lists, watches with bookmarks, discovery, and whatever goes
 * wrong with them. Its objects are what a test puts, or what was recorded of a real server; it checks nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';

export interface FakeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** What goes wrong; each is looked at with every request or event. */
interface Faults {
  /** Answers with this status, so many times. */
  refuse?: { status: number; times: number; retryAfter?: string; path?: string };
  /** How a server without streamed lists takes `sendInitialEvents`: refuses it, does not know it, fails of it. */
  streaming?: 'refused' | 'unknown' | 'broken';
  /** The next watches from a version are told that it is too old, in this form. */
  gone?: { how: 'status' | 'event'; times: number };
  /** The token of the next page has run out, so many times. */
  goneToken?: number;
  /** Lists give everything at once, whatever limit is asked for. */
  ignoresLimit?: boolean;
  /** Nothing comes any more, and no connection ends. */
  isSilent?: boolean;
  /** The next answers end in the middle of an object. */
  cuts?: number;
  /** Answers 404 to everything, as a proxy that has lost its way does. */
  isLost?: boolean;
}

interface Stored {
  readonly object: FakeObject;
  readonly text: string;
  readonly version: number;
}

interface Watcher {
  readonly resource: string;
  readonly response: ServerResponse;
  readonly isWanted: (object: FakeObject) => boolean;
}

interface Change {
  readonly version: number;
  readonly resource: string;
  readonly type: string;
  readonly stored: Stored;
}

interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export class KubeApiServer {
  readonly faults: Faults = {};
  readonly requests: SeenRequest[] = [];
  /** Names in the certificates of clients, a connection each. */
  readonly clients: string[] = [];
  /** `/api/v1/pods` -> `namespace/name` -> object. */
  readonly #stored = new Map<string, Map<string, Stored>>();
  readonly #watchers = new Set<Watcher>();
  readonly #changes: Change[] = [];
  readonly #server: Server;
  readonly #isSecure: boolean;
  #version = 100;

  /** @param tls key, certificate, and authorities of clients; plain HTTP without */
  constructor(tls?: { key: string; cert: string; ca?: string; requestCert?: boolean }) {
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    this.#isSecure = tls !== undefined;
    this.#server =
      tls === undefined ? createServer(onRequest) : createSecure({ ...tls, rejectUnauthorized: false }, onRequest);
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      const { subject } = socket.getPeerCertificate() as { subject?: { CN?: string } };
      if (subject?.CN !== undefined) this.clients.push(subject.CN);
    });
  }

  /** @returns its URL */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    const { port: own } = this.#server.address() as AddressInfo;
    return `${this.#isSecure ? 'https' : 'http'}://127.0.0.1:${own}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The resources are there, with nothing in them. */
  serve(...resources: string[]): void {
    for (const resource of resources) if (!this.#stored.has(resource)) this.#stored.set(resource, new Map());
  }

  /** The resource is not there any more: a CRD was removed. */
  withdraw(resource: string): void {
    this.#stored.delete(resource);
    this.dropWatches(resource);
  }

  put(resource: string, object: FakeObject): void {
    this.serve(resource);
    const version = ++this.#version;
    const whole = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const stored = { object: whole, text: JSON.stringify(whole), version };
    const objects = this.#stored.get(resource) as Map<string, Stored>;
    const key = keyOf(object);
    const type = objects.has(key) ? 'MODIFIED' : 'ADDED';
    objects.set(key, stored);
    this.#tell({ version, resource, type, stored });
  }

  remove(resource: string, key: string): void {
    const objects = this.#stored.get(resource);
    const known = objects?.get(key);
    if (objects === undefined || known === undefined) return;
    objects.delete(key);
    const version = ++this.#version;
    const last = { ...known.object, metadata: { ...known.object.metadata, resourceVersion: String(version) } };
    this.#tell({ version, resource, type: 'DELETED', stored: { object: last, text: JSON.stringify(last), version } });
  }

  /** An object as it is. */
  last(resource: string, key: string): FakeObject | undefined {
    return this.#stored.get(resource)?.get(key)?.object;
  }

  /** Puts an object without telling anybody: it happened while nobody could hear. */
  putUnheard(resource: string, object: FakeObject): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    this.put(resource, object);
    for (const watcher of watchers) this.#watchers.add(watcher);
  }

  bookmark(): void {
    for (const { response, resource } of this.#watchers) response.write(bookmark(resource, ++this.#version, false));
  }

  dropWatches(resource = ''): void {
    for (const watcher of [...this.#watchers]) {
      if (resource !== '' && watcher.resource !== resource) continue;
      this.#watchers.delete(watcher);
      watcher.response.destroy();
    }
  }

  /** Writes to every watch of a resource as it stands. */
  write(resource: string, text: string): void {
    for (const watcher of this.#watchers) if (watcher.resource === resource) watcher.response.write(text);
  }

  get watches(): number {
    return this.#watchers.size;
  }

  /** Requests for a resource: `list`, `stream` or `watch`, in order. */
  verbs(resource: string): string[] {
    return this.requests
      .filter(({ path, method }) => path === resource && method === 'GET')
      .map(({ query }) => (query.get('watch') === null ? 'list' : query.get('sendInitialEvents') ? 'stream' : 'watch'));
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    if (this.faults.isSilent === true) return;
    for (const watcher of this.#watchers) this.#send(watcher, change);
  }

  #send({ resource, isWanted, response }: Watcher, { resource: changed, type, stored }: Change): void {
    if (resource === changed && isWanted(stored.object)) response.write(`{"type":"${type}","object":${stored.text}}\n`);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://x');
    const pieces: Buffer[] = [];
    for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
    const { method = 'GET', headers } = request;
    const body = Buffer.concat(pieces).toString('utf8');
    this.requests.push({ method, path, query, headers, body });
    if (this.#isRefused(path, response)) return;
    if (method !== 'GET') answer(response, method === 'POST' ? 201 : 200, body);
    else if (path === '/apis' || /^\/apis\/[^/]+\/[^/]+$/.test(path)) this.#discover(path, response);
    else if (!this.#stored.has(path)) answer(response, 404, '404 page not found\n');
    else if (query.get('watch') !== null) this.#watch(path, query, response);
    else this.#list(path, query, response);
  }

  #isRefused(path: string, response: ServerResponse): boolean {
    if (this.faults.isLost === true) {
      answer(response, 404, '404 page not found\n');
      return true;
    }
    const { refuse } = this.faults;
    if (refuse === undefined || refuse.times <= 0 || path !== (refuse.path ?? path)) return false;
    refuse.times--;
    if (refuse.retryAfter !== undefined) response.setHeader('retry-after', refuse.retryAfter);
    fail(response, refuse.status, 'Refused');
    return true;
  }

  #discover(path: string, response: ServerResponse): void {
    const places = [...this.#stored.keys()].filter((one) => one.startsWith('/apis/')).map((one) => one.split('/'));
    if (path === '/apis') {
      const versions = new Set(places.map(([, , group, version]) => `${group}/${version}`));
      const groups = [...versions].map((one) => ({ name: one.split('/')[0], versions: [{ groupVersion: one }] }));
      answer(response, 200, JSON.stringify({ kind: 'APIGroupList', apiVersion: 'v1', groups }));
      return;
    }
    const [, , group, version] = path.split('/');
    const resources = places.filter((one) => one[2] === group && one[3] === version).map((one) => ({ name: one[4] }));
    if (resources.length === 0) answer(response, 404, '404 page not found\n');
    else answer(response, 200, JSON.stringify({ kind: 'APIResourceList', resources }));
  }

  #list(path: string, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('continue') ?? 0);
    if (from > 0 && (this.faults.goneToken ?? 0) > 0) {
      this.faults.goneToken = (this.faults.goneToken ?? 0) - 1;
      fail(response, 410, 'Expired');
      return;
    }
    const isWanted = selector(query.get('fieldSelector') ?? '');
    const all = [...(this.#stored.get(path)?.values() ?? [])].filter(({ object }) => isWanted(object));
    const limit = this.faults.ignoresLimit === true ? 0 : Number(query.get('limit') ?? 0);
    const page = limit === 0 ? all : all.slice(from, from + limit);
    const isLast = limit === 0 || from + limit >= all.length;
    const metadata = { resourceVersion: String(this.#version), ...(!isLast && { continue: String(from + limit) }) };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(`{"kind":"${kindOf(path)}List","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[`);
    const texts = page.map(({ text }) => text);
    if (this.#isCut()) {
      response.write(texts.join(',').slice(0, -5), () => response.destroy());
      return;
    }
    for (let i = 0; i < texts.length; i += 100)
      response.write((i === 0 ? '' : ',') + texts.slice(i, i + 100).join(','));
    response.end(']}\n');
  }

  #watch(resource: string, query: URLSearchParams, response: ServerResponse): void {
    const { streaming, gone } = this.faults;
    const isStream = query.get('sendInitialEvents') === 'true';
    const isGone = !isStream && gone !== undefined && gone.times > 0;
    if (isGone) gone.times--;
    if (isStream && streaming === 'refused') fail(response, 422, 'Invalid');
    else if (isStream && streaming === 'broken') fail(response, 500, 'InternalError');
    else if (isGone && gone.how === 'status') fail(response, 410, 'Expired');
    else {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      if (isGone) response.end(`{"type":"ERROR","object":${JSON.stringify(status(410, 'Expired'))}}\n`);
      else this.#follow(resource, query, response);
    }
  }

  #follow(resource: string, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion') ?? 0);
    const isStream = query.get('sendInitialEvents') === 'true';
    const watcher = { resource, response, isWanted: selector(query.get('fieldSelector') ?? '') };
    if (isStream || from === 0) this.#sendAll(watcher, isStream && this.faults.streaming !== 'unknown');
    else for (const change of this.#changes) if (change.version > from) this.#send(watcher, change);
    this.#watchers.add(watcher);
    response.on('close', () => this.#watchers.delete(watcher));
  }

  #sendAll({ resource, response, isWanted }: Watcher, isStream: boolean): void {
    const stored = [...(this.#stored.get(resource)?.values() ?? [])].filter(({ object }) => isWanted(object));
    if (this.#isCut()) {
      response.write(`{"type":"ADDED","object":${stored[0]?.text.slice(0, -5)}`, () => response.destroy());
      return;
    }
    for (let i = 0; i < stored.length; i += 100) {
      const events = stored.slice(i, i + 100).map(({ text }) => `{"type":"ADDED","object":${text}}\n`);
      response.write(events.join(''));
    }
    if (isStream) response.write(bookmark(resource, this.#version, true));
  }

  #isCut(): boolean {
    if ((this.faults.cuts ?? 0) <= 0) return false;
    this.faults.cuts = (this.faults.cuts ?? 0) - 1;
    return true;
  }
}

function keyOf({ metadata: { name, namespace = '' } }: FakeObject): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

function kindOf(path: string): string {
  return path.split('/').at(-1) ?? '';
}

function bookmark(resource: string, version: number, isEnd: boolean): string {
  const annotations = isEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
  const metadata = { resourceVersion: String(version), ...annotations };
  const object = { kind: kindOf(resource), apiVersion: 'v1', metadata };
  return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
}

function status(code: number, reason: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `${reason} it is` };
}

function fail(response: ServerResponse, code: number, reason: string): void {
  answer(response, code, JSON.stringify(status(code, reason)));
}

function answer(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': text.startsWith('{') ? 'application/json' : 'text/plain' });
  response.end(text);
}

/** `spec.nodeName=a`, `!=`, several with commas. */
function selector(text: string): (object: FakeObject) => boolean {
  const terms = text.split(',').filter((term) => term !== '');
  return (object) =>
    terms.every((term) => {
      const [, path, sign, wanted] = /^([^!=]+)(!?=)=?(.*)$/.exec(term) ?? [];
      const at = (value: unknown, key: string): unknown => (value as Record<string, unknown> | undefined)?.[key];
      const value = path.split('.').reduce<unknown>(at, object);
      return (String(value ?? '') === wanted) === (sign === '=');
    });
}
