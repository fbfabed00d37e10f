/**
 * Faults as people write them: `drop=1%,reorder=2%,duplicate=0.5%,corrupt=0.1%,delay=5ms,jitter=2ms,seed=7`. In the
 * configuration (`faults`) they hold for every port, in the annotation `sluice.io/fault` for what one pod sends.
 */
import type { Faults } from '../../policy-maps/condition-map.ts';

const MAX_DELAY_MS = 10_000;
const WANTED = 'drop, corrupt, duplicate, reorder (as 1%), delay, jitter (as 5ms), seed (a number), with = and commas';

/** What was read, or what is wrong with it. */
export type FaultReading =
  | { readonly faults: Faults | null; readonly problem: undefined }
  | { readonly faults: undefined; readonly problem: string };

const READERS: Readonly<Record<string, { key: keyof Faults; read: (text: string) => number; wanted: string }>> = {
  drop: { key: 'drop', read: readShare, wanted: 'a share such as 1% or 0.01' },
  corrupt: { key: 'corrupt', read: readShare, wanted: 'a share such as 1% or 0.01' },
  duplicate: { key: 'duplicate', read: readShare, wanted: 'a share such as 1% or 0.01' },
  reorder: { key: 'reorder', read: readShare, wanted: 'a share such as 1% or 0.01' },
  delay: { key: 'delayMs', read: readTime, wanted: 'a time such as 5ms, at most 10s' },
  jitter: { key: 'jitterMs', read: readTime, wanted: 'a time such as 5ms, at most 10s' },
  seed: { key: 'seed', read: readSeed, wanted: 'a number from 0 to 2147483647' },
};

/**
 * Reads a text of faults; `none` and the empty text are none.
 * @returns faults, null for none, or a problem of the form "found X, wanted Y" without "found"
 */
export function readFaults(text: string): FaultReading {
  if (text === '' || text === 'none') return { faults: null, problem: undefined };
  const found: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [name, value, ...more] = part.trim().split('=');
    const reader = Object.hasOwn(READERS, name) ? READERS[name] : undefined;
    if (reader === undefined || value === undefined || more.length > 0) return wrong(`${WANTED}, or none`, part);
    if (reader.key in found) return wrong(`${name} once`, part);
    const number = reader.read(value);
    if (Number.isNaN(number)) return wrong(`for ${name} ${reader.wanted}`, part);
    found[reader.key] = number;
  }
  const none: Faults = { seed: 1, drop: 0, corrupt: 0, duplicate: 0, reorder: 0, delayMs: 0, jitterMs: 0 };
  return { faults: { ...none, ...found }, problem: undefined };
}

function wrong(wanted: string, part: string): FaultReading {
  return { faults: undefined, problem: `${wanted} (not "${part.trim()}")` };
}

function readShare(text: string): number {
  const match = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text);
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  return share <= 1 ? share : Number.NaN;
}

function readTime(text: string): number {
  const match = /^(\d{1,8}(?:\.\d{1,3})?)(us|ms|s)$/.exec(text);
  if (match === null) return Number.NaN;
  const ms = Number(match[1]) * { us: 0.001, ms: 1, s: 1000 }[match[2] as 'us' | 'ms' | 's'];
  return ms <= MAX_DELAY_MS ? ms : Number.NaN;
}

function readSeed(text: string): number {
  return /^\d{1,10}$/.test(text) && Number(text) <= 0x7fffffff ? Number(text) : Number.NaN;
}
