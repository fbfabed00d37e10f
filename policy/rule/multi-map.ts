/** A table with several values for each key: a key without values is not kept. */

/** What a Map and a PrefixTree have in common. */
interface Table<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
  delete(key: K): unknown;
}

const NONE: ReadonlySet<never> = new Set();

export class MultiMap<K, V> {
  readonly #table: Table<K, Set<V>>;

  /** @param table where the sets are kept; the default finds keys by identity, a PrefixTree prefixes by their bits */
  constructor(table: Table<K, Set<V>> = new Map<K, Set<V>>()) {
    this.#table = table;
  }

  /** The values of a key, in the order in which they came; empty when it has none. */
  get(key: K): ReadonlySet<V> {
    return this.#table.get(key) ?? NONE;
  }

  add(key: K, value: V): void {
    const values = this.#table.get(key);
    if (values === undefined) this.#table.set(key, new Set([value]));
    else values.add(value);
  }

  remove(key: K, value: V): void {
    const values = this.#table.get(key);
    if (values?.delete(value) && values.size === 0) this.#table.delete(key);
  }
}
