import t from 'tap';
import { errorText, type CniError } from './cni-error.ts';
import { podIdentity, toldLabels } from './pod-identity.ts';
import { podmanCommand, podmanLabels } from './podman.ts';
import { CNI_VERSIONS, type PluginCall, readRequest, versionOf } from './request.ts';
import { readCall } from './route.ts';

const ENVIRONMENT = {
  CNI_CONTAINERID: 'a1',
  CNI_NETNS: '/run/netns/cni-1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
};
const CONFIG = { cniVersion: '1.1.0', name: 'sluice', type: 'sluice-cni' };

function call(command: string, environment: object = {}, config: object = {}): PluginCall {
  const all = { CNI_COMMAND: command, ...ENVIRONMENT, ...environment };
  return { environment: all, config: JSON.stringify({ ...CONFIG, ...config }), outcomes: [] };
}

/** What is wrong with a call: code and message. */
function refusal(given: PluginCall): { code: number; message: string } {
  try {
    const request = readRequest(given);
    podIdentity(request);
    toldLabels(request);
  } catch (error) {
    const { code, message } = error as CniError;
    return { code, message };
  }
  return { code: 0, message: '' };
}

t.test('readRequest() takes what containerd and podman send', async (t) => {
  const args =
    'K8S_POD_INFRA_CONTAINER_ID=9f;K8S_POD_UID=u-1;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0';
  const runtimeConfig = {
    portMappings: [],
    bandwidth: { ingressRate: 1 },
    mac: 'AA:BB:CC:00:11:22',
    ips: ['10.1.2.3/24', 'fd00::1'],
    'io.kubernetes.cri.pod-annotations': { 'sluice.io/labels': 'app=web, tier = front,empty' },
  };
  const more = { runtimeConfig, capabilities: { portMappings: true }, mtu: 9000, unknown: [1], prevResult: null };
  const request = readRequest(call('ADD', { CNI_ARGS: args }, more));
  t.match(request, { command: 'ADD', containerId: 'a1', ifname: 'eth0', netns: '/run/netns/cni-1' });
  t.match(request.config, { mac: 'aa:bb:cc:00:11:22', ips: ['10.1.2.3', 'fd00::1'], mtu: 9000, previous: undefined });
  t.strictSame(podIdentity(request), { namespace: 'shop', name: 'web-0', uid: 'u-1' });
  t.strictSame(toldLabels(request), { app: 'web', tier: 'front', empty: '' });
  const podman = readRequest(call('ADD', { CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web' }, { namespace: 'lab' }));
  t.strictSame(podIdentity(podman), { namespace: 'lab', name: 'web', uid: '' });
  const bare = readRequest(call('ADD', { CNI_CONTAINERID: 'ABC_def.0123456789' }));
  t.match(podIdentity(bare), { namespace: 'default', name: /^abc-def-0123-[0-9a-f]{8}$/ });
  t.ok(readRequest(call('DEL', { CNI_NETNS: '' })), 'DEL needs no namespace');
  t.ok(readRequest({ environment: { CNI_COMMAND: 'GC' }, config: JSON.stringify(CONFIG), outcomes: [] }));
});

t.test('labels of the conventions count more than those of an annotation', async (t) => {
  const config = {
    args: { cni: { labels: [{ key: 'app', value: 'b' }] } },
    runtimeConfig: { 'io.kubernetes.cri.pod-annotations': { 'sluice.io/labels': 'app=a,x=y', other: '1' } },
  };
  t.strictSame(toldLabels(readRequest(call('ADD', {}, config))), { app: 'b', x: 'y' });
});

t.test('a name that is none of Kubernetes becomes one that nobody else has', async (t) => {
  const nameOf = (name: string) => podIdentity(readRequest(call('ADD', { CNI_ARGS: `K8S_POD_NAME=${name}` }))).name;
  t.equal(nameOf('web'), 'web');
  t.match(nameOf('My_Web'), /^my-web-[0-9a-f]{8}$/);
  t.not(nameOf('My_Web'), nameOf('my_web'));
  t.match(nameOf('../../etc'), /^etc-[0-9a-f]{8}$/);
  t.match(nameOf('$(reboot)'), /^reboot-[0-9a-f]{8}$/);
  t.match(nameOf('___'), /^[0-9a-f]{8}$/);
  t.ok(nameOf('x'.repeat(5000)).length <= 72);
});

const REFUSED: readonly (readonly [what: string, given: PluginCall, code: number, message: RegExp])[] = [
  ['an unknown command', call('MOVE'), 4, /^CNI_COMMAND/],
  ['missing variables', call('ADD', { CNI_NETNS: '', CNI_IFNAME: '' }), 4, /^CNI_NETNS, CNI_IFNAME: /],
  ['no container id for DEL', call('DEL', { CNI_CONTAINERID: '' }), 4, /^CNI_CONTAINERID/],
  ['a container id with a slash', call('DEL', { CNI_CONTAINERID: '../x' }), 4, /^CNI_CONTAINERID/],
  ['an interface with a slash', call('ADD', { CNI_IFNAME: 'a/b' }), 4, /^CNI_IFNAME/],
  ['an interface called ..', call('ADD', { CNI_IFNAME: '..' }), 4, /^CNI_IFNAME/],
  ['an interface like an option', call('ADD', { CNI_IFNAME: '-all' }), 4, /^CNI_IFNAME/],
  ['an interface with a command in it', call('ADD', { CNI_IFNAME: '$(id)' }), 4, /^CNI_IFNAME/],
  ['a long interface name', call('ADD', { CNI_IFNAME: 'a'.repeat(16) }), 4, /^CNI_IFNAME/],
  ['a namespace that is no path', call('ADD', { CNI_NETNS: 'cni-1' }), 4, /^CNI_NETNS/],
  ['a namespace with ..', call('ADD', { CNI_NETNS: '/run/netns/../x' }), 4, /^CNI_NETNS/],
  ['a hostile pod', call('ADD', { CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a/b' }), 4, /^CNI_ARGS: K8S_POD_NAME/],
  ['a hostile namespace', call('ADD', { CNI_ARGS: 'K8S_POD_NAMESPACE=a/b;K8S_POD_NAME=x' }), 4, /K8S_POD_NAMESPACE/],
  ['a pod without a name', call('ADD', { CNI_ARGS: 'K8S_POD_NAMESPACE=shop' }), 4, /K8S_POD_NAME/],
  ['a hostile uid', call('ADD', { CNI_ARGS: 'K8S_POD_UID=../x' }), 4, /K8S_POD_UID/],
  ['no JSON', { ...call('ADD'), config: '{"cniVersion"' }, 6, /no JSON/],
  ['a list', { ...call('ADD'), config: '[]' }, 6, /object/],
  ['no version', { ...call('ADD'), config: '{"name":"x"}' }, 1, /^cniVersion: found ""/],
  ['an old version', call('ADD', {}, { cniVersion: '0.2.0' }), 1, /found "0.2.0"/],
  ['a version to come', call('ADD', {}, { cniVersion: '2.0.0' }), 1, /wanted 0.3.0/],
  ['CHECK before 0.4.0', call('CHECK', {}, { cniVersion: '0.3.1' }), 1, /CHECK is of 0.4.0/],
  ['GC before 1.1.0', call('GC', {}, { cniVersion: '1.0.0' }), 1, /GC is of 1.1.0/],
  ['STATUS before 1.1.0', call('STATUS', {}, { cniVersion: '1.0.0' }), 1, /STATUS is of 1.1.0/],
  ['no name', call('ADD', {}, { name: '' }), 7, /^name/],
  ['an MTU of nothing', call('ADD', {}, { mtu: 68 }), 7, /^mtu: found 68/],
  ['an MTU in quotes', call('ADD', {}, { mtu: '1500' }), 7, /^mtu/],
  ['a namespace of nobody', call('ADD', {}, { namespace: 'A B' }), 7, /^namespace/],
  [
    'port mappings',
    call('ADD', {}, { runtimeConfig: { portMappings: [{ hostPort: 80 }] } }),
    2,
    /portMappings: found .*80/,
  ],
  ['a multicast MAC', call('ADD', {}, { runtimeConfig: { mac: '01:00:00:00:00:01' } }), 7, /mac/],
  ['an address that is none', call('ADD', {}, { runtimeConfig: { ips: ['10.0.0.300/8'] } }), 7, /ips/],
  ['an address of a zone', call('ADD', {}, { runtimeConfig: { ips: ['fe80::1%eth0'] } }), 7, /ips/],
  ['a label that is none', call('ADD', {}, { args: { cni: { labels: [{ key: 'a b', value: '' }] } } }), 7, /"a b="/],
  ['a label without a value', call('ADD', {}, { args: { cni: { labels: [{ key: 'a' }] } } }), 7, /labels/],
  ['an IPAM plugin that is no name', call('ADD', {}, { ipam: { type: 1 } }), 7, /^ipam.type/],
  ['a result that is none', call('ADD', {}, { prevResult: { ips: [{ address: 'x' }] } }), 6, /prevResult.ips/],
  [
    'an attachment to keep that is none',
    call('GC', {}, { 'cni.dev/valid-attachments': [{ id: 1 }] }),
    7,
    /valid-attach/,
  ],
];

t.test('what is wrong with a call is told by code and name', async (t) => {
  for (const [what, given, code, message] of REFUSED) t.match(refusal(given), { code, message }, what);
});

t.test('an error is told in the version of the configuration', async (t) => {
  for (const version of CNI_VERSIONS) {
    const config = JSON.stringify({ ...CONFIG, cniVersion: version, name: '' });
    const { code, message } = refusal({ ...call('ADD'), config });
    const text = errorText(versionOf(config), { code, message, details: '', name: 'CniError' });
    t.strictSame(JSON.parse(text), { cniVersion: version, code: 7, msg: message });
  }
  t.equal(versionOf('{'), '1.0.0');
});

t.test('readCall() refuses what the plugin does not send', async (t) => {
  const wrong = ['', '[]', 'null', '{}', '{"environment":{"A":1},"config":""}', '{"environment":{},"config":1}'];
  wrong.push('{"environment":{},"config":"","outcomes":[null]}', '{"environment":null,"config":""}');
  for (const body of wrong) t.throws(() => readCall(body), { code: 6 }, body);
});

t.test('labels of podman are those of the event of its making', async (t) => {
  const request = readRequest(call('ADD', {}, { podman: true }));
  t.strictSame(podmanCommand(request).slice(0, 3), ['podman', 'events', '--stream=false']);
  t.strictSame(podmanCommand(readRequest(call('ADD'))), []);
  const event = { Status: 'create', Attributes: { app: 'srv', 'org.x.title': 'two words', image: 'x' } };
  const said = { kind: 'program', exit: 0, output: `${JSON.stringify(event)}\n`, problem: '' };
  t.strictSame(podmanLabels(said), { app: 'srv', image: 'x' });
  t.throws(() => podmanLabels({ ...said, exit: 125 }), { code: 11 });
  t.throws(() => podmanLabels({ ...said, output: '' }), { code: 11 }, 'labels that nobody tells are not none');
});
