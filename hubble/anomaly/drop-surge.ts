/**
 * Many more drops of one reason than usual: packets in an interval of ten seconds against a moving average of the intervals before
 * (weight 1/8 for the newest). It is told within the interval. Counted drops count as the packets that they stand for. They come some
 * seconds after those that were told one by one, so that what is late by an interval counts in the present one.
 */
import { EVENT_DROP } from '../../wire/event.ts';
import { type Flow, packetsOf } from '../flow.ts';
import { ownReasonName } from '../own-reason.ts';
import { Recent } from './recent.ts';
import type { Making, Rule } from './rule.ts';

const INTERVAL_MS = 10_000;
const WEIGHT = 1 / 8;
/** Reasons have 8 bits. */
const WATCHED_REASONS = 256;

interface Drops {
  interval: number;
  packets: number;
  average: number;
  isTold: boolean;
}

export class DropSurge implements Rule {
  readonly names = ['drop-surge'] as const;
  readonly #drops = new Recent<Drops>(WATCHED_REASONS);
  readonly #making: Making;

  constructor(making: Making) {
    this.#making = making;
  }

  get forgotten(): number {
    return this.#drops.forgotten;
  }

  take(flow: Flow, timeMs: number): void {
    if (flow.event_type.type !== EVENT_DROP) return;
    const reason = ownReasonName(flow) ?? flow.drop_reason_desc ?? 'DROP_REASON_UNKNOWN';
    const interval = Math.floor(timeMs / INTERVAL_MS);
    const drops = this.#drops.of(reason, () => ({ interval, packets: 0, average: 0, isTold: false }));
    if (interval > drops.interval || interval < drops.interval - 1) endInterval(drops, interval);
    drops.packets += packetsOf(flow);
    const { 'drop-surge-factor': factor, 'drop-surge-packets': least } = this.#making.limits;
    if (drops.isTold || drops.packets < least || drops.packets <= factor * drops.average) return;
    drops.isTold = true;
    const usual = Math.round(drops.average);
    const text = `${drops.packets} packets dropped within 10 s (${reason}), usually ${usual}`;
    this.#making.tell({ rule: 'drop-surge', subject: reason, text, flow });
  }
}

function endInterval(drops: Drops, interval: number): void {
  const passed = Math.max(1, interval - drops.interval); // a clock that was set back ends one
  drops.average += WEIGHT * (drops.packets - drops.average);
  drops.average *= (1 - WEIGHT) ** (passed - 1);
  drops.interval = interval;
  drops.packets = 0;
  drops.isTold = false;
}
