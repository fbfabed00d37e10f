/**
 * DNS names with the addresses that policies may take them for, and the name patterns of policies (toFQDNs) that match them.
 * The table finds both by the labels they end in, so that it tries a name on the patterns that may match it and on no others.
 *
 * An address of a name may be there for several reasons (endpoints that learnt it, documents that say so): it is counted, and
 * goes with the last. One address more or less costs the patterns of its name, however many addresses the name has.
 */
import { MultiMap } from '../rule/multi-map.ts';
import { fqdnRegExp, normalizeName, tailOf, tailsOf } from '../../wire/fqdn.ts';
import type { PrefixTable } from '../identity/prefix-table.ts';
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

/** An address of a name. */
interface Known {
  readonly prefix: Prefix;
  /** Why the name has it: how many say so. */
  reasons: number;
}

export class NameTable {
  readonly #names = new Map<string, Map<string, Known>>();
  /** What `set` gave, by name. */
  readonly #given = new Map<string, readonly string[]>();
  readonly #patterns = new Map<string, NamePattern>();
  /** A tail is the labels that a name or a pattern ends in: a name has many, a pattern one. */
  readonly #namesByTail = new MultiMap<string, string>();
  readonly #patternsByTail = new MultiMap<string, NamePattern>();

  readonly #prefixes: PrefixTable;

  constructor(prefixes: PrefixTable) {
    this.#prefixes = prefixes;
  }

  /** Replaces the addresses that a name was given here before; none = the name is forgotten. */
  set(name: string, addresses: readonly string[]): void {
    const key = normalizeName(name);
    const before = this.#given.get(key) ?? [];
    const after = [...new Set(addresses.map((text) => parsePrefix(text, 'host').text))];
    for (const text of after) this.learn(key, parsePrefix(text));
    for (const text of before) this.forget(key, parsePrefix(text));
    if (after.length === 0) this.#given.delete(key);
    else this.#given.set(key, after);
  }

  /** One reason more why a name has an address. @param name normalized */
  learn(name: string, prefix: Prefix): void {
    const addresses = this.#names.get(name) ?? new Map<string, Known>();
    const known = addresses.get(prefix.text);
    if (known !== undefined) {
      known.reasons++;
      return;
    }
    if (addresses.size === 0) {
      this.#names.set(name, addresses);
      for (const tail of tailsOf(name)) this.#namesByTail.add(tail, name);
    }
    addresses.set(prefix.text, { prefix, reasons: 1 });
    for (const pattern of this.#matching(name)) this.#count(pattern, prefix, 1);
  }

  /** The opposite of `learn`. */
  forget(name: string, prefix: Prefix): void {
    const addresses = this.#names.get(name);
    const known = addresses?.get(prefix.text);
    if (addresses === undefined || known === undefined || --known.reasons > 0) return;
    addresses.delete(prefix.text);
    for (const pattern of this.#matching(name)) this.#count(pattern, prefix, -1);
    if (addresses.size > 0) return;
    this.#names.delete(name);
    for (const tail of tailsOf(name)) this.#namesByTail.remove(tail, name);
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
      for (const { prefix } of this.#names.get(name)?.values() ?? []) this.#count(pattern, prefix, 1);
    }
  }

  unuse(fqdn: Fqdn): void {
    const pattern = this.#patterns.get(textOf(fqdn));
    if (pattern === undefined || --pattern.uses > 0) return;
    this.#patterns.delete(pattern.text);
    this.#patternsByTail.remove(pattern.tail, pattern);
    for (const address of pattern.addresses.keys()) this.#prefixes.setName(parsePrefix(address), pattern.text, false);
  }

  /** Whether any live policy names names. */
  get hasPatterns(): boolean {
    return this.#patterns.size > 0;
  }

  /** Patterns of live policies: what the DNS proxy must learn addresses for. */
  patterns(): string[] {
    return [...this.#patterns.keys()];
  }

  /** Each pattern with the names that it matches now, and their addresses. */
  *selectors(): Generator<{ selector: string; names: string[]; ips: string[] }> {
    for (const { text, tail, regexp, addresses } of this.#patterns.values()) {
      const names = [...this.#namesByTail.get(tail)].filter((name) => regexp.test(name));
      const ips = [...addresses.keys()].map((prefix) => prefix.slice(0, prefix.indexOf('/')));
      yield { selector: text, names, ips };
    }
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
