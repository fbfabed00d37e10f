import { mkdtempSync, rmSync } from 'node:fs';
import t from 'tap';
import { Cluster } from '../../policy/cluster.ts';
import { type Document, readDocuments } from '../../policy/document/document.ts';
import type { Attacher } from './attacher.ts';
import {
  type AttachmentSpec,
  hostInterfaceName,
  isSameSpec,
  macOf,
  pairLine,
  podScript,
} from '../../linux/attachment.ts';
import { loadConfig } from '../config/config.ts';
import { HOST_ENDPOINT, Numbering } from './numbering.ts';
import { PodFeed } from './pod-feed.ts';
import type { PodListener } from './remote-pods.ts';
import type { CniAttachment } from '../cni/attachments.ts';
import { planPod } from '../source/pod-plan.ts';
import { PodReconciler } from './pod-reconciler.ts';
import { NO_CONDITIONS } from '../../policy-maps/condition-map.ts';
import { addressesOfPods, type WantedPort } from './port-publisher.ts';
import { PORT_KINDS, type PortKind } from '../../wire/port-kinds.ts';
import { echoReplySequence, echoRequest } from '../health/probe.ts';
import { changedOptions } from '../runtime-settings.ts';

type Tap = typeof t;

const NO_ATTACHMENTS = { byPod: () => new Map(), takeChanged: () => false };
const OPTIONS = { netnsPrefix: '', nodeName: 'here', attach: 'veth' as const };

function read(text: string): Document[] {
  const { documents, problems } = readDocuments(text, 'test.yaml');
  const errors = problems.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return documents;
}

interface PodText {
  readonly name?: string;
  readonly annotations?: string;
  readonly spec?: string;
  readonly status?: string;
  readonly labels?: string;
}

const podText = ({ name = 'web', annotations = '{}', spec = '{}', status = '{}', labels = '{app: web}' }: PodText) =>
  `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: ${labels}, annotations: ${annotations} }
spec: ${spec}
status: ${status}
`;
const pod = (text: PodText) => read(podText(text))[0];

const SPEC: AttachmentSpec = {
  owner: 'shop/web',
  port: 31,
  mode: 'veth',
  netns: 'shop-web',
  hostInterface: 'sluice_1f',
  mac: '02:00:00:00:00:07',
  routerMac: '02:00:00:00:00:01',
  addresses: ['10.9.0.7', 'fd00:9::7'],
  gateways: ['10.9.0.1'],
  mtu: 9000,
};

t.test('planPod() takes names, places and ways from annotations and spec', async (t) => {
  t.match(planPod(pod({}), OPTIONS).plan, {
    key: 'shop/web',
    netns: 'shop-web',
    mode: 'veth',
    place: 'local',
    mac: '',
  });
  t.equal(planPod(pod({}), { ...OPTIONS, netnsPrefix: 'x-' }).plan.netns, 'x-shop-web');
  const cases: [text: PodText, plan: object][] = [
    [{ annotations: '{sluice.io/netns: red}' }, { netns: 'red' }],
    [{ annotations: '{sluice.io/netns: /proc/1/ns/net}' }, { netns: '/proc/1/ns/net' }],
    [{ annotations: '{sluice.io/attach: tap}' }, { mode: 'tap' }],
    [{}, { faults: undefined, isTraced: false }],
    [{ annotations: '{sluice.io/fault: drop=5%}' }, { faults: { drop: 0.05 } }],
    [{ annotations: '{sluice.io/fault: none, sluice.io/trace: "true"}' }, { faults: null, isTraced: true }],
    [{ annotations: '{sluice.io/interface: veth7}', status: '{podIP: 10.1.2.3}' }, { mode: 'existing', interface: 'veth7' }],
    [{ annotations: '{sluice.io/mac: "02:AA:00:00:00:01"}' }, { mac: '02:aa:00:00:00:01' }],
    [{ annotations: '{sluice.io/external: "true"}', status: '{podIP: 192.0.2.1}' }, { place: 'external', mode: 'veth' }],
    [{ spec: '{nodeName: here}' }, { place: 'local' }],
    [{ spec: '{nodeName: elsewhere}' }, { place: 'remote' }],
    [{ spec: '{hostNetwork: true}' }, { place: 'host' }],
    [{ status: '{phase: Succeeded, podIP: 10.1.2.3}' }, { place: 'none' }],
    [{ status: '{phase: Running, podIP: 10.1.2.3}' }, { place: 'local' }],
    [{ status: '{podIP: 10.1.2.3, podIPs: [{ip: 10.1.2.3}, {ip: "fd00::3"}]}' }, { addresses: ['10.1.2.3', 'fd00::3'] }],
  ]; // biome-ignore format: a table
  for (const [text, plan] of cases) t.match(planPod(pod(text), OPTIONS), { plan, problems: [] }, JSON.stringify(text));
});

