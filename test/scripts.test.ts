// The closing line of scripts/test is what everybody trusts, so it is tested itself.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { must, run } from './command.ts';

const SCRIPTS = join(import.meta.dirname, '../../scripts');
const REPORTER = join(SCRIPTS, 'test-reporter.mjs');

const report = async (tap: string) => {
  const { code, stdout } = await run([process.execPath, REPORTER], { input: tap });
  return { code, stdout, last: stdout.trimEnd().split('\n').at(-1) };
};

const subtest = (name: string, lines: string) => `# Subtest: ${name}\n${lines.replace(/^(?=.)/gm, '    ')}`;

t.test('test-reporter counts the tests of every file', async (t) => {
  const inner = subtest('adds', 'ok 1 - one\nok 2 - two\n1..2\n');
  const file = subtest('dist/a.test.js', `${inner}ok 1 - adds # time=3ms\nok 2 - plain\n1..2\n`);
  const { code, last, stdout } = await report(`TAP version 14\n${file}ok 1 - dist/a.test.js # time=20ms\n1..1\n`);
  t.equal(last, '2 passed, 0 failed');
  t.equal(code, 0);
  t.match(stdout, /ok +a\.test\.ts +2 passed +0\.0 s/);
});

t.test('test-reporter shows a failure with its path and its place', async (t) => {
  const diag =
    '  ---\n  at:\n    fileName: a.test.ts\n    lineNumber: 7\n    columnNumber: 3\n  diff: |\n    -1\n    +2\n  ...\n';
  const inner = subtest('adds', `not ok 1 - should be equal\n${diag}1..1\n`);
  const file = subtest('dist/a.test.js', `${inner}not ok 1 - adds\n1..1\n`);
  const { code, last, stdout } = await report(`TAP version 14\n${file}not ok 1 - dist/a.test.js\n1..1\n`);
  t.equal(last, '0 passed, 1 failed');
  t.equal(code, 1);
  t.match(stdout, 'not ok: adds > should be equal\n    at a.test.ts:7:3');
  t.match(stdout, '-1');
});

t.test('test-reporter fails a file that ended early, and a run of nothing', async (t) => {
  const crashed = await report('TAP version 14\nnot ok 1 - dist/a.test.js\n  ---\n  exitCode: 3\n  ...\n1..1\n');
  t.equal(crashed.last, '0 passed, 1 failed');
  t.equal(crashed.code, 1);
  const cut = await report('TAP version 14\n# Subtest: dist/a.test.js\n    ok 1 - first\n');
  t.equal(cut.code, 1);
  t.match(cut.last, /[1-9]\d* failed$/);
  const nothing = await report('');
  t.equal(nothing.last, '0 passed, 1 failed');
  t.equal(nothing.code, 1);
});

t.test('run-tests tells a file that fails, ends early, says nothing, or is killed', async (t) => {
  const files = {
    'good.mjs': 'console.log("ok 1 - fine\\n1..1")',
    'bad.mjs': 'console.log("not ok 1 - wrong\\n1..1"); process.exitCode = 1',
    'unsaid.mjs': 'console.log("not ok 1 - wrong, and exit code 0\\n1..1")',
    'early.mjs': 'console.log("ok 1 - of two"); process.exit(0)',
    'silent.mjs': '',
    'killed.mjs': 'console.log("ok 1 - fine\\n1..1"); process.kill(process.pid, "SIGKILL")',
  };
  const dir = t.testdir(files);
  const argv = [process.execPath, join(SCRIPTS, 'run-tests.mjs'), '2', '60', ...Object.keys(files)];
  const { stdout, code } = await run(argv, { cwd: dir });
  t.equal(code, 1);
  const outcomes = [...stdout.matchAll(/^(ok|not ok) \d+ - (\w+)\.mjs/gm)].map(([, outcome, name]) => [name, outcome]);
  t.same(Object.fromEntries(outcomes), {
    good: 'ok',
    bad: 'not ok',
    unsaid: 'not ok',
    early: 'not ok',
    silent: 'not ok',
    killed: 'not ok',
  });
  t.equal((await report(stdout)).last, '3 passed, 5 failed');
});

t.test('scripts/test refuses a path that selects no test, and names it', async (t) => {
  const list = (...paths: string[]) => run([join(SCRIPTS, 'test'), '--list', ...paths]);
  const some = await list('policy/compile', './test/scripts');
  t.equal(some.code, 0);
  t.match(some.stdout, /^policy\/compile\/[\s\S]*\ntest\/scripts\.test\.ts\n$/);
  const none = await list('policy', 'wire/tcq');
  t.equal(none.code, 2);
  t.match(none.stderr, "begins with 'wire/tcq'");
});

