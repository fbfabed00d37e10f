/**
 * Parts that many flows have in common: an endpoint, a policy, the labels of the node. Whoever hands the same object out again and
 * again says so here once, and an encoder keeps with it what it has made of it. Nobody changes such a part. What is kept goes
 * with the object.
 */

/** Bytes of a part, and which field they are for; 0: for any, they are without its tag. */
interface Kept {
  readonly tag: number;
  readonly bytes: Uint8Array;
}

const NOTHING: Kept = { tag: -1, bytes: new Uint8Array(0) };

const parts = new WeakMap<object, Kept>();

/** The object is the same one in many flows. @returns the object */
export function share<T extends object>(part: T): T {
  if (!parts.has(part)) parts.set(part, NOTHING);
  return part;
}

/** What is kept with a part; with another tag it is of no use. undefined: it is not shared. */
export function keptWith(part: object): Kept | undefined {
  return parts.get(part);
}

/** Keeps bytes with a part that is shared. */
export function keepWith(part: object, tag: number, bytes: Uint8Array): void {
  parts.set(part, { tag, bytes });
}