t.test('planPod() names a workload as people do', async (t) => {
  const owned = (owner: string, labels: string) =>
    planPod(
      read(`apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: ${labels}, ownerReferences: [${owner}] }
spec: {}
`)[0],
      OPTIONS,
    ).plan.workloads;
  const set = '{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d4f, controller: true}';
  t.strictSame(owned(set, '{pod-template-hash: 5d4f}'), [{ kind: 'Deployment', name: 'web' }]);
  t.strictSame(owned(set, '{}'), [{ kind: 'ReplicaSet', name: 'web-5d4f' }]);
});

const WRONG: [name: string, text: PodText, problem: RegExp][] = [
  ['a namespace that is no name', { annotations: '{sluice.io/netns: "a; reboot"}' }, /sluice\.io\/netns: found "a; reboot"/],
  ['a namespace that climbs', { annotations: '{sluice.io/netns: ../x}' }, /sluice\.io\/netns/],
  ['faults that cannot be read', { annotations: '{sluice.io/fault: drop=2}' }, /found "drop=2", wanted for drop a share/],
  ['a trace that is neither', { annotations: '{sluice.io/trace: "yes"}' }, /wanted true or false/],
  ['an unknown way to attach', { annotations: '{sluice.io/attach: bridge}' }, /wanted veth, tap or pcap/],
  ['an outsider who is not sure', { annotations: '{sluice.io/external: "yes"}' }, /external: found "yes", wanted true or false/],
  ['a group MAC', { annotations: '{sluice.io/mac: "01:00:00:00:00:01"}' }, /unicast MAC/],
  ['an interface name that is too long', { annotations: '{sluice.io/interface: averyverylongname}' }, /name of an interface/],
  ['an existing interface without addresses', { annotations: '{sluice.io/interface: veth7}' }, /found no status\.podIP/],
  ['two addresses of a family', { status: '{podIPs: [{ip: 10.1.2.3}, {ip: 10.1.2.4}]}' }, /one IPv4 address/],
  ['an outsider without an address', { annotations: '{sluice.io/external: "true"}' }, /found no status\.podIP/],
]; // biome-ignore format: a table

for (const [name, text, problem] of WRONG) {
  t.test(`planPod() refuses ${name}`, async (t) => {
    const { problems } = planPod(pod(text), OPTIONS);
    t.match(
      problems.map(({ path, message }) => `${path.join('.')}: ${message}`),
      [problem],
    );
  });
}

t.test('podScript() gives /32 and /128, the router on the link, and everything else behind it', async (t) => {
  const script = podScript(SPEC);
  for (const line of [
    'link set eth0 mtu 9000 address 02:00:00:00:00:07',
    'addr add 10.9.0.7/32 dev eth0',
    'route add 10.9.0.1/32 dev eth0 scope link',
    'route add 0.0.0.0/0 via 10.9.0.1 dev eth0',
    'addr add fd00:9::7/128 dev eth0 nodad',
    'route add ::/0 dev eth0',
  ]) {
    t.ok(script.split('\n').includes(line), line);
  }
  t.match(script, /echo 0 > \/proc\/sys\/net\/ipv6\/conf\/eth0\/accept_dad/);
});

t.test('pairLine() makes both ends in one step, the far one in the namespace', async (t) => {
  const near = 'link add sluice_1f mtu 9000 address 02:00:00:00:00:01 type veth';
  t.equal(pairLine(SPEC), `${near} peer name eth0 mtu 9000 address 02:00:00:00:00:07 netns shop-web`);
});

