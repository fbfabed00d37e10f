/**
 * A path pattern of a rule, and what its author has spelled out.
 *
 * Where a path may be read in several ways (path.ts), every reading must be allowed by some rule. But what a rule spells
 * out is meant, as it stands:
 *
 *  1. A pattern without wildcards allows exactly the path that it is, whatever that is: `/api/../x`, `/@scope%2fpkg`.
 *  2. A pattern with `;` in it is about parameters: `/app;v=[0-9]+` needs no rule for `/app`.
 *  3. A pattern with `//` in it is about empty segments: `/api//.*` needs none for `/api/x`.
 *  4. `.*` and `/.*` are about no path in particular: they allow evasive ones too.
 *  5. %41 in a pattern is A, as in a path; behind a question mark it is %41 too, for queries are compared as they come. Other
 *     escapes are compared as they are written, hex digits and all.
 */
import { compilePattern, type Pattern, plainText } from './pattern.ts';
import { decodeUnreserved, HAS_OTHER, HAS_PARAMETERS, HAS_SLASHES, type PathView, writtenTarget } from './path.ts';

/** What of a request's target a rule may ask about. */
export interface TargetPattern {
  readonly isBroken: boolean;
  /** A target that is read in one way, itself, and matches, begins so. */
  readonly prefix: string;
  /** @param reading one of `view.readings` */
  matches(view: PathView, reading: string | null): boolean;
}

/** A pattern that is compared with the target as it came (`http-normalize-path: false`, or the annotation of a policy). */
export class RawPathPattern implements TargetPattern {
  readonly #pattern: Pattern;
  readonly isBroken: boolean;
  readonly prefix: string;

  constructor(source: string) {
    const pattern = compilePattern(source);
    this.#pattern = pattern;
    this.isBroken = pattern.isBroken;
    this.prefix = pattern.prefix;
  }

  matches({ target }: PathView): boolean {
    return this.#pattern.matches(target);
  }
}

export class PathPattern implements TargetPattern {
  readonly isBroken: boolean;
  readonly prefix: string;
  readonly #pattern: Pattern;
  /** The one path that it is. */
  readonly #literal: string | undefined;
  /** HAS_* bits of what it spells out. */
  readonly #spelled: number;
  readonly #isAboutNone: boolean;

  constructor(source: string) {
    const pattern = compilePattern(withoutEscapes(source));
    const [path] = source.split(/\\\?|\[\?\]/, 1);
    this.#pattern = pattern;
    this.isBroken = pattern.isBroken;
    const text = plainText(source);
    this.#literal = text === undefined ? undefined : writtenTarget(text);
    this.#spelled = (path.includes('//') ? HAS_SLASHES : 0) | (path.includes(';') ? HAS_PARAMETERS : 0);
    this.prefix = this.#literal === undefined ? pattern.prefix : sharedPrefix(pattern.prefix, this.#literal);
    this.#isAboutNone = source === '.*' || source === '/.*';
  }

  matches(view: PathView, reading: string | null): boolean {
    if (this.#literal !== undefined && (view.readings[0] ?? view.target) === this.#literal) return true;
    if (this.#isAboutNone) return this.#pattern.matches(view.target);
    if (reading === null) return false;
    return this.#isSpelled(view) || this.#pattern.matches(reading);
  }

  #isSpelled({ readings, features }: PathView): boolean {
    if ((features & ~this.#spelled & (HAS_SLASHES | HAS_PARAMETERS)) !== 0 || (features & HAS_OTHER) !== 0)
      return false;
    return features !== 0 && readings[0] !== null && this.#pattern.matches(readings[0]);
  }
}

function sharedPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return a.slice(0, length);
}

/** Rule 5: not inside a character class, nor before a repetition, where it would mean something else. */
function withoutEscapes(source: string): string {
  if (!source.includes('%')) return source;
  let isQuery = false;
  return source.replace(/\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|%[0-9A-Fa-f]{2}(?![*+?{])/gs, (part) => {
    if (!part.startsWith('%')) {
      isQuery ||= part === '\\?' || part === '[?]';
      return part;
    }
    const character = decodeUnreserved(part);
    const written = character === '.' ? '\\.' : character;
    // No reading has such an escape in its path, so what a pattern has behind a question mark may be of a path yet.
    return isQuery && character !== part ? `(?:${written}|${part})` : written;
  });
}
