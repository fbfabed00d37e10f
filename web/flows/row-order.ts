/**
 * Which flow stands at which place of the table. Places count from the top; the newest is at the top, or at the bottom.
 *
 *     oldest ........ older[0] .. older[n - 1] | row base ........ row end - 1 ........ newest
 *
 * Rows are those of the stream (web/stream); `base` and `end` are fixed while the table does not follow, so that nothing moves under
 * the eyes of who reads.
 */
export interface RowSpan {
  /** How many older flows stand before the rows of the stream. */
  readonly older: number;
  readonly base: number;
  readonly end: number;
  readonly isNewestFirst: boolean;
}

/** A flow's key stays while the table stands: a row of the stream from 0 on, an older one below 0, -1 being the newest of these. */
export type RowKey = number;

export function countOf({ older, base, end }: RowSpan): number {
  return older + Math.max(0, end - base);
}

export function keyAt(span: RowSpan, place: number): RowKey {
  const fromOldest = span.isNewestFirst ? countOf(span) - 1 - place : place;
  return fromOldest < span.older ? fromOldest - span.older : span.base + fromOldest - span.older;
}

/** @returns -1 when it is not in the table any more */
export function placeOf(span: RowSpan, key: RowKey): number {
  const isThere = key < 0 ? -key <= span.older : key >= span.base && key < span.end;
  if (!isThere) return -1;
  const fromOldest = key < 0 ? span.older + key : span.older + key - span.base;
  return span.isNewestFirst ? countOf(span) - 1 - fromOldest : fromOldest;
}

/** Places that are to be drawn. */
export interface Drawn {
  readonly from: number;
  readonly to: number;
}

const OVERSCAN = 8;

/** @param top how far it is scrolled, in px */
export function drawnOf(count: number, top: number, height: number, rowHeight: number): Drawn {
  const from = Math.max(0, Math.min(count, Math.floor(top / rowHeight) - OVERSCAN));
  return { from, to: Math.min(count, Math.ceil((top + height) / rowHeight) + OVERSCAN) };
}
