/**
 * The Debian package on a machine of its own: installed, run, upgraded under a connection, removed without a trace. systemd does not
 * run there: the agent is started by hand, which the maintainer's scripts look after too; what systemd has of us is in
 * service.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../linux/package-root.ts';
import { Cleanup, must, waitFor } from '../command.ts';
import { Sandbox } from '../sandbox.ts';

const BUILD_MS = 600_000;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
t.jobs = 1;

const debs = mkdtempSync(join(tmpdir(), 'sldeb-'));
cleanup.add(() => rmSync(debs, { recursive: true, force: true }));
const build = (version: string, folder = debs) =>
  must(['scripts/package', 'deb', '--output', folder, '--version', version, '--compression', 'none'], {
    cwd: PACKAGE_ROOT,
    timeoutMs: BUILD_MS,
  });
for (const version of ['0.1.0~a', '0.1.0~b']) await build(version);
const arch = (await must(['dpkg', '--print-architecture'])).trim();
const deb = (version: string) => `/root/debs/sluice_${version}_${arch}.deb`;

/** Two pods that may talk, and a server. */
const MANIFESTS = ['a', 'b']
  .map((name) => `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name}, namespace: x, labels: { app: ${name} } }\n`)
  .join('---\n');
const CONFIG = 'createNamespaces: true\nuplink: { mode: none }\nstateDir: /var/lib/sluice\nsocketGroup: sluice\n';

/** With that of the name server. */
const PODS = 3;

/** What a program sees of links, namespaces and tables. */
const world = (sandbox: Sandbox) =>
  sandbox.must([
    'sh',
    '-c',
    'ip -br link; ip netns list; nft list tables; ip route; ip -6 route; ps -eo args= | grep -c "[s]luice" || true',
  ]);

/** Files that dpkg itself, and the triggers of other packages, write. */
const OF_DPKG =
  /^\/(var\/lib\/dpkg\/|var\/log\/(dpkg\.log|alternatives\.log|apt\/)|var\/cache\/(man|ldconfig)\/|etc\/ld\.so\.cache|root\/debs\/|run\/is-a-sandbox|var\/lib\/systemd\/deb-systemd)/;

async function installed(): Promise<Sandbox> {
  const sandbox = await Sandbox.make(cleanup);
  await sandbox.bring(
    '/root/debs',
    ...['0.1.0~a', '0.1.0~b'].map((version) => join(debs, `sluice_${version}_${arch}.deb`)),
  );
  await sandbox.must(['dpkg', '-i', deb('0.1.0~a')]);
  await sandbox.must([
    'sh',
    '-c',
    `printf %s "$0" >/root/debs/sluice.yaml; printf %s "$1" >/root/debs/pods.yaml`,
    CONFIG,
    MANIFESTS,
  ]);
  return sandbox;
}

async function startAgent(sandbox: Sandbox): Promise<void> {
  await sandbox.must(['sluice', 'daemon', '--detach', '--config', '/root/debs/sluice.yaml']);
  await sandbox.must(['sluice', 'apply', '-f', '/root/debs/pods.yaml']);
  const areReady = async () => {
    const { ready, total } = (await status(sandbox)).endpoints;
    return total === PODS && ready === total;
  };
  await waitFor('pods', areReady);
}

const status = async (sandbox: Sandbox) => JSON.parse((await sandbox.run(['sluice', 'status', '-o', 'json'])).stdout);

t.test('the same tree gives the same bytes', async (t) => {
  const again = mkdtempSync(join(tmpdir(), 'sldeb-'));
  cleanup.add(() => rmSync(again, { recursive: true, force: true }));
  await build('0.1.0~a', again);
  const sum = async (folder: string) =>
    (await must(['sha256sum', join(folder, `sluice_0.1.0~a_${arch}.deb`)])).split(' ')[0];
  t.equal(await sum(again), await sum(debs));
});

