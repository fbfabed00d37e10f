import t from 'tap';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { deployment, KubeWorld, template } from '../../test/kube-world.ts';

const DEPLOYMENTS = 'deployments.apps';
const SETS = 'replicasets.apps';

const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
});

const isReady = ({ type, status }: { type: string; status: string }): boolean => type === 'Ready' && status === 'True';

const sizes = (of: KubeWorld): number[] =>
  of.storage
    .list(SETS)
    .sort((a, b) => revision(a) - revision(b))
    .map((set) => set['spec'].replicas as number);

const revision = ({ metadata }: KubeObject): number =>
  Number(metadata.annotations?.['deployment.kubernetes.io/revision']);

const condition = (of: KubeWorld, type: string, name = 'web'): string => {
  const found = (of.status(DEPLOYMENTS, name).conditions as { type: string; status: string; reason: string }[]).find(
    (one) => one.type === type,
  );
  return found === undefined ? 'none' : `${found.status} ${found.reason}`;
};

const images = (of: KubeWorld): string[] => of.pods().map((pod) => pod['spec'].containers[0].image as string);

t.test('a Deployment makes a ReplicaSet, which makes pods, which get a node', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 3 }));
  const [set] = at.storage.list(SETS);
  t.match(set.metadata.name, /^web-[a-z0-9]{10}$/);
  const hash = set.metadata.labels?.['pod-template-hash'] ?? '';
  t.equal(set.metadata.name, `web-${hash}`);
  t.same(set['spec'].selector.matchLabels, { app: 'web', 'pod-template-hash': hash });
  t.match(set.metadata.annotations, {
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  t.equal(at.pods().length, 3);
  for (const pod of at.pods()) {
    t.match(pod.metadata.name, new RegExp(`^web-${hash}-[a-z0-9]{5}$`));
    t.match(pod['spec'], { nodeName: 'node-1', serviceAccountName: 'default' });
    t.match(pod.metadata.ownerReferences, [{ kind: 'ReplicaSet', uid: set.metadata.uid, controller: true }]);
  }
  t.match(at.status(DEPLOYMENTS, 'web'), {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: undefined,
  });
  t.equal(condition(at, 'Available'), 'True MinimumReplicasAvailable');
  t.equal(condition(at, 'Progressing'), 'True NewReplicaSetAvailable');
  t.equal(at.get(DEPLOYMENTS, 'web').metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  t.match(at.events('web'), ['ScalingReplicaSet: Scaled up replica set web-']);
  t.end();
});

t.test('a rolling update never has too many pods, nor too few that are available', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 8, strategy: rolling(2, 3) }));
  let [most, fewest] = [0, 8];
  at.storage.watch('pods', () => {
    const pods = at.pods().filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const ready = pods.filter((pod) => (pod['status'].conditions ?? []).some(isReady));
    most = Math.max(most, pods.length);
    fewest = Math.min(fewest, ready.length);
  });
  at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', 'nginx:2') });
  t.same(sizes(at), [0, 8]);
  t.same([...new Set(images(at))], ['nginx:2']);
  t.equal(most, 10);
  t.ok(fewest >= 5, `${fewest} available`);
  t.equal(condition(at, 'Progressing'), 'True NewReplicaSetAvailable');
  t.match(at.status(DEPLOYMENTS, 'web'), { observedGeneration: 2, replicas: 8, updatedReplicas: 8 });
  t.end();
});

t.test('a template that never gets ready stops the change-over, and is told of at the deadline', (t) => {
  const at = new KubeWorld({ becomesReady: (pod) => pod['spec'].containers[0].image !== 'bad' });
  at.create(DEPLOYMENTS, deployment('web', { replicas: 4, strategy: rolling(1, 1), progressDeadlineSeconds: 60 }));
  at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', 'bad') });
  t.same(sizes(at), [3, 2], 'one more, one fewer available, and no further');
  t.equal(condition(at, 'Progressing'), 'True ReplicaSetUpdated');
  at.clock.advance(59_000);
  t.equal(condition(at, 'Progressing'), 'True ReplicaSetUpdated');
  at.clock.advance(5_000);
  t.equal(condition(at, 'Progressing'), 'False ProgressDeadlineExceeded');
  t.equal(condition(at, 'Available'), 'True MinimumReplicasAvailable');
  at.clock.advance(3_600_000);
  t.same(sizes(at), [3, 2]);
  // Going back takes those first that are not available.
  at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', 'nginx:1') });
  t.same(sizes(at), [0, 4]);
  t.equal(condition(at, 'Progressing'), 'True NewReplicaSetAvailable');
  t.end();
});

t.test('undo makes the old ReplicaSet the newest, which remembers its numbers', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  for (const image of ['nginx:2', 'nginx:3', 'nginx:1'])
    at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', image) });
  const sets = at.storage.list(SETS).sort((a, b) => revision(a) - revision(b));
  t.same(sets.map(revision), [2, 3, 4]);
  t.equal(sets[2]['spec'].template.spec.containers[0].image, 'nginx:1');
  t.equal(sets[2].metadata.annotations?.['deployment.kubernetes.io/revision-history'], '1');
  t.equal(at.get(DEPLOYMENTS, 'web').metadata.annotations?.['deployment.kubernetes.io/revision'], '4');
  t.same(sizes(at), [0, 0, 2]);
  t.end();
});

t.test('revisionHistoryLimit', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { revisionHistoryLimit: 1 }));
  for (const image of ['nginx:2', 'nginx:3', 'nginx:4'])
    at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', image) });
  t.same(at.storage.list(SETS).map(revision).sort(), [3, 4]);
  t.end();
});

