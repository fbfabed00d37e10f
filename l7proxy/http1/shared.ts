/**
 * What all HTTP parsers of an engine share, of either version: the recorder's contract, counters, the head at hand and what was judged of
 * it; and the memo of heads of version 1.
 */
import { Judgement } from '../http/judgement.ts';
import { RequestNote } from '../http/request-note.ts';
import type { FieldBlock } from '../../wire/l7-record.ts';
import type { StreamOwner } from '../parser.ts';
import { HeadMemo } from './head-memo.ts';
import { Head } from './head.ts';
import { HTTP_ERRORS } from './syntax.ts';

/** Told about requests and responses while `isOn`. */
export interface HttpRecorder {
  readonly isOn: boolean;
  /** @returns a ticket: what `response` is to be given when the answer comes, and `release` in any case; 0 = none */
  request(owner: StreamOwner, note: RequestNote): number;
  /** @param version where no ticket says it: major * 16 + minor @param fields that say how it went, when the status does not */
  response(owner: StreamOwner, ticket: number, status: number, version: number, fields: FieldBlock | null): void;
  /** The request was answered, or will not be; a tunnel that it opened is over. */
  release(ticket: number): void;
  /** Its answer opened a tunnel, of which `carried` tells. */
  openTunnel(ticket: number): void;
  carried(ticket: number, isFromClient: boolean, bytes: number): void;
  error(owner: StreamOwner, error: number, version: number): void;
}

export class Http1Shared {
  readonly memo: HeadMemo;
  readonly head: Head = new Head();
  /** Of the request in `head`. */
  readonly judgement: Judgement = new Judgement();
  /** Of the same request, while records are wanted. */
  readonly note: RequestNote = new RequestNote();
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