t.test('an upgrade keeps connections, and a purge leaves no trace', async (t) => {
  const before = await installed();
  const fresh = await Sandbox.make(cleanup);
  const untouched = await world(fresh);
  t.equal(await world(before), untouched, 'an installation alone changes nothing of the network');
  t.match(await before.must(['sluice', 'version']), /^sluice 0\.1\.0~a /);
  for (const file of [
    '/usr/share/man/man8/sluice-observe.8.gz',
    '/usr/share/bash-completion/completions/sluice',
    '/usr/lib/sluice/dist/bin/code/sluiced.cjs.v8',
  ])
    t.ok(before.has(file), file);
  t.match(await before.must(['getent', 'group', 'sluice']), /^sluice:/);

  await startAgent(before);
  const address = (await status(before),
  JSON.parse(await before.must(['sluice', 'endpoint', 'list', '-o', 'json']))).find(
    (one: { pod: string }) => one.pod === 'b',
  ).ipv4;
  before.start(['iperf3', '-s'], 'x-b');
  await waitFor(
    'the server',
    async () => (await before.run(['ss', '-Hltn', 'sport = :5201'], { netns: 'x-b' })).stdout !== '',
  );
  before.start(['iperf3', '-c', address, '-t', '3600'], 'x-a');
  const connection = async () => {
    const { stdout } = await before.run(['ss', '-HOtin', 'state', 'established', 'dport', '=', ':5201'], {
      netns: 'x-a',
    });
    const all = stdout.split('\n').map((line) => ({
      port: /:(\d+) +\S+:5201/.exec(line)?.[1] ?? '',
      bytes: Number(/bytes_acked:(\d+)/.exec(line)?.[1] ?? 0),
    }));
    return all.reduce((most, one) => (one.bytes > most.bytes ? one : most));
  };
  const reaches = (bytes: number) => waitFor(`${bytes} bytes`, async () => (await connection()).bytes >= bytes);
  await reaches(1e6);
  const old = { ...(await connection()), status: await status(before) };

  await before.must(['dpkg', '-i', deb('0.1.0~b')]);
  const now = await status(before);
  t.equal(now.version, '0.1.0~b', 'the new version serves');
  t.not(now.agent.pid, old.status.agent.pid);
  t.equal(now.dataplane.pid, old.status.dataplane.pid, 'the dataplane went on');
  await reaches((await connection()).bytes + 1e6);
  t.equal((await connection()).port, old.port, 'it is the same connection');
  t.match(now.problems, []);

  await before.must(['dpkg', '--purge', 'sluice']);
  await before.run(['pkill', 'iperf3']); // in there: it has processes of its own
  await waitFor('processes to end', async () => (await world(before)) === untouched).catch(() => undefined);
  t.equal(await world(before), untouched, 'links, namespaces, tables, routes, processes');
  t.strictSame(
    (await before.written()).filter((file) => !OF_DPKG.test(file) && !isSame(file)),
    [],
    'files',
  );
  t.equal((await before.run(['getent', 'group', 'sluice'])).code, 2, 'the group is gone');
});

/** The group came and went: the files are the same text. An empty /etc/netns goes, whoever made it. */
const isSame = (file: string) =>
  file === '/etc/netns' || /^\/etc\/(group|gshadow)-?$|^\/etc\/\.pwd\.lock$|^\/etc\/(sub[ug]id)-?$/.test(file);

t.test('a purge takes away what killed processes left', async (t) => {
  const sandbox = await installed();
  const untouched = await world(await Sandbox.make(cleanup));
  await startAgent(sandbox);
  const { agent, dataplane } = await status(sandbox);
  await sandbox.must(['kill', '-KILL', String(agent.pid), String(dataplane.pid)]);
  await sandbox.must(['dpkg', '--purge', 'sluice']);
  t.equal(await world(sandbox), untouched);
  t.strictSame(
    (await sandbox.written()).filter((file) => !OF_DPKG.test(file) && !isSame(file)),
    [],
  );
});
