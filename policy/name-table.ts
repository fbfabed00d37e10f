/** DNS names with the addresses they were seen to have, and the FQDN selectors of policies that match them. */
import { type Prefix, parsePrefix } from './cidr.ts';
import { fqdnRegExp, normalizeName } from './fqdn.ts';
import type { PrefixTable } from './prefix-table.ts';

interface Selector {
  readonly pattern: string;
  readonly regexp: RegExp;
  uses: number;
  /** Address -> how many matching names have it. */
  readonly addresses: Map<string, number>;
}

export class NameTable {
  private readonly names = new Map<string, Map<string, Prefix>>();
  private readonly selectors = new Map<string, Selector>();

  private readonly prefixes: PrefixTable;

  constructor(prefixes: PrefixTable) {
    this.prefixes = prefixes;
  }

  /** Replaces the addresses of a name; none = the name is forgotten. */
  set(name: string, addresses: readonly string[]): void {
    const key = normalizeName(name);
    const before = this.names.get(key) ?? new Map<string, Prefix>();
    const after = new Map(addresses.map((text) => parsePrefix(text, 'host')).map((prefix) => [prefix.text, prefix]));
    const matching = [...this.selectors.values()].filter(({ regexp }) => regexp.test(key));
    for (const selector of matching) {
      for (const [text, prefix] of after) if (!before.has(text)) this.count(selector, prefix, 1);
      for (const [text, prefix] of before) if (!after.has(text)) this.count(selector, prefix, -1);
    }
    if (after.size === 0) this.names.delete(key);
    else this.names.set(key, after);
  }

  use(fqdn: { matchName?: string; matchPattern?: string }): void {
    const pattern = fqdn.matchName ?? fqdn.matchPattern ?? '';
    const known = this.selectors.get(pattern);
    if (known !== undefined) {
      known.uses++;
      return;
    }
    const selector: Selector = { pattern, regexp: fqdnRegExp(fqdn), uses: 1, addresses: new Map() };
    this.selectors.set(pattern, selector);
    for (const [name, addresses] of this.names) {
      if (selector.regexp.test(name)) for (const prefix of addresses.values()) this.count(selector, prefix, 1);
    }
  }

  unuse(fqdn: { matchName?: string; matchPattern?: string }): void {
    const selector = this.selectors.get(fqdn.matchName ?? fqdn.matchPattern ?? '');
    if (selector === undefined || --selector.uses > 0) return;
    this.selectors.delete(selector.pattern);
    for (const text of selector.addresses.keys()) this.prefixes.setName(parsePrefix(text), selector.pattern, false);
  }

  /** Patterns of live policies: what the DNS proxy must learn addresses for. */
  patterns(): string[] {
    return [...this.selectors.keys()];
  }

  /** Is the name one that a policy selects? */
  isSelected(name: string): boolean {
    const key = normalizeName(name);
    return [...this.selectors.values()].some(({ regexp }) => regexp.test(key));
  }

  private count(selector: Selector, prefix: Prefix, by: 1 | -1): void {
    const before = selector.addresses.get(prefix.text) ?? 0;
    if (before + by > 0) selector.addresses.set(prefix.text, before + by);
    else selector.addresses.delete(prefix.text);
    if (before > 0 !== before + by > 0) this.prefixes.setName(prefix, selector.pattern, by > 0);
  }
}
