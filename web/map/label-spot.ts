/** Where the label of an edge stands. */
import { pointAt } from './edge-path.ts';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const HEIGHT = 15;
/** From the middle of the edge to its ends. */
const WHERE = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9] as const;
/** Below the line, and above it. */
const BESIDE = [8, -8 - HEIGHT] as const;

/** @returns the place beside an edge, nearest to its middle, that covers nothing of `taken`; its middle when there is none */
export function labelSpot(path: Float64Array, width: number, taken: readonly Rectangle[]): Rectangle {
  for (const share of WHERE) {
    for (const beside of BESIDE) {
      const spot = spotAt(path, share, beside, width);
      if (!taken.some((other) => covers(spot, other))) return spot;
    }
  }
  return spotAt(path, WHERE[0], BESIDE[0], width);
}

function spotAt(path: Float64Array, share: number, beside: number, width: number): Rectangle {
  const { x, y } = pointAt(path, share);
  return { x: x - width / 2, y: y + beside, width, height: HEIGHT };
}

function covers(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}
