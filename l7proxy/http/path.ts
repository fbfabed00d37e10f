/**
 * What the path of a request may mean to a server, and which rules may allow it (docs/decisions/0005).
 *
 * A rule allows `/public/.*`; the client asks for `/public/..%2fadmin`. Whether that is below /public depends on what the server
 * does with it, and nobody here knows the server. RFC 3986 is what they agree on, so it decides what is the same path, and
 * where servers are known to go beyond it, a request must be allowed both ways:
 *
 *   written    %41 is A: an escaped letter, digit, `-`, `.`, `_` or `~` is that character (6.2.2.2). Any other escape is data:
 *              %2F is not `/` (2.2), %C3%A9 stays as it is
 *   slashes    //a may be /a
 *   parameters /a;v=1/b may be /a/b (servlets)
 *   backslash  \ may be /
 *   dots       /a/./b and /a/../b may be /a/b and /b
 *
 * A path is evasive when it hides where it leads: dot segments in anything but the plainest form (escaped beyond `written`, once
 * or many times, behind a backslash or a parameter, beside another of these steps), a NUL, or a character that has a
 * meaning in paths and is written as no UTF-8 allows (%c0%af) or as %u002f. No pattern matches it. For nobody who means
 * well sends that: clients take dot segments away before they ask.
 *
 * What a rule spells out itself is meant: see path-pattern.ts. The query string is not touched.
 *
 * All of it is one pass over the path for each step, at most four readings, and nothing at all for a path that has none
 * of the characters in question. A longer path with such characters than MAX_INTERPRETED_BYTES is evasive.
 */
import { QUESTION, SEMICOLON, SLASH } from '../http1/syntax.ts';

const MAX_INTERPRETED_BYTES = 4096;

/** What of a path may be read in another way, for PathPattern. */
export const HAS_SLASHES = 1;
export const HAS_PARAMETERS = 2;
export const HAS_OTHER = 4;

const PERCENT = 37;
const BACKSLASH = 92;
const DOT = 46;
const HASH = 35;
const NOT_ASCII = 0x80;

/** The path and query of a request, as rules see them. */
export interface PathView {
  /** As they came. */
  readonly target: string;
  /** What they may mean: `written` first; null = it is evasive. At least one rule must allow each. */
  readonly readings: readonly (string | null)[];
  /** HAS_* bits. */
  readonly features: number;
}

/** Whether bytes[from, to) has but one reading, itself. */
export function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  let previous = 0;
  for (let p = from; p < to; p++) {
    const byte = bytes[p];
    if (byte === QUESTION) return true;
    if (byte === PERCENT || byte === SEMICOLON || byte === BACKSLASH || byte >= NOT_ASCII) return false;
    if ((byte === SLASH || byte === DOT) && previous === SLASH) return false;
    previous = byte;
  }
  return true;
}

/** @param target path and query, one character a byte */
export function viewPath(target: string): PathView {
  const [path, query] = splitTarget(target);
  if (path.length > MAX_INTERPRETED_BYTES) return { target: asText(target), readings: [null], features: HAS_OTHER };
  const written = decodeUnreserved(path);
  const features = featuresOf(written);
  const readings = (readingsOf(path, written, features) ?? []).map((reading) => asText(reading + query));
  // An evasive path keeps the reading that a rule may spell out, and has one that no pattern matches.
  return {
    target: asText(target),
    readings: readings.length > 0 ? readings : [asText(written + query), null],
    features,
  };
}

function splitTarget(target: string): readonly [path: string, query: string] {
  const question = target.indexOf('?');
  return question < 0 ? [target, ''] : [target.slice(0, question), target.slice(question)];
}

/** The first reading of a target: its path without escapes that it does not need, its query as it is. */
export function writtenTarget(target: string): string {
  const [path, query] = splitTarget(target);
  return decodeUnreserved(path) + query;
}

/** @returns undefined for an evasive path */
function readingsOf(path: string, written: string, features: number): readonly string[] | undefined {
  bold.read(path);
  if (bold.isDisguised) return undefined;
  if (bold.hasDotSegment) {
    const isPlainest = features === 0 && bold.equals(written);
    return isPlainest ? [written, removeDots(written)] : undefined;
  }
  if ((features & HAS_OTHER) === 0) return bySlashesAndParameters(written, features);
  return features === HAS_OTHER ? bySlashesAndParameters(written.replaceAll('\\', '/'), 0, written) : undefined;
}

/** @param other a reading beside these */
function bySlashesAndParameters(path: string, features: number, other = path): readonly string[] {
  const found = new Set([other, path]);
  if ((features & HAS_PARAMETERS) !== 0) found.add(path.replace(/;[^/]*/g, ''));
  for (const reading of [...found]) found.add(reading.replace(/\/\/+/g, '/'));
  return [...found];
}

function featuresOf(path: string): number {
  const slashes = path.includes('//') ? HAS_SLASHES : 0;
  const parameters = path.includes(';') ? HAS_PARAMETERS : 0;
  return slashes | parameters | (path.includes('\\') ? HAS_OTHER : 0);
}

