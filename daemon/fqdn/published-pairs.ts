/**
 * The pinned table of published pairs (policy-maps/fqdn-map.ts): the agent's pen. A pair that finds no room is left out; the
 * dataplane then holds each answer that brings it, which is slower and just as right.
 */
import type { FqdnMap, NameHash } from '../../policy-maps/fqdn-map.ts';
import type { MapFullError } from '../../policy-maps/table/map-error.ts';
import type { Pair } from '../../policy/fqdn/name-cache.ts';
import { DomainName } from '../../wire/dns/name.ts';

export class PublishedPairs {
  readonly #map: FqdnMap;
  readonly #name = new DomainName();
  /** Pairs that found no room, since the start. */
  unplaced = 0;

  constructor(map: FqdnMap) {
    this.#map = map;
  }

  /** Makes answers with these pairs pass at once. Call when all that speaks of them is published. */
  put(pairs: readonly Pair[]): void {
    for (const pair of pairs) {
      const hash = this.#hashOf(pair);
      if (hash === undefined) continue;
      try {
        this.#map.set(hash, pair.prefix.words, Math.max(1, Math.floor(pair.expiresSec)));
      } catch (error) {
        if ((error as MapFullError).code !== 'ERR_MAP_FULL') throw error;
        this.unplaced++;
      }
    }
  }

  /** Makes answers with these pairs wait again. Call before anything forgets them. */
  remove(pairs: readonly Pair[]): void {
    for (const pair of pairs) {
      const hash = this.#hashOf(pair);
      if (hash !== undefined) this.#map.remove(hash, pair.prefix.words);
    }
  }

  /** Takes out what an earlier agent published and nobody knows any more: before the first publication. */
  keepOnly(pairs: Iterable<Pair>): void {
    const wanted = new Set<string>();
    for (const pair of pairs) wanted.add([...(this.#hashOf(pair) ?? []), ...pair.prefix.words].join());
    for (const { name, address } of [...this.#map.entries()])
      if (!wanted.has([...name, ...address].join())) this.#map.remove(name, address);
  }

  #hashOf({ name }: Pair): NameHash | undefined {
    return this.#name.loadText(name) ? this.#map.hashOf(this.#name.bytes, this.#name.length) : undefined;
  }
}
