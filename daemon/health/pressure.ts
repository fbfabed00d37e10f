/**
 * What runs full in the dataplane's L7 engine, as its counters tell (policy-maps/counters.ts): connections refused and bytes
 * dropped because an endpoint had all that it may have. Nobody is told at the time, so it is looked for now and then; a
 * problem stands as long as what it is about has been counted in the last minute.
 */
import * as counter from '../../policy-maps/counters.ts';

const STANDS_MS = 60_000;

interface Watch {
  readonly number: number;
  /** The counter that names the endpoint. */
  readonly endpoint: number;
  readonly text: (count: number, who: string) => string;
  seen: number;
  /** Counted since the problem came up. */
  count: number;
  lastMs: number;
}

/** The counters of one agent's dataplane under watch. */
export class Pressure {
  readonly #words: Float64Array;
  readonly #nameOf: (endpoint: number) => string;
  readonly #watches: readonly Watch[];

  /** @param words CountersMap.words @param nameOf an endpoint id as people know it */
  constructor(words: Float64Array, nameOf: (endpoint: number) => string) {
    this.#words = words;
    this.#nameOf = nameOf;
    const watch = (number: number, endpoint: number, text: Watch['text']): Watch => {
      return { number, endpoint, text, seen: words[number], count: 0, lastMs: Number.NEGATIVE_INFINITY };
    };
    this.#watches = [
      watch(
        counter.L7_TABLE_FULL,
        counter.L7_FULL_ENDPOINT,
        (count, who) => `${count} connections under L7 rules refused: ${who} has its share of the table of flows`,
      ),
      watch(
        counter.L7_MEMORY_SHARE_FULL,
        counter.L7_MEMORY_FULL_ENDPOINT,
        (count, who) => `${count} segments under L7 rules not kept: ${who} has its share of the memory for them`,
      ),
    ];
  }

  /** What is wrong now, one sentence each. @param nowMs milliseconds of any steady clock */
  problems(nowMs: number): string[] {
    const lines: string[] = [];
    for (const watch of this.#watches) {
      const now = this.#words[watch.number];
      if (nowMs - watch.lastMs >= STANDS_MS) watch.count = 0;
      if (now > watch.seen) {
        watch.count += now - watch.seen;
        watch.lastMs = nowMs;
      }
      watch.seen = now;
      if (watch.count > 0) lines.push(watch.text(watch.count, this.#nameOf(this.#words[watch.endpoint])));
    }
    return lines;
  }
}
