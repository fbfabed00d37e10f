/** A request that the API server refused, or that never reached it: what is known of why, and when to try again. */

/** The `Status` object that an API server answers with when something is wrong. */
interface StatusObject {
  readonly code?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}

const MAX_MESSAGE = 300; // characters of a server's sentence in ours
const MAX_RETRY_AFTER_SEC = 300;

export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  /** Of HTTP; 0 when there was no answer. */
  readonly status: number;
  /** `Expired`, `NotFound`, `Forbidden` ...; '' when the server gave none. */
  readonly reason: string;
  /** Seconds that the server wants to be left alone; 0 when it does not say. */
  readonly retryAfterSec: number;

  constructor(message: string, { status = 0, reason = '', retryAfterSec = 0 } = {}) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterSec = retryAfterSec;
  }

  /** What was asked from is too old: everything must be listed again. */
  get isExpired(): boolean {
    return this.status === 410 || this.reason === 'Expired' || this.reason === 'Gone';
  }
}

/** From a body that may be a Status, as HTTP answers and as events of watches have it. @param what `list pods`, `watch pods` */
export function failureOf(what: string, status: number, body: unknown, retryAfter = ''): ApiFailure {
  const said = typeof body === 'object' && body !== null ? (body as StatusObject) : {};
  const reason = typeof said.reason === 'string' ? said.reason : '';
  const code = typeof said.code === 'number' ? said.code : status;
  const text = typeof said.message === 'string' ? said.message : typeof body === 'string' ? body.trim() : '';
  const sentence = text === '' ? '' : ` (${text.slice(0, MAX_MESSAGE)})`;
  return new ApiFailure(`${`${what}: found ${code} ${reason}`.trimEnd()}${sentence}, wanted an answer`, {
    status: code,
    reason,
    retryAfterSec: seconds(retryAfter) || seconds(said.details?.retryAfterSeconds),
  });
}

function seconds(value: unknown): number {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? Math.min(number, MAX_RETRY_AFTER_SEC) : 0;
}
