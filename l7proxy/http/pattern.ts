/**
 * RE2 patterns of policies, matched against the whole string. A pattern without a special character is compared, one that only
 * ends in `.*` or `(/.*)?` is compared as far as it is plain, the rest runs in re2js, in linear time: but only on what begins
 * as the pattern does, for a rule set may have a thousand, and re2js takes a microsecond to say no. Compiled patterns are shared:
 * policies repeat them.
 */
import { LRUCache } from 'lru-cache';
import { RE2JS } from 're2js';
import { SLASH } from '../http1/syntax.ts';

export interface Pattern {
  readonly source: string;
  /** Whatever matches begins so. */
  readonly prefix: string;
  /** Whether the whole of `text` matches. */
  matches(text: string): boolean;
}

const SPECIAL = /[\\^$.|?*+()[\]{}]/;
const OPEN_ENDED = /^([^\\^$.|?*+()[\]{}]*)(\.\*|\(\/\.\*\)\?)$/;
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
  if (!SPECIAL.test(source)) return { source, prefix: source, isBroken: false, matches: (text) => text === source };
  try {
    const expression = RE2JS.compile(source);
    const prefix = String(expression.re2Input.prefix);
    const matches = openEnded(source) ?? ((text: string) => text.startsWith(prefix) && expression.testExact(text));
    return { source, prefix, isBroken: false, matches };
  } catch {
    return { source, prefix: source, isBroken: true, matches: () => false };
  }
}

/**
 * A pattern that is a text and `.*` or `(/.*)?` behind it. `.` does not match a line feed, and no part of a request holds one,
 * but a decoded path may.
 */
function openEnded(source: string): ((text: string) => boolean) | undefined {
  const [, plain = '', tail = ''] = OPEN_ENDED.exec(source) ?? [];
  const hasNoLine = (text: string) => !text.includes('\n', plain.length);
  if (tail === '.*') return (text) => text.startsWith(plain) && hasNoLine(text);
  if (tail === '(/.*)?') {
    return (text) =>
      text.startsWith(plain) &&
      (text.length === plain.length || text.charCodeAt(plain.length) === SLASH) &&
      hasNoLine(text);
  }
  return undefined;
}
