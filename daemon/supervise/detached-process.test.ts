/** Processes that outlive the agent: their log, and what a start that fails leaves behind. */
import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { openLog, startProcess } from './detached-process.ts';

function folder(test: Test): string {
  const dir = mkdtempSync('/tmp/sldae-');
  test.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

t.test('a log is gone on with, and begun anew when it is long', async (t) => {
  const path = join(folder(t), 'log');
  writeFileSync(path, 'before\n');
  const log = openLog(path, 'a', 0o600);
  writeFileSync(log, 'after\n');
  closeSync(log);
  t.equal(readFileSync(path, 'utf8'), 'before\nafter\n');
  writeFileSync(path, Buffer.alloc((4 << 20) + 1));
  closeSync(openLog(path, 'a', 0o600));
  t.equal(statSync(path).size, 0);
});

t.test('a start that fails leaves no descriptor open', async (t) => {
  const dir = folder(t);
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const command = [process.execPath, '-e', ''];
  const [here, nowhere] = [(name: string) => join(dir, name), (name: string) => join(dir, 'none', name)];
  for (const [socketPath, logPath] of [
    [here('sock'), nowhere('log')],
    [nowhere('sock'), here('log')],
  ])
    t.throws(() => startProcess({ command, socketPath, logPath, stdin: 'ignore' }), /ENOENT|No such file/);
  t.equal(descriptors(), before);
});
