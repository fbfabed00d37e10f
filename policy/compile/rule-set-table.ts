/**
 * L7 rule sets by id. Equal contents share an id, and the content of an id never changes: a change of rules is a new id
 * in the entries, so that entries and rules change in one step. Ids are handed out round-robin, late reuse.
 */
import type { L7RuleSet } from '../../policy-maps/l7-rules.ts';

interface KnownRuleSet {
  readonly key: string;
  readonly ruleSet: L7RuleSet;
  uses: number;
}

const LAST_ID = 65535;

export class RuleSetTable {
  readonly #byId = new Map<number, KnownRuleSet>();
  readonly #ids = new Map<string, number>();
  #next = 1;
  #put = new Map<number, L7RuleSet>();
  #removed = new Set<number>();
  readonly #published = new Set<number>();

  get size(): number {
    return this.#byId.size;
  }

  /**
   * The id of this content, 1..65535. Every `acquire` needs a `release`.
   * @throws RangeError when all ids are in use
   */
  acquire(ruleSet: L7RuleSet): number {
    const key = JSON.stringify(ruleSet);
    const knownId = this.#ids.get(key);
    if (knownId !== undefined) {
      (this.#byId.get(knownId) as KnownRuleSet).uses++;
      return knownId;
    }
    const id = this.#freeId();
    this.#byId.set(id, { key, ruleSet, uses: 1 });
    this.#ids.set(key, id);
    this.#put.set(id, ruleSet);
    this.#removed.delete(id);
    return id;
  }

  release(id: number): void {
    const known = this.#byId.get(id);
    if (known === undefined || --known.uses > 0) return;
    this.#byId.delete(id);
    this.#ids.delete(known.key);
    this.#put.delete(id);
    if (this.#published.has(id)) this.#removed.add(id);
  }

  ruleSet(id: number): L7RuleSet | undefined {
    return this.#byId.get(id)?.ruleSet;
  }

  /** What changed since the last call: write `put` before the entries that name it, `remove` after. */
  takeChanges(): { put: Map<number, L7RuleSet>; remove: number[] } {
    const changes = { put: this.#put, remove: [...this.#removed] };
    for (const id of this.#put.keys()) this.#published.add(id);
    for (const id of this.#removed) this.#published.delete(id);
    this.#put = new Map();
    this.#removed = new Set();
    return changes;
  }

  #freeId(): number {
    for (let tried = 0; tried < LAST_ID; tried++) {
      const id = this.#next;
      this.#next = id === LAST_ID ? 1 : id + 1;
      if (!this.#byId.has(id)) return id;
    }
    throw new RangeError(`number L7 rules: found all ${LAST_ID} rule sets in use, wanted a free one`);
  }
}
