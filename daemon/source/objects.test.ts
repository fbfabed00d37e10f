import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { requireSpace, scarcity, spaceProblem, unfilledBytes } from '../../linux/disk-space.ts';
import { join } from 'node:path';
import t from 'tap';
import { readDocuments } from '../../policy/document/document.ts';
import { loadConfig } from '../config/config.ts';
import { expandWorkload } from '../../policy/document/workload.ts';
import { ManifestDirectory } from './directory.ts';
import { manifestReader } from './reader.ts';
import { referenceOf } from './text.ts';
import { ObjectStore } from './store.ts';

const READ = manifestReader({}, loadConfig());
const pod = (name: string, label = 'a') =>
  `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\n  namespace: shop\n  labels: {app: ${label}}\n`;
const namespace = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}}\n`;
const policy = (name: string) => `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  endpointSelector: {}
  ingress:
    - fromEndpoints: [{}]
`;

function scratch(test: typeof t): string {
  const directory = mkdtempSync('/tmp/sldae-');
  test.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A store whose clock is a number the test owns. */
function makeStore(directory: string, clock = { ms: 1000 }): ObjectStore {
  return new ObjectStore(join(directory, 'objects'), READ, { nowMs: () => clock.ms++ });
}

function names(changes: ReturnType<ObjectStore['takeChanges']>): { put: string[]; removed: string[] } {
  return { put: changes.put.map(referenceOf), removed: changes.removed.map(referenceOf) };
}

t.test('apply() takes a text as a whole and says what became of each object', async (t) => {
  const store = makeStore(scratch(t as Tap));
  const text = `${namespace('shop')}---\n${pod('web')}`;
  t.match(store.apply(text, 'a.yaml'), {
    applied: [{ kind: 'Namespace', name: 'shop', action: 'created' }, { kind: 'Pod', action: 'created' }],
    problems: [],
  }); // biome-ignore format: one object a line
  t.strictSame(names(store.takeChanges()), { put: ['Namespace/shop', 'Pod/shop/web'], removed: [] });
  t.match(store.apply(text, 'a.yaml').applied, [{ action: 'unchanged' }, { action: 'unchanged' }]);
  t.match(store.apply(pod('web', 'b'), 'b.yaml').applied, [{ action: 'configured' }]);
  t.strictSame(names(store.takeChanges()).put, ['Pod/shop/web']);
});

t.test('apply() with one wrong document applies none of the text', async (t) => {
  const store = makeStore(scratch(t as Tap));
  const { applied, problems } = store.apply(`${pod('web')}---\nkind: Pod\nmetadata: {name: BAD_NAME}\n`, 'a.yaml');
  t.strictSame(applied, []);
  t.match(problems[0], { file: 'a.yaml', line: Number });
  t.strictSame(names(store.takeChanges()), { put: [], removed: [] });
});

t.test('delete() removes what was applied, and names the rest', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.apply(`${pod('web')}---\n${pod('api')}`, 'a.yaml');
  const [document] = readDocuments(pod('db'), '/m/db.yaml').documents;
  store.setDirectory([{ document: document, atMs: 1 }]);
  store.takeChanges();
  const { applied, problems } = store.deleteText(`${pod('web')}---\n${pod('db')}---\n${pod('nosuch')}`, 'x');
  t.match(problems, [
    { code: 'not-applied', message: /Pod\/shop\/db: found it only in \/m\/db\.yaml:1/ },
    { code: 'not-found', message: /Pod\/shop\/nosuch: found no such object/, document: 'Pod/shop/nosuch' },
  ]);
  t.strictSame(applied, [{ kind: 'Pod', namespace: 'shop', name: 'web', action: 'deleted' }]);
  t.strictSame(names(store.takeChanges()), { put: [], removed: ['Pod/shop/web'] });
});

const deployment = (name: string) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: c}]}
`;

t.test('a pod that a workload stands for goes with it, and not without', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.apply(deployment('sleep'), 'a.yaml');
  const alone = store.deleteText(pod('sleep-1'), 'x');
  t.strictSame(alone.applied, []);
  t.match(alone.problems, [{ code: 'owned', message: /found a pod of Deployment\/shop\/sleep/ }]);
  const { applied, problems } = store.deleteText(`${pod('sleep-0')}---\n${deployment('sleep')}`, 'x');
  t.strictSame(problems, []);
  t.match(applied, [{ kind: 'Deployment' }, { kind: 'Pod', name: 'sleep-0' }].reverse());
  t.strictSame([...store.documents(), ...store.takeChanges().put], []);
});

