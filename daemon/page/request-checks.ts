/**
 * Who may ask: what a request says of the page that it comes from. A browser lets every page of the world send requests to this
 * machine, and tells us which page it was; these are the rules.
 *
 *  1. **Host** names us: localhost, a name of `ui-hosts`, or the very address that the connection came to. A name of somebody else's that
 *     leads here (DNS rebinding) would make us a part of their site. The port does not count: `ssh -L` changes it.
 *  2. **Sec-Fetch-Site**, which every browser sends to a trustworthy origin and no page can write, is `same-origin`, or `none` (typed by a
 *     person). Links of other pages may open the page itself, as a document and in no frame, and nothing else.
 *  3. **Origin**, where there is one, is ours: scheme, Host and port.
 *  4. What changes or asks by POST has a type that no form can send; a page of another origin would first have to ask for leave
 *     (CORS), which nobody gives.
 *
 * Programs without a browser send none of these headers and are let through to the token, where there is one.
 */
import { isIP } from 'node:net';
import { isLoopback } from '../config/listen-address.ts';

/** Of a request, as far as these rules look at it. */
export interface Asking {
  readonly method: string;
  readonly path: string;
  /** `Host` of HTTP/1, `:authority` of HTTP/2. */
  readonly authority: string;
  readonly isSecure: boolean;
  /** The address that the connection came to. */
  readonly localAddress: string;
  readonly header: (name: string) => string;
}

export interface Refusal {
  readonly status: 400 | 403 | 415 | 421;
  readonly error: string;
}

/** Sent by forms and by scripts without leave (Fetch standard, CORS-safelisted). */
const FORM_TYPES = ['', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

export class RequestChecks {
  readonly #names: ReadonlySet<string>;

  /** @param hosts further names that Host may have, in lower case */
  constructor(hosts: readonly string[]) {
    this.#names = new Set([...LOOPBACK_NAMES, ...hosts]);
  }

  /** Why a request is refused; undefined when it is not. */
  refusal(asking: Asking): Refusal | undefined {
    return this.#hostRefusal(asking) ?? siteRefusal(asking) ?? originRefusal(asking) ?? typeRefusal(asking);
  }

  #hostRefusal({ authority, localAddress }: Asking): Refusal | undefined {
    const host = hostOf(authority);
    if (host !== undefined && (this.#names.has(host) || isOwnAddress(host, localAddress))) return undefined;
    const found = JSON.stringify(authority.slice(0, 80));
    const error = `check Host: found ${found}, wanted localhost, the address itself, or a name of ui-hosts`;
    return { status: 421, error };
  }
}

/** In lower case, without the port; undefined for what is no authority. */
function hostOf(authority: string): string | undefined {
  return /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::\d{1,5})?$/.exec(authority.toLowerCase())?.[1];
}

/** An address stands for itself: nobody else's name leads to it. */
function isOwnAddress(host: string, localAddress: string): boolean {
  const text = host.replace(/^\[|\]$/g, '');
  const own = localAddress.replace(/^::ffff:/, '');
  return isIP(text) !== 0 && (text === own || (isLoopback(text) && isLoopback(own)));
}

function siteRefusal({ method, path, header }: Asking): Refusal | undefined {
  const site = header('sec-fetch-site');
  if (site === '' || site === 'same-origin' || (site === 'none' && isRead(method))) return undefined;
  const isDocument = header('sec-fetch-mode') === 'navigate' && header('sec-fetch-dest') === 'document';
  if (isDocument && path === '/' && isRead(method)) return undefined;
  return { status: 403, error: `check Sec-Fetch-Site: found ${shown(site)}, wanted same-origin` };
}

function originRefusal({ authority, isSecure, header }: Asking): Refusal | undefined {
  const origin = header('origin');
  const own = `${isSecure ? 'https' : 'http'}://${authority.toLowerCase()}`;
  if (origin === '' || origin === own) return undefined;
  return { status: 403, error: `check Origin: found ${shown(origin)}, wanted ${own}` };
}

function typeRefusal({ method, header }: Asking): Refusal | undefined {
  if (isRead(method)) return undefined;
  const type = header('content-type').split(';', 1)[0].trim().toLowerCase();
  if (!FORM_TYPES.includes(type)) return undefined;
  return {
    status: 415,
    error: `check Content-Type: found ${shown(type)}, wanted application/json, or as the call says`,
  };
}

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';
const shown = (text: string): string => JSON.stringify(text.slice(0, 80));
