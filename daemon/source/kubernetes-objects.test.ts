import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readDocuments } from '../../policy/document/document.ts';
import { loadConfig } from '../config/config.ts';
import { KubernetesFile } from './kubernetes-file.ts';
import { keepingOf } from './keeping.ts';
import { manifestReader, objectReader } from './reader.ts';
import { ObjectStore } from './store.ts';
import { referenceOf } from './text.ts';
import type { SourcedDocument } from './versions.ts';

const READ = manifestReader({}, loadConfig());
const READ_OBJECT = objectReader({}, loadConfig());
const KEEPING = keepingOf({}, {});
const POD = { kind: 'Pod', namespace: 'shop', name: 'web' };

function pod(name: string, label = 'a'): string {
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, labels: {app: ${label}}}\n`;
}

const policy = (name: string) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  endpointSelector: {}
  ingress: [{fromEndpoints: [{}]}]
`;

function sourced(text: string, atMs: number, file = 'kubernetes'): SourcedDocument {
  return { document: readDocuments(text, file).documents[0], atMs };
}

function scratch(test: typeof t): string {
  const directory = mkdtempSync('/tmp/slsok-');
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

type Tap = typeof t;

function makeStore(directory: string, keeping = KEEPING, source = 'in-cluster'): ObjectStore {
  const clock = { ms: 1000 };
  const kubernetes = new KubernetesFile(join(directory, 'kubernetes.objects'), {
    read: READ_OBJECT,
    keeping,
    source,
    nodeName: 'here',
  });
  return new ObjectStore(join(directory, 'objects'), READ, { nowMs: () => clock.ms++, keeping, kubernetes });
}

function labels(store: ObjectStore): unknown {
  store.takeChanges();
  return store.get(POD)?.labels;
}

t.test('setKubernetes() replaces what Kubernetes has; changeKubernetes() adds and removes', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.setKubernetes([sourced(pod('web'), 1), sourced(pod('db'), 1)]);
  t.strictSame(store.takeChanges().put.map(referenceOf), ['Pod/shop/web', 'Pod/shop/db']);
  store.setKubernetes([sourced(pod('web'), 1), sourced(policy('p'), 1)]);
  const { put, removed } = store.takeChanges();
  t.strictSame([put.map(referenceOf), removed.map(referenceOf)], [['CiliumNetworkPolicy/shop/p'], ['Pod/shop/db']]);
  store.changeKubernetes({ put: [sourced(pod('web', 'b'), 2)], removed: [POD] });
  t.strictSame(labels(store), { app: 'b' }, 'an object that went and came is there');
  store.changeKubernetes({ put: [], removed: [POD, { ...POD, name: 'nosuch' }] });
  t.strictSame(store.takeChanges().removed.map(referenceOf), ['Pod/shop/web']);
});

t.test('of three sources the one written last counts, and goes back to the next', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.setDirectory([sourced(pod('web', 'file'), 500, '/m/a.yaml')]);
  store.setKubernetes([sourced(pod('web', 'cluster'), 900)]);
  t.strictSame(labels(store), { app: 'cluster' });
  store.apply(pod('web', 'applied'), 'a.yaml');
  t.strictSame(labels(store), { app: 'applied' }, 'applied at 1000');
  store.changeKubernetes({ put: [sourced(pod('web', 'cluster'), 1000)], removed: [] });
  t.strictSame(labels(store), { app: 'applied' }, 'at the same time');
  store.changeKubernetes({ put: [sourced(pod('web', 'cluster'), 1001)], removed: [] });
  t.strictSame(labels(store), { app: 'cluster' });
  store.setKubernetes([]);
  t.strictSame(labels(store), { app: 'applied' });
  store.delete([POD], 'x');
  t.strictSame(labels(store), { app: 'file' });
});

t.test('an object that Kubernetes and another source have is a problem that names both', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.setDirectory([sourced(pod('web'), 2, '/m/a.yaml')]);
  t.strictSame(store.kubernetesProblems(), []);
  store.setKubernetes([sourced(pod('web'), 1)]);
  t.match(store.kubernetesProblems(), [
    /^Pod\/shop\/web: found it in Kubernetes and in \/m\/a.yaml:1, wanted one holder: that of the file counts, /,
  ]);
  store.apply(pod('web'), 'b.yaml');
  t.match(store.kubernetesProblems(), [
    /and in what was applied from b.yaml:1 and \/m\/a.yaml:1, .* what was applied counts/,
  ]);
  store.setKubernetes([]);
  t.strictSame(store.kubernetesProblems(), []);
  const many = Array.from({ length: 23 }, (_, i) => pod(`p${i}`));
  store.apply(many.join('---\n'), 'c.yaml');
  store.setKubernetes(many.map((text) => sourced(text, 1)));
  t.match(store.kubernetesProblems(), { length: 21, 20: /found 3 more objects/ });
});

t.test('what only Kubernetes has is there to see, and is not deleted here', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.setKubernetes([{ ...sourced(pod('web'), 5), createdMs: 3 }]);
  store.takeChanges();
  t.equal(store.createdMs(POD), 3);
  t.match(store.delete([POD], 'x').problems, [
    { code: 'not-applied', message: /found it only in Kubernetes, wanted one that was applied/, hint: /kubectl/ },
  ]);
  t.match(store.apply(pod('web'), 'a.yaml', { isCreate: true }).problems, [{ code: 'already-exists' }]);
});

