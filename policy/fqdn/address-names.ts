/** The other way round: the names that addresses have, for who sees the addresses. Most have one, which takes no set. */

/** A pod may be told one address for thousands of names, and each flow tells them. */
export const MAX_NAMES_OF_ADDRESS = 16;

export class AddressNames {
  readonly #names = new Map<string, string | Set<string>>();

  add(address: string, name: string): void {
    const known = this.#names.get(address);
    if (known === undefined) this.#names.set(address, name);
    else if (typeof known !== 'string') known.add(name);
    else if (known !== name) this.#names.set(address, new Set([known, name]));
  }

  remove(address: string, name: string): void {
    const known = this.#names.get(address);
    const isLast = typeof known === 'string' ? known === name : known?.delete(name) === true && known.size === 0;
    if (isLast) this.#names.delete(address);
  }

  /** The first few, in the order in which they came. */
  of(address: string): string[] {
    const known = this.#names.get(address) ?? [];
    if (typeof known === 'string') return [known];
    const found: string[] = [];
    for (const name of known) if (found.push(name) === MAX_NAMES_OF_ADDRESS) break;
    return found;
  }
}
