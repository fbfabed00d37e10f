/** What a judge says of a request: between the judge, the parser of the request, and the records of it. */
import type { Head } from '../http1/head.ts';
import type { Judge } from '../parser.ts';
import type { HeaderEdits } from './headers.ts';

/** Verdicts of a request. */
export const DENY = 0;
export const ALLOW = 1;
/** Allowed with another head: `Judgement.edits` says what of it changes. */
export const ALLOW_EDITED = 2;
/** The rules are gone: denied, and the connection ends. */
export const DENY_CLOSE = 3;

const NOTHING = new Uint8Array(0);
/** Nothing changes. */
export const NO_EDITS: HeaderEdits = noEdits();
const NO_NAMES: ReadonlySet<string> = new Set();

/** Beside the verdict. One object is used for one request after the other. */
export class Judgement {
  /** Whose rules denied it: wire's INGRESS or EGRESS, 0 = nobody's. */
  deniedBy = 0;
  /** Of the rules that allowed it, or might have, on each side; 0 = none. */
  egressCookie = 0;
  ingressCookie = 0;
  /** What rules wanted to change in the head. */
  edits: HeaderEdits = NO_EDITS;
  /** Lower-case names of headers whose values are not told. */
  secretNames: ReadonlySet<string> = NO_NAMES;
  /** Of HTTP/1, for the parser alone: the head to be sent instead. */
  editedHead: Uint8Array = NOTHING;

  clear(): void {
    this.deniedBy = 0;
    this.egressCookie = 0;
    this.ingressCookie = 0;
    this.edits = NO_EDITS;
    this.secretNames = NO_NAMES;
    this.editedHead = NOTHING;
  }
}

/** Judges request heads; many connections share one. */
export interface HttpJudge extends Judge {
  /** @param judgement filled @returns DENY, ALLOW, ALLOW_EDITED or DENY_CLOSE */
  judge(bytes: Uint8Array, head: Head, judgement: Judgement): number;
  /** Lower-case names of headers that no trailer may have: some servers put trailers among the headers. */
  readonly headerNames: ReadonlySet<string>;
}

export function noEdits(): HeaderEdits {
  return { remove: new Set(), add: [], missing: {}, rejected: {} };
}
