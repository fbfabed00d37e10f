/**
 * An agent whose objects come from a Kubernetes API: before it has been listed, while it is there, when it is away, and when it says what is refused.
 *
 *   test ── KubeApiServer (127.0.0.1, HTTPS) ◀── thread `kubernetes` ── agent ── dataplane ── shop/web, shop/api
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Authority } from '../authority.ts';
import { Cleanup, waitFor } from '../command.ts';
import { freePort } from '../free-port.ts';
import { type FakeObject, KubeApiServer } from '../kube-api-server.ts';
import { OWN_RANGE, SluiceInstance } from '../rig.ts';

const NODE = 'here';
const PODS = '/api/v1/pods';
const CNP = '/apis/cilium.io/v2/ciliumnetworkpolicies';
const EVENTS = '/apis/events.k8s.io/v1/namespaces/shop/events';
const API = `${OWN_RANGE.ipv4}.11`;

const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slku${process.pid.toString(36)}`;
const dir = mkdtempSync(`/tmp/${name}-`);
cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
const authority = new Authority(dir);
const tls = authority.sign('server', '/CN=server', 'IP:127.0.0.1');
const port = await freePort();
const kubeconfig = join(dir, 'kubeconfig');
writeFileSync(
  kubeconfig,
  `apiVersion: v1
kind: Config
current-context: test
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:${port}', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret-token}}]
contexts: [{name: test, context: {cluster: c, user: u}}]
`,
);

let version = 0;

function object(apiVersion: string, kind: string, name: string, rest: object = {}): FakeObject {
  const creationTimestamp = '2026-01-01T00:00:00Z';
  const managedFields = [{ manager: 'kubectl', time: new Date(1.8e12 + ++version * 1000).toISOString() }];
  const metadata = { name, namespace: 'shop', uid: `uid-${name}`, creationTimestamp, managedFields };
  return { apiVersion, kind, metadata, ...rest };
}

function pod(name: string, ip: string, nodeName = NODE): FakeObject {
  const made = object('v1', 'Pod', name, {
    spec: { nodeName, containers: [{ name: 'c', image: 'x', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { phase: 'Running', podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
  });
  return { ...made, metadata: { ...made.metadata, labels: { app: name } } };
}

const policy = (spec: object): FakeObject => object('cilium.io/v2', 'CiliumNetworkPolicy', 'guard', { spec });
const closedTo = (app: string): object => ({
  endpointSelector: { matchLabels: { app: 'api' } },
  ingress: [{ fromEndpoints: [{ matchLabels: { app } }] }],
});

/** A server with what a cluster always has. */
function cluster(): KubeApiServer {
  const server = new KubeApiServer(tls);
  server.serve(PODS, '/api/v1/nodes', '/api/v1/services', '/api/v1/namespaces');
  server.serve('/apis/networking.k8s.io/v1/networkpolicies', '/apis/discovery.k8s.io/v1/endpointslices');
  server.serve(CNP);
  const namespace = object('v1', 'Namespace', 'shop');
  server.put('/api/v1/namespaces', { ...namespace, metadata: { name: 'shop', labels: { team: 'a' } } });
  server.put(PODS, pod('web', `${OWN_RANGE.ipv4}.10`));
  server.put(PODS, pod('api', API));
  server.put(PODS, pod('other', '10.250.0.9', 'elsewhere'));
  return server;
}

let server = cluster();
cleanup.add(() => void server.close());
const config = `kubernetes: ${kubeconfig}\nnodeName: ${NODE}\n`;
const instance = await SluiceInstance.start({ name, cleanup, netnsPrefix: `${name}-`, createNamespaces: true, config });
t.teardown(() => instance.stop());

const problems = async (): Promise<string[]> =>
  ((await instance.read('/v1/status')) as { problems: string[] }).problems;
const hasProblem = (sentence: RegExp): Promise<void> =>
  waitFor(String(sentence), async () => (await problems()).some((one) => sentence.test(one)));
const isWell = (): Promise<void> => waitFor('no problem', async () => (await problems()).length === 0);

async function reaches(): Promise<boolean> {
  const { code } = await instance.inPod('shop/web', ['ping', '-c1', '-W1', API]);
  return code === 0;
}

const untilReaches = (isReached: boolean): Promise<void> =>
  waitFor(`web ${isReached ? 'reaches' : 'does not reach'} api`, async () => (await reaches()) === isReached);

