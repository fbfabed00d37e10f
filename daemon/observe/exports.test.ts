import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { Envelope } from '../../hubble/flow.ts';
import { waitFor } from '../../test/command.ts';
import { envelope, flows } from '../../test/events.ts';
import { ConfigError, parseConfig } from '../config/config.ts';
import { ExportFile } from './export-file.ts';
import { configuredExport, type ExportSettings, readFlowLogs } from './export-settings.ts';
import { Exporter } from './exporter.ts';
import { Exports } from './exports.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const ALLOWED = envelope(flows.allowed);
const DROPPED = envelope(flows.dropped);

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-exports-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const settings = (path: string, more: Partial<ExportSettings> = {}): ExportSettings => ({
  name: 'test',
  path,
  maxBytes: 2 ** 20,
  maxBackups: 5,
  compress: false,
  allow: [],
  deny: [],
  mask: [],
  ...more,
});

const options = { nodeName: 'node-1', nowMs: () => NOW, log: () => undefined };
const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
const isThere = (path: string, lines: number) =>
  waitFor(`${lines} lines in ${path}`, () => Promise.resolve(countOf(path) === lines));

function countOf(path: string): number {
  try {
    return linesOf(path).length;
  } catch {
    return 0;
  }
}

t.test('export: lines are those of observe -o json, filtered, with the wanted fields', async (t) => {
  const path = join(folder(t), 'below', 'flows.log');
  const all = new Exporter(settings(path), options);
  all.take([ALLOWED, DROPPED]);
  await all.stop();
  t.same(linesOf(path), [JSON.stringify(ALLOWED), JSON.stringify(DROPPED)]);
  t.equal(statSync(path).mode & 0o777, 0o600);

  const some = new Exporter(
    settings(path, {
      allow: [{ verdict: ['DROPPED'] }],
      deny: [{ source_pod: ['none/'] }],
      mask: ['verdict', 'source.pod_name'],
    }),
    options,
  );
  some.take([ALLOWED, DROPPED]);
  await some.stop();
  t.same(
    linesOf(path)
      .slice(2)
      .map((line) => JSON.parse(line) as unknown),
    [{ flow: { verdict: 'DROPPED', source: { pod_name: 'web-0' } }, node_name: 'node-1', time: DROPPED.time }],
    'appended to what was there',
  );
  t.same(some.status, { name: 'test', path, written: 1, lost: 0, ended: false, problem: '' });
});

t.test('export: a file is put aside at its size, gzipped, and the oldest are removed', async (t) => {
  const directory = folder(t);
  const path = join(directory, 'flows.log');
  let now = NOW;
  const file = new ExportFile({ path, maxBytes: 100, maxBackups: 2, compress: true, nowMs: () => now++ });
  writeFileSync(join(directory, 'flows-of-somebody.log'), 'not ours');
  const line = (index: number) => `${String(index).padStart(39, '.')}\n`;
  await file.write(Array.from({ length: 9 }, (_, index) => line(index)));
  await file.write([`${'x'.repeat(200)}\n`]);
  await file.write([line(10)]);
  await file.close();
  t.same(readdirSync(directory).sort(), [
    'flows-2026-01-31T12-00-00.004.log.gz',
    'flows-2026-01-31T12-00-00.005.log.gz',
    'flows-of-somebody.log',
    'flows.log',
  ]);
  const aside = (name: string) => gunzipSync(readFileSync(join(directory, name))).toString();
  t.equal(aside('flows-2026-01-31T12-00-00.004.log.gz'), line(8));
  t.equal(aside('flows-2026-01-31T12-00-00.005.log.gz'), `${'x'.repeat(200)}\n`, 'one that no file has room for');
  t.equal(readFileSync(path, 'utf8'), line(10));
});

t.test('export: what is no file is left alone, and told', async (t) => {
  const directory = folder(t);
  writeFileSync(join(directory, 'other'), 'theirs');
  symlinkSync(join(directory, 'other'), join(directory, 'link'));
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  for (const [name, problem] of [
    ['link', /ELOOP/],
    ['pipe', /ENXIO|found no file/],
    ['.', /EISDIR/],
  ] as const) {
    const exporter = new Exporter(settings(join(directory, name)), options);
    exporter.take([ALLOWED]);
    await waitFor(`the problem of ${name}`, () => Promise.resolve(exporter.status.problem !== ''));
    t.match(exporter.status.problem, problem);
    await exporter.stop();
  }
  t.equal(readFileSync(join(directory, 'other'), 'utf8'), 'theirs');
});

t.test(
  'export: a full disk costs no line until the memory for it is full; what is lost is told in the file',
  async (t) => {
    const directory = folder(t);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory]);
    t.teardown(() => execFileSync('umount', ['-l', directory]));
    writeFileSync(join(directory, 'ballast'), Buffer.alloc(60_000));
    const path = join(directory, 'flows.log');
    const exporter = new Exporter(settings(path, { maxBytes: 2 ** 26 }), options);
    const long = { ...ALLOWED, flow: { ...flows.allowed, Summary: 'x'.repeat(40_000) } } as Envelope;
    for (let taken = 0; taken < 300; taken++) exporter.take([long]);
    await waitFor('the problem', () => Promise.resolve(exporter.status.problem !== ''));
    t.match(exporter.status.problem, /^export test: write .*flows\.log: ENOSPC$/);
    t.equal(countOf(path), 0, 'no half line');
    const { lost } = exporter.status;
    t.ok(lost > 50 && lost < 150, `${lost} found no room`);
    execFileSync('mount', ['-o', 'remount,size=64m', directory]);
    await isThere(path, 300 - lost);
    exporter.take([DROPPED]);
    await isThere(path, 300 - lost + 2);
    const [told = '', last] = linesOf(path).slice(-2);
    t.match(JSON.parse(told), { lost_events: { source: 'OBSERVER_EVENTS_QUEUE', num_events_lost: String(lost) } });
    t.equal(last, JSON.stringify(DROPPED));
    await exporter.stop();
  },
);

