/** Whether a query wants a flow, decided in the page: for the flows that are there already, and for what the observer API cannot be asked. */
import type { Flow } from '../../hubble/flow.ts';
import { parseMoment } from '../../hubble/time.ts';
import { flowText } from '../flows/cells.ts';
import { type Query, TEXT } from './query.ts';

/** The bounds of a query in milliseconds since the epoch. @param nowMs what `5m` is before */
export function boundsOf({ since, until }: Pick<Query, 'since' | 'until'>, nowMs: number) {
  return {
    sinceMs: since === '' ? -Infinity : parseMoment(since, nowMs),
    untilMs: until === '' ? Infinity : parseMoment(until, nowMs),
  };
}

/** What the observer API cannot be asked: words, and the bounds of a stream that follows. */
export function wordsAndBounds(query: Query, nowMs: number): (flow: Flow) => boolean {
  const { sinceMs, untilMs } = boundsOf(query, nowMs);
  const isBound = sinceMs !== -Infinity || untilMs !== Infinity;
  const words = query.terms
    .filter(({ flag }) => flag === TEXT)
    .map(({ value, isNot }) => ({ text: value.toLowerCase(), isNot }));
  return (flow) => {
    if (isBound) {
      const ms = Date.parse(flow.time);
      if (!(ms >= sinceMs && ms <= untilMs)) return false;
    }
    if (words.length === 0) return true;
    const shown = flowText(flow);
    return words.every(({ text, isNot }) => shown.includes(text) !== isNot);
  };
}
