/**
 * Ids of L7 rule sets in the pinned map. The compiler numbers its rule sets from 1 in each life of the agent; policies that
 * an earlier agent published still name the old ones. So a new id is never one that the map held at the start, until
 * every policy has been published again and `retire` takes the old ones away: no policy ever meets rules that were made for
 * another.
 */
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';

const MAX_ID = 65535;

export class RuleSetIds {
  readonly #pinned = new Map<number, number>();
  readonly #taken: Set<number>;
  #stale: number[];
  #next = 1;

  /** @param held ids that the map holds from an earlier agent */
  constructor(held: Iterable<number>) {
    this.#stale = [...held];
    this.#taken = new Set(this.#stale);
  }

  /** The id in the map of a rule set of the compiler. @throws RangeError when all are taken */
  pin(compiled: number): number {
    const held = this.#pinned.get(compiled);
    if (held !== undefined) return held;
    if (this.#taken.size >= MAX_ID) throw new RangeError(`number a rule set: all ${MAX_ID} ids are taken`);
    while (this.#taken.has(this.#next)) this.#next = this.#next >= MAX_ID ? 1 : this.#next + 1;
    this.#taken.add(this.#next);
    this.#pinned.set(compiled, this.#next);
    return this.#next;
  }

  /** Frees the id of a rule set. @returns it, undefined when it had none */
  unpin(compiled: number): number | undefined {
    const id = this.#pinned.get(compiled);
    if (id === undefined) return undefined;
    this.#pinned.delete(compiled);
    this.#taken.delete(id);
    return id;
  }

  /** Entries with the ids of the map in place of the compiler's. */
  translate(entries: readonly PolicyEntry[]): readonly PolicyEntry[] {
    if (entries.every(({ ruleSet }) => ruleSet === 0)) return entries;
    return entries.map((entry) => (entry.ruleSet === 0 ? entry : { ...entry, ruleSet: this.pin(entry.ruleSet) }));
  }

  /** The ids left by the earlier agent, which nothing names any more; answered once. */
  retire(): number[] {
    const stale = this.#stale;
    this.#stale = [];
    for (const id of stale) this.#taken.delete(id);
    return stale;
  }
}
