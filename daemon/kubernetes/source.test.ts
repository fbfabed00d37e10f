/** What the thread makes of an API: documents, in batches, trimmed. */
import t from 'tap';
import { KubeClient } from '../../kubeclient/client.ts';
import { waitFor } from '../../test/command.ts';
import { type FakeObject, KubeApiServer } from '../../test/kube-api-server.ts';
import { loadConfig } from '../config/config.ts';
import { objectReader } from '../source/reader.ts';
import type { Batch } from './messages.ts';
import { Outbox } from './outbox.ts';
import { Refusals } from './refusals.ts';
import { resourcesOf } from './resources.ts';
import { secretsNamed } from './secret-names.ts';
import { MAX_SHAPES, ShapeBook, ToldShapes } from './shapes.ts';
import { KubernetesSource } from './source.ts';
import { timesOf, trimmed, trimmedPod, trimmedRemotePod } from './trimming.ts';

type Tap = typeof t;
const PODS = '/api/v1/pods';
const CNP = '/apis/cilium.io/v2/ciliumnetworkpolicies';
const SECRETS = '/api/v1/namespaces/shop/secrets';

function object(apiVersion: string, kind: string, name: string, rest: object = {}): FakeObject {
  return { apiVersion, kind, metadata: { name, namespace: 'shop' }, ...rest };
}

const pod = (name: string, nodeName: string, ip: string): FakeObject =>
  object('v1', 'Pod', name, { spec: { nodeName, containers: [] }, status: { podIPs: [{ ip }] } });

const withSecret = (secret: string, more: object = {}): FakeObject => {
  const headerMatches = [{ name: 'X-Token', secret: { name: secret, ...more } }];
  const toPorts = [{ ports: [{ port: '80', protocol: 'TCP' }], rules: { http: [{ headerMatches }] } }];
  return object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', { spec: { endpointSelector: {}, ingress: [{ toPorts }] } });
};

/** A source over a server, and what it has told, which is taken at once. */
async function world(test: Tap, prepare: (server: KubeApiServer) => void) {
  const server = new KubeApiServer();
  for (const { paths } of resourcesOf('here')) if (!paths[0].includes('cilium')) server.serve(paths[0]);
  prepare(server);
  const access = { name: 'test', server: await server.listen(), isInsecure: true, user: {} };
  const client = new KubeClient(access, 'test');
  const batches: Batch[] = [];
  const outbox = new Outbox((batch) => {
    batches.push(batch);
    setImmediate(() => outbox.taken());
  });
  const read = objectReader({}, { ...loadConfig(), nodeName: 'here' });
  const refusals = new Refusals({ client, nodeName: 'here', mayWrite: true, nowMs: () => 1e12 });
  const source = new KubernetesSource({ client, nodeName: 'here', read, outbox, refusals, timeScale: 0.02 });
  source.start();
  test.teardown(async () => {
    source.stop();
    outbox.close();
    client.close();
    await server.close();
  });
  /** By name, as whoever takes the batches has it. */
  const copy = (kind: string): Map<string, object> => {
    const found = new Map<string, object>();
    const book = new ShapeBook();
    for (const { put, pods, shapes, removed } of batches) {
      book.learn(shapes);
      for (const row of kind === 'Pod' ? pods : []) {
        const { document } = book.pod(row);
        found.set(document.name, document.object);
      }
      for (const { kept } of put)
        if (kept.kind === kind) found.set((kept.object['metadata'] as { name: string }).name, kept.object);
      for (const one of removed) if (one.kind === kind) found.delete(one.name);
    }
    return found;
  };
  return { server, source, batches, copy };
}

t.test('every kind is told whole once, whatever is not installed', async (t) => {
  const { batches, copy, source } = await world(t as Tap, (server) => {
    server.put(PODS, pod('mine', 'here', '10.0.0.1'));
    server.put(PODS, pod('yours', 'there', '10.0.0.2'));
    server.put(PODS, pod('nobody', '', '10.0.0.3'));
  });
  const kinds = new Set(resourcesOf('here').map(({ kind }) => kind));
  await waitFor('all kinds', () => batches.flatMap(({ whole }) => whole).length === kinds.size);
  t.strictSame([...copy('Pod').keys()].sort(), ['mine', 'yours']);
  const { resources, problems } = source.status;
  t.strictSame(problems, []);
  t.strictSame(
    resources.filter(({ isAbsent }) => isAbsent).map(({ name }) => name),
    ['Cilium policies', 'clusterwide Cilium policies', 'CIDR groups', 'egress gateway policies'],
  );
});

