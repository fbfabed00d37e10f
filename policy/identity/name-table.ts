/**
 * DNS names with the addresses they were seen to have, and the FQDN selectors of policies that match them. Both are filed
 * under the labels they end in, so that a name is tried on the selectors that it may match and no others.
 */
import { type Prefix, parsePrefix } from '../rule/cidr.ts';
import { fqdnRegExp, normalizeName, tailOf, tailsOf } from '../rule/fqdn.ts';
import type { PrefixTable } from './prefix-table.ts';

interface Selector {
  readonly pattern: string;
  readonly regexp: RegExp;
  readonly tail: string;
  uses: number;
  /** Address -> how many matching names have it. */
  readonly addresses: Map<string, number>;
}

export class NameTable {
  readonly #names = new Map<string, Map<string, Prefix>>();
  readonly #selectors = new Map<string, Selector>();
  /** Names by each of their tails, and selectors by theirs. */
  readonly #namesByTail = new Map<string, Set<string>>();
  readonly #selectorsByTail = new Map<string, Set<Selector>>();

  readonly #prefixes: PrefixTable;

  constructor(prefixes: PrefixTable) {
    this.#prefixes = prefixes;
  }

  /** Replaces the addresses of a name; none = the name is forgotten. */
  set(name: string, addresses: readonly string[]): void {
    const key = normalizeName(name);
    const before = this.#names.get(key) ?? new Map<string, Prefix>();
    const after = new Map(addresses.map((text) => parsePrefix(text, 'host')).map((prefix) => [prefix.text, prefix]));
    for (const selector of this.#matching(key)) {
      for (const [text, prefix] of after) if (!before.has(text)) this.#count(selector, prefix, 1);
      for (const [text, prefix] of before) if (!after.has(text)) this.#count(selector, prefix, -1);
    }
    if (after.size === 0) this.#names.delete(key);
    else this.#names.set(key, after);
    for (const tail of tailsOf(key)) (after.size === 0 ? unfile : file)(this.#namesByTail, tail, key);
  }

  #matching(name: string): Selector[] {
    const candidates = tailsOf(name).flatMap((tail) => [...(this.#selectorsByTail.get(tail) ?? [])]);
    return candidates.filter(({ regexp }) => regexp.test(name));
  }

  use(fqdn: { matchName?: string; matchPattern?: string }): void {
    const pattern = fqdn.matchName ?? fqdn.matchPattern ?? '';
    const known = this.#selectors.get(pattern);
    if (known !== undefined) {
      known.uses++;
      return;
    }
    const selector = { pattern, regexp: fqdnRegExp(fqdn), tail: tailOf(fqdn), uses: 1, addresses: new Map() };
    this.#selectors.set(pattern, selector);
    file(this.#selectorsByTail, selector.tail, selector);
    for (const name of this.#namesByTail.get(selector.tail) ?? []) {
      if (!selector.regexp.test(name)) continue;
      for (const prefix of this.#names.get(name)?.values() ?? []) this.#count(selector, prefix, 1);
    }
  }

  unuse(fqdn: { matchName?: string; matchPattern?: string }): void {
    const selector = this.#selectors.get(fqdn.matchName ?? fqdn.matchPattern ?? '');
    if (selector === undefined || --selector.uses > 0) return;
    this.#selectors.delete(selector.pattern);
    unfile(this.#selectorsByTail, selector.tail, selector);
    for (const text of selector.addresses.keys()) this.#prefixes.setName(parsePrefix(text), selector.pattern, false);
  }

  /** Patterns of live policies: what the DNS proxy must learn addresses for. */
  patterns(): string[] {
    return [...this.#selectors.keys()];
  }

  /** Is the name one that a policy selects? */
  isSelected(name: string): boolean {
    return this.#matching(normalizeName(name)).length > 0;
  }

  #count(selector: Selector, prefix: Prefix, by: 1 | -1): void {
    const before = selector.addresses.get(prefix.text) ?? 0;
    if (before + by > 0) selector.addresses.set(prefix.text, before + by);
    else selector.addresses.delete(prefix.text);
    if (before > 0 !== before + by > 0) this.#prefixes.setName(prefix, selector.pattern, by > 0);
  }
}

function file<V>(table: Map<string, Set<V>>, tail: string, value: V): void {
  const set = table.get(tail);
  if (set === undefined) table.set(tail, new Set([value]));
  else set.add(value);
}

function unfile<V>(table: Map<string, Set<V>>, tail: string, value: V): void {
  const set = table.get(tail);
  if (set?.delete(value) && set.size === 0) table.delete(tail);
}
