/** Lists that may be of any length, as far as they are drawn: the browser has an element for each item. */

const SHOWN_MAX = 100;

export interface Part<T> {
  readonly shown: readonly T[];
  /** `and 900 more, in the text`; '' when all are shown. */
  readonly rest: string;
}

export function partOf<T>(items: readonly T[]): Part<T> {
  const more = items.length - SHOWN_MAX;
  return { shown: items.slice(0, SHOWN_MAX), rest: more > 0 ? `and ${more} more, in the text` : '' };
}
