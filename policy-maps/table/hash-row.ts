/** The shape of a hash table in a file: how many words its rows and its index have, and what every row begins with. */

export interface HashShape {
  readonly keyWords: number;
  readonly valueWords: number;
  readonly capacity: number;
}

/** Words at the start of every row; the key follows, then the value. */
export const ROW_HASH = 0;
export const ROW_STATE = 1;
export const ROW_KEY = 2;
/** ROW_STATE: 0 = never used; negative = free, -(next free slot + 2), or -1 for the last. */
export const STAGED = 1;
export const LIVE = 2;
/** Rows beyond the capacity, so that a full table can still replace values, and freed rows can rest. */
export const SPARE_ROWS = 64;

/** Words of a row: a multiple of 16 bytes, of a cache line when it is longer than half of one. */
export function hashRowWords(shape: HashShape): number {
  const words = ROW_KEY + shape.keyWords + shape.valueWords;
  return words > 8 ? (words + 15) & ~15 : (words + 3) & ~3;
}

/** Words of the index: a power of two, at most half full. */
export function hashIndexWords(capacity: number): number {
  return 1 << (32 - Math.clz32(2 * capacity - 1));
}

/** Bytes of index and rows. */
export function hashTableBytes(shape: HashShape): number {
  return (hashIndexWords(shape.capacity) + (shape.capacity + SPARE_ROWS) * hashRowWords(shape)) * 4;
}
