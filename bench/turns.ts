/** Ways of one rig, compared in turn: a load goes over each of them in short bursts, A B B A A B, so that a drift falls on all. */
import type { Load } from './load.ts';
import { runMeasured } from './measured.ts';
import type { Results } from './series.ts';

const WARM_UP_SEC = 1;
const BURSTS = 6;

/** Somewhere that loads go to. */
export interface Way {
  /** As a subject of the report. */
  readonly name: string;
  readonly address: string;
  /** Processes that do the work; none when the kernel does. */
  readonly pids?: () => number[];
}

/** @param seconds of each load on each way in all, at least one a burst */
export async function inTurn(
  ways: readonly Way[],
  loads: readonly Load[],
  seconds: number,
  results: Results,
): Promise<void> {
  const burstSec = Math.max(1, Math.round(seconds / BURSTS));
  for (const load of loads) {
    for (const { address } of ways) await load.run(address, WARM_UP_SEC);
    for (let burst = 0; burst < BURSTS; burst++) {
      for (const { name, address, pids = () => [] } of burst % 2 === 0 ? ways : ways.toReversed()) {
        for (const { metric, value, unit } of await runMeasured(load, { address, pids }, burstSec)) {
          // Of the whole machine's time in a second or two, what else goes on is too large a part.
          if (!metric.endsWith(', all CPU')) results.add(name, metric, value, unit);
        }
      }
    }
    console.error(`  ${load.name}: ${ways.map(({ name }) => name).join(', ')}`);
  }
}
