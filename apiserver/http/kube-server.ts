/**
 * Every request of the API:
 *
 *     /healthz /readyz /livez /version   --> at once
 *     /openapi/...                       --> openapi/
 *     /api /apis /apis/GROUP ...         --> discovery
 *     /api/v1/... /apis/GROUP/VERSION/...--> resource --> reading | writing | subresource | review
 *     .../pods/NAME/{log,exec,...}       --> connections into pods
 *
 * Whoever reaches this has shown a certificate; all may do everything. At most REQUESTS are under way, watches not counted.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { OpenApi } from '../openapi/openapi.ts';
import type { Writes } from '../patch/writes.ts';
import { pathName } from '../resources/resource.ts';
import type { Resources } from '../resources/resources.ts';
import { StatusError } from '../storage/status-error.ts';
import type { Storage } from '../storage/storage.ts';
import type { Admission } from './admission.ts';
import { sendDocument, sendError, sendText, sendWarnings } from './answering.ts';
import { bodyDocument } from './body.ts';
import { type Answer, type Call, isSet, type User } from './call.ts';
import { DISCOVERY_GROUP, discoveryDocument } from './discovery.ts';
import { type Wanted, wantedForm } from './media-types.ts';
import { answerOpenApi } from './openapi-answer.ts';
import type { PodConnections } from './pod-connections.ts';
import { Reading } from './reading.ts';
import { type DiscoveryPath, parsePath, type ResourcePath } from './request-path.ts';
import { isReview, reviewed } from './reviews.ts';
import { boundAnswer, subresourceAnswer } from './subresources.ts';
import { objectOf } from './write-body.ts';
import { Writing } from './writing.ts';

const REQUESTS = 256;
const HEALTH = ['/healthz', '/readyz', '/livez'];
const CONNECTING = ['exec', 'attach', 'portforward'];

/** What `kubectl version` shows. */
export interface ServedVersion {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
}

export interface KubeServerParts {
  readonly storage: Storage;
  readonly resources: Resources;
  readonly writes: Writes;
  readonly openApi: OpenApi;
  readonly admission: Admission;
  readonly connections: PodConnections;
  readonly version: ServedVersion;
  /** `127.0.0.1:6443` */
  readonly address: string;
}

export class KubeServer {
  readonly #parts: KubeServerParts;
  readonly #reading: Reading;
  readonly #writing: Writing;
  #active = 0;

  constructor(parts: KubeServerParts) {
    this.#parts = parts;
    this.#reading = new Reading(parts.storage);
    this.#writing = new Writing({ ...parts, reading: this.#reading });
  }

  /** Open watches. */
  get watches(): number {
    return this.#reading.watches;
  }

