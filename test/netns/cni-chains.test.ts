/**
 * Sluice among the CNI plugins of others: addresses of host-local, behind ptp and bridge, before portmap. The test calls each plugin as a
 * runtime goes through a list, forward for ADD and backward for DEL.
 *
 *   <name>-out ── 192.0.2.0/24 ── <name>-host: sluiced, bridge, host's ends ── <name>-c0 .. containers
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import t from 'tap';
import { ContainerHost, podArgs } from '../cni-plugin.ts';
import { Cleanup, inNetns, must, mustAll, run, start, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slh${process.pid.toString(36)}`;
const host = `${name}-host`;
const instance = await SluiceInstance.onHost(name, cleanup, 'uplink: { mode: host }\n');
t.teardown(() => instance.stop());
const containers = new ContainerHost(instance, name, cleanup);
const dataDir = `/tmp/${name}-ipam`;
cleanup.add(() => rmSync(dataDir, { recursive: true, force: true }));
const range = (subnet: string) => ({
  type: 'host-local',
  dataDir,
  ranges: [[{ subnet }]],
  routes: [{ dst: '0.0.0.0/0' }],
});
/** Addresses that host-local has given away in a network. */
const leases = (network: string) => {
  const names = existsSync(`${dataDir}/${network}`) ? readdirSync(`${dataDir}/${network}`) : [];
  return names.filter((one) => /^\d/.test(one)).sort();
};
const hostReaches = async (address: string) =>
  (await run(inNetns(host, ['ping', '-c', '1', '-w', '10', address]))).code === 0;

t.test('addresses of a delegated plugin are its own to give and to take back', async (t) => {
  const config = { ...containers.network, cniVersion: '1.0.0', name: 'given', ipam: range('10.61.0.0/29') };
  for (const id of ['a', 'b']) await containers.make(id);
  const added = await containers.call('ADD', 'a', { config, args: podArgs('a') });
  t.match(added.answer, { ips: [{ address: '10.61.0.2/32', gateway: '10.244.0.1' }] }, added.stdout);
  t.equal(added.answer.ips.length, 1, 'and none of ours beside it');
  t.match(await containers.endpointOf('a'), { state: 'ready', ipv4: '10.61.0.2' });
  t.ok(await containers.pings('a', '10.244.0.1'));
  t.ok(await hostReaches('10.61.0.2'));
  t.strictSame((await containers.call('ADD', 'a', { config, args: podArgs('a') })).answer, added.answer);
  t.strictSame(leases('given'), ['10.61.0.2'], 'a repeated call takes no second address');

  const taken = await containers.call('ADD', 'b', { netns: `/run/netns/${containers.netnsOf('a')}`, config });
  t.match(taken.answer, { code: 4 });
  t.strictSame(leases('given'), ['10.61.0.2'], 'nor one that is refused before');
  await instance.send(`
apiVersion: v1
kind: Pod
metadata: { name: holder, namespace: shop, annotations: { sluice.io/external: 'true' } }
spec: { containers: [] }
status: { podIP: 10.61.0.3 }`);
  const clash = await containers.call('ADD', 'b', { config, args: podArgs('b') });
  t.match(clash.answer, { code: 11, msg: /shop\/holder has it/ });
  t.strictSame(leases('given'), ['10.61.0.2'], 'an address that is of no use goes back');
  t.equal((await containers.call('CHECK', 'a', { config: { ...config, prevResult: added.answer } })).code, 0);

  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.untilAgentEnded();
  t.equal((await containers.call('DEL', 'a', { config })).code, 0);
  t.strictSame(leases('given'), [], 'it goes back while the agent is down, too');
  await instance.restartAgent();
  t.match((await containers.call('ADD', 'b', { config, path: '/nowhere' })).answer, { code: 4, msg: /CNI_PATH/ });
  const wrong = { ...config, ipam: { type: 'host-local', ranges: [] } };
  t.match((await containers.call('ADD', 'b', { config: wrong })).answer, { code: 999 }, 'its own words');
  await instance.send('{kind: Pod, apiVersion: v1, metadata: {name: holder, namespace: shop}}', 'delete');
});