t.test('Recreate ends all old pods before it makes new ones', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 3, strategy: { type: 'Recreate' } }));
  let isMixed = false;
  at.storage.watch('pods', () => (isMixed ||= new Set(images(at)).size > 1));
  at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', 'nginx:2') });
  t.same(images(at), ['nginx:2', 'nginx:2', 'nginx:2']);
  t.notOk(isMixed);
  t.equal(condition(at, 'Progressing'), 'True NewReplicaSetAvailable');
  t.end();
});

t.test('a paused Deployment changes its size, and not its template', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 2 }));
  at.patchSpec(DEPLOYMENTS, 'web', { paused: true, template: template('web', 'nginx:2') });
  t.equal(condition(at, 'Progressing'), 'Unknown DeploymentPaused');
  t.same(sizes(at), [2]);
  at.patchSpec(DEPLOYMENTS, 'web', { replicas: 4 });
  t.same(sizes(at), [4]);
  at.patchSpec(DEPLOYMENTS, 'web', { paused: false });
  t.same(sizes(at), [0, 4]);
  t.equal(condition(at, 'Progressing'), 'True NewReplicaSetAvailable');
  t.end();
});

t.test('scaling in the middle of a change-over keeps the proportion', (t) => {
  const at = new KubeWorld({ becomesReady: (pod) => pod['spec'].containers[0].image !== 'bad' });
  at.create(DEPLOYMENTS, deployment('web', { replicas: 10, strategy: rolling(3, 2) }));
  at.patchSpec(DEPLOYMENTS, 'web', { template: template('web', 'bad') });
  t.same(sizes(at), [8, 5]);
  at.patchSpec(DEPLOYMENTS, 'web', { replicas: 15 });
  t.same(sizes(at), [11, 7]);
  at.patchSpec(DEPLOYMENTS, 'web', { replicas: 0 });
  t.same(sizes(at), [0, 0]);
  t.equal(at.pods().length, 0);
  t.end();
});

t.test('minReadySeconds', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 1, minReadySeconds: 30 }));
  t.match(at.status(DEPLOYMENTS, 'web'), { readyReplicas: 1, availableReplicas: undefined, unavailableReplicas: 1 });
  at.clock.advance(30_000);
  t.match(at.status(DEPLOYMENTS, 'web'), { availableReplicas: 1, unavailableReplicas: undefined });
  t.end();
});

t.test('a name that another ReplicaSet has is not the end', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web'));
  const [set] = at.storage.list(SETS);
  at.delete(DEPLOYMENTS, 'web');
  const { name } = set.metadata;
  if (at.storage.get(SETS, 'default', name) !== undefined) at.delete(SETS, name);
  const metadata = { name, namespace: 'default', labels: { other: 'x' } };
  at.create(SETS, { ...set, metadata, spec: { ...set['spec'], replicas: 0 } });
  at.create(DEPLOYMENTS, deployment('web'));
  t.equal(at.status(DEPLOYMENTS, 'web').collisionCount, 1);
  t.equal(at.status(DEPLOYMENTS, 'web').availableReplicas, 1);
  t.end();
});

t.test('hostile numbers make no more pods than the node takes, and are told of', (t) => {
  const at = new KubeWorld({ maxPods: 20 });
  at.create(DEPLOYMENTS, deployment('web', { replicas: 1e9, strategy: rolling('100%', '0%') }));
  t.equal(at.pods().length, 20);
  t.equal(condition(at, 'ReplicaFailure'), 'True FailedCreate');
  t.equal(condition(at, 'Available'), 'False MinimumReplicasUnavailable');
  const [set] = at.names(SETS);
  t.match(
    at.events(set).filter((text) => text.startsWith('FailedCreate')),
    ['FailedCreate: Error creating: found 20 pods, wanted at most 20 on this node'],
  );
  at.clock.advance(600_000);
  t.equal(at.pods().length, 20);
  t.ok(at.storage.list('events').length < 60, `${at.storage.list('events').length} events`);
  // Who waits for room gets it as soon as there is some.
  at.create(DEPLOYMENTS, deployment('late', { replicas: 2 }));
  t.notOk(at.status(DEPLOYMENTS, 'late').availableReplicas);
  at.clock.advance(600_000);
  at.patchSpec(DEPLOYMENTS, 'web', { replicas: 5 });
  t.equal(at.status(DEPLOYMENTS, 'late').availableReplicas, 2);
  t.equal(condition(at, 'ReplicaFailure'), 'none');
  t.end();
});

t.test('controllers that start anew go on where they were', (t) => {
  const at = new KubeWorld();
  at.create(DEPLOYMENTS, deployment('web', { replicas: 3 }));
  const before = at.pods().map(({ metadata }) => metadata.uid);
  const version = at.storage.resourceVersion;
  at.restart();
  t.same(
    at.pods().map(({ metadata }) => metadata.uid),
    before,
  );
  t.equal(at.storage.resourceVersion, version, 'and write nothing when there is nothing to do');
  at.controllers.stop();
  at.storage.update(DEPLOYMENTS, 'default', 'web', (one) => ({ ...one, spec: { ...one['spec'], replicas: 1 } }));
  at.restart();
  t.equal(at.pods().length, 1);
  t.end();
});

t.test('no Deployment of the agent is touched, and none that selects everything', (t) => {
  const at = new KubeWorld();
  const mirrored = deployment('theirs');
  at.storage.mirror(DEPLOYMENTS, mirrored as typeof mirrored & { metadata: { name: string } }, 0);
  at.create(DEPLOYMENTS, deployment('all', { selector: {} }));
  t.same(at.names(SETS), []);
  t.match(at.events('all'), ['SelectingAll: ']);
  t.equal(at.clock.pending > 10, false);
  t.end();
});
