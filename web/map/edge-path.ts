/** The way of an edge: a curve from the side of one card to the side of another, as eight numbers: start, two handles, end. */
import { CARD_HEIGHT, CARD_WIDTH, type Spot } from './layout.ts';

const MIN_BEND = 30;
const MAX_BEND = 160;
/** Of a loop from a card to itself. */
const LOOP = 26;

/** Writes the curve to `out`, which drawing uses again and again. */
export function edgePath(from: Spot, to: Spot, out: Float64Array): Float64Array {
  if (from === to) return loop(from, out);
  const right = to.x >= from.x + CARD_WIDTH;
  const left = to.x + CARD_WIDTH <= from.x;
  const y1 = from.y + CARD_HEIGHT / 2;
  const y2 = to.y + CARD_HEIGHT / 2;
  // Cards in one column: both ends at the right side, those upwards at the left, so that two ways do not cover each other.
  const exit = right || (!left && y2 > y1) ? 1 : -1;
  const entry = right ? -1 : left ? 1 : exit;
  const x1 = from.x + (exit > 0 ? CARD_WIDTH : 0);
  const x2 = to.x + (entry > 0 ? CARD_WIDTH : 0);
  const bend = Math.min(MAX_BEND, Math.max(MIN_BEND, Math.abs(x2 - x1) / 2, Math.abs(y2 - y1) / 6));
  return write(out, x1, y1, x1 + exit * bend, y1, x2 + entry * bend, y2, x2, y2);
}

function loop({ x, y }: Spot, out: Float64Array): Float64Array {
  const middle = x + CARD_WIDTH / 2;
  return write(out, middle + LOOP, y, middle + 2 * LOOP, y - LOOP, middle - 2 * LOOP, y - LOOP, middle - LOOP, y);
}

function write(out: Float64Array, ...numbers: readonly number[]): Float64Array {
  out.set(numbers);
  return out;
}

/** The point of a curve at `t` from 0 to 1. */
export function pointAt(path: Float64Array, t: number): Spot {
  const s = 1 - t;
  const [a, b, c, d] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
  return {
    x: a * path[0] + b * path[2] + c * path[4] + d * path[6],
    y: a * path[1] + b * path[3] + c * path[5] + d * path[7],
  };
}

/** How far a point is from a curve, by 24 points of it. */
export function distanceTo(path: Float64Array, { x, y }: Spot): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (let step = 0; step <= 24; step++) {
    const point = pointAt(path, step / 24);
    nearest = Math.min(nearest, Math.hypot(point.x - x, point.y - y));
  }
  return nearest;
}
