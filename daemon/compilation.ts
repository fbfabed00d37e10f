/**
 * The compiler, and what its results leave behind it: identities on disk before anybody sees them, so that the next
 * agent gives the same numbers; conflicts between policies, which stand until a policy changes; and the prefixes that are in
 * the ipcache, by which the leavings of an earlier agent are told apart.
 */
import { join } from 'node:path';
import { type Changes, Cluster } from '../policy/cluster.ts';
import { MemoryIdentityStore, type StoredIdentity } from '../policy/identity/identity.ts';
import type { PolicyConfig } from '../policy/rule/options.ts';
import type { Problem } from '../policy/rule/problems.ts';
import { oneLine } from './health/problem-board.ts';
import { StateFile } from '../linux/state-file.ts';
import type { StoreChanges } from './source/store.ts';

export class Compilation {
  readonly cluster: Cluster;
  /** Prefixes that are in the ipcache now. */
  readonly prefixes = new Set<string>();
  readonly #identities: MemoryIdentityStore;
  readonly #file: StateFile<{ identities: StoredIdentity[] }>;
  readonly #conflicts = new Map<string, Problem>();

  constructor(stateDir: string, policy: PolicyConfig) {
    this.#file = new StateFile(join(stateDir, 'identities.json'), 1);
    this.#identities = new MemoryIdentityStore(this.#file.load({ identities: [] }).identities);
    this.cluster = new Cluster(policy, this.#identities);
  }

  /** Why the identities found at start were put aside, when they were. */
  get problem(): string | undefined {
    return this.#file.problem;
  }

  /** Between policies, as they showed since a policy changed last. */
  get conflicts(): readonly Problem[] {
    return [...this.#conflicts.values()];
  }

  /** Forgets conflicts when policies are among what has changed: those that are still there show again. */
  reconsider({ put, removed }: StoreChanges): void {
    const isPolicy = ({ kind }: { kind: string }) => kind.endsWith('Policy');
    if (put.some(isPolicy) || removed.some(isPolicy)) this.#conflicts.clear();
  }

  /**
   * What must be published since the last time; its identities are on disk.
   * @throws Error when they cannot be written; all of it is still to be published then
   */
  flush(): Changes {
    const changes = this.cluster.flush(() => this.#save());
    const { ipcache } = changes;
    for (const { prefix } of ipcache.upsert) this.prefixes.add(prefix);
    for (const prefix of ipcache.remove) this.prefixes.delete(prefix);
    for (const problem of changes.problems) this.#conflicts.set(oneLine(problem), problem);
    return changes;
  }

  /** Frees the identities of an earlier agent that nobody has any more. Call once, after everything was compiled. */
  dropUnclaimed(): void {
    this.#identities.dropUnclaimed();
    this.#save();
  }

  #save(): void {
    this.#file.save({ identities: this.#identities.export() });
  }
}
