/**
 * The names of one DNS list, compiled to what is compared on the wire: labels, in lower case. It says the same as the regular
 * expressions that choose addresses by name (wire/fqdn.ts), which a test compares with it; but a dot inside a label is no
 * dot between labels here.
 *
 *   1. A name with any byte but letters, digits, `-` and `_` matches nothing.
 *   2. `matchName`: the whole name; all of a list are in one table, by a keyed hash.
 *   3. A pattern of stars only: every name, the root too.
 *   4. `**.` at the start: one or more labels. Any other run of stars: any part of one label, possibly nothing.
 */
import type { DnsRule } from '../../policy-maps/l7-rules.ts';
import { DomainName } from '../../wire/dns/name.ts';
import { matchesLabel } from '../../wire/label-pattern.ts';

export class NameRules {
  readonly #names: NameSet;
  readonly #patterns: readonly NamePattern[];

  /** @param seed for the hash of names, random at start */
  constructor(rules: readonly DnsRule[], seed: number) {
    const names = rules.map(({ matchName }) => matchName ?? '').filter((name) => name !== '');
    const patterns = rules.filter(({ matchName }) => (matchName ?? '') === '').map((rule) => rule.matchPattern ?? '');
    this.#names = new NameSet(names, seed);
    this.#patterns = patterns.flatMap((pattern) => compilePattern(pattern) ?? []);
  }

  matches(name: DomainName): boolean {
    if (!name.isPlain) return false;
    if (this.#names.has(name)) return true;
    for (let i = 0; i < this.#patterns.length; i++) if (matchesPattern(this.#patterns[i], name)) return true;
    return false;
  }
}

/** Names in an open table of at least twice their number. */
class NameSet {
  readonly #seed: number;
  readonly #names: readonly Uint8Array[];
  /** Index in `names` + 1; 0 = free. */
  readonly #table: Int32Array;

  constructor(texts: readonly string[], seed: number) {
    const name = new DomainName();
    this.#seed = seed;
    this.#names = texts.filter((text) => name.loadText(text)).map((text) => wireForm(name, text));
    this.#table = new Int32Array(2 << Math.ceil(Math.log2(this.#names.length + 1)));
    for (const [i, bytes] of this.#names.entries()) {
      name.load(bytes, 0, bytes.length, 0);
      let at = this.#startOf(name);
      while (this.#table[at] !== 0) at = (at + 1) & (this.#table.length - 1);
      this.#table[at] = i + 1;
    }
  }

  has(name: DomainName): boolean {
    if (this.#names.length === 0) return false;
    for (let at = this.#startOf(name); this.#table[at] !== 0; at = (at + 1) & (this.#table.length - 1)) {
      const bytes = this.#names[this.#table[at] - 1];
      if (name.equals(bytes, bytes.length)) return true;
    }
    return false;
  }

  #startOf(name: DomainName): number {
    return name.hash(this.#seed) & (this.#table.length - 1);
  }
}

function wireForm(name: DomainName, text: string): Uint8Array {
  name.loadText(text);
  return name.bytes.slice(0, name.length);
}

interface NamePattern {
  /** Every name. */
  readonly isAll: boolean;
  /** One or more labels stand before `labels`. */
  readonly isLeading: boolean;
  /** Each with stars, a run of them as one. */
  readonly labels: readonly Uint8Array[];
}

/** @returns undefined for a pattern that matches nothing */
function compilePattern(pattern: string): NamePattern | undefined {
  const text = pattern.toLowerCase().trim().replace(/\.$/, '');
  if (pattern.trim() === '.') return { isAll: false, isLeading: false, labels: [] };
  if (text === '') return undefined;
  if (/^\*+$/.test(text)) return { isAll: true, isLeading: false, labels: [] };
  const leading = /^\*{2,}\./.exec(text);
  const labels = (leading === null ? text : text.slice(leading[0].length)).replace(/\*+/g, '*').split('.');
  if (labels.includes('')) return undefined;
  return { isAll: false, isLeading: leading !== null, labels: labels.map((label) => Buffer.from(label, 'latin1')) };
}

function matchesPattern({ isAll, isLeading, labels }: NamePattern, name: DomainName): boolean {
  if (isAll) return true;
  const before = name.labels - labels.length;
  if (isLeading ? before < 1 : before !== 0) return false;
  for (let i = 0; i < labels.length; i++) {
    const at = name.labelAt[before + i];
    if (!matchesLabel(labels[i], name.bytes, at + 1, at + 1 + name.bytes[at])) return false;
  }
  return true;
}
