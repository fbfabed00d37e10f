/**
 * The API of flows (hubble/service/) as a handler of HTTP requests: finds the call, and bounds what clients may keep open. What
 * Node or the library make of a hostile request is caught here, so that it ends this request and nothing else.
 *
 *   MAX_CALLS         calls under way, of all clients; a further one is told that resources are exhausted
 *   REQUEST_MS        how long the request of a call may take to come in; a call with a stream of requests is exempt
 *   GRACE_MS          what is left for the rest of a request that was answered before its end
 */
import { setMaxListeners } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import { Code, ConnectError, type Interceptor } from '@connectrpc/connect';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import type { UniversalHandler } from '@connectrpc/connect/protocol';
import { serviceHandlers } from '../../../hubble/service/handlers.ts';
import type { ObserverSource } from '../../../hubble/service/source.ts';

const MAX_CALLS = 256;
/** For the request of a call to come in. */
export const REQUEST_MS = 20_000;
const GRACE_MS = 1000;

export type Request = IncomingMessage | Http2ServerRequest;
export type Response = ServerResponse | Http2ServerResponse;

export class ObserverApi {
  readonly #calls: ReadonlyMap<string, UniversalHandler>;
  readonly #shutdown = new AbortController();
  #active = 0;
  #refused = 0;

  constructor(source: ObserverSource) {
    setMaxListeners(0, this.#shutdown.signal); // every call listens
    this.#calls = serviceHandlers(source, { shutdown: this.#shutdown.signal, interceptors: [this.#limit] });
  }

  /** Calls under way, and those refused because there were too many. */
  get counts(): { readonly active: number; readonly refused: number } {
    return { active: this.#active, refused: this.#refused };
  }

  /** @param path without the query */
  owns(path: string): boolean {
    return this.#calls.has(path);
  }

  serve(request: Request, response: Response): void {
    request.on('error', () => undefined); // the call is told by its end
    response.on('error', () => undefined);
    this.#serve(request, response).catch(() => response.destroy());
  }

  /** Ends every call: it is told that the service is unavailable. */
  async stop(): Promise<void> {
    this.#shutdown.abort(new ConnectError('the observer stops', Code.Unavailable));
    await new Promise(setImmediate); // the ends of the calls go out
  }

  /** Refuses what is too much, in the words of whatever protocol it is. */
  readonly #limit: Interceptor = (next) => (request) => {
    if (this.#active <= MAX_CALLS) return next(request);
    this.#refused++;
    throw new ConnectError(`${MAX_CALLS} calls are under way`, Code.ResourceExhausted);
  };

  async #serve(request: Request, response: Response): Promise<void> {
    const call = this.#calls.get(pathOf(request));
    const whole = 'stream' in request ? request.stream : response;
    if (call === undefined || whole.closed) return; // refused before it came here
    this.#active++;
    whole.once('close', () => this.#active--);
    if ('stream' in request) resetAfterAnswer(request.stream);
    if (call.method.methodKind !== 'bidi_streaming') limitRequest(request, response);
    const asked = universalRequest(request, response);
    if (asked !== undefined) return universalResponseToNodeResponse(await call(asked), response);
    response.writeHead(400);
    response.end();
  }
}

/** The path of a request without its query; any text, as the client wrote it. */
export function pathOf({ url = '' }: Request): string {
  return url.split('?', 1)[0];
}

/** Undefined for a request without an authority or with a path that is no URL. */
function universalRequest(request: Request, response: Response) {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, undefined);
  } catch {
    return undefined;
  }
}

/**
 * A request that was answered before it was whole would stay open for as long as its client likes (RFC 9113, 8.1). The reset
 * must not overtake the end of the answer.
 */
export function resetAfterAnswer(stream: ServerHttp2Stream): void {
  stream.once('finish', () => {
    if (stream.readableEnded) return;
    const timer = setTimeout(() => stream.destroy(), GRACE_MS);
    stream.once('close', () => clearTimeout(timer));
  });
}

function limitRequest(request: Request, response: Response): void {
  const timer = setTimeout(() => request.destroy(), REQUEST_MS);
  const stop = (): void => clearTimeout(timer);
  request.once('end', stop);
  response.once('close', stop);
}