t.test('before the API has been listed nothing is attached or published', async (t) => {
  await hasProblem(/nothing is attached or published before Kubernetes has been listed once: .*pods of this node/);
  await hasProblem(/ECONNREFUSED/);
  const { status, text } = await instance.call('POST', '/v1/apply?file=x', JSON.stringify(pod('mine', '10.1.1.1')));
  t.equal(status, 500);
  t.match(text, /nothing is published before Kubernetes has been listed once/);
  t.same(await instance.read('/v1/endpoints'), []);
  await instance.call('POST', '/v1/delete?file=x', JSON.stringify(pod('mine', '10.1.1.1')));
});

t.test('when it is there, its pods are endpoints under its policies', async (t) => {
  server.put(CNP, policy(closedTo('nobody')));
  await server.listen(port);
  await instance.untilReady(['shop/web', 'shop/api']);
  await untilReaches(false);
  server.put(CNP, policy(closedTo('web')));
  await untilReaches(true);
  await isWell();
  const { kubernetes } = (await instance.read('/v1/status')) as { kubernetes: { resources: { name: string }[] } };
  t.match(kubernetes, { server: `https://127.0.0.1:${port}`, isKnown: true, refused: 0 });
  t.match(
    kubernetes.resources.find((one) => one.name === 'CIDR groups'),
    { isAbsent: true, isSynced: true },
  );
  t.equal(server.requests.at(-1)?.headers.authorization, 'Bearer secret-token');
  const { stdout } = await instance.cli('status');
  t.match(stdout, /Source: +https:\/\/127.0.0.1:\d+, 5 objects\n/);
  t.match((await instance.cli('get', 'pods', '-n', 'shop')).stdout, /other/, 'pods elsewhere are known');
});

t.test('a policy that is refused keeps its last good form, and Kubernetes is told', async (t) => {
  server.put(CNP, policy({ ...closedTo('web'), egress: [{ toPorts: [{ ports: [{ port: 'x y' }] }] }] }));
  await hasProblem(/Kubernetes has CiliumNetworkPolicy\/shop\/guard, which is refused: /);
  await waitFor('the condition', () => server.requests.some(({ method }) => method === 'PATCH'));
  const [event] = server.requests.filter(({ method, path }) => method === 'POST' && path === EVENTS);
  const regarding = { kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'guard', uid: 'uid-guard' };
  t.match(JSON.parse(event.body), { reason: 'PolicyRefused', type: 'Warning', regarding, note: /x y/ });
  const condition = server.requests.filter(({ method }) => method === 'PATCH').at(-1);
  t.equal(condition?.path, '/apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies/guard/status');
  t.match(JSON.parse(condition?.body ?? ''), { status: { conditions: [{ type: 'Valid', status: 'False' }] } });
  t.ok(await reaches(), 'the good form counts');
  server.put(CNP, policy(closedTo('nobody')));
  await untilReaches(false);
  await isWell();
});

t.test('with the API away what was known stays, over a restart of the agent too', async (t) => {
  await server.close();
  await hasProblem(/ECONNREFUSED/);
  t.notOk(await reaches());
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.restartAgent();
  await instance.untilReady(['shop/web', 'shop/api']);
  t.notOk(await reaches(), 'the policy that the last agent had');
  await hasProblem(/ECONNREFUSED/);
});

t.test('back again, it says what has changed', async () => {
  server = cluster();
  server.put(CNP, policy(closedTo('web')));
  server.put(PODS, pod('late', `${OWN_RANGE.ipv4}.12`));
  await server.listen(port);
  await instance.untilReady(['shop/late']);
  await untilReaches(true);
  await isWell();
  server.remove(PODS, 'shop/late');
  await waitFor('the endpoint to go', async () => ((await instance.read('/v1/endpoints')) as unknown[]).length === 2);
});

t.test(
  'what another source has too is a problem that names both; what only Kubernetes has is not deleted here',
  async (t) => {
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await instance.send(text, 'apply', 'mine.yaml');
    await hasProblem(/^Namespace\/shop: found it in Kubernetes and in what was applied from mine.yaml:1/);
    await instance.send(text, 'delete', 'mine.yaml');
    await isWell();
    const { text: refused } = await instance.call('POST', '/v1/delete?file=x', text);
    t.match(refused, /found it only in Kubernetes/);
  },
);

t.test('a pod of the cluster does not choose where it hangs, nor whether policies hold for it', async (t) => {
  const annotations = { 'sluice.io/netns': '/proc/1/ns/net', 'sluice.io/audit': 'true', 'sluice.io/interface': 'lo' };
  const bold = pod('bold', `${OWN_RANGE.ipv4}.13`);
  server.put(PODS, { ...bold, metadata: { ...bold.metadata, annotations } });
  await instance.untilReady(['shop/bold']);
  const { items } = (await instance.read('/v1/objects?kind=Pod&name=bold')) as { items: { metadata: object }[] };
  t.strictSame(
    items.map(({ metadata }) => 'annotations' in metadata),
    [false],
  );
});
