/**
 * The CNI plugin, started by hand as runtimes were seen to start it: containerd (duplicate DEL with an empty CNI_NETNS and no
 * prevResult, pod's name among CNI_ARGS in any order), podman (VERSION before every call, a name alone), and the plugins of others
 * before and behind it.
 *
 *   <name>-host: sluiced, host's ends      <name>-c0 .. : a container each, made by the test as a runtime makes them
 */
import t from 'tap';
import { callPlugin, type PluginAnswer, type PluginCall } from '../cni-plugin.ts';
import { Cleanup, inNetns, must, run } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slc${process.pid.toString(36)}`;
const host = `${name}-host`;
const instance = await SluiceInstance.onHost(name, cleanup);
t.teardown(() => instance.stop());
const network = { cniVersion: '1.1.0', name: 'sluice', type: 'sluice-cni', runDir: instance.runDir };

/** A network namespace as a runtime makes it: its loopback is down. */
async function makeContainer(id: string): Promise<string> {
  cleanup.command('ip', 'netns', 'del', `${name}-${id}`);
  await must(['ip', 'netns', 'add', `${name}-${id}`]);
  return `/run/netns/${name}-${id}`;
}

const call = (command: string, id: string, more: Partial<PluginCall> = {}): Promise<PluginAnswer> =>
  callPlugin({
    command,
    containerId: id,
    netns: `/run/netns/${name}-${id}`,
    ifname: 'eth0',
    config: network,
    host,
    ...more,
  });

const endpoints = async (): Promise<any[]> => (await instance.read('/v1/endpoints')) as any[];
const endpointOf = async (pod: string): Promise<any> => (await endpoints()).find((one) => one.pod === pod);
const inside = (id: string, ...argv: string[]) => run(inNetns(`${name}-${id}`, argv));
const pings = async (id: string, address: string): Promise<boolean> =>
  (await inside(id, 'ping', '-c', '1', '-w', '5', address)).code === 0;
const podArgs = (pod: string, uid = '1') =>
  `K8S_POD_UID=${uid};IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`;

t.test('a pod of containerd: VERSION, ADD, ADD again, CHECK, DEL, DEL without namespace', async (t) => {
  const netns = await makeContainer('a');
  const version = await call('VERSION', '', {
    netns: 'dummy',
    ifname: 'dummy',
    path: 'dummy',
    config: { cniVersion: '1.0.0' },
  });
  t.strictSame(version.answer, {
    cniVersion: '1.0.0',
    supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  });
  const runtimeConfig = { bandwidth: { ingressRate: 1000 }, mac: '02:11:22:33:44:55', portMappings: [] };
  const config = { ...network, capabilities: { portMappings: true }, runtimeConfig, unknown: { key: 1 } };
  const added = await call('ADD', 'a', { args: podArgs('web-0'), config });
  t.equal(added.code, 0, added.stdout);
  const [address4, address6] = added.answer.ips.map((one: any) => one.address);
  t.match(added.answer, {
    cniVersion: '1.1.0',
    interfaces: [
      { name: String, mac: String, mtu: 1500 },
      { name: 'eth0', mac: '02:11:22:33:44:55', mtu: 1500, sandbox: netns },
    ],
    ips: [
      { address: /^10\.244\.0\.\d+\/32$/, gateway: '10.244.0.1', interface: 1 },
      { address: /^fd00:10:244::.*\/128$/, gateway: 'fd00:10:244::1', interface: 1 },
    ],
    routes: [{ dst: '0.0.0.0/0', gw: '10.244.0.1' }, { dst: '::/0' }],
    dns: {},
  });
  t.match(await endpointOf('web-0'), { namespace: 'shop', state: 'ready', ipv4: address4.split('/')[0], netns });
  t.ok(await pings('a', '10.244.0.1'), 'the host answers at once');
  const again = await call('ADD', 'a', { args: podArgs('web-0'), config });
  t.strictSame(again.answer, added.answer, 'a call that is repeated changes nothing');
  const other = await call('ADD', 'b', { netns, args: podArgs('web-1') });
  t.match(
    other.answer,
    { code: 4, msg: /CNI_IFNAME: found an interface eth0/ },
    'an interface that is there is not ours',
  );

  const withResult = { ...network, prevResult: added.answer };
  t.strictSame(await call('CHECK', 'a', { config: withResult }), { code: 0, stdout: '', answer: undefined });
  await must(['ip', '-n', `${name}-a`, 'link', 'set', 'eth0', 'down']);
  t.match((await call('CHECK', 'a', { config: withResult })).answer, { code: 101, msg: /eth0 is down/ });
  await must(['ip', '-n', `${name}-a`, 'link', 'set', 'eth0', 'up']);
  t.match((await call('CHECK', 'nobody', { netns, config: withResult })).answer, {
    code: 101,
    msg: /no such attachment/,
  });

  t.strictSame(await call('DEL', 'a', { config: withResult }), { code: 0, stdout: '', answer: undefined });
  t.equal(await endpointOf('web-0'), undefined);
  t.not((await inside('a', 'ip', 'link', 'show', 'eth0')).code, 0, 'its interface is gone');
  t.strictSame(await call('DEL', 'a', { netns: '', config: network }), { code: 0, stdout: '', answer: undefined });
  await must(['ip', 'netns', 'del', `${name}-a`]);
  t.equal((await call('DEL', 'a')).code, 0);
  t.ok(address6);
});

t.test('two pods that a policy is about', async (t) => {
  await instance.send(`
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: to-srv, namespace: shop }
spec: { endpointSelector: { matchLabels: { app: srv } }, ingress: [{ fromEndpoints: [{ matchLabels: { app: cli } }] }] }`);
  const labelled = (app: string) => ({ ...network, args: { cni: { labels: [{ key: 'app', value: app }] } } });
  const ids = ['srv', 'cli', 'other'];
  for (const id of ids) await makeContainer(id);
  const added = await Promise.all(ids.map((id) => call('ADD', id, { args: podArgs(id), config: labelled(id) })));
  t.strictSame(
    added.map(({ code }) => code),
    [0, 0, 0],
    added.map(({ stdout }) => stdout).join(),
  );
  const server = (await endpointOf('srv')).ipv4;
  t.ok(await pings('cli', server));
  t.notOk((await inside('other', 'ping', '-c', '1', '-w', '1', server)).code === 0);
  await instance.send(`
apiVersion: v1
kind: Pod
metadata: { name: other, namespace: shop, uid: '1', labels: { app: cli } }
spec: { containers: [] }`);
  t.ok(await pings('other', server), 'labels of a document count');
  t.equal((await endpoints()).length, 3, 'and it is one endpoint');
});
