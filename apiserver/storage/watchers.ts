/** Who is told of writes, in the order of the writes: what a watcher writes itself is told after what it was told. */
import type { ResourceName, StoredEvent } from './kube-object.ts';

export type Listener = (event: StoredEvent) => void;

/** Stands for all resources. */
const EVERY = '*';

export class Watchers {
  readonly #listeners = new Map<ResourceName, Set<Listener>>();
  /** Events that wait for those before them. */
  readonly #waiting: StoredEvent[] = [];
  #isTelling = false;

  /** @param resource or `*` @returns a function that ends it */
  add(resource: ResourceName, onEvent: Listener): () => void {
    const found = this.#listeners.get(resource) ?? new Set();
    this.#listeners.set(resource, found);
    // Each call is a watcher of its own, also of the same function.
    const listener: Listener = (event) => onEvent(event);
    found.add(listener);
    return () => found.delete(listener);
  }

  tell(event: StoredEvent): void {
    this.#waiting.push(event);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) this.#tellNow(next);
    } finally {
      this.#isTelling = false;
    }
  }

  #tellNow(event: StoredEvent): void {
    for (const resource of [event.resource, EVERY]) {
      for (const listener of [...(this.#listeners.get(resource) ?? [])]) listener(event);
    }
  }
}
