import t from 'tap';
import { drawnOf, History, KEPT_MS, niceTop, pathOf } from './history.ts';
import { parseMetrics } from './prometheus-text.ts';

const seen = (count: number) => parseMetrics(`sluice_flows_seen_total ${count}\nsluice_flows_lost_total 0`);

t.test('a line is broken where the agent did not answer, and where nobody looked', (t) => {
  const history = new History();
  history.add(seen(0), 0);
  history.add(seen(4), 2000);
  history.miss(4000);
  history.add(seen(8), 6000);
  history.add(seen(9000), 60_000);
  history.add(seen(9002), 62_000);
  const { lines, top } = drawnOf(history.points, 'flows', 0);
  t.same(lines[1], { name: 'seen', values: [null, 2, null, 1, null, 1] });
  t.equal(top, 2);
  t.end();
});

t.test('an agent that began anew makes no peak', (t) => {
  const history = new History();
  history.add(seen(1_000_000), 0);
  history.add(seen(6), 2000);
  t.same(drawnOf(history.points, 'flows', 0).lines[1].values, [null, 3]);
  t.end();
});

t.test('half an hour is kept, and a clock that is set back breaks nothing', (t) => {
  const history = new History();
  for (let ms = 0; ms <= KEPT_MS + 60_000; ms += 2000) history.add(seen(ms), ms);
  t.equal(history.points[0].timeMs, 60_000);
  history.add(seen(1), 0);
  t.equal(history.points.at(-1)?.figures.size, 0);
  t.ok(history.points.length <= 1000);
  t.end();
});

t.test('paths stay in their box, and have a hole where there is no figure', (t) => {
  const line = { name: 'x', values: [0, 5, null, 10] };
  const drawn = { timesMs: [0, 1000, 2000, 3000], lines: [line], top: 10 };
  t.equal(
    pathOf(drawn, line, { fromMs: 0, rangeMs: 4000, width: 400, height: 100 }),
    'M0.0 100.0L100.0 50.0M300.0 0.0',
  );
  t.same([0, 0.3, 7, 20, 51, Number.NaN, Infinity].map(niceTop), [1, 0.5, 10, 20, 100, 1, 1]);
  t.end();
});