/** Escapes of characters that never need one, as the characters (RFC 3986 2.3). */
export function decodeUnreserved(path: string): string {
  if (!path.includes('%')) return path;
  return path.replace(UNRESERVED_ESCAPE, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** %2D %2E %30-%39 %41-%5A %5F %61-%7A %7E */
const UNRESERVED_ESCAPE = /%(2[DEde]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])/g;

/**
 * The path as the boldest reader has it: escapes of escapes, of any depth, and all spellings of a character, are that character.
 * One pass: the output is a stack, and what ends it is looked at again after each character, which only shortens it. A dot
 * segment of any lesser reading is one here too, for no step takes a dot or a slash away. One object is used for each path.
 */
class BoldReading {
  /** A character with a meaning was found in a spelling that nobody uses for it, or a NUL. */
  isDisguised = false;
  readonly #bytes = new Uint8Array(MAX_INTERPRETED_BYTES);
  #length = 0;

  read(path: string): void {
    this.isDisguised = false;
    this.#length = 0;
    for (let i = 0; i < path.length; i++) {
      this.#push(path.charCodeAt(i));
      while (this.#reduce());
    }
  }

  equals(text: string): boolean {
    if (text.length !== this.#length) return false;
    for (let i = 0; i < this.#length; i++) if (this.#bytes[i] !== text.charCodeAt(i)) return false;
    return true;
  }

  get hasDotSegment(): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < this.#length; i++) {
      if (bytes[i] !== DOT || (i > 0 && !isSlash(bytes[i - 1]))) continue;
      const end = bytes[i + 1] === DOT && i + 1 < this.#length ? i + 2 : i + 1;
      if (end >= this.#length || isSlash(bytes[end]) || ENDS_SEGMENT.has(bytes[end])) return true;
    }
    return false;
  }

  #push(byte: number): void {
    if (byte === 0) this.isDisguised = true;
    this.#bytes[this.#length++] = byte;
  }

  /** @returns whether the end of the output became shorter */
  #reduce(): boolean {
    const bytes = this.#bytes;
    const end = this.#length;
    if (bytes[end - 1] >= 0x80) return (bytes[end - 1] & 0xc0) === 0x80 && this.#reduceOverlong(end);
    if (end >= 3 && bytes[end - 3] === PERCENT) {
      const value = hexAt(bytes, end - 2, end);
      if (value >= 0) return this.#replace(3, value);
    }
    if (end < 6 || bytes[end - 6] !== PERCENT || (bytes[end - 5] | 0x20) !== LETTER_U) return false;
    const value = hexAt(bytes, end - 4, end);
    const isWide = value >= 0xff01 && value <= 0xff5e;
    return ((value >= 0 && value < 0x80) || isWide) && this.#disguise(6, isWide ? (value - 0xfee0) & 0x7f : value);
  }

  /** UTF-8 of more bytes than the character needs: C0 and C1 before one, E0 before 80 and 81, F0 80 before 80 and 81. */
  #reduceOverlong(end: number): boolean {
    const bytes = this.#bytes;
    const lead = end < 2 ? 0 : bytes[end - 2];
    const value = ((lead & 1) << 6) | (bytes[end - 1] & 63);
    if ((lead & 0xfe) === 0xc0) return this.#disguise(2, value);
    if ((lead & 0xfe) !== 0x80 || end < 3) return false;
    if (bytes[end - 3] === 0xe0) return this.#disguise(3, value);
    return end >= 4 && bytes[end - 3] === 0x80 && bytes[end - 4] === 0xf0 && this.#disguise(4, value);
  }

  #disguise(count: number, value: number): boolean {
    if (MEANINGFUL.has(value)) this.isDisguised = true;
    return this.#replace(count, value);
  }

  #replace(count: number, value: number): boolean {
    this.#length -= count;
    this.#push(value);
    return true;
  }
}

const bold = new BoldReading();
const LETTER_U = 0x75;
const MEANINGFUL = new Set([0, HASH, PERCENT, DOT, SLASH, SEMICOLON, QUESTION, BACKSLASH]);
const ENDS_SEGMENT = new Set([HASH, SEMICOLON, QUESTION]);

function isSlash(byte: number): boolean {
  return byte === SLASH || byte === BACKSLASH;
}

/** Values of hex digits, -1 for all other bytes. */
const HEX = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  HEX[value.toString(16).charCodeAt(0)] = value;
  HEX[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}

/** The value of the hex digits bytes[from, to), -1 when they are none. */
function hexAt(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    if (HEX[bytes[i]] < 0) return -1;
    value = value * 16 + HEX[bytes[i]];
  }
  return value;
}

/** RFC 3986 5.2.4. */
function removeDots(path: string): string {
  const output: string[] = [];
  const segments = path.split('/');
  segments.forEach((segment, index) => {
    const isLast = index === segments.length - 1;
    if (segment === '..') {
      if (output.length > 1) output.pop();
      if (isLast) output.push('');
    } else if (segment === '.') {
      if (isLast) output.push('');
    } else output.push(segment);
  });
  return output.join('/');
}

/** Bytes as text: UTF-8 when they are, else a character a byte. */
export function asText(latin1: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (/^[\x00-\x7f]*$/.test(latin1)) return latin1;
  const text = Buffer.from(latin1, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? latin1 : text;
}
