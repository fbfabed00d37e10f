// The bench's arithmetic, command line and reports: no figure is better than these.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { caveats, comparisonTable } from '../bench/compare.ts';
import { readOptions } from '../bench/options.ts';
import { disturbances } from '../bench/quiet.ts';
import { readReport, type Report, reportPage, reportText } from '../bench/report.ts';
import { median, Results } from '../bench/series.ts';
import { PACKAGE_ROOT } from '../linux/package-root.ts';

const MACHINE = {
  cpu: 'two cores',
  cores: 2,
  memoryGiB: 4,
  kernel: '6.1',
  node: 'v20',
  date: '2026-01-02T03:04',
  commit: 'abc',
};

/** Three rounds of Sluice, another build of it, and a bridge. */
function results(ours: readonly number[]): Results {
  const found = new Results();
  for (const value of ours) found.add('sluice', 'tcp 1', value, 'Gbit/s');
  for (const value of [8, 10, 12]) found.add('sluice@old', 'tcp 1', value, 'Gbit/s');
  for (const value of [10, 10, 10]) found.add('bridge+nft', 'tcp 1', value, 'Gbit/s');
  return found;
}

const report = (ours: readonly number[], more: Partial<Report> = {}): Report => {
  const found = results(ours);
  const ratios = found.ratios(['@old']);
  return { machine: MACHINE, disturbances: [], results: found.summaries(), ratios, limits: found.limits(), ...more };
};

t.test('medians, and ratios of medians with those of each round', async (t) => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  const ratios = results([8, 11, 9]).ratios(['@old']);
  const beside = (name: string) => ratios.find((one) => one.subject === 'sluice' && one.beside === name);
  t.match(beside('bridge+nft'), { ratio: 0.9, low: 0.8, high: 1.1, wanted: 1 });
  t.match(beside('sluice@old'), { ratio: 0.9, low: 0.75, high: 1.1 });
  t.notOk(Object.hasOwn(beside('sluice@old') ?? {}, 'wanted'));
});

t.test('an excess is that of each round', async (t) => {
  const found = new Results();
  for (const value of [50, 60]) found.add('sluice', 'ping p50', value, 'us');
  for (const value of [20, 40]) found.add('bridge+nft', 'ping p50', value, 'us');
  found.addExcess('ping p50', 'bridge+nft');
  t.same(found.valuesOf('ping p50 beyond bridge+nft', 'sluice'), [30, 20]);
  t.same(found.valuesOf('ping p50 beyond bridge+nft', 'bridge+nft'), []);
  t.match(found.limits(), [{ median: 25, wanted: 25 }]);
});

t.test('a machine that did something else is told, with who it was', async (t) => {
  t.same(disturbances({ busyBeforePercent: 1, othersPercent: 1, stolenPercent: 1, others: ['cron'] }), []);
  const found = disturbances({ busyBeforePercent: 50, othersPercent: 10, stolenPercent: 5, others: ['cc1', 'make'] });
  t.equal(found.length, 3);
  t.match(found[1], /10\.0 % .*: cc1, make/);
  t.match(reportText(report([9, 9, 9], { disturbances: found })), /^NOT QUIET\n {2}50\.0 %/);
  t.match(reportPage(report([9, 9, 9], { disturbances: found })), /\*\*not quiet\*\*: 50\.0 %/);
  t.match(reportPage(report([9, 9, 9])), /Nothing else ran/);
});

t.test('an earlier report beside this one, and what speaks against it', async (t) => {
  const then = report([8, 8, 8], { machine: { ...MACHINE, kernel: '5.10' }, disturbances: ['steal'] });
  const now = report([9, 9, 9]);
  t.same(caveats(then, now), ['kernel: 5.10 then, 6.1 now', 'then: steal']);
  const rows = comparisonTable(then, now).split('\n');
  t.match(
    rows.find((row) => row.startsWith('tcp 1: sluice / bridge+nft')),
    /0\.800.* 0\.900.* 1\.125$/,
  );
  t.match(
    rows.find((row) => row.startsWith('tcp 1: sluice, Gbit/s')),
    /8\.00.* 9\.00.* 1\.125$/,
  );
});

t.test('the command line', async (t) => {
  t.match(readOptions([]), { rounds: 3, seconds: 3, parts: ['tcp', 'udp'] });
  t.match(readOptions(['observe', 'tcp', '--rounds', '5']), { rounds: 5, parts: ['observability', 'flow-stream'] });
  t.equal(readOptions(['--help']), undefined);
  t.throws(() => readOptions(['--rounds', 'many']), /--rounds: found many, wanted a whole number from 1 on/);
  t.throws(() => readOptions(['--seconds', '0']), /--seconds/);
  t.throws(() => readOptions(['--fast']), /--fast/);
});

t.test('BENCHMARKS.md is what the kept report says', async (t) => {
  const page = readFileSync(join(PACKAGE_ROOT, 'BENCHMARKS.md'), 'utf8');
  t.equal(page, reportPage(readReport(join(PACKAGE_ROOT, 'bench/report.json'))));
});

t.test('what is no report is refused', async (t) => {
  const dir = t.testdir({ 'package.json': '{}' });
  t.throws(() => readReport(join(dir, 'package.json')), /not a report that scripts\/bench --json wrote/);
});