t.test('names and MACs follow from who it is for', async (t) => {
  t.equal(hostInterfaceName('sluice', 31), 'sluice_1f');
  t.ok(hostInterfaceName('tenletters', 4095).length <= 15);
  t.equal(macOf('sluice', 'shop/web'), macOf('sluice', 'shop/web'));
  t.not(macOf('sluice', 'shop/web'), macOf('sluice', 'shop/api'));
  t.equal(Number.parseInt(macOf('x').slice(0, 2), 16) & 3, 2, 'locally administered, unicast');
  t.ok(isSameSpec(SPEC, { ...SPEC }));
  t.notOk(isSameSpec(SPEC, { ...SPEC, addresses: ['10.9.0.8'] }));
});

function numbering(t: Tap, directory = mkdtempSync('/tmp/sldae-')) {
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const config = {
    ...loadConfig(),
    podCIDRs: { ipv4: '10.9.0.0/24', ipv6: '' },
    router: { ipv4: '10.9.0.1', ipv6: '' },
  };
  return { directory, config, numbers: new Numbering(directory, config) };
}

t.test('Numbering keeps a pod’s numbers over restarts and forgets those of pods that are gone', async (t) => {
  const { directory, config, numbers } = numbering(t as Tap);
  const plans = ['a', 'b'].map((name) => planPod(pod({ name }), OPTIONS).plan);
  const host = numbers.portOf('port:host');
  const [a, b] = plans.map((plan) => numbers.take(plan));
  t.match(a, { endpointId: HOST_ENDPOINT + 1, addresses: [{ text: '10.9.0.2' }] });
  numbers.save();
  const next = new Numbering(directory, config);
  t.strictSame(next.take(plans[1]), b);
  next.keepOnly(new Set(['shop/b']));
  t.equal(next.portOf('port:host'), host, 'ports of no pod stay');
  t.not(next.take(plans[0]).endpointId, a.endpointId, 'a freed id comes round late');
});

t.test('Numbering draws no address and no endpoint for an outsider', async (t) => {
  const outsider = pod({ annotations: '{sluice.io/external: "true"}', status: '{podIP: 192.0.2.1}' });
  const { numbers } = numbering(t as Tap);
  t.match(numbers.take(planPod(outsider, OPTIONS).plan), { endpointId: 0, addresses: [{ text: '192.0.2.1' }] });
});

/** An attacher that makes nothing: what fails is named in `broken`. */
function fakeAttacher() {
  const attached: string[] = [];
  const broken = new Set<string>();
  const attacher = {
    attach: async (spec: AttachmentSpec) => {
      if (broken.has(spec.owner)) throw new Error('broken');
      attached.push(spec.owner);
      return { ...spec, state: 'made', netnsIdentity: '', ifindex: 1, foundMac: '' };
    },
    detach: async (owner: string) => void attached.splice(attached.indexOf(owner), 1),
    detachAll: async (owners: readonly string[]) => {
      for (const owner of owners) attached.splice(attached.indexOf(owner), 1);
    },
    isGone: () => false,
    adopt: () => undefined,
  };
  return { attached, broken, attacher: attacher as unknown as Attacher };
}

function feedWorld(
  t: Tap,
  attachments: { byPod(): Map<string, CniAttachment>; takeChanged(): boolean } = NO_ATTACHMENTS,
  listeners: readonly PodListener[] = [],
) {
  const { config, numbers } = numbering(t);
  const { attached, broken, attacher } = fakeAttacher();
  const outcomes: string[] = [];
  const reconciler = new PodReconciler({
    config,
    routerMac: SPEC.routerMac,
    attacher,
    numbering: numbers,
    onChange: () => {},
    onOutcome: (key, problem) => outcomes.push(`${key}:${problem}`),
  });
  t.teardown(() => reconciler.settle());
  const cluster = new Cluster({ 'node-name': 'here' });
  const feed = new PodFeed({ cluster, listeners, reconciler, plan: OPTIONS, attachments });
  const apply = (text: string) => feed.apply({ put: read(text), removed: [] });
  const remove = (kind: string, name: string) =>
    feed.apply({ put: [], removed: [{ kind, namespace: kind === 'Node' ? '' : 'shop', name }] });
  return { feed, reconciler, cluster, apply, remove, attached, broken, outcomes };
}

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec: { replicas: 2, template: { metadata: { labels: { app: web } }, spec: {} } }
`;

t.test('PodFeed numbers pods and workloads and tells the compiler their addresses', async (t) => {
  const { reconciler, cluster, apply } = feedWorld(t as Tap);
  apply(`${DEPLOYMENT}---\n${podText({ name: 'one' })}`);
  t.strictSame([...reconciler.pods.keys()].sort(), ['shop/one', 'shop/web-0', 'shop/web-1']);
  const { ipcache, endpoints } = cluster.flush();
  t.strictSame(ipcache.upsert.filter(({ prefix }) => prefix.startsWith('10.9.0.')).length, 3);
  t.equal(endpoints.size, 3);
});

t.test('PodFeed leaves pods alone when only policies change', async (t) => {
  const { cluster, apply } = feedWorld(t as Tap);
  apply(podText({}));
  cluster.flush();
  apply(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: other, namespace: elsewhere }
spec: { podSelector: {} }
`);
  t.equal(cluster.flush().endpoints.size, 0);
});

