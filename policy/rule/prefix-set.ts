/** A list of prefixes that says quickly whether one of them holds all of another. */
import { PrefixTree } from './prefix-tree.ts';
import type { Prefix } from '../../wire/prefix.ts';

export class PrefixSet {
  readonly prefixes: readonly Prefix[];
  #tree: PrefixTree<Prefix> | undefined;

  constructor(prefixes: readonly Prefix[]) {
    this.prefixes = prefixes;
  }

  covers(prefix: Prefix): boolean {
    if (this.prefixes.length === 0) return false;
    this.#tree ??= this.#grow();
    return this.#tree.around(prefix).length > 0;
  }

  #grow(): PrefixTree<Prefix> {
    const tree = new PrefixTree<Prefix>();
    for (const prefix of this.prefixes) tree.set(prefix, prefix);
    return tree;
  }

  /** Policies are compared as JSON. */
  toJSON(): string[] {
    return this.prefixes.map(({ text }) => text);
  }
}
