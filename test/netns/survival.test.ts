/**
 * Both processes killed under load, one after the other. The agent's death must cost nothing at all; that of the
 * dataplane a pause, after which the same TCP connection goes on. Uses the rig of examples/tour.
 */
import { join } from 'node:path';
import t from 'tap';
import { Cleanup, inNetns, must, run, waitFor } from '../command.ts';
import { loadExample } from '../example.ts';
import { SluiceInstance } from '../rig.ts';

const TOUR = join(import.meta.dirname, '../../../examples/tour');
const LOAD_SEC = 8;
/** A second on an idle machine; more where the other tests compete for its processors. */
const MAX_PAUSE_SEC = 4;
const INTERVAL_SEC = 0.1;

const cleanup = new Cleanup();
const name = `sls${process.pid.toString(36)}`;
cleanup.command('ip', 'netns', 'del', `${name}-host`);
await must(['ip', 'netns', 'add', `${name}-host`]);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: `${name}-host`,
  netnsPrefix: `${name}-`,
  podCIDR4: '10.244.0.0/16',
  podCIDR6: 'fd00:10:244::/64',
});
t.teardown(() => cleanup.finish());
t.teardown(() => instance.stop());
const example = loadExample(TOUR);
const up = await instance.cli('rig', 'up', '-f', example.manifests);
if (up.code !== 0) throw new Error(`rig up: ${up.stderr}\n${instance.agent.output()}`);
await instance.apply(join(TOUR, 'policies/policies.yaml'));
const [backend] = example.addresses.get('shop/backend') ?? [];
const inFrontend = (argv: string) => run(inNetns(instance.netnsOf('shop/frontend'), argv.split(' ')));

/** Runs iperf3 over one connection; `midway` is called once it is under way. */
async function underLoad(midway: () => Promise<void>): Promise<{ error?: string; pauseSec: number }> {
  const load = inFrontend(`iperf3 -c ${backend} -t ${LOAD_SEC} -i ${INTERVAL_SEC} -J`);
  await waitFor(
    'the connection',
    async () => (await inFrontend('ss -Htn state established dport = :5201')).stdout !== '',
  );
  await midway();
  const report = JSON.parse((await load).stdout);
  let longest = 0;
  let current = 0;
  for (const { sum } of report.intervals ?? []) {
    current = sum.bytes === 0 ? current + sum.seconds : 0;
    longest = Math.max(longest, current);
  }
  return { error: report.error, pauseSec: longest };
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
    const { stdout } = await inFrontend(`curl -s -m 5 -o /dev/null -w %{http_code} http://${backend}:8080/public`);
    statuses.push(stdout);
  };
  const { error, pauseSec } = await underLoad(async () => {
    await request();
    await kill(instance.agent.pid);
    for (let count = 0; count < 10; count++) await request();
    const refused = await inFrontend(`curl -s -m 5 -o /dev/null -w %{http_code} http://${backend}:8080/private`);
    t.equal(refused.stdout, '403', 'the policy is still in force');
    await instance.restartAgent();
    for (let count = 0; count < 10; count++) await request();
  });
  t.notOk(error, 'iperf3 saw no error');
  t.same([...new Set(statuses)], ['200'], `${statuses.length} requests`);
  t.same(instance.dataplanePids(), [dataplane], 'the next agent took the dataplane over');
  t.comment(`longest pause: ${pauseSec.toFixed(1)} s`);
  await instance.untilReady(['shop/frontend', 'shop/backend', 'shop/stranger']);
});

t.test('killing the dataplane pauses an established connection, and it goes on', async (t) => {
  const [dataplane] = instance.dataplanePids();
  const { error, pauseSec } = await underLoad(async () => {
    await kill(dataplane);
    await waitFor('another dataplane', () => instance.dataplanePids().some((pid) => pid !== dataplane));
  });
  t.notOk(error, 'iperf3 saw no error');
  t.ok(pauseSec <= MAX_PAUSE_SEC, `longest pause: ${pauseSec.toFixed(1)} s`);
  const { stdout } = await inFrontend(`curl -s -m 5 -o /dev/null -w %{http_code} http://${backend}:8080/private`);
  t.equal(stdout, '403', 'the policy is in force again');
});
