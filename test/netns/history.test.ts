/**
 * Flows on disk, from traffic to the command line: they outlive an agent that is killed, are told once though the event rings are
 * read again, and an export file answers as the agent does.
 *
 *   x/a ──── sluice ──── x/b      (ping, and a port that nobody listens at)
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readJournal } from '../../hubble/store/journal.ts';
import { Cleanup, makeNetns, waitFor } from '../command.ts';
import { crowdManifests } from '../crowd.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slh${process.pid.toString(36)}`;
const folder = mkdtempSync(join(tmpdir(), `${name}-files-`));
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
await makeNetns(cleanup, `${name}-host`);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: `${name}-host`,
  netnsPrefix: `${name}-`,
  createNamespaces: true,
  config: `stateDir: ${folder}
hubble:
  history: { enabled: true }
  export-file-path: ${folder}/exported.log
  flowlogs-config-path: ${folder}/flowlogs.yaml
`,
});
t.teardown(() => instance.stop());
const manifests = join(folder, 'pods.yaml');
writeFileSync(manifests, crowdManifests('x', ['veth', 'veth']));
writeFileSync(join(folder, 'flowlogs.yaml'), 'flowLogs: []\n');
await instance.apply(manifests);
await instance.untilReady(['x/p0', 'x/p1']);
const endpoints: { pod: string; ipv4: string }[] = await instance.read('/v1/endpoints');
const target = endpoints.find(({ pod }) => pod === 'p1')?.ipv4 ?? '';

const connect = (port: number) =>
  instance.inPod('x/p0', ['python3', '-c', `import socket; socket.socket().connect_ex(("${target}", ${port}))`]);

/** What the command prints of one port, a line each. */
async function observed(port: number, ...more: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await instance.cli('observe', '-o', 'json', '--port', String(port), ...more);
  if (code !== 0) throw new Error(`observe: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

const exported = join(folder, 'exported.log');
const untilExported = (port: number) =>
  waitFor(`flows of port ${port} to be exported`, () =>
    Promise.resolve(existsSync(exported) && readFileSync(exported, 'utf8').includes(`"destination_port":${port}`)),
  );

/** Waits until the journal has flows of a port. */
const untilKept = (port: number) =>
  waitFor(`flows of port ${port} to be in the journal`, () => {
    const names = readdirSync(join(folder, 'flows')).filter((file) => file.endsWith('.journal'));
    const tables = names.map((file) => readJournal(readFileSync(join(folder, 'flows', file))).table);
    return Promise.resolve(tables.some((table) => table?.ids.destinationPort.includes(port)));
  });

t.test('flows outlive an agent that is killed, as they were, and each is told once', async (t) => {
  await connect(7001);
  await untilKept(7001);
  const before = await observed(7001, '--since', '2h', '--pod', 'x/p1');
  t.ok(before.length > 0);
  // What is not on disk yet is told anew from the rings, with the names that there are then.
  const { seen } = (await instance.read('/v1/status')).flows;
  await waitFor('all flows to be on disk', async () => (await instance.read('/v1/status')).history.flows >= seen);
  await instance.delete(manifests);
  await waitFor('the pods to be gone', async () => (await instance.read('/v1/endpoints')).length === 0);
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.restartAgent();
  const after = await observed(7001, '--since', '2h', '--pod', 'x/p1');
  t.strictSame(after, before, 'also the names of pods that are gone');
  t.strictSame(await observed(7001, '--last', '1'), before.slice(-1));
  t.match((await instance.cli('status')).stdout, /^History: +\d+ flows on disk, \d+ MiB, since 20/m);
});

t.test(
  'an export file answers as the agent does; one that is added to the file of flowLogs is written at once',
  async (t) => {
    await instance.apply(manifests);
    await instance.untilReady(['x/p0', 'x/p1']);
    const drops = join(folder, 'refused.log');
    const config = join(folder, 'flowlogs.yaml');
    const filter = 'includeFilters: [{ destination_port: ["7002"] }], fieldMask: [l4, verdict]';
    writeFileSync(`${config}.new`, `flowLogs: [{ name: some, filePath: ${drops}, ${filter} }]\n`);
    renameSync(`${config}.new`, config);
    await waitFor('the export', async () => (await instance.read('/v1/status')).exports.length === 2);
    const again = endpointsOf(await instance.read('/v1/endpoints'));
    await instance.inPod('x/p0', ['python3', '-c', `import socket; socket.socket().connect_ex(("${again}", 7002))`]);
    await untilExported(7002);
    const { stdout } = await instance.cli(
      'observe',
      '--input-file',
      join(folder, 'exported.log'),
      '-o',
      'json',
      '--port',
      '7002',
    );
    t.strictSame(stdout.trim().split('\n'), await observed(7002));
    await waitFor('the masked flows', () => Promise.resolve(readFileSync(drops, 'utf8').includes('\n')));
    const [first = ''] = readFileSync(drops, 'utf8').split('\n');
    t.strictSame(Object.keys(JSON.parse(first).flow), ['verdict', 'l4']);
    t.match((await instance.cli('status')).stdout, /^Export: +some to .*refused\.log, \d+ lines?$/m);
  },
);

function endpointsOf(list: { pod: string; ipv4: string }[]): string {
  return list.find(({ pod }) => pod === 'p1')?.ipv4 ?? '';
}
