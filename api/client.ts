/**
 * A client of the daemon's HTTP API over its unix socket (docs/api.md).
 *
 * Every failure is an ApiError of one sentence. One of a daemon that is not there, or that does not answer in time, says so
 * in `isUnreachable`, so that a caller can tell it from a request that was refused.
 */
import { type IncomingMessage, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiError } from './error.ts';

/** Where the daemon listens, and how long it may take to answer. */
export interface ApiAddress {
  readonly socketPath: string;
  readonly timeoutMs: number;
  /** Whether a daemon that is not there is on its way: then it is waited for, as long as it may take to answer. */
  readonly isStarting?: () => boolean;
}

/** Patience beside `timeoutMs` for each KiB that is sent: a large apply takes the agent longer than a question. */
const WAIT_MS_A_KIB = 50;
/** Between two looks for a daemon that is starting. */
const RETRY_MS = 100;
/** Nobody listens. */
const ABSENT: readonly string[] = ['ENOENT', 'ECONNREFUSED'];

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly query?: Query;
  /** A string is sent as YAML, anything else as JSON. */
  readonly body?: unknown;
  /** Statuses besides 2xx whose body is an answer too (400 with the problems of a manifest). */
  readonly accept?: readonly number[];
}

export interface Reply<T> {
  readonly status: number;
  readonly body: T;
}

/** What the daemon says when it refuses. */
interface Refusal {
  readonly error?: string;
  readonly message?: string;
}

export class ApiClient {
  readonly socketPath: string;
  readonly timeoutMs: number;
  readonly #isStarting: () => boolean;

  constructor(address: ApiAddress) {
    this.#isStarting = address.isStarting ?? (() => false);
    this.socketPath = address.socketPath;
    this.timeoutMs = address.timeoutMs;
  }

  /**
   * One request, one JSON document back.
   * @throws ApiError, unreachable when there is no daemon or no answer in time; else the request was refused
   */
  async fetch<T>(path: string, call: Call = {}): Promise<Reply<T>> {
    const patienceMs = this.timeoutMs + waitFor(call.body);
    const response = await this.#send(path, call, AbortSignal.timeout(patienceMs));
    const text = await readAll(response).catch((cause: unknown) => {
      throw unreachable(this, cause as Error);
    });
    const status = response.statusCode ?? 0;
    if (status >= 300 && call.accept?.includes(status) !== true) throw refused(path, call, status, text);
    return { status, body: parseJson(path, text) as T };
  }

