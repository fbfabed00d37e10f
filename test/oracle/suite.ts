/** The compiled policies against the oracle, over as many packets as asked for; the seed of each world comes from one. */
import t from 'tap';
import type { Tally } from './difference.ts';
import { explain, WorldRun } from './run.ts';

const RUN = { steps: 10, packets: { built: 60, step: 20 } };
const DEFAULT_SEED = 1;

/** `ORACLE_SEED` chooses the seed, `ORACLE_WORLD` one world of it alone. */
export function testAgainstOracle({ packets }: { packets: number }): void {
  const seed = Number(process.env['ORACLE_SEED'] ?? DEFAULT_SEED);
  t.setTimeout(0);
  t.test(`compiled policies agree with the oracle on ${packets} packets, seed ${seed}`, (t) => {
    const tally: Tally = { packets: 0, sides: 0, outcomes: new Map() };
    const only = process.env['ORACLE_WORLD'];
    for (let world = Number(only ?? seed * 1_000_000); tally.packets < packets; world++) {
      const found = new WorldRun(world, tally).run(RUN);
      if (found !== undefined) t.equal(explain(found), 'agreement', `world ${world}`);
      if (only !== undefined) break;
    }
    t.comment(`${tally.packets} packets, ${tally.sides} sides`);
    for (const [outcome, count] of [...tally.outcomes].sort((a, b) => b[1] - a[1])) t.comment(`${count} ${outcome}`);
    t.end();
  });
}
