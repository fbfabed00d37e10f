/**
 * Numeric identities: the reserved ones, and a store that hands out the rest.
 *
 * Scopes are ranges, as in Cilium: cluster 256..65535 for workloads; local from 2^24 for prefixes and names; remote-node
 * from 2^25 for nodes with labels of their own. The dataplane reads the scope from the number (aggregate identities).
 * A freed number is handed out again as late as possible, because conntrack and events still carry it for a while.
 */

import {
  IDENTITY_KUBE_APISERVER,
  IDENTITY_LAST_RESERVED,
  IDENTITY_REMOTE_NODE,
  LOCAL_SCOPE,
  REMOTE_NODE_SCOPE,
  reservedName,
} from '../../wire/identities.ts';

export type IdentityScope = 'cluster' | 'local' | 'remote-node';

/** Where identities come from. The daemon keeps them across restarts; several daemons may share a store. */
export interface IdentityStore {
  /**
   * The number for these labels: the same one as long as somebody holds it.
   * @param labels sorted, canonical
   * @throws RangeError when the scope is full
   */
  allocate(labels: readonly string[], scope: IdentityScope): number;
  /** Gives back one `allocate`. */
  release(id: number): void;
}

export interface StoredIdentity {
  readonly id: number;
  readonly labels: readonly string[];
}

/** Reserved identities that a frame can have: 1..10. */
export const RESERVED_IDENTITIES: readonly StoredIdentity[] = Array.from(
  { length: IDENTITY_LAST_RESERVED },
  (_, index) => ({ id: index + 1, labels: reservedLabels(index + 1) }),
);

function reservedLabels(id: number): readonly string[] {
  const label = `reserved:${reservedName(id)}`;
  return id === IDENTITY_KUBE_APISERVER ? [label, `reserved:${reservedName(IDENTITY_REMOTE_NODE)}`] : [label];
}

const RANGES: Readonly<Record<IdentityScope, { first: number; last: number }>> = {
  cluster: { first: 256, last: 65535 },
  local: { first: LOCAL_SCOPE + 1, last: LOCAL_SCOPE + 0xffff },
  'remote-node': { first: REMOTE_NODE_SCOPE + 1, last: REMOTE_NODE_SCOPE + 0xffff },
};

function scopeOf(id: number): IdentityScope {
  return id >= RANGES['remote-node'].first ? 'remote-node' : id >= RANGES.local.first ? 'local' : 'cluster';
}

/** Keeps identities in memory; `export()` is what to write to disk and to hand to the next constructor. */
export class MemoryIdentityStore implements IdentityStore {
  readonly #byLabels = new Map<string, { id: number; holders: number }>();
  readonly #byId = new Map<number, string>();
  readonly #next: Record<IdentityScope, number>;

  /** @param restored identities of an earlier run: they keep their numbers, and stay until `dropUnclaimed()` */
  constructor(restored: readonly StoredIdentity[] = []) {
    this.#next = {
      cluster: RANGES.cluster.first,
      local: RANGES.local.first,
      'remote-node': RANGES['remote-node'].first,
    };
    for (const { id, labels } of restored) {
      const key = labels.join(';');
      this.#byLabels.set(key, { id, holders: 0 });
      this.#byId.set(id, key);
      const scope = scopeOf(id);
      this.#next[scope] = Math.max(this.#next[scope], id === RANGES[scope].last ? RANGES[scope].first : id + 1);
    }
  }

  allocate(labels: readonly string[], scope: IdentityScope): number {
    const key = labels.join(';');
    const held = this.#byLabels.get(key);
    if (held !== undefined) {
      held.holders++;
      return held.id;
    }
    const id = this.#freeNumber(scope);
    this.#byLabels.set(key, { id, holders: 1 });
    this.#byId.set(id, key);
    return id;
  }

  #freeNumber(scope: IdentityScope): number {
    const { first, last } = RANGES[scope];
    for (let tried = first; tried <= last; tried++) {
      const id = this.#next[scope];
      this.#next[scope] = id === last ? first : id + 1;
      if (!this.#byId.has(id)) return id;
    }
    throw new RangeError(
      `allocate identity: found all ${last - first + 1} identities of scope ${scope} in use, wanted a free one`,
    );
  }

  release(id: number): void {
    const key = this.#byId.get(id);
    const held = key === undefined ? undefined : this.#byLabels.get(key);
    if (key === undefined || held === undefined || --held.holders > 0) return;
    this.#byLabels.delete(key);
    this.#byId.delete(id);
  }

  /** Frees restored identities that nobody asked for: call it once, after the first full load. */
  dropUnclaimed(): void {
    for (const [key, { id, holders }] of this.#byLabels) {
      if (holders > 0) continue;
      this.#byLabels.delete(key);
      this.#byId.delete(id);
    }
  }

  export(): StoredIdentity[] {
    return [...this.#byId].map(([id, key]) => ({ id, labels: key.split(';') })).sort((a, b) => a.id - b.id);
  }
}
