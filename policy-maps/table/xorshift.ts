/** Numbers that look random (Marsaglia's xorshift, 13, 17, 5): three shifts each, for choices that nobody gains by guessing. */
export class Xorshift {
  #state: number;

  /** @param seed any word */
  constructor(seed: number) {
    this.#state = seed | 1; // 0 would stay 0
  }

  /** A signed word, never 0. */
  next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    return (this.#state = state ^= state << 5);
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return (this.next() >>> 0) % limit;
  }
}
