/**
 * Addresses for pods that bring none of their own.
 *
 * Each owner (a pod's `namespace/name`) holds at most one address a family. An address is either claimed (the manifest
 * names it) or drawn from the range of its family. Draws go round the range, so that an address just given up is the last
 * to be given out again: connections of its former owner are still in conntrack. The network address, the broadcast address of
 * an IPv4 range and the router are never given out. What is held is saved with the agent's state, so that a pod keeps its address
 * when the agent restarts.
 */
import { type Address, addressFrom, isInside, parseAddress, type Range, reservedUse } from './range.ts';

/** Owner -> addresses as text; the form in which the pool is saved. */
export type Holdings = Record<string, string[]>;

/** The pool of all families. */
export class Ipam {
  readonly #ranges: readonly Range[];
  readonly #reserved: ReadonlySet<string>;
  readonly #hostAddresses: () => readonly string[];
  readonly #ownerOf = new Map<string, string>();
  readonly #held = new Map<string, Address[]>();
  readonly #cursor = new Map<4 | 6, bigint>();
  readonly #floors = new Map<4 | 6, bigint>();

  /**
   * @param ranges at most one a family
   * @param reserved addresses never given out (the router's)
   * @param hostAddresses those that the host has now, as text
   * @param saved what `holdings` answered before the restart; addresses no longer in range stay with their owners
   */
  constructor(
    ranges: readonly Range[],
    reserved: readonly Address[],
    hostAddresses: () => readonly string[],
    saved: Holdings = {},
  ) {
    this.#hostAddresses = hostAddresses;
    this.#ranges = ranges;
    this.#reserved = new Set(reserved.map((address) => address.text));
    for (const [owner, texts] of Object.entries(saved)) {
      for (const text of texts) this.#hold(owner, parseAddress(text));
    }
  }

  /**
   * Notes that `owner` has this address by its manifest. Claiming twice is harmless; another address of the family is
   * given up.
   * @throws RangeError when it is none, none that a pod can have, or another owner's
   */
  claim(owner: string, text: string): Address {
    const address = parseAddress(text);
    const problem = this.#problemOf(address);
    if (problem !== undefined) throw new RangeError(`claim ${text} for ${owner}: it is ${problem}`);
    const holder = this.#ownerOf.get(address.text);
    if (holder !== undefined && holder !== owner) throw new RangeError(`claim ${text} for ${owner}: ${holder} has it`);
    if (holder === undefined) {
      this.#giveUp(owner, address.family);
      this.#hold(owner, address);
    }
    return address;
  }

  #problemOf(address: Address): string | undefined {
    const use = reservedUse(address);
    if (use !== undefined) return `${use}, not an address that a pod can have`;
    if (this.#reserved.has(address.text)) return "the router's address";
    if (this.#hostAddresses().some((text) => text === address.text)) return 'an address of this host';
    const range = this.#ranges.find((candidate) => isInside(candidate, address));
    const isWide = range?.family === 4 && range.length < 31;
    if (isWide && address.value === range.first) return `the network address of ${range.text}`;
    return isWide && address.value === range.last ? `the broadcast address of ${range.text}` : undefined;
  }

  /**
   * The address of `owner` in this family, drawn from the range when it has none; undefined when the family has no range.
   * @throws RangeError when the range is used up
   */
  allocate(owner: string, family: 4 | 6): Address | undefined {
    const held = this.#held.get(owner)?.find((address) => address.family === family);
    if (held !== undefined) return held;
    const range = this.#ranges.find((candidate) => candidate.family === family);
    if (range === undefined) return undefined;
    const address = this.#draw(range);
    if (address === undefined) throw new RangeError(`draw an address for ${owner}: ${range.text} is used up`);
    this.#hold(owner, address);
    return address;
  }

  /** Which range is used up; '' for none. */
  fullness(): string {
    const full = this.#ranges.find((range) => this.#draw(range) === undefined);
    return full === undefined ? '' : `${full.text} is used up`;
  }

  /** Draws are from behind this address while any is free there: what is below is left to those who claim. */
  beginBehind({ family, value }: Address): void {
    this.#floors.set(family, value);
  }

  /** Gives up all addresses of `owner`. */
  release(owner: string): void {
    this.#giveUp(owner, 4);
    this.#giveUp(owner, 6);
    this.#held.delete(owner);
  }

  /** Who has the address, undefined when nobody. */
  ownerOf(address: Address): string | undefined {
    return this.#ownerOf.get(address.text);
  }

  /** All owners with what they hold, for saving. */
  holdings(): Holdings {
    return Object.fromEntries([...this.#held].map(([owner, list]) => [owner, list.map((address) => address.text)]));
  }

  #hold(owner: string, address: Address): void {
    this.#ownerOf.set(address.text, owner);
    this.#held.set(owner, [...(this.#held.get(owner) ?? []), address]);
    const range = this.#ranges.find((candidate) => isInside(candidate, address));
    if (range !== undefined) this.#cursor.set(range.family, address.value);
  }

  #giveUp(owner: string, family: 4 | 6): void {
    const list = this.#held.get(owner) ?? [];
    for (const address of list) if (address.family === family) this.#ownerOf.delete(address.text);
    this.#held.set(
      owner,
      list.filter((address) => address.family !== family),
    );
  }

  #draw(range: Range): Address | undefined {
    const { family, first, last, length } = range;
    const floor = this.#floors.get(family) ?? first;
    const end = family === 4 && length < 31 ? last - 1n : last;
    return this.#freeIn(family, floor + 1n, end) ?? this.#freeIn(family, first + 1n, floor);
  }

  /** The next free one after what was held last, going round. At most one more step than addresses taken: it is that near. */
  #freeIn(family: 4 | 6, first: bigint, last: bigint): Address | undefined {
    const size = last - first + 1n;
    const tries = BigInt(this.#ownerOf.size + this.#reserved.size + 1);
    let value = this.#cursor.get(family) ?? last;
    for (let step = 0n; step < (tries < size ? tries : size); step++) {
      value = value >= last || value < first ? first : value + 1n;
      const address = addressFrom(family, value);
      if (!this.#ownerOf.has(address.text) && !this.#reserved.has(address.text)) return address;
    }
    return undefined;
  }
}
