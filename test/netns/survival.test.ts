/**
 * Both processes killed under load, one after the other. The agent's death must cost nothing at all; that of the
 * dataplane a pause, after which the same TCP connection goes on. Uses the rig of examples/tour.
 *
 * Then both killed while a dozen pods are being attached, in an instance of its own: the next agent gets them all, and
 * `sluice cleanup` gets everything away.
 */
import { programPath } from '../../linux/programs.ts';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Cleanup, inNetns, must, PATIENCE_SEC, run, start, waitFor } from '../command.ts';
import { loadExample } from '../example.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const CLI = programPath('sluice');
const TOUR = join(import.meta.dirname, '../../../examples/tour');
const MEGABYTE = 1e6;

const cleanup = new Cleanup();
const name = `sls${process.pid.toString(36)}`;
const example = loadExample(TOUR);
const instance = await SluiceInstance.withRig(name, cleanup, example.manifests);
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
await instance.apply(join(TOUR, 'policies/policies.yaml'));
const [backend] = example.addresses.get('shop/backend') ?? [];
const inFrontend = (argv: string) => run(inNetns(instance.netnsOf('shop/frontend'), argv.split(' ')));

/** The data connection of iperf3, which is the one that has sent most: its own port, and bytes acknowledged so far. */
async function dataConnection(): Promise<{ port: string; bytes: number }> {
  const { stdout } = await inFrontend('ss -HOtin state established dport = :5201');
  const all = stdout.split('\n').map((line) => ({
    port: /:(\d+) +\S+:5201/.exec(line)?.[1] ?? '',
    bytes: Number(/bytes_acked:(\d+)/.exec(line)?.[1] ?? 0),
  }));
  return all.reduce((most, one) => (one.bytes > most.bytes ? one : most));
}

/** Has iperf3 send over one connection, which must be there and go on after `midway`. How fast is for scripts/bench. */
async function underLoad(t: Test, midway: () => Promise<void>): Promise<void> {
  const load = start(inNetns(instance.netnsOf('shop/frontend'), ['iperf3', '-c', backend, '-t', '3600']));
  cleanup.add(() => load.child.kill('SIGKILL'));
  const reaches = (bytes: number) => async () => (await dataConnection()).bytes >= bytes;
  await waitFor('the connection', reaches(MEGABYTE));
  const { port } = await dataConnection();
  await midway();
  const { bytes } = await dataConnection();
  await waitFor(`the connection to go on from ${bytes}`, reaches(bytes + MEGABYTE), 60_000).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${load.output()}\n${instance.agent.output()}`);
  });
  t.equal((await dataConnection()).port, port, 'it is the same connection');
  await load.stop();
}

async function kill(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await waitFor(
    'the process to be gone',
    async () => (await run(['ps', '-o', 'stat=', '-p', String(pid)])).stdout.trim().replace(/^Z.*/, '') === '',
  );
}

t.test('killing the agent costs no error and no dataplane', async (t) => {
  const [dataplane] = instance.dataplanePids();
  const statuses: string[] = [];
  const request = async () => {
    const { stdout } = await inFrontend(
      `curl -s -m ${PATIENCE_SEC} -o /dev/null -w %{http_code} http://${backend}:8080/public`,
    );
    statuses.push(stdout);
  };
  await underLoad(t, async () => {
    await request();
    await kill(instance.agent.pid);
    for (let count = 0; count < 10; count++) await request();
    const refused = await inFrontend(
      `curl -s -m ${PATIENCE_SEC} -o /dev/null -w %{http_code} http://${backend}:8080/private`,
    );
    t.equal(refused.stdout, '403', 'the policy is still in force');
    await instance.restartAgent();
    for (let count = 0; count < 10; count++) await request();
  });
  t.same([...new Set(statuses)], ['200'], `${statuses.length} requests`);
  t.same(instance.dataplanePids(), [dataplane], 'the next agent took the dataplane over');
  await instance.untilReady(['shop/frontend', 'shop/backend', 'shop/stranger']);
});