  /** Answers a request; does not throw. */
  serve(request: IncomingMessage, response: ServerResponse): void {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    this.#active++;
    const done = once(() => this.#active--);
    response.once('close', done);
    this.#answer(request, response, done).catch((error: unknown) => sendError(response, error));
  }

  /** Takes over a connection that its client wants to use in another way. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    try {
      const { pathname } = urlOf(request);
      const path = parsePath(pathname);
      if (path?.what === 'resource' && path.plural === 'pods' && CONNECTING.includes(path.subresource)) {
        this.#parts.connections.serve(request, socket, head, path);
        return;
      }
    } catch {
      // as any other path
    }
    socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }

  /** Ends all watches. */
  stop(): void {
    this.#reading.stop();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, done: () => void): Promise<void> {
    if (this.#active > REQUESTS) throw StatusError.tooManyRequests(`${REQUESTS} requests are under way: try again`);
    const { pathname, query } = urlOf(request);
    const { method = 'GET', headers } = request;
    if (method === 'GET' && HEALTH.some((one) => pathname === one || pathname.startsWith(`${one}/`))) {
      sendText(response, 'ok');
      return;
    }
    if (method === 'GET' && pathname === '/version') {
      const { version } = this.#parts;
      sendDocument(response, 200, { ...version, platform: `linux/${process.arch === 'x64' ? 'amd64' : process.arch}` });
      return;
    }
    if (method === 'GET' && pathname.startsWith('/openapi/')) {
      if (!answerOpenApi(this.#parts.openApi, request, response)) throw unknownPath();
      return;
    }
    const path = parsePath(pathname);
    if (path === undefined) throw unknownPath();
    if (path.what === 'discovery') {
      this.#discover(path, wantedForm(headers.accept ?? ''), response);
      return;
    }
    if (path.plural === 'pods' && path.subresource === 'log') {
      await this.#parts.connections.logs(request, response, path);
      return;
    }
    const call = this.#call(request, path, query);
    const answer = await this.#dispatch(call);
    sendWarnings(response, call.warnings);
    if ('document' in answer) sendDocument(response, answer.status ?? 200, answer.document);
    else {
      if (isWatch(call)) done();
      answer.stream(response);
    }
  }

  #discover(path: DiscoveryPath, wanted: Wanted, response: ServerResponse): void {
    const { resources, address } = this.#parts;
    const isAggregated = wanted.as === 'APIGroupDiscoveryList' && path.group === '' && path.version === '';
    const document = discoveryDocument(path, wanted, resources, address);
    const type = `application/json;g=${DISCOVERY_GROUP};v=${wanted.version};as=APIGroupDiscoveryList`;
    response.setHeader('vary', 'accept');
    sendDocument(response, 200, document, isAggregated ? type : undefined);
  }

  /** @throws StatusError 404, 406 */
  #call(request: IncomingMessage, path: ResourcePath, query: URLSearchParams): Call {
    const found = this.#parts.resources.atPath(path.group, path.version, path.plural);
    if (found === undefined || (path.namespace !== '' && !found.isNamespaced)) throw unknownPath();
    const hasSubresource = path.subresource === '' || found.subresources.some(({ name }) => name === path.subresource);
    if (!hasSubresource) throw unknownPath();
    const { method = 'GET', headers } = request;
    const wanted = wantedForm(headers.accept ?? '');
    return { request, method, path, resource: found, query, wanted, user: userOf(request), warnings: [] };
  }

  async #dispatch(call: Call): Promise<Answer> {
    const { method, path, resource } = call;
    if (isReview(resource) && method === 'POST') {
      const body = objectOf(call, await bodyDocument(call.request));
      return { status: 201, document: reviewed(resource, body, call.user) };
    }
    const parts = { ...this.#parts, reading: this.#reading, writing: this.#writing };
    if (resource.name === 'bindings' && method === 'POST') return await boundAnswer(call, parts);
    if (CONNECTING.includes(path.subresource)) throw StatusError.badRequest('Upgrade request required');
    const isOfObject = path.subresource === '' || path.subresource === 'status';
    if (!isOfObject) return await subresourceAnswer(call, parts);
    const verb = verbOf(call);
    if (verb === undefined || !resource.verbs.includes(verb)) throw notAllowed(call);
    if (resource.isNamespaced && path.namespace === '' && !['list', 'watch', 'deletecollection'].includes(verb))
      throw StatusError.badRequest(
        `an empty namespace may not be set when a ${resource.singular} is asked for by name`,
      );
    switch (verb) {
      case 'get':
        return this.#reading.get(call);
      case 'list':
        return this.#reading.list(call);
      case 'watch':
        return this.#reading.watch(call);
      case 'create':
        return await this.#writing.create(call);
      case 'update':
        return await this.#writing.update(call);
      case 'patch':
        return await this.#writing.patch(call);
      case 'delete':
        return await this.#writing.delete(call);
      case 'deletecollection':
        return await this.#writing.deleteCollection(call);
    }
  }
}

type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

function verbOf(call: Call): Verb | undefined {
  const { method, path } = call;
  const isOne = path.name !== '';
  if (method === 'GET' && isWatch(call) && path.subresource === '') return 'watch';
  if (method === 'GET') return isOne ? 'get' : 'list';
  if (method === 'POST') return isOne ? undefined : 'create';
  if (method === 'PUT') return isOne ? 'update' : undefined;
  if (method === 'PATCH') return isOne ? 'patch' : undefined;
  if (method !== 'DELETE' || path.subresource !== '') return undefined;
  return isOne ? 'delete' : 'deletecollection';
}

function isWatch({ method, query }: Call): boolean {
  return method === 'GET' && isSet(query, 'watch');
}

function notAllowed({ method, resource, path }: Call): StatusError {
  const isReadOnly = !resource.verbs.includes('create');
  const why = isReadOnly && path.subresource === '' ? `${pathName(resource)} are written by the agent alone` : '';
  return StatusError.methodNotAllowed(why || `the server does not allow ${method} of ${pathName(resource)}`);
}

function unknownPath(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

/** Not by `new URL`, which takes `..` out of a path and `//` for a host. */
function urlOf({ url = '/' }: IncomingMessage): { readonly pathname: string; readonly query: URLSearchParams } {
  const mark = url.indexOf('?');
  const pathname = mark < 0 ? url : url.slice(0, mark);
  return { pathname, query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)) };
}

/** CN and O of the client's certificate. */
function userOf({ socket }: IncomingMessage): User {
  const { subject } = (socket as Partial<TLSSocket>).getPeerCertificate?.() ?? {};
  const { CN = '', O: groups = [] } = (subject ?? {}) as { CN?: string; O?: string | string[] };
  return { name: CN, groups: typeof groups === 'string' ? [groups] : groups };
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
