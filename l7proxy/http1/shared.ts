/**
 * What all HTTP parsers of an engine share, of either version: the recorder's contract, counters, the head at hand and what was judged of
 * it; and the memo of heads of version 1.
 */
import { Judgement } from '../http/judgement.ts';
import type { StreamOwner } from '../parser.ts';
import { HeadMemo } from './head-memo.ts';
import { Head } from './head.ts';
import { HTTP_ERRORS } from './syntax.ts';

/** Told about requests and responses while `isOn`. */
export interface HttpRecorder {
  readonly isOn: boolean;
  /** @returns what `response` is to be given when the answer comes, or undefined */
  request(owner: StreamOwner, bytes: Uint8Array, head: Head, verdict: number, judgement: Judgement): object | undefined;
  /** @param headers that say how it went, when the status does not */
  response(owner: StreamOwner, request: object | undefined, status: number, headers?: Record<string, string[]>): void;
  /** @param protocol as in records: HTTP/1.1, HTTP/2 */
  error(owner: StreamOwner, error: number, protocol: string): void;
}

export class Http1Shared {
  readonly memo: HeadMemo;
  readonly head: Head = new Head();
  /** Of the request in `head`. */
  readonly judgement: Judgement = new Judgement();
  readonly recorder: HttpRecorder;
  forwarded = 0;
  denied = 0;
  responses = 0;
  /** Requests judged from the memo; a part of forwarded + denied. */
  memoHits = 0;
  /** Refused messages by error number (HTTP_ERRORS). */
  readonly errors: Float64Array = new Float64Array(HTTP_ERRORS.length);

  /** @param seed random at start */
  constructor(seed: number, recorder: HttpRecorder) {
    this.memo = new HeadMemo(seed);
    this.recorder = recorder;
  }
}
