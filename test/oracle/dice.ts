/** Every random choice of a run comes from one seed (splitmix32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to 2^32-1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** 0 to n-1. */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }

  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** @param percent of the times */
  chance(percent: number): boolean {
    return this.below(10000) < percent * 100;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** One of the values, each as often as its weight says. */
  weighted<T>(...choices: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    return choices.find(([weight]) => (at -= weight) < 0)![1];
  }

  shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }

  /** `count` different ones, in random order. */
  some<T>(list: readonly T[], count: number): T[] {
    return this.shuffle(list).slice(0, count);
  }

  /** A list of `first` to `last` draws. */
  list<T>(first: number, last: number, draw: () => T): T[] {
    return Array.from({ length: this.between(first, last) }, draw);
  }
}
