/**
 * The agent as a service of systemd, which a program of ours plays (test/systemd.py): it is told of readiness, reload and stop; it
 * keeps the descriptors of ports, and gives them to the next agent when agent and dataplane have died together.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { programPath } from '../../linux/programs.ts';
import { Cleanup, inNetns, makeNetns, must, run, waitFor } from '../command.ts';

const name = `slv${process.pid.toString(36)}`;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const folder = mkdtempSync(join(tmpdir(), `${name}-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
const host = `${name}-host`;
await makeNetns(cleanup, host, `${name}-x-v`, `${name}-x-t`);
cleanup.command(process.execPath, programPath('sluice'), 'cleanup', '--run-dir', `/run/${name}`);
writeFileSync(
  join(folder, 'sluice.yaml'),
  `name: ${name}\nmanifests: ${folder}/manifests\nnetnsPrefix: ${name}-\nuplink: { mode: none }\ndns: { enabled: false }\n`,
);
const pod = (pod: string, attach: string) =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: ${pod}, namespace: x, annotations: { sluice.io/attach: ${attach} } }\n`;
mkdirSync(join(folder, 'manifests'));
writeFileSync(join(folder, 'manifests/pods.yaml'), `${pod('v', 'veth')}---\n${pod('t', 'tap')}`);

interface Word {
  readonly words?: Readonly<Record<string, string>>;
  readonly kept?: readonly string[];
  readonly ended?: number;
  readonly began?: number;
}
const said: Word[] = [];
const agent = [
  'nsenter',
  `--net=/run/netns/${host}`,
  process.execPath,
  programPath('sluiced'),
  '--config',
  join(folder, 'sluice.yaml'),
];
const systemd: ChildProcess = spawn('python3', [join(PACKAGE_ROOT, 'test/systemd.py'), folder, ...agent], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
cleanup.add(() => systemd.kill('SIGKILL'));
let rest = '';
systemd.stdout?.setEncoding('utf8').on('data', (text: string) => {
  const lines = (rest + text).split('\n');
  rest = lines.pop() ?? '';
  said.push(...lines.map((line) => JSON.parse(line) as Word));
});
const log = () => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8').slice(-3000) : '');
const until = (what: string, condition: () => boolean) =>
  waitFor(what, condition).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${JSON.stringify(said)}\n${log()}`);
  });
const hasSaid = (word: string, from = 0) => said.slice(from).some(({ words }) => words?.[word] !== undefined);
/** Also while something is wrong, when it ends with 1. */
const status = async () =>
  JSON.parse(
    (await run([process.execPath, programPath('sluice'), 'status', '-o', 'json', '--run-dir', `/run/${name}`])).stdout,
  );
const agentPid = () => Number(readFileSync(`/run/${name}/sluiced.pid`, 'utf8'));
const KEPT = [/^socket-\d+-\d+$/, /^socket-\d+-\d+$/, /^tap-\d+$/];
const hasKept = () => {
  const kept = said.at(-1)?.kept ?? [];
  return kept.length === KEPT.length && KEPT.every((pattern, at) => pattern.test(kept[at]));
};

async function begin(): Promise<void> {
  const from = said.length;
  systemd.stdin?.write('start\n');
  await until('READY=1', () => hasSaid('READY', from));
  await waitFor('pods', async () => (await status()).endpoints.ready === 2);
}

t.test('systemd is told that it serves, that all is well, and keeps the descriptors of three ports', async (t) => {
  await begin();
  await until('descriptors of the host, v and t', hasKept);
  await until('the watchdog', () => hasSaid('WATCHDOG'));
  await until('the state', () => said.some(({ words }) => words?.['STATUS'] === '2/2 endpoints ready, no problems'));
  const environment = readFileSync(`/proc/${(await status()).dataplane.pid}/environ`, 'utf8');
  t.notMatch(environment, /NOTIFY_SOCKET|WATCHDOG|LISTEN_/, 'the dataplane is told nothing of it');
  const from = said.length;
  process.kill(agentPid(), 'SIGHUP');
  await until('the reload', () => hasSaid('RELOADING', from) && hasSaid('READY', from));
});

t.test('no word to the watchdog while the dataplane gives no sign of life', async () => {
  const { pid } = (await status()).dataplane;
  process.kill(pid, 'SIGSTOP');
  await until('the problem', () =>
    said.some(
      ({ words }) => /no sign of life|dataplane is/.test(words?.['STATUS'] ?? '') && words?.['WATCHDOG'] === undefined,
    ),
  );
  await waitFor(
    'another dataplane',
    async () => (await status()).dataplane.pid !== pid && (await status()).dataplane.state === 'running',
  );
  const from = said.length;
  await until('the watchdog again', () => hasSaid('WATCHDOG', from));
});

