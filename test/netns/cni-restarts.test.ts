/**
 * Container runtimes and an agent that comes and goes: attachments outlive it, calls of DEL wait for it, and what is gone with a
 * namespace is gone.
 */
import { existsSync, readdirSync } from 'node:fs';
import t from 'tap';
import { ContainerHost, podArgs } from '../cni-plugin.ts';
import { Cleanup, makeNetns, must, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slk${process.pid.toString(36)}`;
await makeNetns(cleanup, `${name}-host`);
const ranges = { podCIDR4: '10.244.0.0/27', podCIDR6: 'fd00:10:244::/64' };
const instance = await SluiceInstance.start({
  name,
  cleanup,
  netns: `${name}-host`,
  netnsPrefix: `${name}-`,
  ...ranges,
});
t.teardown(() => instance.stop());
const containers = new ContainerHost(instance, name, cleanup);
const { network } = containers;
const endpoints = async (): Promise<any[]> => (await instance.read('/v1/endpoints')) as any[];
const add = (id: string) => containers.call('ADD', id, { args: podArgs(id) });
const queue = `${instance.runDir}/cni/deleted`;
const waiting = () => (existsSync(queue) ? readdirSync(queue) : []);
/** The agent's end, without a word; its dataplane goes on. */
async function killAgent(): Promise<void> {
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.untilAgentEnded();
}

t.test('an agent that is killed finds its attachments again, and the calls that waited for it', async (t) => {
  for (const id of ['a', 'b']) await containers.make(id);
  const added = [await add('a'), await add('b')];
  t.strictSame(
    added.map(({ code }) => code),
    [0, 0],
  );
  const { id, port, ipv4, ipv6 } = await containers.endpointOf('a');
  await killAgent();
  const config = { ...network, prevResult: added[0].answer };
  t.match((await containers.call('STATUS', '')).answer, { code: 50 });
  t.match((await containers.call('CHECK', 'a', { config })).answer, { code: 11 });
  t.match((await containers.call('ADD', 'c')).answer, { code: 11, details: /sluice.sock/ });
  t.strictSame(await containers.call('DEL', 'b'), { code: 0, stdout: '', answer: undefined });
  t.strictSame(await containers.call('DEL', 'b', { netns: '' }), { code: 0, stdout: '', answer: undefined });
  t.equal(waiting().length, 2);
  await instance.restartAgent();
  await waitFor('b to be gone', async () => (await endpoints()).length === 1);
  await waitFor('nothing to wait', () => waiting().length === 0);
  await instance.untilReady(['shop/a']);
  t.match(await containers.endpointOf('a'), { id, port, ipv4, ipv6 }, 'as before');
  t.strictSame((await add('a')).answer, added[0].answer, 'the runtime may ask again');
  t.equal((await containers.call('CHECK', 'a', { config })).code, 0);
  t.equal((await containers.call('STATUS', '')).code, 0);
});

t.test('an ADD in whose middle the agent dies is done by the next one', async (t) => {
  await containers.make('m');
  // A dataplane that stands still opens no port: the answer waits.
  const [dataplane] = instance.dataplanePids();
  process.kill(dataplane, 'SIGSTOP');
  const adding = add('m');
  await waitFor('it to be attached', async () => (await containers.endpointOf('m')) !== undefined);
  await killAgent();
  process.kill(dataplane, 'SIGCONT');
  await instance.restartAgent();
  const added = await adding;
  t.equal(added.code, 0, added.stdout);
  t.match(await containers.endpointOf('m'), { state: 'ready' });
  t.ok(await containers.pings('m', '10.244.0.1'));
  await containers.call('DEL', 'm');
});

t.test('after a clean stop containers are attached again, with the same addresses', async (t) => {
  const { ipv4, ipv6 } = await containers.endpointOf('a');
  await instance.agent.stop();
  t.not((await containers.inside('a', 'ip', 'link', 'show', 'eth0')).code, 0, 'what was made is gone');
  await instance.restartAgent();
  await instance.untilReady(['shop/a']);
  t.match(await containers.endpointOf('a'), { ipv4, ipv6 });
  t.ok(await containers.pings('a', '10.244.0.1'));
});

t.test('a crowd at once, and a range that is full', async (t) => {
  // 30 addresses of a /27, less the router and one pod.
  const ids = Array.from({ length: 28 }, (_, i) => `p${i}`);
  for (const id of ids) await containers.make(id);
  const added = await Promise.all(ids.slice(0, 25).map(add));
  t.strictSame(
    added.filter(({ code }) => code !== 0),
    [],
  );
  const addresses = new Set(added.map(({ answer }) => answer.ips[0].address));
  t.equal(addresses.size, 25, 'an address each');
  const more = await Promise.all(ids.slice(25).map(add));
  t.equal(more.filter(({ code }) => code === 0).length, 3);
  await containers.make('over');
  t.match((await add('over')).answer, { code: 11, msg: /used up/ });
  t.not((await containers.inside('over', 'ip', 'link', 'show', 'eth0')).code, 0, 'nothing is left of it');
  t.match((await containers.call('STATUS', '')).answer, { code: 50, msg: /used up/ });
  const gone = await Promise.all(ids.slice(1).map((id) => containers.call('DEL', id)));
  t.strictSame(
    gone.filter(({ code }) => code !== 0),
    [],
  );
  t.equal((await add('over')).code, 0, 'and there is room again');
});

t.test('an attachment whose namespace has gone is forgotten', async (t) => {
  await must(['ip', 'netns', 'del', containers.netnsOf('over')]);
  await must(['ip', 'netns', 'del', containers.netnsOf('p0')]);
  await waitFor('the endpoints to go', async () => (await endpoints()).length === 1);
  t.equal((await containers.call('DEL', 'over')).code, 0);
  t.equal((await containers.call('DEL', 'a')).code, 0);
});
