/**
 * The CNI plugin, started by hand as runtimes were seen to start it: containerd (duplicate DEL with an empty CNI_NETNS and no
 * prevResult, pod's name among CNI_ARGS in any order), podman (VERSION before every call, a name alone), and the plugins of others
 * before and behind it.
 *
 *   <name>-host: sluiced, host's ends      <name>-c0 .. : a container each, made by the test as a runtime makes them
 */
import t from 'tap';
import { ContainerHost, podArgs } from '../cni-plugin.ts';
import { Cleanup, must } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slc${process.pid.toString(36)}`;
const instance = await SluiceInstance.onHost(name, cleanup);
t.teardown(() => instance.stop());
const containers = new ContainerHost(instance, name, cleanup);
const { network } = containers;

t.test('a pod of containerd: VERSION, ADD, ADD again, CHECK, DEL, DEL without namespace', async (t) => {
  const netns = await containers.make('a');
  const version = await containers.call('VERSION', '', {
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
  const added = await containers.call('ADD', 'a', { args: podArgs('web-0'), config });
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
  t.match(await containers.endpointOf('web-0'), {
    namespace: 'shop',
    state: 'ready',
    ipv4: address4.split('/')[0],
    netns,
  });
  t.ok(await containers.pings('a', '10.244.0.1'), 'the host answers at once');
  const again = await containers.call('ADD', 'a', { args: podArgs('web-0'), config });
  t.strictSame(again.answer, added.answer, 'a call that is repeated changes nothing');
  const other = await containers.call('ADD', 'b', { netns, args: podArgs('web-1') });
  t.match(
    other.answer,
    { code: 4, msg: /CNI_IFNAME: found an interface eth0/ },
    'an interface that is there is not ours',
  );

  const withResult = { ...network, prevResult: added.answer };
  t.strictSame(await containers.call('CHECK', 'a', { config: withResult }), { code: 0, stdout: '', answer: undefined });
  await must(['ip', '-n', containers.netnsOf('a'), 'link', 'set', 'eth0', 'down']);
  t.match((await containers.call('CHECK', 'a', { config: withResult })).answer, { code: 101, msg: /eth0 is down/ });
  await must(['ip', '-n', containers.netnsOf('a'), 'link', 'set', 'eth0', 'up']);
  t.match((await containers.call('CHECK', 'nobody', { netns, config: withResult })).answer, {
    code: 101,
    msg: /no such attachment/,
  });

  t.strictSame(await containers.call('DEL', 'a', { config: withResult }), { code: 0, stdout: '', answer: undefined });
  t.equal(await containers.endpointOf('web-0'), undefined);
  t.not((await containers.inside('a', 'ip', 'link', 'show', 'eth0')).code, 0, 'its interface is gone');
  t.strictSame(await containers.call('DEL', 'a', { netns: '', config: network }), {
    code: 0,
    stdout: '',
    answer: undefined,
  });
  await must(['ip', 'netns', 'del', containers.netnsOf('a')]);
  t.equal((await containers.call('DEL', 'a')).code, 0);
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
  for (const id of ids) await containers.make(id);
  const added = await Promise.all(
    ids.map((id) => containers.call('ADD', id, { args: podArgs(id), config: labelled(id) })),
  );
  t.strictSame(
    added.map(({ code }) => code),
    [0, 0, 0],
    added.map(({ stdout }) => stdout).join(),
  );
  const server = (await containers.endpointOf('srv')).ipv4;
  t.ok(await containers.pings('cli', server));
  t.notOk(await containers.pings('other', server, 1));
  await instance.send(`
apiVersion: v1
kind: Pod
metadata: { name: other, namespace: shop, uid: '1', labels: { app: cli } }
spec: { containers: [] }`);
  t.ok(await containers.pings('other', server), 'labels of a document count');
  t.equal((await instance.read('/v1/endpoints')).length, 3, 'and it is one endpoint');
  const keep = [{ containerID: 'cli', ifname: 'eth0' }];
  t.equal((await containers.call('GC', '', { config: { ...network, name: 'another' } })).code, 0);
  t.equal((await instance.read('/v1/endpoints')).length, 3, 'GC is about one network');
  t.equal((await containers.call('GC', '', { config: { ...network, 'cni.dev/valid-attachments': keep } })).code, 0);
  t.match(await containers.endpointOf('cli'), { state: 'ready' });
  t.equal(await containers.endpointOf('srv'), undefined);
  t.equal((await containers.call('GC', '')).code, 0, 'a list that is left out is empty');
  t.equal(await containers.endpointOf('cli'), undefined);
  t.match(await containers.endpointOf('other'), { state: 'waiting' }, 'the document is there still, its place is not');
  await instance.send('{kind: Pod, apiVersion: v1, metadata: {name: other, namespace: shop}}', 'delete');
});

t.test('netavark starts the same program with words of its own', async (t) => {
  const netns = await containers.make('n');
  const options = { 'run-dir': instance.runDir, namespace: 'lab' };
  const made = { name: 'net', id: '2f', driver: 'sluice', subnets: [], options, dns_enabled: false };
  const netavark = (words: readonly string[], config: object) =>
    containers.call('', 'n', { words, config, netns: '', containerId: '' });
  t.match((await netavark(['info'], {})).answer, { version: String, api_version: '1.0.0' });
  t.strictSame((await netavark(['create'], made)).answer, made);
  const subnets = [{ subnet: '10.0.0.0/16' }];
  t.match(await netavark(['create'], { ...made, subnets }), { code: 1, answer: { error: /^subnets: found / } });

  const asked = { container_id: '75ff', container_name: 'web', port_mappings: null, network: made };
  const container = { ...asked, network_options: { interface_name: 'eth0', static_mac: 'aa:bb:cc:dd:ee:00' } };
  const told = await netavark(['setup', netns], container);
  t.match(told.answer, {
    dns_search_domains: [],
    dns_server_ips: [],
    interfaces: {
      eth0: { mac_address: 'aa:bb:cc:dd:ee:00', subnets: [{ ipnet: /^10.244.*\/32$/, gateway: '10.244.0.1' }, {}] },
    },
  });
  t.match(await containers.endpointOf('web'), { namespace: 'lab', state: 'ready' });
  t.ok(await containers.pings('n', '10.244.0.1'));
  const mapped = { ...container, port_mappings: [{ host_port: 80 }] };
  t.match((await netavark(['setup', netns], mapped)).answer, { error: /^port_mappings: found / });
  t.strictSame(await netavark(['teardown', netns], container), { code: 0, stdout: '', answer: undefined });
  t.strictSame(await instance.read('/v1/endpoints'), []);
});
