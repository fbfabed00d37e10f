/**
 * In what order the items of a merged list stand. Those that a patch names stand in its order, those that only the server has in theirs;
 * between the two, an item of the server's goes first where it stood before the patch's.
 */
import { StatusError } from '../storage/status-error.ts';
import { isObject, type Plain } from './plain.ts';

interface Order {
  /** As the patch has them. */
  readonly first: readonly Plain[];
  /** As they were. */
  readonly server: readonly Plain[];
  /** By what items are known; values are known by themselves. */
  readonly mergeKey?: string;
}

export function inOrder(list: readonly Plain[], { first, server, mergeKey }: Order): Plain[] {
  const keyOf = (item: Plain) => (mergeKey !== undefined && isObject(item) ? item[mergeKey] : item);
  const places = (items: readonly Plain[]) => {
    if (mergeKey !== undefined) keysOf(items, mergeKey);
    return new Map(items.map((item, index) => [keyOf(item), index] as const).reverse());
  };
  const [patchPlaces, serverPlaces] = [places(first), places(server)];
  const by = (ranks: ReadonlyMap<Plain, number>) => (a: Plain, b: Plain) =>
    (ranks.get(keyOf(a)) ?? ranks.size) - (ranks.get(keyOf(b)) ?? ranks.size);
  const named = list.filter((item) => patchPlaces.has(keyOf(item))).sort(by(patchPlaces));
  const others = list.filter((item) => !patchPlaces.has(keyOf(item))).sort(by(serverPlaces));
  const merged: Plain[] = [];
  for (let [other, next] = [0, 0]; other < others.length || next < named.length; ) {
    const a = other < others.length ? serverPlaces.get(keyOf(others[other])) : undefined;
    const b = next < named.length ? serverPlaces.get(keyOf(named[next])) : undefined;
    const isOtherFirst = next >= named.length || (other < others.length && a !== undefined && b !== undefined && a < b);
    merged.push(isOtherFirst ? others[other++] : named[next++]);
  }
  return merged;
}

/** @throws StatusError 422 for an item without its key */
export function keysOf(items: readonly Plain[], mergeKey: string): Plain[] {
  return items.map((item) => {
    if (isObject(item) && Object.hasOwn(item, mergeKey)) return item[mergeKey];
    throw new StatusError(
      422,
      'Invalid',
      `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`,
    );
  });
}
