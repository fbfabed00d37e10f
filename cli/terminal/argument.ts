/** Parsers of flag values for commander: each returns the value or throws InvalidArgumentError with what is wanted. */
import { InvalidArgumentError } from 'commander';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A duration such as `500ms`, `5s`, `1m30s`, `2h`, `1d`; a bare number is seconds.
 * @returns milliseconds
 */
export function durationMs(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    throw new InvalidArgumentError('wanted a duration such as 500ms, 5s, 1m30s or 2h.');
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount) * UNIT_MS[unit];
  return total;
}

/**
 * A size such as `64MiB`, `256M`, `1GB`, `4096`: units of 1024.
 * @returns bytes
 */
export function sizeBytes(text: string): number {
  const match = /^(\d+)(?:([kmg])(?:i?b)?)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('wanted a size such as 64MiB, 1GiB or 4096.');
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g'].indexOf(match[2]?.toLowerCase() ?? '');
}

/** A parser of whole numbers between two bounds, both included. Hexadecimal with 0x is taken. */
export function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
    if (!(value >= low && value <= high)) {
      const range =
        high === Number.MAX_SAFE_INTEGER ? (low === 0 ? '' : `, at least ${low}`) : ` from ${low} to ${high}`;
      throw new InvalidArgumentError(`wanted a whole number${range}.`);
    }
    return value;
  };
}

/** Collects a flag that may be given more than once. */
export function repeatable(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, text];
}

/** Collects a flag that may be given more than once, or as `a,b`. */
export function commaList(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...text.split(',').filter((part) => part !== '')];
}

/** Splits `ns/name`; a bare name is put in `namespace`. */
export function podReference(text: string, namespace = 'default'): { namespace: string; name: string } {
  const slash = text.indexOf('/');
  const reference =
    slash < 0 ? { namespace, name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
  if (reference.namespace === '' || reference.name === '' || reference.name.includes('/')) {
    throw new InvalidArgumentError(`found '${text}', wanted a pod as namespace/name or name.`);
  }
  return reference;
}