t.test('killing the dataplane pauses an established connection, and it goes on', async (t) => {
  const [dataplane] = instance.dataplanePids();
  await underLoad(t, async () => {
    await kill(dataplane);
    const isReplaced = () => instance.dataplanePids().some((pid) => pid !== dataplane);
    await waitFor('another dataplane', isReplaced).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${instance.agent.output()}`);
    });
  });
  const { stdout } = await inFrontend(
    `curl -s -m ${PATIENCE_SEC} -o /dev/null -w %{http_code} http://${backend}:8080/private`,
  );
  t.equal(stdout, '403', 'the policy is in force again');
});

/** Twelve pods, every other on a TAP, every third in a namespace that is there already. */
const CROWD = Array.from({ length: 12 }, (_, i) => ({
  name: `p${i}`,
  mode: i % 2 === 0 ? 'veth' : 'tap',
  isThere: i % 3 === 0,
}));

t.test('agent and dataplane killed while pods are attached', async (t) => {
  const crowd = `${name}w`;
  const host = `${crowd}-host`;
  const netns = (pod: string) => `${crowd}-x-${pod}`;
  const folder = `/tmp/${crowd}.yaml`;
  const makeNetns = async (one: string) => {
    cleanup.command('ip', 'netns', 'del', one);
    await must(['ip', 'netns', 'add', one]);
  };
  await makeNetns(host);
  for (const { name: pod, isThere } of CROWD) if (isThere) await makeNetns(netns(pod));
  const one = await SluiceInstance.start({
    name: crowd,
    cleanup,
    netns: host,
    netnsPrefix: `${crowd}-`,
    createNamespaces: true,
  });
  cleanup.add(() => rmSync(folder, { force: true }));
  const documents = CROWD.map(
    ({ name: pod, mode }) => `apiVersion: v1
kind: Pod
metadata: { name: ${pod}, namespace: x, annotations: { sluice.io/attach: ${mode} } }
`,
  );
  writeFileSync(folder, documents.join('---\n'));
  const journal = `${one.runDir}/state/made.json`;
  const killHalfWay = async (alsoDataplane: boolean) => {
    await one.apply(folder);
    await waitFor('an attachment under way, or all done while nobody looked', () => {
      const states = [...readFileSync(journal, 'utf8').matchAll(/"state":"(\w+)"/g)].map(([, state]) => state);
      return states.includes('making') || states.length === CROWD.length;
    });
    for (const pid of alsoDataplane ? one.pids() : [one.agent.pid]) await kill(pid);
  };
  const everyone = CROWD.map(({ name: pod }) => `x/${pod}`);
  for (const alsoDataplane of [false, true]) {
    await killHalfWay(alsoDataplane);
    await one.restartAgent();
    await one.untilReady(everyone);
    const reached = await Promise.all(
      CROWD.map(({ name: pod }) =>
        run(inNetns(netns(pod), ['ping', '-c1', `-w${PATIENCE_SEC}`, `${OWN_RANGE.ipv4}.1`])),
      ),
    );
    t.strictSame(
      reached.filter(({ code }) => code !== 0),
      [],
      'every pod reaches the host',
    );
    await one.delete(folder);
    await waitFor('all to be gone', async () => (await one.read('/v1/endpoints')).length === 0);
  }
  await killHalfWay(true);
  const cli = ['nsenter', `--net=/run/netns/${host}`, process.execPath, CLI];
  const { code, stdout, stderr } = await run([...cli, 'cleanup', '--run-dir', one.runDir]);
  t.equal(code, 0, stderr);
  t.match(stdout, `removed host port ${crowd}_host`);
  t.notOk(existsSync(one.runDir));
  t.notMatch(await must(['ip', '-n', host, '-o', 'link']), `${crowd}_`);
  t.equal((await run(inNetns(host, ['nft', 'list', 'tables']))).stdout, '');
  for (const { name: pod, isThere } of CROWD) {
    t.equal(existsSync(`/run/netns/${netns(pod)}`), isThere, `namespace of ${pod}`);
    if (isThere) t.not((await run(['ip', '-n', netns(pod), 'link', 'show', 'eth0'])).code, 0);
  }
});