t.test('a Namespace takes along what was applied in it, when that is asked for', async (t) => {
  const store = makeStore(scratch(t as Tap));
  const shop = { kind: 'Namespace', namespace: '', name: 'shop' };
  const fill = () => store.apply(`${pod('web')}---\n${policy('p')}`, 'a.yaml');
  store.apply(namespace('shop'), 'n.yaml');
  fill();
  store.delete([shop], 'x');
  t.equal(store.takeChanges().put.length, 2, 'not asked: only the document');
  store.apply(namespace('shop'), 'n.yaml');
  t.match(store.delete([shop], 'x', { contents: true }).applied, [{ name: 'web' }, { name: 'p' }, shop]);
  fill();
  const implied = store.delete([shop], 'x', { contents: true });
  t.match(implied, { applied: [{ name: 'web' }, { name: 'p' }], problems: [] }, 'also without a document of it');
  t.match(store.delete([shop], 'x', { contents: true }).problems, [{ code: 'not-found' }]);
  t.equal(store.takeChanges().put.length, 0);
});

t.test('deleteText() skips the kinds that apply skips, with the same warning', async (t) => {
  const store = makeStore(scratch(t as Tap));
  const text = `apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sleep}\n---\n${pod('web')}`;
  const put = store.apply(text, 'a.yaml');
  const gone = store.deleteText(text, 'a.yaml');
  t.strictSame(gone.problems, put.problems);
  t.match(gone, { applied: [{ name: 'web', action: 'deleted' }], problems: [{ severity: 'warning' }] });
  const odd = 'kind: [1]\n---\nkind: List\nitems: 3\n---\nkind: Pod\nmetadata: {name: 7, namespace: []}\n';
  t.strictSame(store.deleteText(odd, 'x').applied, []);
});

t.test('documents that name no namespace get the one that is asked for, also after a restart', async (t) => {
  const directory = scratch(t as Tap);
  const store = makeStore(directory);
  const text = 'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n';
  t.match(store.apply(text, 'a.yaml', { namespace: 'east' }).applied, [{ namespace: 'east', name: 'web' }]);
  t.match(store.apply(pod('api'), 'b.yaml', { namespace: 'east' }).applied, [{ namespace: 'shop' }], 'named: kept');
  const next = makeStore(directory);
  t.strictSame(next.load(), []);
  t.strictSame(names(next.takeChanges()).put.sort(), ['Pod/east/web', 'Pod/shop/api']);
  t.equal(next.get({ kind: 'Pod', namespace: 'east', name: 'web' })?.object['metadata'].namespace, 'east');
  t.match(next.deleteText(text, 'a.yaml', { namespace: 'east' }).applied, [{ namespace: 'east' }]);
});

t.test('what is to be created and exists stays as it is; an apply keeps the time of the first', async (t) => {
  const directory = scratch(t as Tap);
  const store = makeStore(directory, { ms: 1000 });
  const web = { kind: 'Pod', namespace: 'shop', name: 'web' };
  store.apply(pod('web'), 'a.yaml');
  const again = store.apply(`${pod('web', 'b')}---\n${pod('api')}`, 'b.yaml', { isCreate: true });
  t.match(again, { applied: [{ name: 'api', action: 'created' }], problems: [{ code: 'already-exists' }] });
  t.strictSame(names(store.takeChanges()).put, ['Pod/shop/web', 'Pod/shop/api']);
  t.equal(store.get(web)?.labels['app'], 'a');
  store.apply(pod('web', 'c'), 'c.yaml');
  t.equal(store.createdMs(web), 1000);
  const next = makeStore(directory);
  next.load();
  t.equal(next.createdMs(web), 1000, 'a restart too');
  const shown = pod('web', 'c').replace('name: web\n', 'name: web\n  creationTimestamp: "2026-01-01T00:00:00Z"\n');
  t.match(store.apply(shown, 'd.yaml').applied, [{ action: 'unchanged' }], 'what the API adds is no change');
});

