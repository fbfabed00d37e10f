/**
 * Server names and the patterns of policies, compared byte by byte, in one pass over each label and without a string.
 *
 *   1. A name is letters, digits, `-` and `_` between dots; case and a final dot say nothing. Anything else is no name.
 *   2. A pattern of stars only is every name.
 *   3. `**.` at the start is one or more labels; any other run of stars is any part of one label, possibly nothing.
 *
 * A star inside a label is found without going back further than the last star, so that no pattern makes a name expensive.
 */
import { matchesLabel } from '../../wire/label-pattern.ts';

/** The longest name (RFC 1035). */
export const MAX_SERVER_NAME = 255; // bytes

/** What a byte of a name is in lower case; 0 = it stands in none. */
const LOWER = new Uint8Array(256);
for (const byte of Buffer.from('-_0123456789abcdefghijklmnopqrstuvwxyz.')) LOWER[byte] = byte;
for (const byte of Buffer.from('abcdefghijklmnopqrstuvwxyz')) LOWER[byte - 32] = byte;

/** A name as it is compared; one is used for many. */
export class ServerName {
  readonly bytes: Uint8Array = new Uint8Array(MAX_SERVER_NAME + 1);
  length = 0;
  labels = 0;
  /** Where label i begins; label `labels` would begin behind the end and a dot. */
  readonly labelAt: Uint16Array = new Uint16Array(MAX_SERVER_NAME + 2);
  /** Two dots stand together, or one at the front. */
  hasEmptyLabel = false;

  /** Takes from[start, end). @returns false when it is no name: it matches nothing */
  load(from: Uint8Array, start: number, end: number): boolean {
    const stop = end > start && from[end - 1] === 0x2e ? end - 1 : end;
    this.length = 0;
    this.labels = 0;
    this.hasEmptyLabel = false;
    if (stop === start || stop - start > MAX_SERVER_NAME) return false;
    this.labelAt[0] = 0;
    for (let at = start; at < stop; at++) {
      const byte = LOWER[from[at]];
      if (byte === 0) return false;
      if (byte === 0x2e) this.#endLabel();
      this.bytes[this.length++] = byte;
    }
    this.#endLabel();
    return true;
  }

  #endLabel(): void {
    if (this.labelAt[this.labels] === this.length) this.hasEmptyLabel = true;
    this.labels++;
    this.labelAt[this.labels] = this.length + 1;
  }
}

interface NamePattern {
  readonly isAll: boolean;
  /** One or more labels stand before `labels`. */
  readonly isLeading: boolean;
  /** Each with stars, a run of them as one. */
  readonly labels: readonly Uint8Array[];
}

function compile(pattern: string): NamePattern {
  const text = pattern.toLowerCase().trim().replace(/\.$/, '');
  if (/^\*+$/.test(text)) return { isAll: true, isLeading: false, labels: [] };
  const leading = /^\*{2,}\./.exec(text);
  const labels = (leading === null ? text : text.slice(leading[0].length)).replace(/\*+/g, '*').split('.');
  return { isAll: false, isLeading: leading !== null, labels: labels.map((label) => Buffer.from(label)) };
}

/** The `serverNames` of one rule. */
export class ServerNames {
  readonly #patterns: readonly NamePattern[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(compile);
  }

  /** Precondition: `load` took the name. */
  matches(name: ServerName): boolean {
    for (let i = 0; i < this.#patterns.length; i++) if (matchesPattern(this.#patterns[i], name)) return true;
    return false;
  }
}

function matchesPattern({ isAll, isLeading, labels }: NamePattern, name: ServerName): boolean {
  if (isAll) return !name.hasEmptyLabel;
  const before = name.labels - labels.length;
  if (isLeading ? before < 1 : before !== 0) return false;
  for (let i = 0; i < before; i++) if (name.labelAt[i] === name.labelAt[i + 1] - 1) return false;
  for (let i = labels.length - 1; i >= 0; i--) if (!isLabelOf(name, before + i, labels[i])) return false;
  return true;
}

function isLabelOf({ bytes, labelAt }: ServerName, label: number, pattern: Uint8Array): boolean {
  return matchesLabel(pattern, bytes, labelAt[label], labelAt[label + 1] - 1);
}
