/**
 * Values by prefix, in a tree of bits: what lies inside 10.0.0.0/8, and what lies around 10.1.2.0/24?
 *
 * Two prefixes part where their first bits differ, and a node stands only where a value is or where two part:
 *
 * ```
 *   /0 ── 10.0.0.0/8 ─┬─ 10.1.0.0/16 ─┬─ 10.1.2.0/24
 *                     │               └─ 10.1.3.0/24
 *                     └─ 10.200.0.0/16
 * ```
 *
 * So every question walks down at most one node for each bit, however many values there are, and then through its answer.
 * One tree for each family; a value is never undefined. Answers are lists of their own: the tree may change meanwhile.
 */
import { V4_MAPPED, V4_MAPPED_BITS } from '../../wire/address.ts';
import type { Prefix } from '../../wire/prefix.ts';

interface Node<V> {
  /** Of which the first `bits` count. */
  readonly words: readonly number[];
  readonly bits: number;
  /** undefined = two prefixes part here. */
  value: V | undefined;
  /** By the bit after the first `bits`. */
  readonly below: [Node<V> | undefined, Node<V> | undefined];
}

export class PrefixTree<V> {
  readonly #roots: Readonly<Record<4 | 6, Node<V>>> = {
    4: { words: [0, 0, V4_MAPPED, 0], bits: V4_MAPPED_BITS, value: undefined, below: [undefined, undefined] },
    6: { words: [0, 0, 0, 0], bits: 0, value: undefined, below: [undefined, undefined] },
  };

  /** The value of exactly this prefix. */
  get(prefix: Prefix): V | undefined {
    const last = this.#pathTo(prefix).at(-1);
    return last?.bits === prefix.bits ? last.value : undefined;
  }

  set(prefix: Prefix, value: V): void {
    let node = this.#roots[prefix.family];
    while (node.bits < prefix.bits) {
      const side = bitAt(prefix.words, node.bits);
      let next = node.below[side];
      if (next === undefined) {
        next = { words: prefix.words, bits: prefix.bits, value: undefined, below: [undefined, undefined] };
      } else {
        const shared = sharedBits(prefix.words, next.words, Math.min(prefix.bits, next.bits));
        if (shared < next.bits) next = forkAbove(next, shared);
      }
      node.below[side] = next;
      node = next;
    }
    node.value = value;
  }

  delete(prefix: Prefix): void {
    const path = this.#pathTo(prefix);
    const node = path.at(-1);
    if (node === undefined || node.bits !== prefix.bits) return;
    node.value = undefined;
    // Nodes that nothing stands at and nothing parts at go: this one, and the one above that it leaves with one branch.
    for (let depth = path.length - 1; depth > 0; depth--) {
      const { value, below, words } = path[depth];
      if (value !== undefined || (below[0] !== undefined && below[1] !== undefined)) return;
      const above = path[depth - 1];
      above.below[bitAt(words, above.bits)] = below[0] ?? below[1];
    }
  }

  /** Values of the prefixes that hold this one, itself included, outermost first. */
  around(prefix: Prefix): V[] {
    const values: V[] = [];
    for (const { value } of this.#pathTo(prefix)) if (value !== undefined) values.push(value);
    return values;
  }

  /** Values of the prefixes inside this one, itself included, by address, the outer before the inner. */
  inside(prefix: Prefix): V[] {
    const values: V[] = [];
    const start = this.#firstInside(prefix);
    const rest = start === undefined ? [] : [start];
    for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
      if (node.value !== undefined) values.push(node.value);
      for (const next of [node.below[1], node.below[0]]) if (next !== undefined) rest.push(next);
    }
    return values;
  }

  /** The node that stands above all others inside the prefix. */
  #firstInside(prefix: Prefix): Node<V> | undefined {
    const last = this.#pathTo(prefix).at(-1) as Node<V>;
    if (last.bits === prefix.bits) return last;
    const next = last.below[bitAt(prefix.words, last.bits)];
    const isInside = next !== undefined && next.bits > prefix.bits;
    return isInside && sharedBits(prefix.words, next.words, prefix.bits) === prefix.bits ? next : undefined;
  }

  /** Nodes around the prefix, itself included, from the root down. */
  #pathTo(prefix: Prefix): Node<V>[] {
    const path: Node<V>[] = [];
    let node: Node<V> | undefined = this.#roots[prefix.family];
    while (node !== undefined && node.bits <= prefix.bits) {
      if (sharedBits(prefix.words, node.words, node.bits) < node.bits) break;
      path.push(node);
      node = node.bits === prefix.bits ? undefined : node.below[bitAt(prefix.words, node.bits)];
    }
    return path;
  }
}

/** A node where something parts from the way to `next`. */
function forkAbove<V>(next: Node<V>, bits: number): Node<V> {
  const fork: Node<V> = { words: next.words, bits, value: undefined, below: [undefined, undefined] };
  fork.below[bitAt(next.words, bits)] = next;
  return fork;
}

function bitAt(words: readonly number[], place: number): 0 | 1 {
  return ((words[place >>> 5] >>> (31 - (place & 31))) & 1) as 0 | 1;
}

/** How many of the first `limit` bits are the same before the first that differs. */
function sharedBits(a: readonly number[], b: readonly number[], limit: number): number {
  for (let word = 0; word * 32 < limit; word++) {
    const difference = a[word] ^ b[word];
    if (difference !== 0) return Math.min(limit, word * 32 + Math.clz32(difference));
  }
  return limit;
}