t.test('PodFeed prefers a Pod document to a workload’s pod of the same name, and falls back', async (t) => {
  const { reconciler, apply, remove } = feedWorld(t as Tap);
  apply(`${DEPLOYMENT}---\n${podText({ name: 'web-0', annotations: '{sluice.io/netns: red}' })}`);
  t.equal(reconciler.pods.get('shop/web-0')?.spec.netns, 'red');
  remove('Pod', 'web-0');
  t.equal(reconciler.pods.get('shop/web-0')?.spec.netns, 'shop-web-0');
  remove('Deployment', 'web');
  t.equal(reconciler.pods.size, 0);
});

const remotePod = (name: string, ip: string, nodeName = 'there') => `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, labels: { app: ${name} } }
spec: { nodeName: ${nodeName} }
status: { podIP: ${ip} }
`;

t.test('PodFeed tells of a pod elsewhere alone, and of one that moves here or there once', async (t) => {
  const told: string[] = [];
  const listener = {
    setPod: ({ name, isLocal }: { name: string; isLocal: boolean }) => void told.push(`+${name} ${isLocal}`),
    removePod: ({ name }: { name: string }) => void told.push(`-${name}`),
  };
  const { feed, cluster, reconciler, apply, remove } = feedWorld(t as Tap, NO_ATTACHMENTS, [listener]);
  apply(`${remotePod('a', '10.77.0.1')}---\n${remotePod('b', '10.77.0.2')}`);
  t.strictSame(told.splice(0), ['+a false', '+b false']);
  t.equal(cluster.flush().ipcache.upsert.length, 2);
  apply(remotePod('a', '10.77.0.3'));
  t.strictSame(told.splice(0), ['+a false']);
  t.match(cluster.flush().ipcache, { upsert: [{ prefix: '10.77.0.3/32' }], remove: ['10.77.0.1/32'] });
  apply(remotePod('a', '10.9.0.77', 'here'));
  t.strictSame(told.splice(0), ['-a', '+a true']);
  t.strictSame([...reconciler.pods.keys()], ['shop/a']);
  t.match(cluster.flush().ipcache, { upsert: [{ prefix: '10.9.0.77/32' }], remove: ['10.77.0.3/32'] });
  apply(remotePod('a', '10.77.0.1'));
  t.strictSame(told.splice(0), ['-a', '+a false']);
  t.equal(reconciler.pods.size, 0);
  t.match(cluster.flush().ipcache, { upsert: [{ prefix: '10.77.0.1/32' }], remove: ['10.9.0.77/32'] });
  t.strictSame(
    feed
      .pods()
      .map(({ name }) => name)
      .sort(),
    ['a', 'b'],
  );
  remove('Pod', 'a');
  remove('Pod', 'b');
  t.strictSame([told, cluster.pods.size, feed.pods()], [['-a', '-b'], 0, []]);
});

t.test('PodFeed hides a workload’s pod behind one elsewhere of the same name', async (t) => {
  const { reconciler, cluster, apply, remove } = feedWorld(t as Tap);
  apply(DEPLOYMENT);
  apply(remotePod('web-0', '10.77.0.1'));
  t.strictSame([...reconciler.pods.keys()], ['shop/web-1']);
  t.ok(cluster.flush().ipcache.upsert.some(({ prefix }) => prefix === '10.77.0.1/32'));
  remove('Pod', 'web-0');
  t.strictSame([...reconciler.pods.keys()].sort(), ['shop/web-0', 'shop/web-1']);
  apply(remotePod('web-0', '10.77.0.1'));
  remove('Deployment', 'web');
  t.equal(cluster.pods.size, 1);
});

