// Reads raw TAP of a whole run (files > tests > assertions) from standard input and prints one line a file, every
// failed assertion with its place and its difference, and last `N passed, N failed` over the tests of all files.
// Given a file with the output of scripts/leaks from before the run, what the run left behind counts as one failure;
// given the summary of scripts/check, each check counts as a test.
// Exits 1 when something failed or nothing ran.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Parser } from 'tap-parser';

const LEAK_TRIES = 20;
const LEAK_PAUSE_MS = 500;

const totals = { passed: 0, failed: 0, skipped: 0 };
const colour = process.stdout.isTTY === true;
const red = (text) => (colour ? `\u001b[31m${text}\u001b[39m` : text);
const green = (text) => (colour ? `\u001b[32m${text}\u001b[39m` : text);

/** `name` without the prefix that TAP puts before a subtest. */
const plainName = (name) => name.replace(/^Subtest: /, '');

/** Calls back for every failed assertion below `parser` that is no mere summary of a subtest. */
function collectFailures(parser, path, failures) {
  let childName;
  parser.on('child', (child) => {
    childName = plainName(child.name);
    collectFailures(child, [...path, childName], failures);
  });
  parser.on('assert', (result) => {
    const isSummary = result.name === childName;
    childName = undefined;
    if (result.ok || result.skip || result.todo) return;
    if (isSummary && failures.length > 0) return;
    failures.push({ path, result });
  });
  parser.on('bailout', (reason) => failures.push({ path, result: { name: `Bail out! ${reason}` } }));
}

/** The lines of a failure worth reading: where, what differed, and the stack of our own code. */
function describe({ path, result }) {
  const diag = result.diag ?? {};
  const lines = [red(`  not ok: ${[...path, result.name].join(' > ')}`)];
  const at = diag.at;
  if (at?.fileName) lines.push(`    at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`);
  for (const key of [
    'diff',
    'message',
    'error',
    'stack',
    'source',
    'seed',
    'reason',
    'signal',
    'exitCode',
    'timeout',
  ]) {
    const value = diag[key];
    if (value === undefined || value === null || value === '') continue;
    const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value);
    lines.push(`    ${key}:`, ...text.split('\n').map((line) => `      ${line}`));
  }
  for (const key of ['found', 'wanted', 'expected', 'actual']) {
    if (diag[key] !== undefined && diag.diff === undefined) lines.push(`    ${key}: ${JSON.stringify(diag[key])}`);
  }
  return lines.join('\n');
}

/** What this machine cannot try is named, since the last line counts only what was tried. */
function reportSkipped(name, result, count) {
  count.skipped++;
  console.log(`skipped ${name}: ${result.name} (${result.skip || result.todo})`);
}

function reportFile(file) {
  const name = file.name.replace(/^dist\//, '').replace(/\.js$/, '.ts');
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const result of file.tests) {
    if (result.skip || result.todo) reportSkipped(name, result, count);
    else if (result.ok) count.passed++;
    else count.failed++;
  }
  // A file may fail without a failed test in it: it crashed, ran out of time, or left something running.
  if (!file.result.ok && count.failed === 0) count.failed = 1;
  if (!file.result.ok && file.failures.length === 0) file.failures.push({ path: [name], result: file.result });
  for (const key of Object.keys(totals)) totals[key] += count[key];

  const seconds = ((file.result.time ?? 0) / 1000).toFixed(1);
  const mark = count.failed === 0 ? green('ok    ') : red('FAILED');
  console.log(`${mark} ${name}  ${count.passed} passed${count.failed ? `, ${count.failed} failed` : ''}  ${seconds} s`);
  for (const failure of file.failures) console.log(describe(failure));
}

/**
 * Counts one more test: the machine holds nothing of ours that it did not hold before. The kernel takes its time with the
 * interfaces of a namespace that is gone: what is there only at first does not count.
 */
function reportLeaks(beforeFile) {
  const before = new Set(readFileSync(beforeFile, 'utf8').split('\n'));
  const leftNow = () => {
    const now = execFileSync(join(import.meta.dirname, 'leaks'), { encoding: 'utf8' }).split('\n');
    return now.filter((line) => line !== '' && !before.has(line));
  };
  let left = leftNow();
  for (let tries = 0; left.length > 0 && tries < LEAK_TRIES; tries++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LEAK_PAUSE_MS);
    left = leftNow();
  }
  totals[left.length === 0 ? 'passed' : 'failed']++;
  console.log(`${left.length === 0 ? green('ok    ') : red('FAILED')} nothing is left behind`);
  for (const line of left) console.log(red(`  left behind: ${line}`));
}

/** Counts each check of scripts/check as one more test. */
function reportChecks(summaryFile) {
  for (const line of readFileSync(summaryFile, 'utf8').split('\n').filter(Boolean)) {
    const [outcome, name] = line.split(' ');
    totals[outcome === 'ok' ? 'passed' : 'failed']++;
    if (outcome !== 'ok') console.log(red(`FAILED check ${name}: see above, or run scripts/check`));
  }
}

const root = new Parser();
let file;
root.on('child', (child) => {
  file = { name: plainName(child.name), tests: [], failures: [], result: undefined };
  const current = file;
  child.on('assert', (result) => current.tests.push(result));
  collectFailures(child, [], current.failures);
});
root.on('assert', (result) => {
  const name = plainName(result.name);
  const finished = file?.name === name ? file : { name, tests: [], failures: [] };
  finished.result = result;
  file = undefined;
  reportFile(finished);
});
root.on('bailout', (reason) => console.log(red(`Bail out! ${reason}`)));
root.on('complete', (results) => {
  const nothingRan = totals.passed + totals.failed === 0;
  if (nothingRan || (!results.ok && totals.failed === 0)) totals.failed++;
  if (nothingRan) console.log(red('no test ran'));
  if (process.argv[2]) reportLeaks(process.argv[2]);
  if (process.argv[3]) reportChecks(process.argv[3]);
  console.log(totals.skipped ? `\n${totals.skipped} skipped\n` : '');
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  process.exitCode = totals.failed === 0 ? 0 : 1;
});
process.stdin.pipe(root);