t.test('deleteText() deletes by name what would not validate any more', async (t) => {
  const store = makeStore(scratch(t as Tap));
  store.apply(policy('p'), 'a.yaml');
  const text = 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p, namespace: shop}\n';
  t.match(store.deleteText(text, 'x'), { applied: [{ name: 'p', action: 'deleted' }], problems: [] });
});

t.test('of two sources the one written last counts, and the other when that is gone', async (t) => {
  const clock = { ms: 1000 };
  const store = makeStore(scratch(t as Tap), clock);
  const inFile = (label: string, atMs: number) => {
    const [document] = readDocuments(pod('web', label), '/m/web.yaml').documents;
    store.setDirectory([{ document: document, atMs }]);
  };
  const label = () => store.takeChanges() && store.get({ kind: 'Pod', namespace: 'shop', name: 'web' })?.labels['app'];
  inFile('file-old', 500);
  t.equal(label(), 'file-old');
  store.apply(pod('web', 'applied'), 'x');
  t.equal(label(), 'applied', 'applied later than the file was written');
  inFile('file-new', 5000);
  t.equal(label(), 'file-new', 'the file was edited after the apply');
  store.setDirectory([]);
  t.equal(label(), 'applied', 'the file is gone');
  inFile('file-old', 500);
  store.delete([{ kind: 'Pod', namespace: 'shop', name: 'web' }], 'x');
  t.equal(label(), 'file-old', 'the applied one is gone');
});

t.test('applied objects outlive the agent, with their file and line', async (t) => {
  const directory = scratch(t as Tap);
  const clock = { ms: 1000 };
  makeStore(directory, clock).apply(`${namespace('shop')}---\n# a comment\n${policy('p')}`, 'site.yaml');
  const store = makeStore(directory, clock);
  t.strictSame(store.load(), []);
  t.equal(store.takeChanges().put.length, 2);
  t.ok(store.hasApplied);
  const restored = store.get({ kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'p' });
  const fresh = readDocuments(`${namespace('shop')}---\n# a comment\n${policy('p')}`, 'site.yaml').documents[1];
  t.equal(restored?.line, fresh?.line);
  t.equal(restored?.policy?.rules[0]?.ingress[0]?.origin.line, fresh?.policy?.rules[0]?.ingress[0]?.origin.line);
});

t.test('a list is kept and restored object by object', async (t) => {
  const directory = scratch(t as Tap);
  const store = makeStore(directory);
  const text =
    'apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n';
  store.apply(text, 'list.yaml');
  store.delete([{ kind: 'Namespace', namespace: '', name: 'a' }], 'x');
  const next = makeStore(directory);
  next.load();
  t.strictSame(names(next.takeChanges()).put, ['Namespace/b']);
});

t.test('apply() takes all documents or none when the disk does not', async (t) => {
  const directory = scratch(t as Tap);
  const store = makeStore(directory);
  store.apply(pod('web', 'before'), 'x');
  store.takeChanges();
  symlinkSync('/dev/full', join(directory, 'objects/000000000002.batch.new'));
  const text = `${pod('web', 'after')}---\n${pod('api')}`;
  t.throws(() => store.apply(text, 'x'), { message: /^write .*000000000002.batch: ENOSPC: no space left/ });
  t.strictSame(names(store.takeChanges()), { put: [], removed: [] });
  const next = makeStore(directory);
  next.load();
  t.strictSame(names(next.takeChanges()).put, ['Pod/shop/web']);
  t.equal(next.get({ kind: 'Pod', namespace: 'shop', name: 'web' })?.labels['app'], 'before');
});

