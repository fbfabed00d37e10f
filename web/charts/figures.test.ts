import t from 'tap';
import { CHARTS, figureText, increases, latencies, type Step, topOf, withPods } from './figures.ts';
import { parseMetrics } from './prometheus-text.ts';

const step = (before: string, now: string): Step => ({
  before: parseMetrics(before),
  now: parseMetrics(now),
  seconds: 2,
});
const read = (name: string, one: Step) => Object.fromEntries(CHARTS.find((chart) => chart.name === name)!.read(one));

t.test(
  'a counter that began anew counts from nothing; a fresh series from its first event, a fresh metric not at all',
  (t) => {
    const more = increases(step('x{a="1"} 10\nx{a="2"} 10', 'x{a="1"} 14\nx{a="2"} 3\nx{a="3"} 5'), 'x');
    t.same(
      more.map(([, value]) => value),
      [4, 3, 5],
    );
    t.same(increases(step('', 'x 1000'), 'x'), []);
    t.end();
  },
);

t.test('rates are found whatever the prefix of the metrics is, and directions are summed', (t) => {
  const before =
    'my_drop_count_total{reason="A",direction="INGRESS"} 1\nmy_drop_count_total{reason="A",direction="EGRESS"} 1';
  const now =
    'my_drop_count_total{reason="A",direction="INGRESS"} 5\nmy_drop_count_total{reason="A",direction="EGRESS"} 3';
  t.same(read('drops', step(before, now)), { A: 3 });
  t.same(read('drops', step('', '')), {});
  t.end();
});

t.test('ports are called as their pods, where these are known', (t) => {
  const scrape = (one: number, two: number) =>
    withPods(
      parseMetrics(
        `sluice_port_bytes_total{port="x_1",way="sent"} ${one}\nsluice_port_bytes_total{port="x_net",way="sent"} ${two}`,
      ),
      new Map([['x_1', 'shop/web']]),
    );
  const found = read('ports', { before: scrape(0, 0), now: scrape(4, 2), seconds: 2 });
  t.same(found, { 'shop/web sent': 2, 'x_net sent': 1 });
  t.end();
});

t.test('percentiles are between the bounds of their bucket', (t) => {
  const buckets = (counts: readonly number[]) =>
    ['0.01', '0.1', '1', '+Inf'].map((le, index) => `h_bucket{le="${le}",m="GET"} ${counts[index]}`).join('\n');
  const found = latencies(step(buckets([0, 0, 0, 0]), buckets([50, 90, 100, 100])), 'h');
  t.equal(found.get('p50'), 10);
  t.equal(Math.round(found.get('p95')!), 550);
  t.equal(Math.round(found.get('p99')!), 910);
  t.equal(latencies(step(buckets([1, 2, 3, 9]), buckets([1, 2, 3, 10])), 'h').get('p50'), 1000, 'above the last bound');
  t.equal(latencies(step(buckets([1, 1, 1, 1]), buckets([1, 1, 1, 1])), 'h').size, 0, 'nothing was answered');
  t.end();
});

t.test('L7, fill, load and flows', (t) => {
  const l7 = (received: number, denied: number) =>
    `cilium_policy_l7_total{rule="received",proxy_type="http"} ${received}\n` +
    `cilium_policy_l7_total{rule="denied",proxy_type="http"} ${denied}\n` +
    'cilium_policy_l7_total{rule="denied",proxy_type="kafka"} 0';
  t.same(read('l7', step(l7(0, 0), l7(8, 4))), { 'http denied': 2 });
  t.same(
    read('tables', step('', 'cilium_bpf_map_pressure{map_name="x"} 0.5\ncilium_bpf_map_pressure{map_name="ct4"} 0.25')),
    {
      ct4: 25,
      x: 50,
    },
  );
  const idle = (us: number) => `sluice_loop_idle_microseconds_total ${us}`;
  t.same(read('loop', step(idle(0), idle(1_500_000))), { loop: 25 });
  t.same(
    read(
      'flows',
      step(
        'sluice_flows_seen_total 0\nsluice_flows_lost_total 0',
        'sluice_flows_seen_total 4\nsluice_flows_lost_total 2',
      ),
    ),
    { seen: 2, lost: 1 },
  );
  t.end();
});

t.test('of many lines the largest are shown, and the others as one', (t) => {
  const many = new Map(Array.from({ length: 9 }, (_, index) => [`line ${index}`, index] as const));
  t.same(Object.fromEntries(topOf(many)), {
    'line 8': 8,
    'line 7': 7,
    'line 6': 6,
    'line 5': 5,
    'line 4': 4,
    others: 6,
  });
  t.end();
});

t.test('figures are written short, with their unit', (t) => {
  t.equal(figureText(0, '/s'), '0 /s');
  t.equal(figureText(1234, '/s'), '1.23 k/s');
  t.equal(figureText(1536, 'B/s'), '1.54 kB/s');
  t.equal(figureText(12.34, 'ms'), '12.3 ms');
  t.equal(figureText(100, '%'), '100 %');
  t.end();
});
