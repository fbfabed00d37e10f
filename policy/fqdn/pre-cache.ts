/**
 * Lookups as text, one JSON object a line: the fields of Cilium's pre-cache (`fqdn`, `lookup-time`, `expiration-time`, `ttl`,
 * `ips`) and the endpoint that asked. A line with `forget` takes back what earlier lines said of its addresses. Reading the
 * lines in order gives what was known when the last was written; a last line that is cut off, as by a kill, is left out.
 */
import { normalizeName } from '../../wire/fqdn.ts';
import { parsePrefix, type Prefix } from '../../wire/prefix.ts';
import type { Lookup } from './name-cache.ts';

/** One answer as it is kept; without `endpoint` (a pre-cache of Cilium) it is nobody's and of use to all. */
export interface KeptAnswer {
  readonly endpoint: number;
  readonly name: string;
  readonly prefixes: readonly Prefix[];
  readonly ttlSec: number;
  /** Milliseconds since 1970. */
  readonly lookedUpMs: number;
  readonly expiresMs: number;
}

/** The address of a prefix of full length: `192.0.2.1`. */
export function addressOf({ text }: Prefix): string {
  return text.slice(0, text.indexOf('/'));
}

/** An answer as a line, without its end. */
export function formatKept({ endpoint, name, prefixes, ttlSec, lookedUpMs, expiresMs }: KeptAnswer): string {
  return JSON.stringify({
    endpoint,
    fqdn: name,
    'lookup-time': new Date(lookedUpMs).toISOString(),
    'expiration-time': new Date(expiresMs).toISOString(),
    ttl: ttlSec,
    ips: prefixes.map(addressOf),
  });
}

/** @param wallMs milliseconds since 1970 at second 0 of the lookup's clock */
export function keptOf({ endpoint, pair, lookedUpSec, expiresSec, ttlSec }: Lookup, wallMs: number): KeptAnswer {
  const { name, prefix } = pair;
  const timeOf = (sec: number): number => Math.round(wallMs + sec * 1000);
  return {
    endpoint,
    name,
    prefixes: [prefix],
    ttlSec,
    lookedUpMs: timeOf(lookedUpSec),
    expiresMs: timeOf(expiresSec),
  };
}

/** The line that takes a lookup back. */
export function formatForgotten({ endpoint, pair }: Lookup): string {
  return JSON.stringify({ endpoint, forget: pair.name, ips: [addressOf(pair.prefix)] });
}

/**
 * Reads lines, or a whole JSON array as Cilium writes it.
 * @returns the answers that stand, and how many lines were of no use
 */
export function readKept(text: string): { answers: KeptAnswer[]; unread: number } {
  const standing = new Map<string, KeptAnswer>();
  const values = valuesOf(text);
  let unread = 0;
  for (const value of values) {
    const answers = answersOf(value);
    if (answers.length === 0) unread++;
    for (const { isForgotten, ...answer } of answers) {
      const key = `${answer.endpoint} ${answer.name} ${answer.prefixes[0].text}`;
      if (isForgotten) standing.delete(key);
      else standing.set(key, later(answer, standing.get(key)));
    }
  }
  return { answers: [...standing.values()], unread };
}

/** An answer does not take from an earlier one what that promised. */
function later(answer: KeptAnswer, before: KeptAnswer | undefined): KeptAnswer {
  const isShorter = before !== undefined && before.expiresMs > answer.expiresMs;
  return isShorter
    ? { ...answer, expiresMs: before.expiresMs, ttlSec: Math.max(before.ttlSec, answer.ttlSec) }
    : answer;
}

function valuesOf(text: string): unknown[] {
  if (text.trimStart().startsWith('[')) {
    const whole = parse(text);
    return Array.isArray(whole) ? whole : [undefined];
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parse);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One an address; none when the value is no answer. */
function answersOf(value: unknown): (KeptAnswer & { isForgotten: boolean })[] {
  if (typeof value !== 'object' || value === null) return [];
  const { endpoint = 0, fqdn, forget, ips, ttl = 0, ...times } = value as Record<string, unknown>;
  const name = forget ?? fqdn;
  const lookedUpMs = Date.parse(String(times['lookup-time']));
  const expiresMs = Date.parse(String(times['expiration-time']));
  const isForgotten = forget !== undefined;
  const hasTimes = isForgotten || (Number.isFinite(lookedUpMs) && Number.isFinite(expiresMs));
  const isSound =
    typeof name === 'string' &&
    name !== '' &&
    name.length <= 255 &&
    hasTimes &&
    Array.isArray(ips) &&
    isCount(endpoint);
  if (!isSound || !isCount(ttl)) return [];
  const rest = { endpoint, name: normalizeName(name), ttlSec: ttl, lookedUpMs, expiresMs, isForgotten };
  return ips.flatMap(prefixesOf).map((prefix) => ({ ...rest, prefixes: [prefix] }));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function prefixesOf(text: unknown): Prefix[] {
  try {
    return typeof text === 'string' && !text.includes('/') ? [parsePrefix(text, 'host')] : [];
  } catch {
    return [];
  }
}
