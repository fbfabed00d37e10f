/** A short name for a template, such as `6b7f9c5d8`; of templates that differ they do too, but for very rare ones. */
import { createHash } from 'node:crypto';
import { LETTERS } from '../apiserver/storage/generated-name.ts';

const LENGTH = 10;

/** Old templates that a workload keeps unless it says otherwise. */
export const DEFAULT_HISTORY = 10;

/** @param collisions how often the name was another's */
export function templateHash(template: unknown, collisions = 0): string {
  const digest = createHash('sha256').update(canonical(template)).update(`#${collisions}`).digest();
  return Array.from({ length: LENGTH }, (_, i) => LETTERS[digest[i] % LETTERS.length]).join('');
}

/** The same text for the same value, whatever the order of its keys. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const texts = fields
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`);
  return `{${texts.join(',')}}`;
}
