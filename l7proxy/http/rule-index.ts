/**
 * Which of many rules may be about a path: those whose patterns begin as it does. One look-up for each length that these
 * beginnings have, in place of one comparison for each rule.
 */

/** Fewer are compared one by one. */
const WORTH_AN_INDEX = 16;

export class RuleIndex {
  /** All rules, in order. */
  readonly all: readonly number[];
  /** Numbers of the rules with one beginning, in order; none when it is not worth it. */
  readonly #byPrefix: ReadonlyMap<string, readonly number[]>;
  readonly #lengths: readonly number[];
  readonly #found: number[] = [];

  /** @param prefixes of the rules, in order; '' for one that is about any path */
  constructor(prefixes: readonly string[]) {
    const byPrefix = new Map<string, number[]>();
    this.all = [...prefixes.keys()];
    if (prefixes.length >= WORTH_AN_INDEX) {
      for (const [number, prefix] of prefixes.entries()) {
        const same = byPrefix.get(prefix);
        if (same === undefined) byPrefix.set(prefix, [number]);
        else same.push(number);
      }
    }
    this.#byPrefix = byPrefix;
    this.#lengths = [...new Set([...byPrefix.keys()].map((prefix) => prefix.length))];
  }

  /** Numbers of the rules that may be about `path`, in order. Valid until the next call. */
  about(path: string): readonly number[] {
    if (this.#byPrefix.size === 0) return this.all;
    const found = this.#found;
    found.length = 0;
    for (const length of this.#lengths) {
      if (length > path.length) continue;
      const rules = this.#byPrefix.get(path.slice(0, length));
      if (rules !== undefined) for (const number of rules) found.push(number);
    }
    return found.length < 2 ? found : found.sort(byNumber);
  }
}

function byNumber(a: number, b: number): number {
  return a - b;
}
