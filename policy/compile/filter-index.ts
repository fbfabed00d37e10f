/**
 * Filters by the ports they are about: who covers port 443, and where in a range does another filter begin or end?
 *
 * The index keeps the aligned blocks that make up each range, so that the filters of a port are found in the at most 17
 * blocks around it.
 */
import type { Filter } from './l4-filter.ts';
import { portBlocks } from '../rule/port-range.ts';
import type { PortNames } from './port-names.ts';

export class FilterIndex {
  readonly #filters: readonly Filter[];
  /** Indexes into `#filters`, by block. */
  readonly #blocks = new Map<string, number[]>();
  /** Ports where something begins, or something ended just before, rising; by protocol. */
  readonly #borders = new Map<number, readonly number[]>();

  /** @param portNames what names mean now */
  constructor(filters: readonly Filter[], portNames: PortNames) {
    this.#filters = filters;
    const borders = new Map<number, Set<number>>();
    filters.forEach((filter, index) => {
      if (filter.isIcmp) return;
      const known = borders.get(filter.protocol) ?? new Set();
      borders.set(filter.protocol, known);
      for (const [first, last] of rangesOf(filter, portNames)) {
        known.add(first).add(last + 1);
        for (const { port, prefix } of portBlocks(first, last))
          this.#add(blockKey(filter.protocol, port, prefix), index);
      }
    });
    for (const [protocol, known] of borders)
      this.#borders.set(
        protocol,
        [...known].sort((a, b) => a - b),
      );
  }

  #add(key: string, index: number): void {
    const indexes = this.#blocks.get(key);
    if (indexes === undefined) this.#blocks.set(key, [index]);
    else if (indexes.at(-1) !== index) indexes.push(index);
  }

  /** Filters that say something about the port, in their order; a name counts that means the port to anyone. */
  covering(protocol: number, port: number): Filter[] {
    const indexes = [...(this.#blocks.get(blockKey(0, 0, 0)) ?? [])];
    for (let prefix = 0; prefix <= 16; prefix++) {
      const size = 2 ** (16 - prefix);
      for (const index of this.#blocks.get(blockKey(protocol, port - (port % size), prefix)) ?? []) indexes.push(index);
    }
    return indexes.sort((a, b) => a - b).map((index) => this.#filters[index]);
  }

  /** Borders within the range: above `first`, at most `last`. */
  bordersIn(protocol: number, first: number, last: number): number[] {
    const borders = this.#borders.get(protocol) ?? [];
    const found: number[] = [];
    for (let i = firstAbove(borders, first); i < borders.length && borders[i] <= last; i++) found.push(borders[i]);
    return found;
  }
}

/** Ports that the filter is about; of a name, those that somebody gives it. */
function rangesOf({ protocol, port, endPort, name }: Filter, portNames: PortNames): [number, number][] {
  if (name !== undefined) return portNames.numbersOf(protocol, name).map((number) => [number, number]);
  return protocol === 0 || port === 0 ? [[0, 65535]] : [[port, endPort]];
}

function blockKey(protocol: number, port: number, prefix: number): string {
  return `${protocol}/${port}/${prefix}`;
}

/** The index of the first number above `limit`. */
function firstAbove(rising: readonly number[], limit: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rising[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}
