/**
 * Requests handed on to the unix sockets of the agent and the observatory, and their answers handed back.
 *
 *     browser --request, at most bodyLimit--> socket --answer, no faster than the browser reads--> browser
 *
 * Only what is named here passes: neither cookies nor tokens go on, and no header comes back that is not the answer's own. A browser that
 * goes away ends the request at the other end; an answer that breaks off breaks off here too, so that nobody takes half for the whole.
 * Bounds: RELAYED_LIMIT under way at once, a time for the request to come in whole, BEGIN_MS for an
 * answer to begin, but for streams of what is to come.
 */
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as send,
  type ServerResponse,
} from 'node:http';
import type { Readable } from 'node:stream';
import type { Request, Response } from '../observe/serve/observer-api.ts';
import { type BodyBounds, type BodyError, takeBody } from '../../linux/request-body.ts';

const RELAYED_LIMIT = 96;
const BEGIN_MS = 60_000;

/** Of Connect and gRPC-Web besides the types. */
const REQUEST_HEADERS = [
  'content-type',
  'accept',
  'connect-protocol-version',
  'connect-timeout-ms',
  'grpc-timeout',
  'x-grpc-web',
];
const ANSWER_HEADERS = /^(content-type|content-length|connect-[\w-]+|grpc-[\w-]+|trailer-[\w-]+)$/;

/** Where a request goes on to. */
export interface Onward {
  readonly socketPath: string;
  /** With the query. */
  readonly path: string;
  /** Bytes of a body; 0: none is handed on. */
  readonly bodyLimit: number;
  /** A stream of what comes: nothing may come for long. */
  readonly isFollowing?: boolean;
}

/** Answers a request here and now. */
export type Tell = (status: number, error: string) => void;

export class Relay {
  readonly #bodyMs: number;
  #active = 0;

  /** @param bodyMs for a request to come in whole */
  constructor(bodyMs: number) {
    this.#bodyMs = bodyMs;
  }

  /** Requests under way. */
  get active(): number {
    return this.#active;
  }

  /** @param headers of every answer @param tell for what goes wrong before an answer has begun */
  relay(request: Request, response: Response, onward: Onward, tell: Tell): void {
    if (this.#active >= RELAYED_LIMIT) {
      tell(503, `${RELAYED_LIMIT} requests are under way: try again`);
      return;
    }
    this.#active++;
    response.once('close', () => this.#active--);
    const sent = this.#send(request, response, onward, tell);
    response.once('close', () => sent.destroy());
    if (onward.bodyLimit === 0) sent.end();
    else handOn(request, sent, { limit: onward.bodyLimit, ms: this.#bodyMs }, tell);
  }

  #send(request: Request, response: Response, onward: Onward, tell: Tell): ClientRequest {
    const { socketPath, path, isFollowing = false } = onward;
    const { method = 'GET', headers } = request;
    const passed: OutgoingHttpHeaders = { host: 'sluice' };
    for (const name of REQUEST_HEADERS) if (headers[name] !== undefined) passed[name] = headers[name];
    const options = { socketPath, path, method, headers: passed };
    // A connection each: one that was kept may just be given up at the other end.
    const sent = send({ ...options, agent: false, timeout: isFollowing ? 0 : BEGIN_MS }, (answer) => {
      sent.setTimeout(0);
      handBack(answer, response);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (response.headersSent) response.destroy();
      else if (!response.destroyed) tell(502, `the agent does not answer: ${error.code ?? error.message}`);
    });
    return sent;
  }
}

function handOn(request: Request, sent: ClientRequest, bounds: BodyBounds, tell: Tell): void {
  const onEnd = (error: BodyError | undefined): void => {
    if (error === undefined) {
      sent.end();
      return;
    }
    sent.removeAllListeners('error').on('error', () => undefined);
    sent.destroy();
    tell(error.status, error.message);
  };
  const onChunk = (chunk: Buffer): void => {
    if (sent.write(chunk)) return;
    (request as Readable).pause();
    sent.once('drain', () => request.resume());
  };
  takeBody(request, bounds, { onChunk, onEnd });
}

function handBack(answer: IncomingMessage, response: Response): void {
  const passed = Object.entries(answer.headers).filter(([name]) => ANSWER_HEADERS.test(name));
  response.statusCode = answer.statusCode ?? 502;
  for (const [name, value] of passed) if (value !== undefined) response.setHeader(name, value);
  (response as ServerResponse).flushHeaders(); // Node's HTTP/2 has it too, unlike its types
  answer.on('error', () => response.destroy());
  answer.once('close', () => {
    if (!answer.complete) response.destroy();
  });
  answer.pipe(response);
}