t.test('room for the maps is looked after', async (t) => {
  const directory = scratch(t as Tap);
  const MIB = 2 ** 20;
  writeFileSync(join(directory, 'full'), Buffer.alloc(8192, 1));
  truncateSync(join(directory, 'full'), 100 * MIB);
  t.ok(Math.abs(unfilledBytes(directory) - 100 * MIB) < MIB, 'a hole counts, what is written does not');
  t.throws(() => requireSpace('/run/x', 3 * MIB), {
    message:
      'use run directory /run/x: found 3 MiB free, wanted at least 64 MiB for its tables: free some on its file system, or set runDir',
  });
  t.doesNotThrow(() => requireSpace('/run/x', 64 * MIB));
  mkdirSync(join(directory, 'maps'));
  t.doesNotThrow(() => requireSpace(directory, 8 * MIB), 'the tables of an earlier agent are there');
  t.throws(() => requireSpace(directory, 7 * MIB), {
    message: /found 7 MiB free, wanted at least 8 MiB for its state/,
  });
  t.equal(scarcity('/run/x/maps', 20 * MIB, 19 * MIB), '', 'tables cannot fill it');
  t.equal(scarcity('/run/x/maps', 90 * MIB, 200 * MIB), '', 'not yet');
  t.match(scarcity('/run/x/maps', 20 * MIB, 200 * MIB), /20 MiB left .* may grow by 200 MiB/);
  t.match(spaceProblem('/run/x/maps'), /found nothing there.* end sluiced by SIGTERM/, 'somebody has removed them');
});

t.test('pods are refused for what only the agent knows about, with the place of it', async (t) => {
  const text = `${pod('fine')}---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations: { sluice.io/attach: wifi }
status:
  podIPs: [{ ip: 10.1.1.1 }, { ip: 10.1.1.2 }]
---
apiVersion: v1
kind: List
items:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: { name: api, namespace: shop }
    spec:
      replicas: 3
      template:
        metadata: { labels: { app: api }, annotations: { sluice.io/mac: "ff:ff:ff:ff:ff:ff" } }
`;
  const { documents, problems } = READ(text, 'x.yaml');
  t.strictSame(
    documents.map(({ name }) => name),
    ['fine'],
  );
  t.strictSame(problems.map(({ line, column, path, document }) => [line, column, path, document]), [
    [13, 36, 'metadata.annotations.sluice.io/attach', 'Pod/shop/web'],
    [15, 11, 'status.podIPs', 'Pod/shop/web'],
    [26, 73, 'spec.template.metadata.annotations.sluice.io/mac', 'Deployment/shop/api'],
  ]); // biome-ignore format: a table
  t.match(problems[1], { message: 'read pod: found "10.1.1.1, 10.1.1.2", wanted one IPv4 address', severity: 'error' });
});

t.test('a damaged state file costs its object and is reported', async (t) => {
  const directory = scratch(t as Tap);
  makeStore(directory).apply(pod('web'), 'x');
  mkdirSync(join(directory, 'objects'), { recursive: true });
  writeFileSync(join(directory, 'objects/zz.json'), '{"version":1,"val');
  const store = makeStore(directory);
  t.match(store.load(), [{ file: /zz\.json$/, code: 'state' }]);
  t.equal(store.takeChanges().put.length, 1);
});

