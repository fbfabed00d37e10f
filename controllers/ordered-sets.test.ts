import t from 'tap';
import type { KubeObject, NewObject } from '../apiserver/storage/kube-object.ts';
import { KubeWorld, NODE, template } from '../test/kube-world.ts';

const STATEFUL = 'statefulsets.apps';
const DAEMONS = 'daemonsets.apps';
const REVISIONS = 'controllerrevisions.apps';

function set(kind: 'StatefulSet' | 'DaemonSet', spec: object = {}): NewObject {
  const selector = { matchLabels: { app: 'db' } };
  const metadata = { name: 'db', namespace: 'default' };
  return { apiVersion: 'apps/v1', kind, metadata, spec: { selector, template: template('db'), ...spec } };
}

const stateful = (spec: object = {}): NewObject => set('StatefulSet', { serviceName: 'db', replicas: 3, ...spec });
const names = (at: KubeWorld): string[] => at.names('pods');
const images = (at: KubeWorld): string[] => at.pods().map((pod) => pod['spec'].containers[0].image as string);
const ready = (at: KubeWorld, name: string): void => {
  at.becomesReady = (pod) => pod.metadata.name <= name;
  for (const pod of at.pods()) at.tell(pod, {});
  at.update('pods', at.names('pods')[0], (one) => ({
    ...one,
    metadata: { ...one.metadata, annotations: { touched: name } },
  }));
  for (const pod of at.pods())
    at.update('pods', pod.metadata.name, (one) => ({
      ...one,
      metadata: { ...one.metadata, annotations: { at: name } },
    }));
};

t.test('a StatefulSet makes its pods one after the other, each with a name of its own', (t) => {
  const at = new KubeWorld({ becomesReady: () => false });
  at.create(STATEFUL, stateful());
  t.same(names(at), ['db-0']);
  t.match(at.get('pods', 'db-0'), {
    metadata: { labels: { 'statefulset.kubernetes.io/pod-name': 'db-0', 'apps.kubernetes.io/pod-index': '0' } },
    spec: { hostname: 'db-0', subdomain: 'db' },
  });
  ready(at, 'db-0');
  t.same(names(at), ['db-0', 'db-1']);
  ready(at, 'db-1');
  ready(at, 'db-2');
  t.same(names(at), ['db-0', 'db-1', 'db-2']);
  t.match(at.status(STATEFUL, 'db'), {
    replicas: 3,
    readyReplicas: 3,
    currentReplicas: 3,
    updatedReplicas: 3,
    availableReplicas: 3,
  });
  at.delete('pods', 'db-1');
  t.same(names(at), ['db-0', 'db-1', 'db-2'], 'the same name comes again');
  at.becomesReady = () => true;
  ready(at, 'db-9');
  const order: string[] = [];
  at.storage.watch('pods', ({ type, object }) => {
    if (type === 'DELETED') order.push(object.metadata.name);
  });
  at.patchSpec(STATEFUL, 'db', { replicas: 1 });
  t.same(order, ['db-2', 'db-1']);
  t.same(names(at), ['db-0']);
  t.end();
});

t.test('Parallel, and numbers that begin elsewhere', (t) => {
  const at = new KubeWorld({ becomesReady: () => false });
  at.create(STATEFUL, stateful({ podManagementPolicy: 'Parallel', ordinals: { start: 5 } }));
  t.same(names(at), ['db-5', 'db-6', 'db-7']);
  at.patchSpec(STATEFUL, 'db', { replicas: 1 });
  t.same(names(at), ['db-5']);
  t.end();
});

t.test('a new template: the last pod first, down to the partition; the history is kept', (t) => {
  const at = new KubeWorld();
  at.create(STATEFUL, stateful({ updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } }));
  const before = at.status(STATEFUL, 'db').currentRevision as string;
  at.patchSpec(STATEFUL, 'db', { template: template('db', 'nginx:2') });
  t.same(images(at), ['nginx:1', 'nginx:1', 'nginx:2']);
  t.match(at.status(STATEFUL, 'db'), { currentRevision: before, currentReplicas: 2, updatedReplicas: 1 });
  at.delete('pods', 'db-0');
  t.same(images(at), ['nginx:1', 'nginx:1', 'nginx:2'], 'one below the partition comes back as it was');
  const order: string[] = [];
  at.storage.watch('pods', ({ type, object }) => {
    if (type === 'DELETED') order.push(object.metadata.name);
  });
  at.patchSpec(STATEFUL, 'db', { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } } });
  t.same(order, ['db-1', 'db-0']);
  const { currentRevision, updateRevision } = at.status(STATEFUL, 'db') as Record<string, string>;
  t.equal(currentRevision, updateRevision);
  const [first, second] = at.storage.list(REVISIONS).sort((a, b) => a['revision'] - b['revision']);
  t.match([first['revision'], second['revision']], [1, 2]);
  t.match(first['data'], { spec: { template: { $patch: 'replace', spec: { containers: [{ image: 'nginx:1' }] } } } });
  // What undo does: the template of before.
  at.patchSpec(STATEFUL, 'db', { template: template('db') });
  t.same(images(at), ['nginx:1', 'nginx:1', 'nginx:1']);
  t.equal(at.get(REVISIONS, first.metadata.name)['revision'], 3);
  at.patchSpec(STATEFUL, 'db', { updateStrategy: { type: 'OnDelete' }, template: template('db', 'nginx:3') });
  t.same(images(at), ['nginx:1', 'nginx:1', 'nginx:1']);
  at.delete('pods', 'db-1');
  t.same(images(at), ['nginx:1', 'nginx:3', 'nginx:1']);
  t.end();
});