t.test('a pod that goes elsewhere and comes here, in any order, is here', async (t) => {
  const { server, copy } = await world(t as Tap, (server) => server.put(PODS, pod('web', 'there', '10.0.0.2')));
  await waitFor('the pod', () => copy('Pod').has('web'));
  server.remove(PODS, 'shop/web');
  server.put(PODS, pod('web', 'here', '10.0.0.1'));
  await waitFor('the pod here', () => JSON.stringify([copy('Pod').get('web')]).includes('10.0.0.1'));
  server.write(PODS, `${JSON.stringify({ type: 'DELETED', object: server.last(PODS, 'shop/web') })}\n`);
  server.put(PODS, pod('mark', 'there', '10.0.0.9'));
  await waitFor('the mark', () => copy('Pod').has('mark'));
  t.match(copy('Pod').get('web'), undefined, 'gone from the watch that has it');
});

t.test('pods elsewhere that are alike are told as rows of one shape, and each is checked for itself', async (t) => {
  const { server, source, batches, copy } = await world(t as Tap, (server) => {
    for (const i of [1, 2, 3]) server.put(PODS, pod(`web-${i}`, 'there', `10.0.0.${i}`));
    server.put(PODS, pod('lies', 'there', '10.0.0.4/8'));
    server.put(PODS, pod('..', 'there', '10.0.0.5'));
  });
  await waitFor('the pods', () => copy('Pod').size === 3 && source.status.refused === 2);
  t.strictSame(
    batches.flatMap(({ shapes }) => shapes.map(([, parts]) => parts)),
    [{ namespace: 'shop', metadata: {}, spec: {}, status: {} }],
  );
  t.strictSame(copy('Pod').get('web-2'), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-2', namespace: 'shop' },
    spec: { nodeName: 'there' },
    status: { podIPs: [{ ip: '10.0.0.2' }] },
  });
  const labelled = pod('web-1', 'there', '10.0.0.1');
  server.put(PODS, { ...labelled, metadata: { ...labelled.metadata, labels: { 'no label!': 'x' } } });
  await waitFor('the refusal', () => source.status.refused === 3);
  t.match(copy('Pod').get('web-1'), { metadata: { labels: undefined } }, 'what was known last stays');
});

t.test('shapes are told again after they had to be forgotten', (t) => {
  const told = new ToldShapes();
  const parts = { namespace: 'shop', metadata: {}, spec: {}, status: {} };
  const shaped = (number: number) => ({ shape: { number, parts }, fields: ['web', 'there', ['10.0.0.1']] as const });
  t.match(told.of([shaped(1), shaped(1), shaped(2)]), { forgets: false, shapes: [[1], [2]] });
  t.strictSame(told.of([shaped(1)]), { forgets: false, shapes: [] });
  for (let number = 3; number <= MAX_SHAPES; number++) told.of([shaped(number)]);
  t.match(told.of([shaped(1)]), { forgets: true, shapes: [[1, parts]] });
  const book = new ShapeBook();
  book.learn([[1, parts]]);
  t.equal(book.pod([1, 'web', 'there', '10.0.0.1', 1, 1]).document.name, 'web');
  book.clear();
  t.throws(() => book.pod([1, 'web', 'there', '10.0.0.1', 1, 1]), /found shape 1, wanted one that was told/);
  t.end();
});

t.test('what is refused is told, stays known, and is well when it is mended', async (t) => {
  const { server, source, batches } = await world(t as Tap, (server) =>
    server.put(CNP, object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', { spec: { endpointSelector: {}, ingress: 7 } })),
  );
  await waitFor('the refusal', () => source.status.refused === 1);
  t.match(source.status.problems, [/^Kubernetes has CiliumNetworkPolicy\/shop\/p, which is refused: read .*: found /]);
  t.ok(batches.some(({ refused }) => refused[0]?.name === 'p'));
  await waitFor('the condition', () => server.requests.some(({ method }) => method === 'PATCH'));
  const [event] = server.requests.filter(({ method }) => method === 'POST');
  t.match(JSON.parse(event.body), { metadata: { name: 'p.101.sluice' }, eventTime: '2001-09-09T01:46:40.000000Z' });
  const status = { conditions: [{ type: 'Valid', status: 'False', message: 'x' }] };
  server.put(
    CNP,
    object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', { spec: { endpointSelector: {}, ingress: [{}] }, status }),
  );
  await waitFor('it to be well', () => source.status.refused === 0);
  const patches = (): string[] => server.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => body);
  await waitFor('the condition', () => patches().some((body) => body.includes('"True"')));
});

t.test('secrets that policies name are followed, as long as one does', async (t) => {
  const { server, copy } = await world(t as Tap, (server) => {
    server.put(SECRETS, object('v1', 'Secret', 'a', { data: { token: 'eHl6' } }));
    server.put(SECRETS, object('v1', 'Secret', 'b', { data: { token: 'eHl6' } }));
    server.put(CNP, withSecret('a'));
  });
  await waitFor('the secret', () => copy('Secret').has('a'));
  t.strictSame([...copy('Secret').keys()], ['a']);
  server.put(CNP, withSecret('b'));
  await waitFor('the other', () => copy('Secret').has('b') && !copy('Secret').has('a'));
  server.remove(CNP, 'shop/p');
  await waitFor('none', () => copy('Secret').size === 0);
  const paths = server.requests
    .filter(({ path }) => path.includes('secrets'))
    .map(({ query }) => query.get('fieldSelector'));
  t.ok(paths.every((one) => one === 'metadata.name=a' || one === 'metadata.name=b'));
});

