/**
 * DNS names with the addresses they were seen to have, and the name patterns of policies (toFQDNs) that match them. The
 * table finds both by the labels they end in, so that it tries a name on the patterns that may match it and on no others.
 */
import { MultiMap } from '../rule/multi-map.ts';
import { fqdnRegExp, normalizeName, tailOf, tailsOf } from '../../wire/fqdn.ts';
import type { PrefixTable } from './prefix-table.ts';
import { parsePrefix, type Prefix } from '../../wire/prefix.ts';

/** `toFQDNs` names by name or by pattern. */
interface Fqdn {
  readonly matchName?: string;
  readonly matchPattern?: string;
}

interface NamePattern {
  /** As the policy wrote it. */
  readonly text: string;
  readonly regexp: RegExp;
  readonly tail: string;
  uses: number;
  /** Address -> how many matching names have it. */
  readonly addresses: Map<string, number>;
}

export class NameTable {
  readonly #names = new Map<string, Map<string, Prefix>>();
  readonly #patterns = new Map<string, NamePattern>();
  /** A tail is the labels that a name or a pattern ends in: a name has many, a pattern one. */
  readonly #namesByTail = new MultiMap<string, string>();
  readonly #patternsByTail = new MultiMap<string, NamePattern>();

  readonly #prefixes: PrefixTable;

  constructor(prefixes: PrefixTable) {
    this.#prefixes = prefixes;
  }

  /** Replaces the addresses of a name; none = the name is forgotten. */
  set(name: string, addresses: readonly string[]): void {
    const key = normalizeName(name);
    const before = this.#names.get(key) ?? new Map<string, Prefix>();
    const after = new Map(addresses.map((text) => parsePrefix(text, 'host')).map((prefix) => [prefix.text, prefix]));
    for (const pattern of this.#matching(key)) {
      for (const [text, prefix] of after) if (!before.has(text)) this.#count(pattern, prefix, 1);
      for (const [text, prefix] of before) if (!after.has(text)) this.#count(pattern, prefix, -1);
    }
    if (after.size === 0) this.#names.delete(key);
    else this.#names.set(key, after);
    for (const tail of tailsOf(key)) this.#namesByTail[after.size === 0 ? 'remove' : 'add'](tail, key);
  }

  #matching(name: string): NamePattern[] {
    const candidates = tailsOf(name).flatMap((tail) => [...this.#patternsByTail.get(tail)]);
    return candidates.filter(({ regexp }) => regexp.test(name));
  }

  use(fqdn: Fqdn): void {
    const text = textOf(fqdn);
    const known = this.#patterns.get(text);
    if (known !== undefined) {
      known.uses++;
      return;
    }
    const pattern: NamePattern = { text, regexp: fqdnRegExp(fqdn), tail: tailOf(fqdn), uses: 1, addresses: new Map() };
    this.#patterns.set(text, pattern);
    this.#patternsByTail.add(pattern.tail, pattern);
    for (const name of this.#namesByTail.get(pattern.tail)) {
      if (!pattern.regexp.test(name)) continue;
      for (const prefix of this.#names.get(name)?.values() ?? []) this.#count(pattern, prefix, 1);
    }
  }

  unuse(fqdn: Fqdn): void {
    const pattern = this.#patterns.get(textOf(fqdn));
    if (pattern === undefined || --pattern.uses > 0) return;
    this.#patterns.delete(pattern.text);
    this.#patternsByTail.remove(pattern.tail, pattern);
    for (const address of pattern.addresses.keys()) this.#prefixes.setName(parsePrefix(address), pattern.text, false);
  }

  /** Patterns of live policies: what the DNS proxy must learn addresses for. */
  patterns(): string[] {
    return [...this.#patterns.keys()];
  }

  /** Is the name one that a policy selects? */
  isSelected(name: string): boolean {
    return this.#matching(normalizeName(name)).length > 0;
  }

  #count(pattern: NamePattern, prefix: Prefix, by: 1 | -1): void {
    const before = pattern.addresses.get(prefix.text) ?? 0;
    if (before + by > 0) pattern.addresses.set(prefix.text, before + by);
    else pattern.addresses.delete(prefix.text);
    if (before > 0 !== before + by > 0) this.#prefixes.setName(prefix, pattern.text, by > 0);
  }
}

function textOf({ matchName, matchPattern }: Fqdn): string {
  return matchName ?? matchPattern ?? '';
}
