/** The agent in the background: `sluice daemon --detach` returns with it ready, or with the reason why not. */
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import { programPath } from '../../linux/programs.ts';
import { Cleanup, run, waitFor } from '../command.ts';
import { OWN_RANGE } from '../rig.ts';

const CLI = programPath('sluice');
const name = `sld${process.pid.toString(36)}`;
const runDir = `/run/${name}`;
const RANGES = [
  ...['--set', `podCIDRs.ipv4=${OWN_RANGE.ipv4}.0/24`, '--set', `podCIDRs.ipv6=${OWN_RANGE.ipv6}::/64`],
  ...['--set', 'uplink.mode=none'],
];
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const sluice = (...args: string[]) => run([process.execPath, CLI, ...args]);
const detach = (...args: string[]) => sluice('daemon', '--detach', '--name', name, ...RANGES, ...args);

t.test('what is ready serves, its dataplane runs, and its log is in the run directory', async (t) => {
  cleanup.command(process.execPath, CLI, 'cleanup', '--run-dir', runDir);
  const up = await detach();
  t.match(up, { code: 0, stderr: '', stdout: /^sluiced is ready, pid \d+, run directory \S+, log \S+\n$/ });
  const pid = Number(/pid (\d+)/.exec(up.stdout)?.[1]);
  cleanup.add(() => {
    if (existsSync(runDir)) process.kill(pid, 'SIGTERM');
  });
  t.match(await sluice('status', '--run-dir', runDir, '-o', 'json'), {
    code: 0,
    stdout: /"state": "running"/,
  });
  t.match(readFileSync(`${runDir}/sluiced.log`, 'utf8'), /"msg":"ready"/);
  const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  t.equal(Number(session), pid, 'it leads a session of its own, so that no terminal ends it');

  const second = await detach();
  t.match(second, { code: 1, stderr: /ended with 1; its log ends with:\n.*another sluiced \(pid \d+\) serves/ });
  t.equal((await sluice('status', '--brief', '--run-dir', runDir)).stdout, 'OK\n', 'the first goes on');

  process.kill(pid, 'SIGTERM');
  await waitFor('the run directory to go, log and all', () => !existsSync(runDir));
});

t.test('what does not come up is told with the last lines of its log, and leaves nothing', async (t) => {
  const down = await detach('--set', 'uplink.interface=sld-nothing', '--set', 'uplink.mode=interface');
  t.match(down, {
    code: 1,
    stdout: '',
    stderr: /start the agent: it ended with 1; its log ends with:\n.*sld-nothing/s,
  });
  t.notOk(existsSync(runDir));
  t.match(await detach('--set', 'mtu=1'), { code: 1, stderr: /mtu: found 1/ });
});
