/** What all HTTP/1.x parsers of a proxy share: the judge's contract, the recorder's, counters, and the memo of heads. */
import { HeadMemo } from './head-memo.ts';
import { Head } from './head.ts';
import { HTTP_ERRORS } from './syntax.ts';

/** What a judge says of a request head. */
export const DENY = 0;
export const ALLOW = 1;
/** Allowed with another head: `HttpJudge.editedHead`. */
export const ALLOW_EDITED = 2;
/** The rules are gone: denied, and the connection ends. */
export const DENY_CLOSE = 3;

/** Judges request heads; many connections share one. */
export interface HttpJudge {
  /** A number that stands for the rules in force: verdicts for one number never differ. Called before each head. */
  refresh(): number;
  /** DENY, ALLOW, ALLOW_EDITED or DENY_CLOSE. */
  judge(bytes: Uint8Array, head: Head): number;
  /** The head to be sent instead, after ALLOW_EDITED. */
  readonly editedHead: Uint8Array;
}

/** Told about requests and responses while `isOn`. */
export interface HttpRecorder {
  readonly isOn: boolean;
  /** @returns what `response` is to be given when the answer comes, or undefined */
  request(owner: unknown, bytes: Uint8Array, head: Head, verdict: number): object | undefined;
  response(owner: unknown, request: object | undefined, head: Head): void;
  error(owner: unknown, error: number): void;
}

export class Http1Shared {
  readonly memo: HeadMemo;
  readonly head: Head = new Head();
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