t.test('a restart knows what Kubernetes had, before Kubernetes says so', async (t) => {
  const directory = scratch(t as Tap);
  const before = makeStore(directory);
  before.load();
  before.setKubernetes([sourced(pod('web'), 1), sourced(pod('db'), 1), { ...sourced(policy('p'), 2), createdMs: 1 }]);
  before.changeKubernetes({ put: [sourced(pod('web', 'b'), 3)], removed: [{ ...POD, name: 'db' }] });
  const path = join(directory, 'kubernetes.objects');
  t.equal(statSync(path).mode & 0o777, 0o600);
  const after = makeStore(directory);
  t.strictSame(after.load(), []);
  const { put } = after.takeChanges();
  t.strictSame(put.map(referenceOf), ['Pod/shop/web', 'CiliumNetworkPolicy/shop/p']);
  t.match(put, [{ labels: { app: 'b' } }, { policy: { rules: [{ origin: { file: 'kubernetes', path: 'spec' } }] } }]);
  t.equal(after.createdMs(put[1]), 1);
  after.setKubernetes([sourced(pod('web', 'b'), 3), sourced(policy('p'), 2)]);
  t.match(after.takeChanges(), { put: [], removed: [] }, 'the same again is no change');
  t.strictSame(after.kubernetesProblems(), []);
});

t.test('what another program kept is checked again; what cannot be read is left out, and said', async (t) => {
  const directory = scratch(t as Tap);
  makeStore(directory).setKubernetes([sourced(pod('web'), 1), sourced(policy('p'), 1)]);
  const path = join(directory, 'kubernetes.objects');
  const other = makeStore(directory, keepingOf({}, { other: true }));
  other.load();
  t.match(other.takeChanges().put, [{ name: 'web' }, { name: 'p', policy: { rules: { length: 1 } } }]);
  appendFileSync(path, '+ {"atMs":1,"kept":{"kind":"Po');
  const cut = makeStore(directory);
  cut.load();
  t.equal(cut.takeChanges().put.length, 2);
  t.strictSame(cut.kubernetesProblems(), [], 'a last line that is cut off');
  cut.changeKubernetes({ put: [sourced(pod('new'), 1)], removed: [] });
  t.notMatch(readFileSync(path, 'utf8'), /"Po$/m, 'written anew');
  appendFileSync(path, 'nonsense\n+ 7\n');
  const damaged = makeStore(directory);
  damaged.load();
  t.equal(damaged.takeChanges().put.length, 3);
  t.match(damaged.kubernetesProblems(), [/found 2 lines that are no objects/]);
});

t.test('what another API had is forgotten', async (t) => {
  const directory = scratch(t as Tap);
  makeStore(directory).setKubernetes([sourced(pod('web'), 1)]);
  const other = makeStore(directory, KEEPING, '/etc/other.kubeconfig');
  other.load();
  t.strictSame(other.takeChanges().put, []);
  other.setKubernetes([sourced(pod('db'), 1)]);
  const again = makeStore(directory, KEEPING, '/etc/other.kubeconfig');
  again.load();
  t.match(again.takeChanges().put, [{ name: 'db' }]);
});

t.test('the file stays in proportion to what Kubernetes has', async (t) => {
  const directory = scratch(t as Tap);
  const store = makeStore(directory);
  const path = join(directory, 'kubernetes.objects');
  const long = 'x'.repeat(60);
  for (let i = 0; i < 12_000; i++) {
    store.changeKubernetes({ put: [sourced(pod('web', `${long}${i % 2}`), i)], removed: [] });
  }
  t.ok(existsSync(path) && statSync(path).size < 2 ** 21, `${statSync(path).size} bytes`);
  const again = makeStore(directory);
  again.load();
  t.strictSame(labels(again), { app: `${long}1` });
});

t.test('an object of an API is checked as a manifest is: pods and Services in the light of this node', async (t) => {
  const services = objectReader({}, loadConfig(), () => [{ path: ['spec', 'ports', 0], message: 'found a, wanted b' }]);
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } };
  t.match(services(service, 'kubernetes'), {
    document: undefined,
    problems: [{ path: 'spec.ports[0]', code: 'service' }],
  });
  t.match(READ_OBJECT(service, 'kubernetes'), { document: { name: 's' }, problems: [] });
  const metadata = { name: 'p', annotations: { 'sluice.io/mac': 'x' } };
  const wrong = READ_OBJECT({ apiVersion: 'v1', kind: 'Pod', metadata }, 'kubernetes');
  t.match(wrong, { document: undefined, problems: [{ code: 'pod', path: /sluice.io\/mac/, line: 1 }] });
  const cnp = {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'p' },
    spec: { endpointSelectr: {} },
  };
  const text = READ(JSON.stringify(cnp), 'kubernetes').problems;
  t.ok(text.length > 0);
  t.strictSame(
    READ_OBJECT(cnp, 'kubernetes').problems.map(({ message, hint }) => [message, hint]),
    text.map(({ message, hint }) => [message, hint]),
  );
});

t.test('a pod of an API does not choose the network namespace that it hangs in', async (t) => {
  const podWith = (annotations: object): object => ({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'web', namespace: 'shop', annotations },
    spec: { containers: [] },
  });
  for (const netns of ['/proc/1/ns/net', 'shop-api', '']) {
    const { document, problems } = READ_OBJECT(podWith({ 'sluice.io/netns': netns }), 'kubernetes');
    t.equal(document, undefined);
    t.match(problems.at(-1), { message: `found "${netns}", wanted none` });
  }
  t.ok(READ_OBJECT(podWith({ 'sluice.io/attach': 'tap' }), 'kubernetes').document);
});
