/**
 * Who may see the page, where a token is wanted: whoever has told it once (`POST /login`), for SESSION_MS.
 *
 * The proof is a cookie that holds the end of the session and an HMAC of it, made with a key that is drawn from the token (scrypt). So there is no
 * table that could be full, a thread that is started anew lets people go on, and another token ends all sessions. The cookie is not the token:
 * other servers of this machine get the cookies of its name too, since cookies know no ports.
 *
 * Comparisons take the same time whatever is compared: both sides are digests of one length (timingSafeEqual). Failed attempts have a
 * bucket, for all clients together: ATTEMPTS at once, one more every ATTEMPT_MS; with a token of 16 random characters, guessing is hopeless.
 * A file that cannot be read, or whose line is too short, lets nobody in.
 */
import { createHash, createHmac, scryptSync, timingSafeEqual } from 'node:crypto';

/** Fewer could be guessed. */
const TOKEN_CHARS = 16;
const TOKEN_CHARS_LIMIT = 1024;
const SESSION_MS = 12 * 3600 * 1000;
const ATTEMPTS = 10;
const ATTEMPT_MS = 6000;
const PURPOSE = 'sluice page session';
const KEY_BYTES = 32;

interface SessionOptions {
  /** The text of the token's file, now; undefined: no token is wanted. */
  readonly tokenText: (() => string) | undefined;
  /** Of the instance: two agents of one machine must not take each other's cookies. */
  readonly instance: string;
  readonly isSecure: boolean;
  readonly nowMs: () => number;
}

export class Sessions {
  readonly #options: SessionOptions;
  readonly #cookie: string;
  #attempts = ATTEMPTS;
  /** Of the token that was last asked for. */
  #key = { token: '', bytes: Buffer.alloc(0) };
  #refilledMs: number;

  constructor(options: SessionOptions) {
    this.#options = options;
    // Browsers take a cookie of this prefix only over TLS, for this host alone, and for all of its paths.
    this.#cookie = `${options.isSecure ? '__Host-' : ''}sluice-${options.instance}`;
    this.#refilledMs = options.nowMs();
  }

  get isTokenWanted(): boolean {
    return this.#options.tokenText !== undefined;
  }

  /** Why nobody can be let in; '' when somebody can. */
  get problem(): string {
    if (!this.isTokenWanted || this.#token !== undefined) return '';
    return `read ui-token-file: found no line of ${TOKEN_CHARS} to ${TOKEN_CHARS_LIMIT} characters, wanted one`;
  }

  /** @param cookies the header Cookie @param authorization the header Authorization */
  isLetIn(cookies: string, authorization: string): boolean {
    if (!this.isTokenWanted) return true;
    const [, bearer] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (bearer !== undefined) return this.#login(bearer) === 'right';
    const value = cookieOf(cookies, this.#cookie);
    const [, end = '', mac = ''] = /^(\d{13,15})\.([\w-]{43})$/.exec(value) ?? [];
    const own = mac === '' ? undefined : this.#macOf(end);
    return own !== undefined && isSame(mac, own) && Number(end) > this.#options.nowMs();
  }

  /**
   * Tries a token.
   * @returns the header Set-Cookie; or that the token is wrong, or that there were too many attempts
   */
  login(token: string): { readonly setCookie: string } | 'wrong' | 'too many' {
    const result = this.#login(token);
    if (result !== 'right') return result;
    const end = String(this.#options.nowMs() + SESSION_MS);
    return { setCookie: this.#setCookie(`${end}.${this.#macOf(end)}`, SESSION_MS / 1000) };
  }

  /** The header Set-Cookie that takes the cookie away. */
  get logout(): string {
    return this.#setCookie('', 0);
  }

  get #token(): string | undefined {
    const line = this.#options.tokenText?.().split('\n', 1)[0].trim() ?? '';
    return line.length >= TOKEN_CHARS && line.length <= TOKEN_CHARS_LIMIT ? line : undefined;
  }

  #login(token: string): 'right' | 'wrong' | 'too many' {
    this.#refill();
    if (this.#attempts < 1) return 'too many';
    const own = this.#token;
    if (own !== undefined && isSame(token, own)) return 'right';
    this.#attempts--;
    return 'wrong';
  }

  /** Of the end of a session; undefined without a token. */
  #macOf(end: string): string | undefined {
    const token = this.#token;
    if (token === undefined) return undefined;
    if (token !== this.#key.token) this.#key = { token, bytes: scryptSync(token, PURPOSE, KEY_BYTES) };
    return createHmac('sha256', this.#key.bytes).update(end).digest('base64url');
  }

  #refill(): void {
    const now = this.#options.nowMs();
    this.#attempts = Math.min(ATTEMPTS, this.#attempts + Math.max(0, now - this.#refilledMs) / ATTEMPT_MS);
    this.#refilledMs = now;
  }

  #setCookie(value: string, ageSec: number): string {
    const secure = this.#options.isSecure ? '; Secure' : '';
    return `${this.#cookie}=${value}; Path=/; Max-Age=${ageSec}; HttpOnly; SameSite=Strict${secure}`;
  }
}

/** Of texts of any length. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function cookieOf(header: string, name: string): string {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return '';
}
