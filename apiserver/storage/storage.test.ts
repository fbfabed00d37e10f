import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { StoredEvent } from './kube-object.ts';
import { StatusError } from './status-error.ts';
import { Storage } from './storage.ts';

const NOW_MS = Date.parse('2030-01-02T03:04:05.678Z');

function opened(path: string): Storage {
  const storage = new Storage({ path, nowMs: () => NOW_MS });
  storage.load();
  return storage;
}

function fileOf(test: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-storage-'));
  test.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'objects');
}

const pod = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop' },
  spec: { nodeName: 'here', ...more },
});

/** What a call throws. */
function refusal(call: () => unknown): StatusError {
  try {
    call();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('found no refusal, wanted one');
}

t.test('create() completes the metadata, and refuses a name that is taken', (t) => {
  const storage = new Storage({ nowMs: () => NOW_MS });
  const made = storage.create('pods', pod('web'));
  t.match(made.metadata, {
    name: 'web',
    generation: 1,
    creationTimestamp: '2030-01-02T03:04:05Z',
    uid: /^[\da-f-]{36}$/,
  });
  t.ok(Number(made.metadata.resourceVersion) > 0);
  t.throws(() => ((made.metadata as { name: string }).name = 'other'), TypeError, 'nobody changes what was read');
  t.match(refusal(() => storage.create('pods', pod('web'))).toStatus(), {
    code: 409,
    reason: 'AlreadyExists',
    message: 'pods "web" already exists',
    details: { name: 'web', kind: 'pods' },
  });
  const named = storage.create('pods', { ...pod(''), metadata: { generateName: 'web-', namespace: 'shop' } });
  t.match(named.metadata.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.equal(refusal(() => storage.create('pods', pod(''))).code, 422);
  t.end();
});

t.test('update() raises the generation for a spec alone, and keeps what no writer may change', (t) => {
  const storage = new Storage({ nowMs: () => NOW_MS });
  const made = storage.create('pods', pod('web'));
  const versions = [made.metadata.resourceVersion];
  const change = (more: object, isStatus = false) => {
    const after = storage.update('pods', 'shop', 'web', (one) => ({ ...one, ...more }), { isStatus });
    versions.push(after.metadata.resourceVersion);
    return after;
  };
  t.equal(change({ status: { phase: 'Running' } }, true).metadata.generation, 1);
  t.equal(change({ spec: { nodeName: 'there' } }).metadata.generation, 2);
  const ofStatus = change({ spec: {}, status: { phase: 'Failed' } }, true);
  t.match(ofStatus, { spec: { nodeName: 'there' }, status: { phase: 'Failed' } }, 'a status alone was written');
  const labelled = change({ metadata: { ...made.metadata, uid: 'mine', labels: { a: 'b' } } });
  t.match(labelled.metadata, { uid: made.metadata.uid, labels: { a: 'b' }, generation: 2 });
  t.equal(new Set(versions).size, versions.length, 'each write has a version of its own');
  t.equal(change({}).metadata.resourceVersion, versions.at(-1), 'no change is no write');
  const [first] = versions;
  const stale = () => storage.update('pods', 'shop', 'web', (one) => ({ ...one, x: 1 }), { resourceVersion: first });
  t.equal(refusal(stale).reason, 'Conflict');
  t.equal(refusal(() => storage.update('pods', 'shop', 'nobody', (one) => one)).reason, 'NotFound');
  t.end();
});

t.test('delete() waits for finalizers and for the grace period of pods', (t) => {
  const storage = new Storage({ nowMs: () => NOW_MS });
  storage.create('pods', pod('web', { terminationGracePeriodSeconds: 7 }));
  const marked = storage.delete('pods', 'shop', 'web');
  t.match(marked?.metadata, { deletionTimestamp: '2030-01-02T03:04:12Z', deletionGracePeriodSeconds: 7 });
  t.equal(
    storage.delete('pods', 'shop', 'web', { gracePeriodSeconds: 60 }),
    marked,
    'a later request makes it no longer',
  );
  t.equal(storage.delete('pods', 'shop', 'web', { gracePeriodSeconds: 0 }), undefined);
  t.equal(storage.get('pods', 'shop', 'web'), undefined);

  storage.create('configmaps', { metadata: { name: 'kept', namespace: 'shop', finalizers: ['a.b/c'] }, data: {} });
  t.ok(storage.delete('configmaps', 'shop', 'kept')?.metadata.deletionTimestamp);
  storage.update('configmaps', 'shop', 'kept', (one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }));
  t.equal(storage.get('configmaps', 'shop', 'kept'), undefined, 'gone with its last finalizer');

  storage.create('configmaps', { metadata: { name: 'owner', namespace: 'shop' } });
  const held = storage.delete('configmaps', 'shop', 'owner', { propagationPolicy: 'Foreground' });
  t.same(held?.metadata.finalizers, ['foregroundDeletion']);
  const wrong = () => storage.delete('configmaps', 'shop', 'owner', { preconditions: { uid: 'other' } });
  t.equal(refusal(wrong).code, 409);
  t.end();
});

t.test('watch() tells writes in their order, also those of a watcher', (t) => {
  const storage = new Storage();
  const told: string[] = [];
  const tell = ({ type, object }: StoredEvent) => told.push(`${type} ${object.metadata.name}`);
  storage.watch('pods', ({ type, object }) => {
    if (type === 'ADDED' && object.metadata.name === 'web') storage.create('pods', pod('sidecar'));
  });
  const end = storage.watch('*', tell);
  const before = storage.resourceVersion;
  storage.create('pods', pod('web'));
  t.same(told, ['ADDED web', 'ADDED sidecar']);
  storage.delete('pods', 'shop', 'web', { gracePeriodSeconds: 0 });
  end();
  storage.delete('pods', 'shop', 'sidecar', { gracePeriodSeconds: 0 });
  t.same(told.splice(0), ['ADDED web', 'ADDED sidecar', 'DELETED web']);
  storage.watchFrom('pods', before, tell);
  t.same(told, ['ADDED web', 'ADDED sidecar', 'DELETED web', 'DELETED sidecar']);
  t.end();
});

t.test('watchFrom() knows the last writes, and says when it does not', (t) => {
  const storage = new Storage();
  const { resourceVersion } = storage.create('configmaps', {
    metadata: { name: 'counter', namespace: 'shop' },
  }).metadata;
  for (let count = 0; count < 5000; count++)
    storage.update('configmaps', 'shop', 'counter', (one) => ({ ...one, data: { count: String(count) } }));
  t.equal(refusal(() => storage.watchFrom('configmaps', resourceVersion, () => undefined)).reason, 'Expired');
  const late = String(Number(storage.resourceVersion) - 2000);
  let told = 0;
  storage.watchFrom('configmaps', late, () => told++);
  t.equal(told, 2000);
  t.equal(refusal(() => storage.watchFrom('configmaps', '999999999', () => undefined)).code, 504);
  t.equal(refusal(() => storage.watchFrom('configmaps', '-1', () => undefined)).code, 400);
  t.end();
});

t.test('a storage that is opened again has what was written, and tells no version twice', (t) => {
  const path = fileOf(t);
  const first = opened(path);
  first.create('pods', pod('web'));
  first.create('pods', pod('gone'));
  first.update('pods', 'shop', 'web', (one) => ({ ...one, status: { phase: 'Running' } }));
  first.delete('pods', 'shop', 'gone', { gracePeriodSeconds: 0 });
  first.mirror('services', { metadata: { name: 'seen', namespace: 'shop' } }, NOW_MS);
  const last = first.resourceVersion;
  const before = first.list('pods');
  // No close: an agent that was killed does not either.
  const second = opened(path);
  t.same(second.list('pods'), before);
  t.same(second.list('services'), [], 'what is mirrored comes from its source');
  t.ok(Number(second.resourceVersion) >= Number(last));
  t.equal(refusal(() => second.watchFrom('pods', last, () => undefined)).reason, 'Expired');
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.end();
});

t.test('a torn last line is cut off, and a damaged one in the middle is told', (t) => {
  const path = fileOf(t);
  opened(path).create('pods', pod('web'));
  appendFileSync(path, '{"put":"pods","object":{"metadata":{"na');
  const after = opened(path);
  t.same(
    after.list('pods').map(({ metadata }) => metadata.name),
    ['web'],
  );
  after.create('pods', pod('next'));
  t.same(new Storage({ path }).load(), [], 'the next line began a line of its own');

  const lines = readFileSync(path, 'utf8').split('\n');
  writeFileSync(path, [lines[0], '\0\0\0', ...lines.slice(1)].join('\n'));
  const damaged = new Storage({ path });
  t.match(damaged.load(), [/objects:2: found a damaged line/]);
  t.equal(damaged.list('pods').length, 2);
  t.ok(statSync(`${path}.bad`));

  writeFileSync(path, '{"layout":99}\n{"put":');
  t.match(new Storage({ path }).load(), [/found layout 99, wanted 1; put aside/]);
  t.end();
});

t.test('the file is written anew when most of it is dead', (t) => {
  const path = fileOf(t);
  const storage = opened(path);
  storage.create('configmaps', { metadata: { name: 'big', namespace: 'shop' }, data: { text: '' } });
  const text = 'x'.repeat(100_000);
  for (let i = 0; i < 50; i++)
    storage.update('configmaps', 'shop', 'big', (one) => ({ ...one, data: { text: `${i} ${text}` } }));
  t.ok(statSync(path).size < 2_000_000, `${statSync(path).size} bytes for one object of 100,000`);
  const line =
    readFileSync(path, 'utf8')
      .split('\n')
      .find((one) => one.startsWith('{"put"')) ?? '';
  appendFileSync(path, `${line}\n`.repeat(40));
  const again = opened(path);
  t.ok(statSync(path).size > 4_000_000, 'one that was killed before it could');
  again.update('configmaps', 'shop', 'big', (one) => ({ ...one, data: { text: 'last' } }));
  t.ok(statSync(path).size < 2_000_000);
  t.match(opened(path).get('configmaps', 'shop', 'big')?.['data'], { text: 'last' });
  t.end();
});

t.test(
  'a mirrored object is refused to writers with the place where it is held, and shows behind a stored one',
  (t) => {
    const storage = new Storage();
    const mirrored = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop', annotations: { 'sluice.io/source': 'site.yaml:12' } },
    };
    const told: string[] = [];
    storage.watch('services', ({ type }) => told.push(type));
    storage.mirror('services', mirrored, NOW_MS);
    const found = storage.get('services', 'shop', 'web');
    storage.mirror('services', mirrored, NOW_MS);
    t.same(told, ['ADDED'], 'the same again is no event');
    const write = () => storage.update('services', 'shop', 'web', (one) => ({ ...one, spec: {} }));
    t.match(refusal(write), { code: 403, message: /services "web" is forbidden: it is held by site.yaml:12/ });
    t.equal(refusal(() => storage.delete('services', 'shop', 'web')).code, 403);
    t.equal(refusal(() => storage.create('services', mirrored)).code, 409);
    storage.unmirror('services', 'shop', 'web');
    storage.create('services', mirrored);
    storage.mirror('services', mirrored, NOW_MS);
    storage.delete('services', 'shop', 'web');
    t.same(told, ['ADDED', 'DELETED', 'ADDED', 'DELETED', 'ADDED'], 'the mirrored one is seen again');
    t.equal(storage.get('services', 'shop', 'web')?.metadata.uid, found?.metadata.uid, 'as the object that it was');
    t.end();
  },
);