t.test('PodFeed joins a Node document of this node with the host’s addresses', async (t) => {
  const { feed, cluster, apply, remove } = feedWorld(t as Tap);
  const hostPrefixes = () => cluster.flush().ipcache;
  feed.setHost(['10.9.0.1']);
  t.match(hostPrefixes().upsert, [{ prefix: '10.9.0.1/32', identity: 1 }]);
  apply(`apiVersion: v1
kind: Node
metadata: { name: here }
status: { addresses: [{ type: InternalIP, address: 192.0.2.9 }, { type: Hostname, address: here }] }
`);
  t.match(hostPrefixes(), { upsert: [{ prefix: '192.0.2.9/32', identity: 1 }], remove: [] });
  remove('Node', 'here');
  t.match(hostPrefixes(), { upsert: [], remove: ['192.0.2.9/32'] });
});

t.test('two pods with one address: the first has it, the second is told', async (t) => {
  const { feed, reconciler, apply } = feedWorld(t as Tap);
  apply(
    `${podText({ name: 'a', status: '{podIP: 10.9.0.50}' })}---\n${podText({ name: 'b', status: '{podIP: 10.9.0.50}' })}`,
  );
  t.strictSame([...reconciler.pods.keys()], ['shop/a']);
  t.match(feed.problems, [/pod shop\/b: claim 10\.9\.0\.50 for shop\/b: shop\/a has it/]);
});

t.test('a pod that draws its address leaves those that others name', async (t) => {
  const { feed, reconciler, apply } = feedWorld(t as Tap);
  const named = ['10.9.0.2', '10.9.0.3'].map((ip, i) => podText({ name: `named-${i}`, status: `{podIP: ${ip}}` }));
  apply([podText({ name: 'drawn' }), ...named].join('---\n'));
  t.strictSame(feed.problems, []);
  t.strictSame([...reconciler.pods.keys()].sort(), ['shop/drawn', 'shop/named-0', 'shop/named-1']);
});

t.test('PodReconciler attaches the others when one is broken, and tells of it once', async (t) => {
  const { reconciler, apply, attached, broken, outcomes } = feedWorld(t as Tap);
  broken.add('shop/bad');
  apply(['bad', 'good', 'fine'].map((name) => podText({ name })).join('---\n'));
  reconciler.kick();
  await reconciler.idle();
  t.strictSame(attached.sort(), ['shop/fine', 'shop/good']);
  t.match(reconciler.pods.get('shop/bad'), { state: 'failed', problem: 'broken' });
  t.strictSame(
    outcomes.filter((one) => one.startsWith('shop/bad')),
    ['shop/bad:broken'],
  );
});

t.test('PodReconciler detaches what is no longer wanted before it is attached again', async (t) => {
  const { reconciler, apply, remove, attached } = feedWorld(t as Tap);
  apply(podText({}));
  reconciler.kick();
  await reconciler.idle();
  t.equal(reconciler.pods.get('shop/web')?.state, 'ready');
  remove('Pod', 'web');
  reconciler.kick();
  await reconciler.idle();
  t.strictSame(attached, []);
});

t.test('echo requests and replies are told apart from everything else', async (t) => {
  const reply = (family: 4 | 6, id: number, sequence: number) => {
    const packet = echoRequest(family, id, sequence);
    packet.writeUInt8(family === 4 ? 0 : 129, 0);
    const header = Buffer.alloc(family === 4 ? 24 : 0);
    if (family === 4) header.writeUInt8(0x46, 0); // with one word of IP options
    return Buffer.concat([header, packet]);
  };
  for (const family of [4, 6] as const) {
    t.equal(echoReplySequence(reply(family, 77, 5), family, 77), 5);
    t.equal(echoReplySequence(reply(family, 78, 5), family, 77), -1, 'of another process');
    t.equal(echoReplySequence(reply(family, 77, 5).subarray(0, 6), family, 77), -1, 'cut short');
  }
  t.equal(echoReplySequence(echoRequest(6, 77, 5), 6, 77), -1, 'a request');
  t.equal(echoReplySequence(Buffer.alloc(0), 4, 77), -1);
});

