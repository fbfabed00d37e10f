/** The next card in a direction, for arrow keys. */
import { CARD_HEIGHT, CARD_WIDTH, type Layout } from './layout.ts';
import type { MapPlace } from './map-model.ts';

const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export const isArrow = (key: string): boolean => Object.hasOwn(WAYS, key);

/** @returns the nearest card that way, what is aside counting twice; the first one when none was chosen; undefined at the edge */
export function stepFrom(
  from: MapPlace | undefined,
  key: string,
  places: Iterable<MapPlace>,
  layout: Layout,
): MapPlace | undefined {
  const start = from === undefined ? { x: -CARD_WIDTH, y: -CARD_HEIGHT } : layout.spotOf(from.key);
  const [dx, dy] = from === undefined ? [1, 1] : WAYS[key];
  let found: MapPlace | undefined;
  let best = Number.POSITIVE_INFINITY;
  if (start === undefined) return undefined;
  for (const place of places) {
    const spot = layout.spotOf(place.key);
    if (spot === undefined || place === from) continue;
    const [x, y] = [spot.x - start.x, spot.y - start.y];
    const along = x * dx + y * dy;
    if (along <= 0) continue;
    const cost = along + 2 * Math.abs(x * dy - y * dx);
    if (cost < best) [best, found] = [cost, place];
  }
  return found;
}

/** What stands at a point of the map: a card, and if there is none, undefined. */
export function cardAt(
  { x, y }: { readonly x: number; readonly y: number },
  places: Iterable<MapPlace>,
  layout: Layout,
): MapPlace | undefined {
  for (const place of places) {
    const spot = layout.spotOf(place.key);
    if (spot !== undefined && x >= spot.x && x <= spot.x + CARD_WIDTH && y >= spot.y && y <= spot.y + CARD_HEIGHT)
      return place;
  }
  return undefined;
}
