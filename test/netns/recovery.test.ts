/**
 * What comes back after a dataplane was killed, and what does not pile up: the sockets and TAPs of 50 pods are the agent's, so
 * the next dataplane finds them open, and neither process ends with more than it began with. How fast is for
 * `scripts/bench restart`.
 */
import { rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { Cleanup, makeNetns, must, waitFor } from '../command.ts';
import { crowdManifests, descriptorsOf, ipLink, killDataplane, packetSockets, unreached } from '../crowd.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const PODS = 50;
const HOST = `${OWN_RANGE.ipv4}.1`;

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slr${process.pid.toString(36)}`;
const host = `${name}-host`;
await makeNetns(cleanup, host);
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: host,
  netnsPrefix: `${name}-`,
  createNamespaces: true,
});
t.teardown(() => instance.stop());
const modes = Array.from({ length: PODS }, (_, i) => (i % 10 === 9 ? 'tap' : 'veth'));
const pods = modes.map((_, i) => `x/p${i}`);
const all = `/tmp/${name}.yaml`;
cleanup.add(() => rmSync(all, { force: true }));
writeFileSync(all, crowdManifests('x', modes));
await instance.apply(all);
await instance.untilReady(pods);

/** What agent and dataplane have open, once both have closed what they are closing. */
async function untilDescriptors(wanted: string): Promise<void> {
  let found = '';
  const isAsWanted = async () => (found = await descriptorsOf(instance, host)) === wanted;
  await waitFor(`descriptors: ${wanted}`, isAsWanted).catch((error: unknown) => {
    throw new Error(`${String(error)}: found ${found}`);
  });
}

t.test('after a dataplane was killed traffic of every pod passes, through the same sockets', async (t) => {
  t.strictSame(await unreached(instance, pods, HOST), []);
  const sockets = await packetSockets(host);
  t.equal(sockets.length, modes.filter((mode) => mode === 'veth').length + 1, 'one a veth pod, and the host');
  const descriptors = await descriptorsOf(instance, host);
  for (let round = 0; round < 3; round++) {
    await killDataplane(instance, pods);
    t.strictSame(await packetSockets(host), sockets, 'no socket was opened anew');
    await untilDescriptors(descriptors);
  }
  t.strictSame(await unreached(instance, pods, HOST), []);
  const { problems } = await instance.read('/v1/status');
  t.strictSame(problems, []);
});

t.test('an agent that is killed gets the sockets back from the dataplane', async (t) => {
  const sockets = await packetSockets(host);
  const descriptors = await descriptorsOf(instance, host);
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.restartAgent();
  await instance.untilReady(pods);
  t.strictSame(await packetSockets(host), sockets);
  await untilDescriptors(descriptors);
  await killDataplane(instance, pods);
  t.strictSame(await packetSockets(host), sockets, 'the second agent keeps them too');
  t.strictSame(await unreached(instance, pods, HOST), []);
});

t.test('pods that come and go, with dataplanes killed in between, leave no descriptor behind', async () => {
  const descriptors = await descriptorsOf(instance, host);
  for (let round = 0; round < 3; round++) {
    await instance.delete(all);
    if (round === 1) process.kill(instance.dataplanePids()[0], 'SIGKILL');
    await waitFor('all to be gone', async () => (await instance.read('/v1/endpoints')).length === 0);
    await waitFor('the sockets to be closed', async () => (await packetSockets(host)).length === 1);
    await instance.apply(all);
    if (round === 2) process.kill(instance.dataplanePids()[0], 'SIGKILL');
    await instance.untilReady(pods);
  }
  await untilDescriptors(descriptors);
});

t.test('an interface that goes down and up keeps its socket, one that is made anew gets another', async (t) => {
  const { stdout } = await instance.inPod('x/p0', ['cat', '/sys/class/net/eth0/iflink']);
  const links = JSON.parse(await must(['ip', '-n', host, '-j', 'link'])) as { ifindex: number; ifname: string }[];
  const ifname = links.find(({ ifindex }) => ifindex === Number(stdout))?.ifname ?? '';
  const sockets = await packetSockets(host);
  const isReady = async () =>
    (await instance.read('/v1/endpoints')).find((one: any) => one.pod === 'p0').state === 'ready';
  await ipLink(host, 'set', ifname, 'down');
  await waitFor('the dataplane to see it', async () => !(await isReady()));
  await ipLink(host, 'set', ifname, 'up');
  await instance.untilReady(['x/p0']);
  t.strictSame(await packetSockets(host), sockets);
  await ipLink(host, 'delete', ifname);
  await waitFor('the dataplane to see it', async () => !(await isReady()));
  await instance.untilReady(['x/p0']);
  t.equal((await packetSockets(host)).filter((inode) => !sockets.includes(inode)).length, 1);
  t.strictSame(await unreached(instance, ['x/p0'], HOST), []);
});

t.test('a pod that loses its eth0 is attached again, whatever its attachment', async (t) => {
  const descriptors = await descriptorsOf(instance, host);
  for (const pod of ['x/p1', 'x/p9']) {
    await ipLink(instance.netnsOf(pod), 'delete', 'eth0');
    await waitFor(
      `an eth0 in ${pod}`,
      async () => (await instance.inPod(pod, ['ip', 'link', 'show', 'eth0'])).code === 0,
    );
  }
  await instance.untilReady(pods);
  t.strictSame(await unreached(instance, ['x/p1', 'x/p9'], HOST), []);
  await untilDescriptors(descriptors);
});