t.test('scan() reads what changed, drops what is gone, and leaves other files alone', async (t) => {
  const directory = scratch(t as Tap);
  const manifests = new ManifestDirectory(directory, READ, scratch(t as Tap));
  writeFileSync(join(directory, 'a.yaml'), pod('web'));
  writeFileSync(join(directory, 'notes.txt'), 'no manifest');
  writeFileSync(join(directory, '.hidden.yaml'), pod('hidden'));
  mkdirSync(join(directory, 'sub'));
  writeFileSync(
    join(directory, 'sub/b.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } }),
  );
  const found = manifests.scan();
  t.strictSame(
    found?.documents.map(({ document }) => referenceOf(document)),
    ['Pod/shop/web', 'Namespace/x'],
  );
  t.equal(manifests.scan(), undefined, 'nothing has changed');
  rmSync(join(directory, 'a.yaml'));
  t.strictSame(
    manifests.scan()?.documents.map(({ document }) => document.name),
    ['x'],
  );
});

t.test('scan() keeps the last good version of a file that is broken, until it is mended', async (t) => {
  const directory = scratch(t as Tap);
  const manifests = new ManifestDirectory(directory, READ, scratch(t as Tap));
  const path = join(directory, 'a.yaml');
  const write = (text: string, second: number) => {
    writeFileSync(`${path}.new`, text);
    utimesSync(`${path}.new`, second, second);
    renameSync(`${path}.new`, path);
  };
  write(pod('web'), 100);
  manifests.scan();
  write('kind: Pod\nmetadata: [\n', 200);
  const broken = manifests.scan();
  t.match(broken?.documents, [{ document: { name: 'web' }, atMs: 100_000 }]);
  t.match(broken?.problems[0], { file: path, severity: 'error', line: Number });
  write(pod('api'), 300);
  t.match(manifests.scan(), { documents: [{ document: { name: 'api' } }], problems: [] });
});

t.test('a bad document costs itself alone: the others of its file are in force as they are written now', async (t) => {
  const directory = scratch(t as Tap);
  const state = scratch(t as Tap);
  const manifests = new ManifestDirectory(directory, READ, state);
  const path = join(directory, 'a.yaml');
  writeFileSync(path, `${policy('p')}---\n${pod('web', 'old')}`);
  manifests.scan();
  const bad = policy('p').replace('{}', '{matchExpressions: [{operator: Exists}]}');
  writeFileSync(path, `${bad}---\n${pod('web', 'new')}---\n${policy('q')}`);
  const wanted = ['CiliumNetworkPolicy/shop/p', 'Pod/shop/web', 'CiliumNetworkPolicy/shop/q'];
  const found = manifests.scan();
  t.strictSame(found?.documents.map(({ document }) => referenceOf(document)), wanted);
  t.equal(found?.documents[1]?.document.labels['app'], 'new');
  t.match(found?.problems, [{ file: path, line: 5, path: 'spec.endpointSelector.matchExpressions[0].key' }]);
  const restarted = new ManifestDirectory(directory, READ, state).scan();
  t.strictSame(restarted?.documents.map(({ document }) => referenceOf(document)), wanted, 'and after a restart');
  writeFileSync(path, 'kind: [');
  const broken = new ManifestDirectory(directory, READ, state).scan();
  t.strictSame(broken?.documents.map(({ document }) => referenceOf(document)), wanted.slice(0, 2), 'no YAML at all');
  const first = new ManifestDirectory(directory, READ, scratch(t as Tap));
  writeFileSync(path, `${bad}---\n${policy('q')}`);
  t.match(first.scan()?.documents, [{ document: { name: 'q' } }], 'bad from the first look on');
  rmSync(path);
  first.scan();
  writeFileSync(path, 'kind: [');
  t.strictSame(first.scan()?.documents, [], 'what is removed is not remembered');
}); // biome-ignore format: one claim a line

t.test('scan() reports an object that two files hold, the last file counting', async (t) => {
  const directory = scratch(t as Tap);
  writeFileSync(join(directory, 'a.yaml'), pod('web', 'first'));
  writeFileSync(join(directory, 'b.yaml'), pod('web', 'second'));
  const found = new ManifestDirectory(directory, READ, scratch(t as Tap)).scan();
  t.match(found?.documents, [{ document: { labels: { app: 'second' } } }]);
  t.match(found?.problems, [{ severity: 'warning', code: 'duplicate-object', message: /a\.yaml:1 too/ }]);
});

t.test('watch() tells of a new file once it has settled', async (t) => {
  const directory = scratch(t as Tap);
  const manifests = new ManifestDirectory(directory, READ, scratch(t as Tap));
  manifests.scan();
  let stop = async () => {};
  await new Promise<void>((resolve) => {
    stop = manifests.watch(() => {
      if (manifests.scan()?.documents.length === 1) resolve();
    });
    writeFileSync(join(directory, 'a.yaml'), pod('web'));
  });
  await stop();
});

t.test('expandWorkload() makes the pods of a deployment, numbered, owned, labelled by the template', async (t) => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    metadata:
      labels: {app: web}
      annotations: {sluice.io/netns: red}
    spec:
      containers: [{name: c, image: i}]
`;
  const [deployment] = readDocuments(text, 'd.yaml').documents;
  const pods = expandWorkload(deployment);
  t.strictSame(pods.map(referenceOf), ['Pod/shop/web-0', 'Pod/shop/web-1']);
  t.match(pods[1], { labels: { app: 'web' }, annotations: { 'sluice.io/netns': 'red-1' }, file: 'd.yaml' });
  t.match(pods[0]?.object, { metadata: { ownerReferences: [{ kind: 'Deployment', name: 'web' }] } });
});

type Tap = typeof t;
