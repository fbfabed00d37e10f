/**
 * Which units of the slot map are free: a buddy allocator in the writer's memory. A block has a power of two of units and
 * begins at a multiple of its size, so two free halves become one again. Of one size the block that was freed longest ago is
 * given first: a reader that still has an old block in hand has the most time.
 */

export class BlockAllocator {
  readonly #orders: number;
  /** By order: the first units of the free blocks, oldest first. */
  readonly #free: Set<number>[];
  /** Units of all blocks that are taken. */
  unitsInUse = 0;

  /** @param units a power of two */
  constructor(units: number) {
    this.#orders = 31 - Math.clz32(units);
    this.#free = Array.from({ length: this.#orders + 1 }, () => new Set<number>());
    this.#free[this.#orders].add(0);
  }

  /** First unit of a block of at least `units` units, or -1 when there is none. */
  take(units: number): number {
    const wanted = orderOf(units);
    let order = wanted;
    while (order <= this.#orders && this.#free[order].size === 0) order++;
    if (order > this.#orders) return -1;
    const [unit] = this.#free[order];
    this.unitsInUse += 1 << wanted;
    this.#free[order].delete(unit);
    while (order > wanted) {
      order--;
      this.#free[order].add(unit + (1 << order));
    }
    return unit;
  }

  /** Takes a block that is in use already: of a writer before this one. False when it is not free as a whole. */
  claim(unit: number, units: number): boolean {
    const wanted = orderOf(units);
    let order = wanted;
    let first = unit;
    while (order <= this.#orders && !this.#free[order].has(first)) {
      order++;
      first = (unit >>> order) << order;
    }
    if (order > this.#orders || (unit & ((1 << wanted) - 1)) !== 0) return false;
    this.#free[order].delete(first);
    this.unitsInUse += 1 << wanted;
    while (order > wanted) {
      order--;
      const upper = first + (1 << order);
      this.#free[order].add(unit < upper ? upper : first);
      if (unit >= upper) first = upper;
    }
    return true;
  }

  /** Gives a block back, with the size it was taken with. */
  give(unit: number, units: number): void {
    let first = unit;
    let order = orderOf(units);
    this.unitsInUse -= 1 << order;
    for (; order < this.#orders; order++) {
      const buddy = first ^ (1 << order);
      if (!this.#free[order].delete(buddy)) break;
      first = Math.min(first, buddy);
    }
    this.#free[order].add(first);
  }
}

function orderOf(units: number): number {
  return units <= 1 ? 0 : 32 - Math.clz32(units - 1);
}