const checkSources = (dir: string) => run([join(SCRIPTS, 'check-sources.mjs'), '--root', dir]);
const README = '# wire/: bytes\n\n## Exports\n\n## Counters and events\n\n## Limits\n';

/** A repository of these files, as far as git is asked. */
async function repository(t: Test, files: Record<string, string>): Promise<string> {
  const dir = t.testdir();
  await must(['git', 'init', '-q', dir]);
  for (const [path, text] of Object.entries({ 'package.json': '{}', 'wire/README.md': README, ...files })) {
    mkdirSync(join(dir, dirname(path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  return dir;
}

t.test('check-sources finds each fault, and names its place', async (t) => {
  const dir = await repository(t, {
    'package.json': '{"dependencies":{"unused":"1.0.0","used":"1.0.0"}}',
    'wire/README.md': `${README.replace('## Limits\n', '')}\n| \`noSuchName\` | in \`gone.ts\` |\n`,
    'wire/a.ts':
      "import type { B } from './b.ts';\nimport 'used';\nexport interface A { b: B }\nexport const LIMIT = 1 << 4;\n",
    'wire/b.ts': "export type { A as B } from './a.ts';\n",
    'hubble/README.md': README.replace('wire', 'hubble'),
    'hubble/c.ts':
      "/** As `lostName()` says in lost.ts. */\nimport { D } from '../policy/d.ts';\nconst LIMIT = 16;\nD(LIMIT);\n",
    'policy/README.md': README.replace('wire/:', 'policy'),
    'policy/d.ts': 'export const D = Number;\nexport const G = 7;\n',
    'policy/utils/e.ts': `${'// A line.\n'.repeat(401)}// ${['TO', 'DO'].join('')}\n`,
    'policy/f.test.ts': `import { G } from './d.ts';\n${'// A line.\n'.repeat(500)}`,
  });
  const { code, stdout } = await checkSources(dir);
  t.equal(code, 1);
  for (const wanted of [
    'imports: hubble/c.ts:2: hubble/ must not import policy/ (allowed: wire)',
    'circles: wire/a.ts: imports itself in a circle: wire/a.ts -> wire/b.ts -> wire/a.ts',
    'constants: hubble/c.ts: LIMIT = 16 is declared again in wire/a.ts',
    'exports: wire/a.ts:4: exports LIMIT, which nothing imports',
    'exports: policy/d.ts:2: exports G, which only tests use',
    'packages: package.json: unused, which no source imports and no script names',
    'readmes: wire/README.md: its sections are Exports, Counters and events, Limits in this order, found',
    "readmes: policy/README.md: its title is '# policy/: what it is', found '# policy bytes'",
    'readmes: wire/README.md: names `noSuchName`, which wire/ does not have',
    'readmes: policy/README.md: does not name D (nor d.ts), which other folders import',
    'essays: wire/README.md: names `noSuchName`, which no source has',
    'essays: wire/README.md: names gone.ts, which does not exist',
    'essays: hubble/c.ts: names lost.ts, which does not exist',
    'essays: hubble/c.ts: names `lostName()`, which no source has',
    'size: policy/utils/e.ts: name the folder after what is in it',
    'size: policy/utils/e.ts: 402 lines, at most 400',
    'size: policy/utils/e.ts:402: unfinished',
    'size: policy/f.test.ts: 501 lines, at most 500 without a reason',
  ]) {
    t.ok(stdout.includes(wanted), wanted);
  }
});

t.test('check-sources finds nothing in a tree without faults', async (t) => {
  const dir = await repository(t, {
    'package.json': '{"dependencies":{"used":"1.0.0"}}',
    'wire/README.md': `${README}\n\`pack()\` stands in a.ts; \`a.b.c.d\` is an address.\n`,
    'wire/a.ts':
      "import 'used';\n/** Packs. */\nexport const pack = (value: Packed) => value;\n/** For tests. */\nexport const unpack = 1;\nexport type Packed = number;\n",
    'wire/a.test.ts': "import { unpack } from './a.ts';\nunpack;\n",
    'hubble/README.md': README.replace('wire', 'hubble'),
    'hubble/b.ts': "import * as a from '../wire/a.ts';\na.pack(1);\n",
  });
  const { code, stdout } = await checkSources(dir);
  t.notMatch(stdout, /^(imports|circles|constants|exports|packages|readmes|essays|size): /m);
  t.equal(code, 0);
});
