/**
 * GetFlows of the observer API as a stream of envelopes: Connect's protocol with JSON, read off `fetch`.
 *
 *     body:  flags(1) length(4, big endian) JSON   flags(1) length(4) JSON   ...   flags = 2: the end, with an error or without
 *
 * The server writes a flow in JSON exactly as `Flow` has it, and the browser parses JSON in native code: 7 us a flow. The
 * generated client with its binary codec takes 40 us to get at the same object, at 5,000 flows a second a fifth of a core, and
 * is 40 kB more to load. What makes a flow is the agent that served this page, so its types are not looked at again; its texts
 * stay foreign.
 */
import type { FlowFilter } from '../../hubble/filter/flow-filter.ts';
import type { Envelope } from '../../hubble/flow.ts';

const PATH = '/observer.Observer/GetFlows';
const TYPE = 'application/connect+json';
/** A flow has at most some 64 KiB; more is no flow. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024;
const HEAD_BYTES = 5;
const END_FLAG = 2;
const COMPRESSED_FLAG = 1;

/** What is asked for, in the names of observer.proto. */
export interface FlowsQuestion {
  /** How many of the flows that are there already. */
  readonly number: number;
  readonly follow: boolean;
  readonly whitelist: readonly FlowFilter[];
  readonly blacklist: readonly FlowFilter[];
  /** RFC 3339. */
  readonly since?: string;
  readonly until?: string;
}

/** A stream that broke. The message is a sentence to show. */
export class StreamError extends Error {
  override readonly name = 'StreamError';
  /** The question itself is wrong, so that asking again is of no use. */
  readonly isRefused: boolean;
  /** The agent wants its token first. */
  readonly isLocked: boolean;

  constructor(message: string, kind: 'broken' | 'refused' | 'locked' = 'broken') {
    super(message);
    this.isRefused = kind === 'refused';
    this.isLocked = kind === 'locked';
  }
}

/** Batches of envelopes as they come, the first of them empty, when the agent has taken the question. @throws StreamError, or an AbortError when `signal` ends it */
export async function* openFlows(question: FlowsQuestion, signal: AbortSignal): AsyncGenerator<Envelope[]> {
  let response: Response;
  try {
    response = await fetch(PATH, {
      method: 'POST',
      headers: { 'content-type': TYPE, 'connect-protocol-version': '1' },
      body: frameOf(question),
      signal,
    });
  } catch (error) {
    throw signal.aborted ? error : new StreamError('the agent does not answer');
  }
  if (response.status === 401) throw new StreamError('the agent wants its token', 'locked');
  if (!response.ok || response.body === null)
    throw new StreamError(`the agent answered the question for flows with status ${response.status}`);
  yield [];
  const frames = new Frames();
  const reader = response.body.getReader();
  while (!frames.isEnded) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw signal.aborted ? error : new StreamError('the connection to the agent broke');
    });
    if (done) throw new StreamError('the stream of flows broke off');
    const batch = frames.take(value);
    if (batch.length > 0) yield batch;
  }
}

/** A question as one frame. */
function frameOf(question: FlowsQuestion): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(JSON.stringify(question));
  const frame = new Uint8Array(HEAD_BYTES + json.length);
  new DataView(frame.buffer).setUint32(1, json.length);
  frame.set(json, HEAD_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames, wherever its chunks end. */
export class Frames {
  #rest = new Uint8Array(0);
  readonly #decoder = new TextDecoder();
  isEnded = false;

  /** The envelopes that are whole now. @throws StreamError for what is no frame, and the error that the server ended with */
  take(chunk: Uint8Array): Envelope[] {
    const bytes = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const batch: Envelope[] = [];
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES && !this.isEnded) {
      const flags = bytes[at];
      const length = view.getUint32(at + 1);
      if (length > MAX_FRAME_BYTES || (flags & COMPRESSED_FLAG) !== 0)
        throw new StreamError(`found a frame of ${length} bytes with flags ${flags}, wanted one of flows`);
      if (bytes.length - at - HEAD_BYTES < length) break;
      const message = this.#parse(bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length));
      at += HEAD_BYTES + length;
      if ((flags & END_FLAG) === 0) batch.push(message);
      else this.#end(message);
    }
    this.#rest = bytes.slice(at);
    return batch;
  }

  #parse(bytes: Uint8Array): object {
    try {
      const value: unknown = JSON.parse(this.#decoder.decode(bytes));
      if (typeof value === 'object' && value !== null) return value;
    } catch {
      // Told below.
    }
    throw new StreamError('found a frame that is no JSON object');
  }

  #end(message: object): void {
    this.isEnded = true;
    const { error } = message as { readonly error?: { readonly code?: string; readonly message?: string } };
    if (error === undefined) return;
    const refused = error.code === 'invalid_argument' || error.code === 'unimplemented';
    throw new StreamError(error.message ?? error.code ?? 'the stream ended', refused ? 'refused' : 'broken');
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
