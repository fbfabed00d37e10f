/** Live identities: who holds which labels. Numbers come from the store; the selector cache is told of each. */
import type { IdentityScope, IdentityStore } from './identity.ts';
import { RESERVED_IDENTITIES } from './identity.ts';
import { LabelSet } from '../rule/labels.ts';
import type { SelectorCache } from './selector-cache.ts';

interface LiveIdentity {
  readonly labels: LabelSet;
  holders: number;
}

export interface IdentityChanges {
  readonly added: { id: number; labels: readonly string[] }[];
  readonly removed: number[];
}

export class IdentityTable {
  readonly #held = new Map<number, LiveIdentity>();
  /** Of those that were acquired: the store counts this table as one holder of each. */
  readonly #byLabels = new Map<string, number>();
  #added = new Map<number, readonly string[]>();
  #removed = new Set<number>();

  readonly #store: IdentityStore;
  readonly #selectors: SelectorCache;

  constructor(store: IdentityStore, selectors: SelectorCache) {
    this.#store = store;
    this.#selectors = selectors;
    for (const { id, labels } of RESERVED_IDENTITIES) this.#begin(id, new LabelSet(labels), 1);
  }

  /** The identity of these labels; every `acquire` needs a `release`. */
  acquire(labels: LabelSet, scope: IdentityScope): number {
    const known = this.#byLabels.get(labels.serialized);
    const held = known === undefined ? undefined : this.#held.get(known);
    if (known !== undefined && held !== undefined) {
      held.holders++;
      return known;
    }
    const id = this.#store.allocate(labels.texts, scope);
    this.#byLabels.set(labels.serialized, id);
    this.#begin(id, labels, 1);
    return id;
  }

  release(id: number): void {
    const held = this.#held.get(id);
    if (held === undefined || id < 256) return;
    if (--held.holders > 0) return;
    this.#store.release(id);
    this.#byLabels.delete(held.labels.serialized);
    this.#held.delete(id);
    this.#selectors.removeIdentity(id);
    if (!this.#added.delete(id)) this.#removed.add(id);
  }

  /** Reserved identities keep their number whatever labels their addresses bring. */
  relabel(id: number, labels: LabelSet): void {
    if (this.#held.get(id)?.labels.serialized === labels.serialized) return;
    this.#selectors.removeIdentity(id);
    this.#begin(id, labels, 1);
  }

  #begin(id: number, labels: LabelSet, holders: number): void {
    this.#held.set(id, { labels, holders });
    this.#selectors.addIdentity(id, labels);
    this.#added.set(id, labels.texts);
    this.#removed.delete(id);
  }

  labels(id: number): LabelSet | undefined {
    return this.#held.get(id)?.labels;
  }

  *entries(): Iterable<{ id: number; labels: readonly string[]; holders: number }> {
    for (const [id, { labels, holders }] of this.#held) yield { id, labels: labels.texts, holders };
  }

  /** Whether `takeChanges` would give any. */
  get hasChanged(): boolean {
    return this.#added.size + this.#removed.size > 0;
  }

  takeChanges(): IdentityChanges {
    const changes = { added: [...this.#added].map(([id, labels]) => ({ id, labels })), removed: [...this.#removed] };
    this.#added = new Map();
    this.#removed = new Set();
    return changes;
  }
}