t.test('a name of a secret that is no name is not asked for', async (t) => {
  const bad = ['../../nodes', 'a/b', 'A', '', 7, null, 'x'.repeat(300)];
  for (const name of bad) t.strictSame(secretsNamed(withSecret(name as string)), [], String(name));
  t.strictSame(secretsNamed(withSecret('good.name')), ['shop/good.name']);
  t.strictSame(secretsNamed(withSecret('token', { namespace: 'kube-system' })), [], 'of another namespace');
});

t.test('a server that forbids a kind is a problem, and the others go on', async (t) => {
  const { server, copy, source, batches } = await world(t as Tap, (server) => {
    server.faults.refuse = { status: 403, times: Infinity, path: '/api/v1/services' };
    server.put(PODS, pod('mine', 'here', '10.0.0.1'));
  });
  await waitFor('the pod', () => copy('Pod').has('mine'));
  await waitFor('the problem', () => source.status.problems.length === 1);
  t.match(source.status.problems, [/services: found 403/]);
  t.notOk(batches.some(({ whole }) => whole.includes('Service')));
  server.put(PODS, pod('more', 'here', '10.0.0.2'));
  await waitFor('the next', () => copy('Pod').has('more'));
});

t.test('the outbox tells each object once, in order, one batch at a time', async (t) => {
  const batches: Batch[] = [];
  const outbox = new Outbox((batch) => batches.push(batch));
  const reference = (name: string) => ({ kind: 'Pod', namespace: 'shop', name });
  const put = (name: string, atMs: number) =>
    outbox.put(reference(name), {
      kept: { kind: 'Pod', namespace: 'shop', line: 1, object: { name } },
      atMs,
      createdMs: 0,
    });
  for (let i = 0; i < 501; i++) put(`p${i}`, 1);
  put('p500', 2);
  outbox.whole('Pod');
  outbox.removed(reference('p0'));
  await waitFor('a batch', () => batches.length === 1);
  t.equal(batches[0].put.length, 499);
  t.strictSame(batches[0].removed, [reference('p0')]);
  put('late', 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(batches.length, 1, 'the first has not been taken');
  outbox.taken();
  t.match(batches[1], { put: [{ atMs: 2 }, { kept: { object: { name: 'late' } } }], whole: ['Pod'] });
  t.equal(outbox.room(), undefined);
  for (let i = 0; i < 5001; i++) put(`q${i}`, 1);
  const room = outbox.room();
  t.ok(room, 'there is no room');
  outbox.taken();
  await room;
  outbox.close();
});

t.test('of objects that is left which is read', async (t) => {
  const metadata = {
    name: 'x',
    namespace: 'shop',
    uid: 'u',
    resourceVersion: '7',
    labels: { app: 'x' },
    annotations: { 'sluice.io/audit': 'true', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    managedFields: [
      { time: '2026-01-02T00:00:00Z' },
      { time: '2026-01-03T00:00:00Z', subresource: 'status' },
      { time: 'x' },
    ],
    creationTimestamp: '2026-01-01T00:00:00Z',
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'x', uid: 'y', controller: true }],
  };
  const spec = {
    nodeName: 'n',
    serviceAccountName: 'default',
    volumes: [{}],
    containers: [
      { name: 'c', env: [{}], ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }, { containerPort: 1 }] },
    ],
  };
  const conditions = [{ type: 'Ready', status: 'False', message: 'x' }];
  const raw = {
    metadata,
    spec,
    status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }], conditions },
  };
  const owner = { kind: 'ReplicaSet', name: 'x', controller: true };
  t.strictSame(trimmedRemotePod(raw), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x', namespace: 'shop', labels: { app: 'x' }, ownerReferences: [owner] },
    spec: { nodeName: 'n', containers: [{ ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }] }] },
    status: { podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'Ready', status: 'False' }] },
  });
  t.match(trimmedPod(raw), { metadata: { uid: 'u' }, spec: { serviceAccountName: 'default' } });
  t.notMatch(trimmedPod(raw), { metadata: { annotations: Object } });
  t.match(trimmed(raw, 'CiliumNetworkPolicy', 'cilium.io/v2'), {
    metadata: { annotations: { 'sluice.io/audit': 'true' } },
    spec,
    status: undefined,
  });
  t.strictSame(timesOf(raw), {
    atMs: Date.parse('2026-01-02T00:00:00Z'),
    createdMs: Date.parse('2026-01-01T00:00:00Z'),
  });
  for (const hostile of [
    {},
    { metadata: null, spec: 7 },
    { spec: { containers: [null, { ports: [null] }] }, status: [] },
  ])
    for (const read of [trimmedPod, trimmedRemotePod, timesOf]) t.doesNotThrow(() => read(hostile));
});