t.test('a change-over waits for a pod that does not get ready', (t) => {
  const at = new KubeWorld({ becomesReady: (pod) => pod['spec'].containers[0].image !== 'bad' });
  at.create(STATEFUL, stateful());
  at.patchSpec(STATEFUL, 'db', { template: template('db', 'bad') });
  at.clock.advance(600_000);
  t.same(images(at), ['nginx:1', 'nginx:1', 'bad']);
  t.end();
});

t.test('claims for volumes are empty ones, and an event says so', (t) => {
  const at = new KubeWorld();
  at.create(STATEFUL, stateful({ replicas: 1, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] }));
  t.same(at.get('pods', 'db-0')['spec'].volumes, [{ name: 'data', emptyDir: {} }]);
  t.match(at.events('db')[0], 'VolumeClaimIsEmptyDir: There are no persistent volumes here: data is empty');
  t.end();
});

const fail =
  (at: KubeWorld): ((pod: KubeObject) => void) =>
  (pod) =>
    at.end(pod, 'Failed');

t.test('pods that end at once are made again, more slowly each time', (t) => {
  for (const [resource, object] of [
    [STATEFUL, stateful({ replicas: 1 })],
    [DAEMONS, set('DaemonSet')],
  ] as const) {
    const at = new KubeWorld();
    let made = 0;
    at.storage.watch('pods', ({ type }) => {
      if (type === 'ADDED') made++;
    });
    at.create(resource, object);
    for (let second = 0; second < 600; second++) {
      at.pods().forEach(fail(at));
      at.clock.advance(1000);
    }
    t.ok(made > 4 && made < 15, `${resource}: ${made} in ten minutes`);
  }
  t.end();
});

t.test('a DaemonSet has one pod here, also when the node is cordoned, and none where it may not run', (t) => {
  const at = new KubeWorld();
  at.patchSpec(
    'nodes',
    NODE,
    { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
    '',
  );
  at.create(DAEMONS, set('DaemonSet', { updateStrategy: { type: 'RollingUpdate' } }));
  t.equal(at.pods().length, 1);
  t.match(at.pods()[0].metadata.name, /^db-[a-z0-9]{5}$/);
  t.match(at.status(DAEMONS, 'db'), {
    currentNumberScheduled: 1,
    desiredNumberScheduled: 1,
    numberReady: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1,
    numberUnavailable: undefined,
    numberMisscheduled: 0,
  });
  at.patchSpec(DAEMONS, 'db', { template: template('db', 'nginx:2') });
  t.same(images(at), ['nginx:2']);
  t.equal(at.names(REVISIONS).length, 2);
  at.patchSpec('nodes', NODE, { taints: [{ key: 'mine', effect: 'NoSchedule' }] }, '');
  t.equal(at.pods().length, 0);
  t.match(at.status(DAEMONS, 'db'), { desiredNumberScheduled: 0, numberReady: 0 });
  at.patchSpec('nodes', NODE, { taints: [] }, '');
  t.equal(at.pods().length, 1);
  at.delete(DAEMONS, 'db', { propagationPolicy: 'Foreground' });
  t.same([at.pods(), at.names(REVISIONS), at.names(DAEMONS)], [[], [], []]);
  t.end();
});

t.test('starting anew changes nothing', (t) => {
  const at = new KubeWorld();
  at.create(STATEFUL, stateful());
  at.create(DAEMONS, set('DaemonSet', { selector: { matchLabels: { app: 'd' } }, template: template('d') }));
  const version = at.storage.resourceVersion;
  at.restart();
  t.equal(at.storage.resourceVersion, version);
  t.end();
});