interface Plugin {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** One plugin of a list. @returns what it printed @throws Error when it failed */
async function callOf(command: string, id: string, plugin: Plugin, prevResult: unknown): Promise<any> {
  const config = { cniVersion: '1.0.0', name: 'chain', ...plugin, ...(prevResult !== undefined && { prevResult }) };
  const which = plugin.type === 'sluice-cni' ? {} : { plugin: plugin.type };
  const { code, stdout, answer } = await containers.call(command, id, { config, args: podArgs(id), ...which });
  if (code !== 0) throw new Error(`${plugin.type} ${command}: ${stdout}`);
  return answer;
}

async function addChain(id: string, plugins: readonly Plugin[]): Promise<any> {
  let result: unknown;
  for (const plugin of plugins) result = await callOf('ADD', id, plugin, result);
  return result;
}

async function deleteChain(id: string, plugins: readonly Plugin[], result: unknown): Promise<void> {
  for (const plugin of [...plugins].reverse()) await callOf('DEL', id, plugin, result);
}

const POLICY = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: to-srv, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: srv } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: cli } }] }] }`;
const labelled = (app: string): Plugin => ({
  type: 'sluice-cni',
  runDir: instance.runDir,
  args: { cni: { labels: [{ key: 'app', value: app }] } },
});

/** A document that anybody may have written who may write the status of pods: its container runs on. */
const endedPod = (name: string) => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: other } }
spec: { containers: [] }
status: { phase: Failed }`;

const FIRST: readonly Plugin[] = [
  { type: 'ptp', ipam: range('10.62.0.0/24') },
  { type: 'bridge', bridge: 'slbr0', isGateway: true, ipam: range('10.63.0.0/24') },
];
for (const first of FIRST) {
  t.test(`behind ${first.type} the pair that is there is the pod's`, async (t) => {
    await instance.send(POLICY);
    const ids = ['srv', 'cli', 'other'].map((app) => `${first.type}-${app}`);
    const lists = ids.map((id) => [first, labelled(id.split('-')[1])]);
    const results: any[] = [];
    for (const [i, id] of ids.entries()) {
      await containers.make(id);
      results.push(await addChain(id, lists[i]));
    }
    await callOf('CHECK', ids[0], labelled('srv'), results[0]);
    t.match(results[0], { cniVersion: '1.0.0', interfaces: [{ name: String }, {}] }, 'the result is passed on');
    const server = results[0].ips[0].address.split('/')[0];
    t.match(await containers.endpointOf(ids[0]), { state: 'ready', ipv4: server, interface: /^veth/ });
    t.ok(await containers.pings(ids[1], server));
    t.notOk(await containers.pings(ids[2], server, 1), 'policy counts between pods of one link, too');
    t.ok(await hostReaches(server));
    const { gateway } = results[2].ips[0];
    t.ok(await containers.pings(ids[2], gateway));
    await instance.send(endedPod(ids[2]));
    await containers.inside(ids[2], 'ip', 'neigh', 'flush', 'dev', 'eth0');
    t.notOk(await containers.pings(ids[2], gateway, 2), 'who is said to have ended gets nothing past the dataplane');
    t.match(await containers.endpointOf(ids[2]), { interface: /^veth/ });
    const again = await containers.call('ADD', ids[2], {
      config: { ...containers.network, ...lists[2][1], cniVersion: '1.0.0', prevResult: results[2] },
      args: podArgs(ids[2]),
    });
    t.match(again.answer, { code: 100, msg: /a document says that it has ended/ }, again.stdout);
    await instance.send(endedPod(ids[2]), 'delete');
    t.ok(await containers.pings(ids[2], gateway));
    for (const [i, id] of ids.entries()) await deleteChain(id, lists[i], results[i]);
    t.strictSame(leases('chain'), []);
    t.strictSame(await instance.read('/v1/endpoints'), []);
    await instance.send(POLICY, 'delete');
  });
}

t.test('a port of the host leads to a pod by portmap', async (t) => {
  const outside = `${name}-out`;
  cleanup.command('ip', 'netns', 'del', outside);
  await mustAll(`
    ip netns add ${outside}
    ip -n ${outside} link add wan type veth peer name out0 netns ${host}
    ip -n ${outside} address add 192.0.2.2/24 dev wan
    ip -n ${outside} link set wan up
    ip -n ${host} address add 192.0.2.1/24 dev out0
    ip -n ${host} link set out0 up
    ip netns exec ${host} sysctl -qw net.ipv4.ip_forward=1`);
  const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];
  const list: Plugin[] = [
    { type: 'sluice-cni', runDir: instance.runDir },
    { type: 'portmap', capabilities: { portMappings: true }, runtimeConfig: { portMappings } },
  ];
  await containers.make('web');
  const result = await addChain('web', list);
  t.match(result, { interfaces: [{}, { name: 'eth0' }], ips: [{ interface: 1 }, {}] });
  const server = start(
    inNetns(containers.netnsOf('web'), ['busybox', 'httpd', '-f', '-p', '80', '-h', '/usr/lib/cni']),
  );
  const url = 'http://192.0.2.1:8080/ptp';
  const fetched = () => run(inNetns(outside, ['curl', '-sI', '-m', '5', url]));
  await waitFor('the port to be served', async () => (await fetched()).stdout.includes('200 OK'));
  await deleteChain('web', list, result);
  t.notOk((await fetched()).stdout.includes('200 OK'));
  await server.stop();
  await must(['ip', 'netns', 'del', outside]);
});
