import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { journalPath, openJournal, readJournal } from './journal.ts';
import { linkIndex } from './links.ts';
import { endGroups, kill } from './process-end.ts';
import { isAlive, processWithPid, type ProcessId } from './process-id.ts';
import { StateFile } from './state-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sllx-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** A program that leads a group of its own and goes on until it is ended. */
function longProgram(script: string): Promise<ProcessId> {
  const argv = ['-c', `${script}; echo begun; exec sleep 60`];
  const child = spawn('sh', argv, { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => {
      const found = processWithPid(child.pid ?? 0);
      if (found === undefined) reject(new Error('it has ended'));
      else resolve(found);
    });
  });
}

t.test('a process is itself only with the time it started', async (t) => {
  const self = processWithPid(process.pid);
  t.ok(self !== undefined && isAlive(self));
  t.notOk(isAlive({ pid: process.pid, startTime: '1' }), 'another that had the pid before');
  t.notOk(isAlive({ pid: process.pid, startTime: '' }), 'a record cut short');
  t.notOk(isAlive({ pid: process.pid } as ProcessId), 'a record of another layout');
  t.equal(processWithPid(2 ** 22 + 1), undefined);
});

t.test('a zombie is dead, though nobody has waited for it', async (t) => {
  // The shell becomes `sleep`, which never waits for the child it was given; the child outlives the shell, which would have waited.
  const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
  const state = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1][0];
  while (state() !== 'Z') await new Promise((resolve) => setImmediate(resolve));
  t.equal(processWithPid(pid), undefined);
  parent.kill('SIGKILL');
});

t.test('endGroups() ends groups by word, and by force those that do not listen', async (t) => {
  const willing = await longProgram(':');
  const deaf = await longProgram("trap '' TERM");
  const gone = { pid: willing.pid, startTime: '1' };
  t.equal(await endGroups([willing, deaf, gone]), 2);
  t.notOk(isAlive(willing));
  t.notOk(isAlive(deaf));
  const other = await longProgram(':');
  await kill({ ...other, startTime: '1' });
  t.ok(isAlive(other), 'one that has the pid of another is left alone');
  await kill(other);
  t.notOk(isAlive(other));
});

t.test('StateFile.read() leaves a damaged file to its owner; load() puts it aside', async (t) => {
  const path = join(folder, 'state.json');
  const file = new StateFile<number[]>(path, 1);
  t.equal(file.read(), undefined);
  file.save([1, 2]);
  t.same(file.read(), [1, 2]);
  t.throws(() => new StateFile(path, 2).read(), { code: 'ERR_STATE', message: /found layout 1, wanted 2/ });
  writeFileSync(path, '{"version":1,');
  t.throws(() => file.read(), { code: 'ERR_STATE', message: /found a damaged file/ });
  t.ok(existsSync(path));
  t.same(file.load([7]), [7]);
  t.match(file.problem, /put aside as .bad/);
  t.notOk(existsSync(path));
  t.ok(existsSync(`${path}.bad`));
});

t.test('readJournal() sees what openJournal() wrote', async (t) => {
  t.equal(readJournal(folder), undefined);
  const journal = openJournal(folder, 'sllx');
  journal.setFirewall(true);
  const seen = readJournal(folder);
  t.match(seen, { instance: 'sllx', hasFirewall: true, attachments: [], namespaces: [], hostPort: null });
  journal.remove();
  t.notOk(existsSync(journalPath(folder)));
});

t.test('there is no interface with a name that no interface can have', async (t) => {
  t.equal(linkIndex('lo') > 0, true);
  t.equal(linkIndex('a-name-of-twenty-one-'), 0);
});
