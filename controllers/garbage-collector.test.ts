import t from 'tap';
import type { OwnerReference } from '../apiserver/storage/kube-object.ts';
import { deployment, KubeWorld } from '../test/kube-world.ts';

const DEPLOYMENTS = 'deployments.apps';
const SETS = 'replicasets.apps';

function world(): KubeWorld {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  return at;
}

const owner = (uid: string, fields: object = {}): OwnerReference => ({
  ...{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid },
  ...fields,
});

function configMap(at: KubeWorld, name: string, ownerReferences: OwnerReference[] = [], namespace = 'default'): string {
  const metadata = { name, namespace, ownerReferences };
  return at.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata }).metadata.uid;
}

const configMaps = (at: KubeWorld): string[] => at.names('configmaps').filter((name) => !name.startsWith('kube-'));

t.test('in the background: the owner at once, then the others', (t) => {
  const at = world();
  at.storage.delete(DEPLOYMENTS, 'default', 'web', { propagationPolicy: 'Background' });
  t.same(at.names(DEPLOYMENTS), []);
  t.equal(at.pods().length, 2);
  at.clock.settle();
  t.same(at.names(SETS), []);
  t.same(at.pods(), []);
  t.end();
});

t.test('in the foreground: the owner last', (t) => {
  const at = world();
  const order: string[] = [];
  at.storage.watch('*', ({ type, object }) => {
    if (type === 'DELETED' && object.kind !== 'Event') order.push(object.kind);
  });
  at.storage.delete(DEPLOYMENTS, 'default', 'web', { propagationPolicy: 'Foreground' });
  t.same(at.names(DEPLOYMENTS), ['web']);
  at.clock.settle();
  t.same(order, ['Pod', 'Pod', 'ReplicaSet', 'Deployment']);
  t.end();
});

t.test('orphans stay, and are adopted by the next of that name', (t) => {
  const at = world();
  const before = at.pods().map(({ metadata }) => metadata.uid);
  at.delete(DEPLOYMENTS, 'web', { propagationPolicy: 'Orphan' });
  t.same(at.names(DEPLOYMENTS), []);
  t.equal(at.storage.list(SETS)[0].metadata.ownerReferences, undefined);
  t.same(
    at.pods().map(({ metadata }) => metadata.uid),
    before,
  );
  at.create(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  t.equal(at.names(SETS).length, 1);
  t.same(
    at.pods().map(({ metadata }) => metadata.uid),
    before,
  );
  t.end();
});

t.test('one of several owners that is left is enough', (t) => {
  const at = new KubeWorld();
  const [a, b] = [configMap(at, 'a'), configMap(at, 'b')];
  configMap(at, 'owned', [owner(a, { name: 'a' }), owner(b, { name: 'b' })]);
  at.delete('configmaps', 'a');
  t.same(
    at.get('configmaps', 'owned').metadata.ownerReferences?.map(({ uid }) => uid),
    [b],
  );
  at.delete('configmaps', 'b');
  t.same(configMaps(at), []);
  t.end();
});

t.test('an owner is one by uid, name, kind and namespace', (t) => {
  const at = new KubeWorld();
  const uid = configMap(at, 'owner');
  configMap(at, 'mine', [owner(uid)]);
  configMap(at, 'by-name-only', [owner('another')]);
  configMap(at, 'another-kind', [owner(uid, { kind: 'Secret' })]);
  configMap(at, 'elsewhere', [owner(uid)], 'kube-system');
  t.same(configMaps(at), ['mine', 'owner']);
  t.end();
});

t.test('what lost its owner while nobody looked goes at the next start', (t) => {
  const at = world();
  at.controllers.stop();
  at.storage.delete(DEPLOYMENTS, 'default', 'web');
  at.restart();
  t.same(at.names(SETS), []);
  t.same(at.pods(), []);
  t.end();
});

/** `names`, each owned by the one before and the first by the last. */
function ring(names: readonly string[]): KubeWorld {
  const at = new KubeWorld();
  const uids = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    const before =
      i === 0 ? [] : [owner(uids.get(names[i - 1]) ?? '', { name: names[i - 1], blockOwnerDeletion: true })];
    uids.set(name, configMap(at, name, before));
  }
  const last = names.at(-1) ?? '';
  const ownerReferences = [owner(uids.get(last) ?? '', { name: last, blockOwnerDeletion: true })];
  at.update('configmaps', names[0], (one) => ({ ...one, metadata: { ...one.metadata, ownerReferences } }));
  return at;
}

t.test('a ring of owners holds itself, and its end is an end, in the foreground too', (t) => {
  for (const names of [['a'], ['a', 'b'], ['a', 'b', 'c', 'd']])
    for (const propagationPolicy of ['Background', 'Foreground'] as const) {
      const at = ring(names);
      t.same(configMaps(at), names);
      at.delete('configmaps', 'a', { propagationPolicy });
      t.same(configMaps(at), [], `${names.join('')} in the ${propagationPolicy}`);
    }
  t.end();
});
