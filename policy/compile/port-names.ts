/** Which identities have which port names, and for which numbers: what egress rules with named ports go by. */
import { MultiMap } from '../rule/multi-map.ts';
import type { NamedPort } from '../rule/spec.ts';

export class PortNames {
  /** identity -> `protocol/name` -> port -> how many pods say so. */
  readonly #byIdentity = new Map<number, Map<string, Map<number, number>>>();
  readonly #byName = new MultiMap<string, number>();

  /** @returns names whose numbers changed for the identity */
  add(identity: number, ports: readonly NamedPort[]): string[] {
    return ports.filter((port) => this.#count(identity, port, 1)).map(({ name }) => name);
  }

  /** @returns names whose numbers changed for the identity */
  remove(identity: number, ports: readonly NamedPort[]): string[] {
    return ports.filter((port) => this.#count(identity, port, -1)).map(({ name }) => name);
  }

  #count(identity: number, { name, protocol, port }: NamedPort, by: 1 | -1): boolean {
    const names = this.#byIdentity.get(identity) ?? new Map<string, Map<number, number>>();
    this.#byIdentity.set(identity, names);
    const key = `${protocol}/${name}`;
    const numbers = names.get(key) ?? new Map<number, number>();
    names.set(key, numbers);
    const before = numbers.get(port) ?? 0;
    if (before + by > 0) numbers.set(port, before + by);
    else numbers.delete(port);
    if (numbers.size === 0) names.delete(key);
    if (names.size === 0) this.#byIdentity.delete(identity);
    this.#indexName(identity, name);
    return (before === 0) !== (before + by === 0);
  }

  #indexName(identity: number, name: string): void {
    const keys = this.#byIdentity.get(identity)?.keys() ?? [];
    const hasName = [...keys].some((key) => key.slice(key.indexOf('/') + 1) === name);
    this.#byName[hasName ? 'add' : 'remove'](name, identity);
  }

  portsOf(identity: number, protocol: number, name: string): number[] {
    return [...(this.#byIdentity.get(identity)?.get(`${protocol}/${name}`)?.keys() ?? [])];
  }

  /** `protocol/name` and `protocol/name/number` of whatever the identity names. */
  *keysOf(identity: number): Iterable<string> {
    for (const [key, numbers] of this.#byIdentity.get(identity) ?? []) {
      yield key;
      for (const number of numbers.keys()) yield `${key}/${number}`;
    }
  }

  /** Every number that some identity gives the name, rising. */
  numbersOf(protocol: number, name: string): number[] {
    const numbers = new Set<number>();
    for (const identity of this.identitiesNaming(name)) {
      for (const port of this.portsOf(identity, protocol, name)) numbers.add(port);
    }
    return [...numbers].sort((a, b) => a - b);
  }

  identitiesNaming(name: string): ReadonlySet<number> {
    return this.#byName.get(name);
  }

  /** Equal for identities that give these names the same numbers; '' when they have none of them. */
  signature(identity: number, names: ReadonlySet<string>): string {
    const parts: string[] = [];
    for (const [key, numbers] of this.#byIdentity.get(identity) ?? []) {
      if (names.has(key.slice(key.indexOf('/') + 1))) parts.push(`${key}=${[...numbers.keys()].sort().join('+')}`);
    }
    return parts.length === 0 ? '' : `|${parts.sort().join('|')}`;
  }
}