t.test('agent and dataplane killed at once: the next has the same sockets and TAPs, and pods talk', async (t) => {
  await until('descriptors', hasKept);
  const inodes = (pid: number) => readLinks(pid).filter((link) => isPacketSocket(pid, link));
  const before = inodes(agentPid());
  const { agent: old, dataplane } = await status();
  const from = said.length;
  for (const pid of [old.pid, dataplane.pid]) process.kill(pid, 'SIGKILL');
  await until('the end', () => said.slice(from).some(({ ended }) => ended !== undefined));
  await begin();
  const shared = inodes(agentPid()).filter((one) => before.includes(one));
  t.equal(shared.length, 2, 'the packet sockets of host and v are those of before');
  t.not((await status()).dataplane.pid, dataplane.pid);
  const endpoints = JSON.parse(
    await must([
      process.execPath,
      programPath('sluice'),
      'endpoint',
      'list',
      '-o',
      'json',
      '--run-dir',
      `/run/${name}`,
    ]),
  );
  for (const { ipv4 } of endpoints) {
    const ping = await run(inNetns(host, ['ping', '-c', '1', '-W', '10', ipv4]));
    t.equal(ping.code, 0, `${ipv4}: ${ping.stdout}${log()}`);
  }
  await until('descriptors kept anew', hasKept);
});

function isPacketSocket(pid: number, link: string): boolean {
  const [, inode] = /^socket:\[(\d+)\]$/.exec(link) ?? [];
  const table = readFileSync(`/proc/${pid}/net/packet`, 'utf8').trim().split('\n');
  return table.some((line) => line.trim().split(/\s+/).at(-1) === inode);
}

function readLinks(pid: number): string[] {
  return Array.from({ length: 200 }, (_, fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

/**
 * Runs the unit's ExecStop, as the unit says it, with systemd's environment.
 * @param jobs what `systemctl list-jobs --no-legend --plain UNIT` prints; undefined when it fails
 */
async function execStop(jobs: string | undefined, mainPid: string) {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(folder, 'jobs'), jobs ?? '');
  const said = `#!/bin/sh\n[ "$*" = "list-jobs --no-legend --plain sluiced.service" ] || exit 3\n`;
  const answer = jobs === undefined ? 'exit 1\n' : `cat ${folder}/jobs\n`;
  writeFileSync(join(bin, 'systemctl'), said + answer, { mode: 0o755 });
  const packaging = join(PACKAGE_ROOT, 'packaging/systemd');
  const unit = readFileSync(join(packaging, 'sluiced.service'), 'utf8');
  const [, line = ''] = /^ExecStop=\/usr\/lib\/sluice\/(.*)$/m.exec(unit) ?? [];
  const [program, ...words] = line.split(' ').flatMap((word) => {
    if (word === '$MAINPID') return mainPid === '' ? [] : [mainPid]; // unset, it is no word
    return word === '%n' ? ['sluiced.service'] : [word];
  });
  const path = `PATH=${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  return run(['env', '-i', path, `MAINPID=${mainPid}`, join(packaging, program), ...words]);
}

const isGone = (pid: number) => !existsSync(`/proc/${pid}`);

t.test('the ExecStop of a restart ends the agent, which leaves dataplane and pods to the next one', async (t) => {
  const [from, pid, { dataplane }] = [said.length, agentPid(), await status()];
  const jobs = '17 other.service stop waiting\n18 sluiced.service restart running\n';
  t.match(await execStop(jobs, String(pid)), { code: 0, stdout: '', stderr: '' });
  t.ok(isGone(pid), 'it returns when the agent has gone');
  await until('the end', () => said.slice(from).some(({ ended }) => ended !== undefined));
  t.notOk(isGone(dataplane.pid));
  await begin();
  t.match(await status(), { dataplane: { pid: dataplane.pid, isAdopted: true } });
  t.match(await execStop('', ''), { code: 0 }, 'no agent');
  const other = spawn('sleep', ['1000']);
  const ended = new Promise((resolve) => other.once('exit', (_, signal) => resolve(signal)));
  t.match(await execStop(undefined, String(other.pid)), { code: 0, stderr: '' });
  t.equal(await ended, 'SIGTERM', 'a systemctl that cannot be asked says nothing of a restart');
  t.match(await execStop('', String(pid)), { code: 0 }, 'an agent that has gone');
  t.notOk(isGone(agentPid()));
});

t.test('a stop is told, and lets go of all', async (t) => {
  const [from, pid, { dataplane }] = [said.length, agentPid(), await status()];
  // The restart of another unit is no restart of this one.
  t.match(await execStop('18 other.service restart running\n', String(pid)), { code: 0, stderr: '' });
  t.ok(isGone(pid));
  await waitFor('the end of the dataplane', () => isGone(dataplane.pid));
  await until('the end', () => said.slice(from).some(({ ended }) => ended !== undefined));
  t.ok(hasSaid('STOPPING', from));
  t.notOk(existsSync(`/run/${name}`));
  systemd.stdin?.end();
});
