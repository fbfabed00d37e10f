/** How many flows a second come. */
import { type Ring, timeMsOf } from '../ring.ts';

const SPAN_MS = 60 * 1000;

/** Flows a second over the last minute, or over as long as the ring goes back. @param now since the epoch */
export function flowsRate(flows: Ring, now: number): number {
  const since = now - SPAN_MS;
  let [from, to] = [flows.oldest, flows.seen]; // the first that is not older than a minute is in between
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (timeMsOf(flows.at(middle)!) < since) from = middle + 1;
    else to = middle;
  }
  const count = flows.seen - from;
  if (count === 0) return 0;
  const isWhole = from === flows.oldest && flows.oldest > 0;
  const spanMs = isWhole ? now - timeMsOf(flows.at(from)!) : SPAN_MS;
  return (count * 1000) / Math.max(1, spanMs);
}
