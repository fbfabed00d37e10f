/**
 * What runs full or silent in the dataplane, as its counters tell (policy-maps/counters.ts): connections refused or forgotten
 * and bytes dropped because an endpoint had all that it may have, frames dropped because a gateway does not answer. Nobody is
 * told at the time, so it is looked for now and then; a problem stands as long as what it is about has been counted in the last
 * minute.
 */
import type { Config } from '../config/config.ts';
import * as counter from '../../policy-maps/counters.ts';

const STANDS_MS = 60_000;

interface Watch {
  readonly number: number;
  /** The counter that names the endpoint, if the problem has one. */
  readonly endpoint: number | undefined;
  readonly text: (count: number, who: string) => string;
  seen: number;
  /** Counted since the problem came up. */
  count: number;
  lastMs: number;
}

const silent = (gateway: string) => (count: number) =>
  `${gateway} of the uplink does not answer: ${count} frames dropped; see whether it is up and on that link`;

/** In the order of DNS_UNPUBLISHED_CAUSES. How often is not said, so that each is logged once while it lasts. */
const UNPUBLISHED_TEXTS: readonly ((who: string) => string)[] = [
  () => 'DNS answers replaced by SERVFAIL: what they teach is not published in time (tofqdns-proxy-response-max-delay)',
  () => 'DNS answers replaced by SERVFAIL: nobody has kept what those before them taught',
  (who) => `DNS answers to ${who} replaced by SERVFAIL: it looks up new names faster than they are published`,
  () => 'DNS answers replaced by SERVFAIL: no memory is left for answers that wait',
];

/** The counters of one agent's dataplane under watch. */
export class Pressure {
  readonly #words: Float64Array;
  readonly #nameOf: (endpoint: number) => string;
  readonly #watches: readonly Watch[];

  /** @param words CountersMap.words @param nameOf an endpoint id as people know it @param uplink for its gateways */
  constructor(words: Float64Array, nameOf: (endpoint: number) => string, uplink: Partial<Config['uplink']> = {}) {
    this.#words = words;
    this.#nameOf = nameOf;
    const watch = (number: number, endpoint: number | undefined, text: Watch['text']): Watch => {
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
      watch(
        counter.CT_EVICTED_IDLE,
        undefined,
        (count) => `the table of connections is full: ${count} that were closing or never answered made room`,
      ),
      watch(
        counter.CT_EVICTED_OVER,
        counter.CT_FULL_ENDPOINT,
        (count, who) => `the table of connections is full: ${count} in use forgotten; ${who} has more than its share`,
      ),
      watch(
        counter.CT_EVICTED_WITHIN,
        undefined,
        (count) =>
          `the table of connections is full: ${count} in use forgotten of endpoints with no more than their share: ` +
          'raise maps.bpf-ct-global-tcp-max and -any-max',
      ),
      watch(
        counter.MASQUERADE_EXHAUSTED,
        undefined,
        (count) =>
          `masquerading: ${count} connections refused, no port was free towards where they go: widen masquerade.ports`,
      ),
      watch(
        counter.MASQUERADE_DISPLACED,
        undefined,
        (count) =>
          `masquerading: ${count} connections of pods that have most ports towards a destination ended for those of others: ` +
          'widen masquerade.ports',
      ),
      ...UNPUBLISHED_TEXTS.map((text, cause) =>
        watch(counter.DNS_UNPUBLISHED + cause, counter.DNS_FULL_ENDPOINT, (_, who) => text(who)),
      ),
      watch(counter.GATEWAY4_DROPS, undefined, silent(`gateway4 ${uplink.gateway4}`)),
      watch(counter.GATEWAY6_DROPS, undefined, silent(`gateway6 ${uplink.gateway6}`)),
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
      const who = watch.endpoint === undefined ? '' : this.#nameOf(this.#words[watch.endpoint]);
      if (watch.count > 0) lines.push(watch.text(watch.count, who));
    }
    return lines;
  }
}
