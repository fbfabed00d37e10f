import t from 'tap';
import { parseMetrics } from './prometheus-text.ts';

t.test('parseMetrics() reads names, labels and values', (t) => {
  const scrape = parseMetrics(
    [
      '# HELP a_total What is "counted"{}.',
      '# TYPE a_total counter',
      'a_total 12',
      'a_total{reason="Policy denied",way="IN"} 3.5 1700000000000',
      'b_bucket{le="+Inf"} 1e3 # {trace_id="x"} 0.5 1.0',
      'c +Inf',
      'd NaN',
      '',
    ].join('\n'),
  );
  t.same(scrape.get('a_total'), [
    { labels: {}, value: 12 },
    { labels: { reason: 'Policy denied', way: 'IN' }, value: 3.5 },
  ]);
  t.same(scrape.get('b_bucket'), [{ labels: { le: '+Inf' }, value: 1000 }]);
  t.equal(scrape.get('c')?.[0].value, Infinity);
  t.ok(Number.isNaN(scrape.get('d')?.[0].value));
  t.equal(scrape.size, 4);
  t.end();
});

t.test('what labels hide is read as it is meant', (t) => {
  const [{ labels }] = parseMetrics(String.raw`x{v="a\\b\n\"c\" } 7",w="{,}",__proto__="p"} 1`).get('x')!;
  t.equal(labels['v'], 'a\\b\n"c" } 7');
  t.equal(labels['w'], '{,}');
  t.end();
});

t.test('what is no sample is passed over, and there is an end to samples', (t) => {
  for (const line of ['x', 'x{', 'x{a="} 1', '{a="b"} 1', 'x one', '<html>', 'x{a="b"}1 2 3 y'])
    t.equal(parseMetrics(line).size, 0, line);
  t.equal(parseMetrics('x 1\n'.repeat(30_000)).get('x')?.length, 20_000);
  t.end();
});
