/**
 * What of a request nobody is to read in a flow: hubble-redact-* of Cilium, applied while a record becomes a flow, so that nothing that
 * comes behind (memory, disk, exports, clients) has ever seen it. The record in the ring is whole; `sluice monitor` shows it to root.
 */
import type { AccessLogHttp } from '../../wire/access-log.ts';

const REDACTED = 'HUBBLE_REDACTED';

/** Options of Redaction, as `hubble.redact` has them. */
export interface RedactSettings {
  readonly enabled: boolean;
  readonly 'http-urlquery': boolean;
  readonly 'http-userinfo': boolean;
  /** Names in any case; at most one of the two has any. */
  readonly 'http-headers-allow': readonly string[];
  readonly 'http-headers-deny': readonly string[];
  readonly 'kafka-apikey': boolean;
}

export const NO_REDACTION: RedactSettings = {
  enabled: false,
  'http-urlquery': false,
  'http-userinfo': true,
  'http-headers-allow': [],
  'http-headers-deny': [],
  'kafka-apikey': false,
};

export class Redaction {
  readonly #settings: RedactSettings;
  readonly #allowed: ReadonlySet<string>;
  readonly #denied: ReadonlySet<string>;

  constructor(settings: RedactSettings = NO_REDACTION) {
    this.#settings = settings;
    const lowered = (names: readonly string[]) => new Set(names.map((name) => name.toLowerCase()));
    this.#allowed = lowered(settings['http-headers-allow']);
    this.#denied = lowered(settings['http-headers-deny']);
  }

  /** A URL without the password in it, unless that is wanted; and without query and fragment, if so asked. */
  url({ URL: url }: Pick<AccessLogHttp, 'URL'>): string {
    const { enabled, 'http-userinfo': hidesUser, 'http-urlquery': hidesQuery } = this.#settings;
    const plain = hidesUser && url.includes('@') ? withoutPassword(url) : url;
    return enabled && hidesQuery ? plain.replace(/[?#].*$/s, '') : plain;
  }

  /** The value of a header as it may be told. With neither list none is. */
  header(name: string, value: string): string {
    if (!this.#settings.enabled) return value;
    const lowered = name.toLowerCase();
    const isTold = this.#denied.size > 0 ? !this.#denied.has(lowered) : this.#allowed.has(lowered);
    return isTold ? value : REDACTED;
  }

  apiKey(name: string | undefined): string | undefined {
    return name !== undefined && this.#settings.enabled && this.#settings['kafka-apikey'] ? REDACTED : name;
  }
}

/** `http://user:HUBBLE_REDACTED@host/`: a password is up to the last `@` before the path. */
function withoutPassword(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#]*@/i, `$1:${REDACTED}@`);
}