t.test('changedOptions() tells what takes effect at once from what needs a restart', async (t) => {
  const before = loadConfig();
  const after = {
    ...before,
    logLevel: 'debug' as const,
    standIns: { nginx: ['true'] },
    mtu: 9000,
    policy: { ...before.policy, 'enable-policy': 'always' as const },
  };
  t.strictSame(changedOptions(before, after), {
    live: ['logLevel', 'standIns.nginx'],
    restart: ['mtu', 'policy.enable-policy'],
  });
});

t.test('the host has routes to pods on ports of every kind, and to nothing else', async (t) => {
  const kinds = Object.keys(PORT_KINDS) as PortKind[];
  const mac = { high: 0, low: 0 };
  const row = { ifname: '', ifindex: 0, mac, endpointId: 0, secId: 0, mtu: 1500, flags: 0 };
  const wanted = kinds.map(
    (kind, index): WantedPort => ({
      index,
      port: { ...row, kind },
      addresses: [`address of ${kind}`],
      isHost: false,
      conditions: NO_CONDITIONS,
    }),
  );
  t.strictSame(addressesOfPods(wanted).sort(), ['address of pcap', 'address of tap', 'address of veth']);
});

/** What a runtime has attached as shop/web. */
const ATTACHED: CniAttachment = {
  containerId: 'c1',
  ifname: 'net0',
  network: 'sluice',
  netns: '/run/netns/cni-1',
  netnsIdentity: '4:1',
  pod: { namespace: 'shop', name: 'web', uid: 'u-2' },
  hostInterface: '',
  mac: '',
  addresses: ['10.9.0.77'],
  hasOwnAddresses: true,
  mtu: 1400,
  labels: { app: 'told' },
  isAwaited: true,
  dns: {},
};

t.test('a pod of a container runtime is nobody until its document comes, and then one endpoint', async (t) => {
  const attached = new Map([['shop/web', ATTACHED]]);
  const { cluster, reconciler, apply, remove, feed } = feedWorld(t as Tap, {
    byPod: () => attached,
    takeChanged: () => true,
  });
  const look = () => feed.apply({ put: [], removed: [] });
  look();
  const endpoint = reconciler.pods.get('shop/web');
  t.match(endpoint?.spec, { netns: '/run/netns/cni-1', podInterface: 'net0', mtu: 1400, addresses: ['10.9.0.77'] });
  const id = endpoint?.numbers.endpointId ?? 0;
  const open = cluster.flush();
  t.match(open.endpoints.get(id), { identity: 5, ingress: { enforced: true }, egress: { enforced: true } });
  t.match(open.ipcache.upsert, [{ prefix: '10.9.0.77/32', identity: 5 }]);

  const document = (uid: string, annotations = '{}') =>
    apply(podText({ annotations }).replace('name: web,', `name: web, uid: ${uid},`));
  document('u-1');
  t.equal(cluster.flush().endpoints.size, 0, 'an earlier pod of that name says nothing about this one');
  document('u-2', '{sluice.io/netns: "/proc/1/ns/net", sluice.io/external: "true", sluice.io/interface: lo}');
  t.match(reconciler.pods.get('shop/web')?.spec, { netns: '/run/netns/cni-1', mode: 'veth' }, 'nor where it is');
  const known = cluster.flush();
  const { identity = 0, labels = [] } = known.endpoints.get(id) ?? {};
  t.ok(identity > 255);
  t.ok(labels.includes('k8s:app=web'));
  t.match(known.ipcache.upsert, [{ prefix: '10.9.0.77/32', identity }]);
  t.equal([...reconciler.pods.keys()].length, 1);

  remove('Pod', 'web');
  t.match(cluster.flush().endpoints.get(id), { identity: 5 }, 'without it nobody knows again');
  attached.set('shop/web', { ...ATTACHED, isAwaited: false });
  look();
  t.ok(cluster.flush().endpoints.get(id)?.labels.includes('k8s:app=told'), 'where none is awaited the call counts');
  attached.clear();
  look();
  t.strictSame(cluster.flush().removedEndpoints, [id]);
});
