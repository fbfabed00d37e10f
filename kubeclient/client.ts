/**
 * Requests to one API server: HTTPS/1.1 with connections that are kept, so that each watch has one of its own and a slow one holds up no other.
 * Answers are streams, and whoever reads one whole says how much it may be. With the client's certificate renewed, new
 * connections present the new one.
 */
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { type Agent, request as requestSecure } from 'node:https';
import type { Access } from './access.ts';
import { ApiFailure, failureOf } from './api-failure.ts';
import { newAgent } from './connections.ts';
import { Credentials, type Presented } from './credentials.ts';

/** Until the headers of an answer are there. */
const PATIENCE_MS = 30_000;
const MAX_FAILURE_BYTES = 64 << 10;
const MAX_JSON_BYTES = 32 << 20;

export interface KubeRequest {
  /** What it does, in sentences: `list pods`. */
  readonly what: string;
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/api/v1/pods`, with its query. */
  readonly path: string;
  readonly body?: object;
  /** Of the body; JSON unless told. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export class KubeClient {
  readonly access: Access;
  readonly #credentials: Credentials;
  readonly #userAgent: string;
  readonly #agents = new Map<string, Agent>();

  constructor(access: Access, userAgent: string, credentials = new Credentials(access)) {
    this.access = access;
    this.#userAgent = userAgent;
    this.#credentials = credentials;
  }

  /**
   * Sends a request.
   * @returns the answer, whose body the caller reads or destroys
   * @throws ApiFailure for an answer that is not 2xx, or none
   */
  async send(request: KubeRequest): Promise<IncomingMessage> {
    const answer = await this.#sendOnce(request);
    if (answer.statusCode !== 401) return this.#accepted(request, answer);
    // What was presented may have been renewed a moment ago.
    answer.destroy();
    this.#credentials.refused();
    return this.#accepted(request, await this.#sendOnce(request));
  }

  /** As `send`, with the body read. @throws ApiFailure for one that is too long or no JSON */
  async json<T>(request: KubeRequest): Promise<T> {
    const text = await textOfAnswer(request.what, await this.send(request), MAX_JSON_BYTES);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new ApiFailure(`${request.what}: found an answer that is no JSON, wanted an object`);
    }
  }

  /** Ends all connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #accepted({ what }: KubeRequest, answer: IncomingMessage): Promise<IncomingMessage> {
    const { statusCode: status = 0, headers } = answer;
    if (status >= 200 && status < 300) return answer;
    const text = await textOfAnswer(what, answer, MAX_FAILURE_BYTES).catch(() => '');
    throw failureOf(what, status, parsed(text), headers['retry-after']);
  }

  async #sendOnce({ what, method = 'GET', path, body, contentType, signal }: KubeRequest): Promise<IncomingMessage> {
    const presented = await this.#presented(what);
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      accept: 'application/json',
      'user-agent': this.#userAgent,
      ...(presented.authorization !== '' && { authorization: presented.authorization }),
      ...(text !== undefined && {
        'content-type': contentType ?? 'application/json',
        'content-length': Buffer.byteLength(text),
      }),
    };
    const url = new URL(this.access.server + path);
    const options = { method, headers, ...(signal !== undefined && { signal }) };
    const agent = url.protocol === 'https:' ? this.#agentFor(what, presented) : undefined;
    return new Promise((resolve, reject) => {
      const sent =
        agent === undefined ? requestPlain(url, options, resolve) : requestSecure(url, { ...options, agent }, resolve);
      const timer = setTimeout(() => sent.destroy(new Error(`no answer after ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
      for (const end of ['response', 'close']) sent.on(end, () => clearTimeout(timer));
      sent.on('error', ({ message }) => reject(new ApiFailure(`${what}: ${message}`)));
      sent.end(text);
    });
  }

  async #presented(what: string): Promise<Presented> {
    try {
      return await this.#credentials.current();
    } catch (error) {
      throw new ApiFailure(`${what}: ${(error as Error).message}`);
    }
  }

  /** Connections that present another certificate are others. */
  #agentFor(what: string, { cert, key }: Presented): Agent {
    const identity = cert + key;
    const known = this.#agents.get(identity);
    if (known !== undefined) return known;
    try {
      const agent = newAgent(this.access, { cert, key });
      this.#agents.clear(); // those of another certificate end when they are done
      this.#agents.set(identity, agent);
      return agent;
    } catch (error) {
      throw new ApiFailure(`${what}: ${(error as Error).message}`);
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function textOfAnswer(what: string, answer: IncomingMessage, limit: number): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > limit) throw new Error(`found more than ${limit} bytes, wanted fewer`);
      pieces.push(piece);
    }
  } catch (error) {
    throw new ApiFailure(`${what}: ${(error as Error).message}`);
  }
  return Buffer.concat(pieces).toString('utf8');
}