t.test('export: the file of flowLogs is read anew when it changes; with a fault it changes nothing', async (t) => {
  const directory = folder(t);
  const path = join(directory, 'flowlogs.yaml');
  let now = NOW;
  const exports = new Exports({ ...options, nowMs: () => now, fixed: undefined, path });
  t.teardown(() => exports.stop());
  const write = async (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    await exports.look();
  };
  const log = (name: string, more = '') =>
    `  - { name: ${name}, filePath: ${join(directory, `${name}.log`)}${more} }\n`;
  await exports.look();
  t.match(exports.problems, [/^read the file of flowLogs .*: ENOENT: exports stay as they are$/]);
  await write(`flowLogs:\n${log('all')}${log('drops', ', includeFilters: [{ verdict: [DROPPED] }]')}`);
  t.same([exports.problems, exports.statuses.map(({ name }) => name)], [[], ['all', 'drops']]);
  exports.take([ALLOWED, DROPPED]);
  await isThere(join(directory, 'all.log'), 2);
  await isThere(join(directory, 'drops.log'), 1);

  await write(`flowLogs:\n${log('all', ', includeFilters: [{ verdict: [SHUT] }], colour: red')}`);
  t.match(exports.problems, [/flowlogs\.yaml:2.*colour/, /invalid verdict filter: "SHUT"/]);
  exports.take([ALLOWED]);
  await isThere(join(directory, 'all.log'), 3);

  await write(`flowLogs:\n${log('all')}${log('brief', ', end: "2026-01-31T12:00:01Z", fieldMask: [verdict]')}`);
  t.same(exports.problems, []);
  exports.take([DROPPED]);
  await isThere(join(directory, 'all.log'), 4);
  await isThere(join(directory, 'brief.log'), 1);
  t.equal(countOf(join(directory, 'drops.log')), 1, 'one that is gone from the file has ended');
  t.same(
    exports.statuses.map(({ written }) => written),
    [4, 1],
    'one that is as it was goes on',
  );
  now += 1000;
  exports.take([DROPPED]);
  await isThere(join(directory, 'all.log'), 5);
  t.same(
    exports.statuses.map(({ ended, written }) => [ended, written]),
    [
      [false, 5],
      [true, 1],
    ],
  );
  rmSync(path);
  await exports.look();
  t.equal(exports.statuses.length, 2);
  await write('flowLogs: []\n');
  t.same([exports.statuses, exports.problems], [[], []]);
});

t.test('export: what a file of flowLogs and the configuration may not say', (t) => {
  const cases: readonly [string, RegExp][] = [
    ['flowLogs: [{ name: a }]', /filePath/],
    [
      'flowLogs: [{ name: a, filePath: flows.log }]',
      /flowLogs\[0\]\.filePath: found "flows\.log", wanted an absolute path, or stdout/,
    ],
    ['flowLogs: [{ name: a, filePath: /x }, { name: a, filePath: /y }]', /found "a" a second time/],
    ['flowLogs: [{ name: a, filePath: /x }, { name: b, filePath: /x }]', /found "\/x" a second time/],
    ['flowLogs: [{ name: a, filePath: /taken }]', /found "\/taken" a second time/],
    ['flowLogs: [{ name: a, filePath: /x, end: tomorrow }]', /found "tomorrow", wanted a time/],
    ['flowLogs: [{ name: a, filePath: /x, fileMaxSizeMb: 0 }]', /fileMaxSizeMb/],
    ['flowLogs: [{ name: a, filePath: /x, fieldMask: [nothing] }]', /field mask: found "nothing"/],
    ['flowLogs: [{ name: a, filePath: /x, excludeFilters: [drop] }]', /wanted a FlowFilter as a JSON object/],
    ['flowLogs: [', /read YAML/],
  ];
  for (const [text, problem] of cases) {
    const { exports, problems } = readFlowLogs(text, 'flowlogs.yaml', ['/taken']);
    t.match(problems.join('\n'), problem, text);
    t.same(exports, []);
  }
  const both = readFlowLogs('flowLogs: [{ name: a, filePath: stdout }, { name: b, filePath: stdout }]', 'f', []);
  t.equal(both.exports.length, 2, 'standard output is for all');
  for (const text of [
    'hubble: { export-file-path: flows.log }',
    'hubble: { export-allowlist: [\'{"verdict":["SHUT"]}\'] }',
    "hubble: { export-denylist: ['[]'] }",
    'hubble: { export-fieldmask: [nothing] }',
    'hubble: { export-file-max-size-mb: 0 }',
    'hubble: { flowlogs-config-path: flowlogs.yaml }',
    'hubble: { history: { enabled: true } }',
  ]) {
    t.throws(() => parseConfig(text, 'sluice.yaml'), ConfigError, text);
  }
  const config = parseConfig(
    'hubble: { export-file-path: /x, export-allowlist: [\'{"verdict":["DROPPED"]}\'], export-file-compress: true }',
    'sluice.yaml',
  );
  t.match(configuredExport(config), {
    path: '/x',
    maxBytes: 10 * 2 ** 20,
    maxBackups: 5,
    compress: true,
    allow: [{ verdict: ['DROPPED'] }],
  });
  t.equal(configuredExport(parseConfig('', 'sluice.yaml')), undefined);
  t.end();
});
