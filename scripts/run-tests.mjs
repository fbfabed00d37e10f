// Runs compiled test files, each in a Node of its own, a few at a time, and prints their results as one TAP document: a
// subtest a file, in the order in which the files end.
//   run-tests.mjs JOBS LIMIT-SEC FILE ...
//
// The `tap` command could do this. It also has every Node below it load a compiler of TypeScript, a mocker and a watcher
// of imports, none of which compiled tests use: 1.5 s of CPU for a file that does nothing, where plain Node takes 0.4 s,
// and daemons that start three times slower under test than a user's do.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { Parser } from 'tap-parser';

const GRACE_MS = 10_000;

const [jobs, limitSec, ...files] = process.argv.slice(2);
const limitMs = Number(limitSec) * 1000;

/** What a test file printed, and how it ended. */
function runFile(file) {
  const began = performance.now();
  // --expose-gc: the tests that watch the heap collect it first.
  const child = spawn(process.execPath, ['--expose-gc', '--enable-source-maps', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TAP: '1', TAP_TIMEOUT: limitSec },
  });
  // tap itself ends a file that is late. A file that is too busy for its timers gets the signal at which tap tells what
  // was still open, and then the one that nobody can refuse.
  const alarm = setTimeout(() => child.kill('SIGALRM'), limitMs + GRACE_MS);
  const end = setTimeout(() => child.kill('SIGKILL'), limitMs + 2 * GRACE_MS);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(alarm);
      clearTimeout(end);
      resolve({ file, output, code, signal, timeMs: performance.now() - began });
    });
  });
}

/** Whether `output` is a whole TAP document without a failure. */
function isGood(output) {
  let results;
  new Parser((found) => (results = found)).end(output);
  return results.ok && results.count > 0;
}

const indented = (text) => text.replace(/^(?=.)/gm, '    ');

let count = 0;
let failed = 0;
function print({ file, output, code, signal, timeMs }) {
  const ok = code === 0 && isGood(output);
  if (!ok) failed++;
  console.log(`# Subtest: ${file}\n${indented(output.endsWith('\n') ? output : `${output}\n`)}`);
  console.log(`${ok ? 'ok' : 'not ok'} ${++count} - ${file} # time=${timeMs.toFixed(0)}ms`);
  if (!ok) console.log(`  ---\n  exitCode: ${code}\n  signal: ${signal}\n  ...`);
}

console.log('TAP version 14');
const waiting = [...files];
const worker = async () => {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) print(await runFile(file));
};
// One more than there are cores: an end-to-end test waits as long as it computes.
await Promise.all(Array.from({ length: Math.min(Number(jobs), availableParallelism() + 1) }, worker));
console.log(`1..${count}`);
process.exitCode = failed === 0 ? 0 : 1;
