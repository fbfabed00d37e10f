/**
 * Small numbers given to names: endpoint ids and port indices. A name keeps its number until it is released, over
 * restarts too (the pool is saved with the agent's state).
 *
 * Two orders. `lowest`: the lowest free number, for indices into arrays that others walk from the start. `round`: the
 * next after the one given last, so that a number just freed is used again as late as possible; for ids that linger in
 * conntrack and statistics.
 */

/** Numbers min..max for names. */
export class NumberPool {
  readonly #min: number;
  readonly #max: number;
  readonly #order: 'lowest' | 'round';
  readonly #numberOf = new Map<string, number>();
  readonly #taken = new Set<number>();
  #last: number;

  constructor(min: number, max: number, order: 'lowest' | 'round', saved: Readonly<Record<string, number>> = {}) {
    this.#min = min;
    this.#max = max;
    this.#order = order;
    this.#last = min - 1;
    for (const [name, number] of Object.entries(saved)) {
      if (number < min || number > max || this.#taken.has(number)) continue;
      this.#take(name, number);
    }
  }

  /**
   * The number of `name`, a new one when it has none.
   * @throws RangeError when all are taken
   */
  allocate(name: string): number {
    const held = this.#numberOf.get(name);
    if (held !== undefined) return held;
    const size = this.#max - this.#min + 1;
    if (this.#taken.size >= size) throw new RangeError(`number ${name}: all ${size} are taken`);
    let candidate = this.#order === 'lowest' ? this.#min : this.#next(this.#last);
    while (this.#taken.has(candidate)) candidate = this.#next(candidate);
    this.#take(name, candidate);
    return candidate;
  }

  /** Whether another name can have a number. */
  get hasRoom(): boolean {
    return this.#taken.size <= this.#max - this.#min;
  }

  /** Frees the number of `name`, when it has one. */
  release(name: string): void {
    const number = this.#numberOf.get(name);
    if (number === undefined) return;
    this.#numberOf.delete(name);
    this.#taken.delete(number);
  }

  /** The number of `name`, undefined when it has none. */
  get(name: string): number | undefined {
    return this.#numberOf.get(name);
  }

  /** All names with their numbers, for saving. */
  numbers(): Record<string, number> {
    return Object.fromEntries(this.#numberOf);
  }

  #take(name: string, number: number): void {
    this.#numberOf.set(name, number);
    this.#taken.add(number);
    this.#last = number;
  }

  #next(number: number): number {
    return number >= this.#max ? this.#min : number + 1;
  }
}
