/** Which item of a new list is which item of the old one, so that as few of them as possible are written. */
import { isSame } from './values.ts';

/** An item before and after; undefined where it is new, or gone. */
export interface Aligned {
  readonly old: number | undefined;
  readonly fresh: number | undefined;
}

/** Lists beyond this are matched item by item. */
const CELLS_MAX = 40_000;

/** In the order in which they are to stand; what is gone stands where it was. */
export function aligned(old: readonly unknown[], fresh: readonly unknown[]): Aligned[] {
  const isOne = (i: number, j: number): boolean => isSame(old[i], fresh[j]);
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && isOne(head, head)) head++;
  let tail = 0;
  const most = Math.min(old.length, fresh.length) - head;
  while (tail < most && isOne(old.length - 1 - tail, fresh.length - 1 - tail)) tail++;
  const kept = (from: number, to: number, count: number): Aligned[] =>
    Array.from({ length: count }, (_, i) => ({ old: from + i, fresh: to + i }));
  const middle = between(head, old.length - tail, head, fresh.length - tail, isOne);
  return [...kept(0, 0, head), ...middle, ...kept(old.length - tail, fresh.length - tail, tail)];
}

/** The items that stay as they are part the others into runs; in a run one item becomes another as long as there are both. */
function between(
  oldFrom: number,
  oldTo: number,
  freshFrom: number,
  freshTo: number,
  isOne: (i: number, j: number) => boolean,
): Aligned[] {
  const anchors = commonItems(oldFrom, oldTo, freshFrom, freshTo, isOne);
  const result: Aligned[] = [];
  let [i, j] = [oldFrom, freshFrom];
  for (const [nextOld, nextFresh] of [...anchors, [oldTo, freshTo] as const]) {
    for (; i < nextOld || j < nextFresh; i++, j++)
      result.push({ old: i < nextOld ? i : undefined, fresh: j < nextFresh ? j : undefined });
    [i, j] = [nextOld, nextFresh];
    if (i < oldTo && j < freshTo) result.push({ old: i++, fresh: j++ });
  }
  return result;
}

/** The longest common subsequence. */
function commonItems(
  oldFrom: number,
  oldTo: number,
  freshFrom: number,
  freshTo: number,
  isOne: (i: number, j: number) => boolean,
): (readonly [number, number])[] {
  const [rows, columns] = [oldTo - oldFrom, freshTo - freshFrom];
  if (rows * columns > CELLS_MAX) return [];
  const lengths = Array.from({ length: rows + 1 }, () => new Array<number>(columns + 1).fill(0));
  const same = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (__, j) => isOne(oldFrom + i, freshFrom + j)),
  );
  for (let i = rows - 1; i >= 0; i--)
    for (let j = columns - 1; j >= 0; j--)
      lengths[i][j] = same[i][j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  const found: (readonly [number, number])[] = [];
  for (let i = 0, j = 0; i < rows && j < columns; ) {
    if (same[i][j]) found.push([oldFrom + i++, freshFrom + j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return found;
}
