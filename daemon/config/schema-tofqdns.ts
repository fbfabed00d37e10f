/** Options of learning from DNS (toFQDNs), by Cilium's names; a part of config/schema.ts. */
import type { Option } from './option.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `100ms`, `5s`, `1m30s`, as Cilium writes them. @returns milliseconds; undefined for what is no duration */
export function readDuration(text: string): number | undefined {
  if (!/^(\d{1,9}(ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit], 0);
}

const durationUpTo = (most: string) => (text: string) => {
  const ms = readDuration(text);
  return ms === undefined || ms > (readDuration(most) as number)
    ? `a duration such as 100ms, up to ${most}`
    : undefined;
};

/** Of `policy`. */
export const TOFQDNS: Readonly<Record<string, Option>> = {
  'tofqdns-min-ttl': {
    type: 'integer',
    meaning: 'seconds that an address of a name is reachable at least, however short its TTL',
    fallback: 0,
    min: 0,
    max: 604_800,
  },
  'tofqdns-endpoint-max-ip-per-hostname': {
    type: 'integer',
    meaning: 'addresses of one name that one pod may have learnt; beyond it those that end first go',
    fallback: 1000,
    min: 1,
    max: 8192,
  },
  'tofqdns-max-deferred-connection-deletes': {
    type: 'integer',
    meaning: 'addresses of one pod whose TTL is over and which are kept, because a connection may need them',
    fallback: 10_000,
    min: 0,
    max: 32_768,
  },
  'tofqdns-idle-connection-grace-period': {
    type: 'string',
    meaning: 'how long such an address is kept after its last connection',
    fallback: '0s',
    check: durationUpTo('24h'),
  },
  'tofqdns-proxy-response-max-delay': {
    type: 'string',
    meaning: 'how long a DNS answer may wait for its addresses to be reachable; then it is made SERVFAIL',
    fallback: '100ms',
    check: durationUpTo('10s'),
  },
  'tofqdns-pre-cache': {
    type: 'string',
    meaning: "a file of Cilium's, of names that are known from the start; default: none",
    fallback: '',
    check: (text) => (text.startsWith('/') ? undefined : 'an absolute path'),
  },
};
