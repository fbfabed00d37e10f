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
import type { Prefix } from './cidr.ts';

interface Node<V> {
  /** The first `length` bits count, as 32-bit words from the top. */
  readonly bits: readonly number[];
  readonly length: number;
  /** undefined = two prefixes part here. */
  value: V | undefined;
  /** By the bit after the first `length`. */
  readonly below: [Node<V> | undefined, Node<V> | undefined];
}

export class PrefixTree<V> {
  readonly #roots: Readonly<Record<4 | 6, Node<V>>> = {
    4: { bits: [0], length: 0, value: undefined, below: [undefined, undefined] },
    6: { bits: [0, 0, 0, 0], length: 0, value: undefined, below: [undefined, undefined] },
  };

  /** The value of exactly this prefix. */
  get(prefix: Prefix): V | undefined {
    const last = this.#pathTo(prefix).at(-1);
    return last?.length === prefix.length ? last.value : undefined;
  }

  set(prefix: Prefix, value: V): void {
    const bits = bitsOf(prefix);
    let node = this.#roots[prefix.family];
    while (node.length < prefix.length) {
      const side = bitAt(bits, node.length);
      let next = node.below[side];
      if (next === undefined) {
        next = { bits, length: prefix.length, value: undefined, below: [undefined, undefined] };
      } else {
        const shared = sharedBits(bits, next.bits, Math.min(prefix.length, next.length));
        if (shared < next.length) next = forkAbove(next, shared);
      }
      node.below[side] = next;
      node = next;
    }
    node.value = value;
  }

  delete(prefix: Prefix): void {
    const path = this.#pathTo(prefix);
    const node = path.at(-1);
    if (node === undefined || node.length !== prefix.length) return;
    node.value = undefined;
    // Nodes that nothing stands at and nothing parts at go: this one, and the one above that it leaves with one branch.
    for (let depth = path.length - 1; depth > 0; depth--) {
      const { value, below, bits } = path[depth];
      if (value !== undefined || (below[0] !== undefined && below[1] !== undefined)) return;
      const above = path[depth - 1];
      above.below[bitAt(bits, above.length)] = below[0] ?? below[1];
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
    if (last.length === prefix.length) return last;
    const bits = bitsOf(prefix);
    const next = last.below[bitAt(bits, last.length)];
    const isInside = next !== undefined && next.length > prefix.length;
    return isInside && sharedBits(bits, next.bits, prefix.length) === prefix.length ? next : undefined;
  }

  /** Nodes around the prefix, itself included, from the root down. */
  #pathTo(prefix: Prefix): Node<V>[] {
    const bits = bitsOf(prefix);
    const path: Node<V>[] = [];
    let node: Node<V> | undefined = this.#roots[prefix.family];
    while (node !== undefined && node.length <= prefix.length) {
      if (sharedBits(bits, node.bits, node.length) < node.length) break;
      path.push(node);
      node = node.length === prefix.length ? undefined : node.below[bitAt(bits, node.length)];
    }
    return path;
  }
}

/** A node where something parts from the way to `next`. */
function forkAbove<V>(next: Node<V>, length: number): Node<V> {
  const fork: Node<V> = { bits: next.bits, length, value: undefined, below: [undefined, undefined] };
  fork.below[bitAt(next.bits, length)] = next;
  return fork;
}

function bitsOf({ family, network }: Prefix): number[] {
  if (family === 4) return [Number(network) | 0];
  return [96n, 64n, 32n, 0n].map((shift) => Number(BigInt.asIntN(32, network >> shift)));
}

function bitAt(bits: readonly number[], place: number): 0 | 1 {
  return ((bits[place >>> 5] >>> (31 - (place & 31))) & 1) as 0 | 1;
}

/** How many of the first `limit` bits are the same before the first that differs. */
function sharedBits(a: readonly number[], b: readonly number[], limit: number): number {
  for (let word = 0; word * 32 < limit; word++) {
    const difference = a[word] ^ b[word];
    if (difference !== 0) return Math.min(limit, word * 32 + Math.clz32(difference));
  }
  return limit;
}
