/**
 * RE2 patterns of policies, matched against the whole string. A pattern without a special character is compared, a lone
 * `.*` is always true, the rest runs in re2js, in linear time. Compiled patterns are shared: policies repeat them.
 */
import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';

export interface Pattern {
  readonly source: string;
  /** Whether the whole of `text` matches. */
  matches(text: string): boolean;
}

const SPECIAL = /[\\^$.|?*+()[\]{}]/;
const compiled = new LRUCache<string, Pattern>({ max: 4096 });

/** The text that a pattern without wildcards is, a dot being a dot; undefined for a pattern with some. */
export function plainText(source: string): string | undefined {
  const isPlain = !SPECIAL.test(source.replace(/\\[^\w\s]|\./g, ''));
  return isPlain ? source.replace(/\\([^\w\s])/g, '$1') : undefined;
}

/**
 * @param source an RE2 pattern
 * @returns the pattern; one that does not compile matches nothing (fail closed) and has `isBroken`
 */
export function compilePattern(source: string): Pattern & { readonly isBroken: boolean } {
  const known = compiled.get(source);
  if (known !== undefined) return known as Pattern & { readonly isBroken: boolean };
  const pattern = compile(source);
  compiled.set(source, pattern);
  return pattern;
}

function compile(source: string): Pattern & { readonly isBroken: boolean } {
  if (!SPECIAL.test(source)) return { source, isBroken: false, matches: (text) => text === source };
  try {
    const expression = RE2JS.compile(source);
    // `.` does not match a line feed, and no part of a request holds one, but a decoded path may.
    if (source === '.*') return { source, isBroken: false, matches: (text) => !text.includes('\n') };
    return { source, isBroken: false, matches: (text) => expression.testExact(text) };
  } catch {
    return { source, isBroken: true, matches: () => false };
  }
}