  /** As fetch(), the document alone. */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await this.fetch<T>(path, { query })).body;
  }

  /**
   * Reads newline-delimited JSON until the daemon ends it or the signal is given. A daemon that does not begin to answer in
   * time is given up, unless it is asked to follow: then nothing may come for long.
   * @param onLine called for each document; what it returns is awaited, so a slow terminal slows the reading; what it throws ends it
   */
  async stream(path: string, call: Call, signal: AbortSignal, onLine: (line: unknown) => unknown): Promise<void> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(new DOMException('', 'TimeoutError')), this.timeoutMs);
    if (call.query?.['follow'] !== undefined) clearTimeout(timer);
    let isTheirs = false;
    try {
      const response = await this.#send(path, call, AbortSignal.any([signal, patience.signal]));
      clearTimeout(timer);
      const status = response.statusCode ?? 0;
      if (status >= 300) throw refused(path, call, status, await readAll(response));
      for await (const lines of linesOf(response)) {
        for (const line of lines) {
          const document = parseJson(path, line);
          isTheirs = true;
          const taken = onLine(document);
          if (taken instanceof Promise) await taken;
          isTheirs = false;
        }
      }
    } catch (error) {
      if (isTheirs) throw error;
      if (signal.aborted) return;
      throw error instanceof ApiError ? error : unreachable(this, error as Error);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Reads an answer as it comes, piece by piece.
   * @param onBytes called for each piece, which it must not keep
   */
  async bytes(path: string, query: Query, signal: AbortSignal, onBytes: (bytes: Buffer) => void): Promise<void> {
    const response = await this.#send(path, { query }, signal);
    const status = response.statusCode ?? 0;
    if (status >= 300) throw refused(path, {}, status, await readAll(response));
    try {
      for await (const bytes of response) onBytes(bytes as Buffer);
    } catch (cause) {
      throw unreachable(this, cause as Error);
    }
  }

  /** As sendOnce(), again and again while the daemon is starting. */
  async #send(path: string, call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const untilMs = performance.now() + this.timeoutMs;
    for (;;) {
      try {
        return await this.#sendOnce(path, call, signal);
      } catch (error) {
        const { code = '' } = (error as ApiError).cause as NodeJS.ErrnoException;
        if (!ABSENT.includes(code) || performance.now() > untilMs || !this.#isStarting()) throw error;
        await pause(RETRY_MS);
        if (signal.aborted) throw error;
      }
    }
  }

  #sendOnce(path: string, call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { body } = call;
    const isText = typeof body === 'string';
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const headers: Record<string, string> = { host: 'sluice', accept: 'application/json' };
    if (payload !== undefined) headers['content-type'] = isText ? 'application/yaml' : 'application/json';
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.socketPath,
          path: path + queryText(call.query),
          method: call.method ?? 'GET',
          headers,
          signal,
          agent: false, // a connection each: one kept from an earlier call may just be given up by the daemon
        },
        resolve,
      );
      sent.on('error', (cause) => reject(unreachable(this, cause)));
      sent.end(payload);
    });
  }
}

/** `?a=1&b=2`, or '' when nothing is asked; undefined values are left out. */
function queryText(query: Query = {}): string {
  const parts = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) parts.set(key, String(value));
  const text = parts.toString();
  return text === '' ? '' : `?${text}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk as string;
  return text;
}

/** Lines that are not empty, as many as come together. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<string[]> {
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of response) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() ?? '';
    yield lines.filter((line) => line !== '');
  }
  if (rest !== '') yield [rest];
}

function parseJson(path: string, text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(`read ${path}: found '${text.slice(0, 60)}', wanted JSON: is this socket sluiced's?`);
  }
}

function refused(path: string, call: Call, status: number, text: string): ApiError {
  let reason = text.trim();
  try {
    const body = JSON.parse(text) as Refusal;
    reason = body.error ?? body.message ?? reason;
  } catch {
    // not JSON: the text itself is the reason
  }
  return new ApiError(
    `${(call.method ?? 'GET').toLowerCase()} ${path}: ${status}: ${reason === '' ? 'no reason given' : reason}`,
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'is sluiced running? start it with `sluice daemon`',
  ECONNREFUSED: 'sluiced has gone and left its socket: start it with `sluice daemon`',
  EACCES: 'run as root, or as a member of the group that owns the socket',
  ENOTSOCK: 'that file is no socket: check --run-dir',
  ENOTDIR: 'that is no folder: check --run-dir',
};

function unreachable(client: ApiClient, cause: Error): ApiError {
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (cause.name === 'TimeoutError' || code === 'ABORT_ERR' || code === 'ERR_CANCELED') {
    const waited = `no answer within ${client.timeoutMs} ms`;
    const advice = 'is sluiced hung? see its log, or give a longer --timeout; `sluice bpf ...` works without it';
    return new ApiError(`connect ${client.socketPath}: ${waited}: ${advice}`, { isUnreachable: true, cause });
  }
  const advice = ADVICE[code] ?? 'sluiced broke off: see its log';
  return new ApiError(`connect ${client.socketPath}: ${code || cause.message}: ${advice}`, {
    isUnreachable: true,
    cause,
  });
}

/** Patience for what is sent, in ms. */
function waitFor(body: unknown): number {
  return typeof body === 'string' ? Math.ceil((body.length / 1024) * WAIT_MS_A_KIB) : 0;
}
