import t from 'tap';
import type { NewObject } from '../apiserver/storage/kube-object.ts';
import { KubeWorld, NODE } from '../test/kube-world.ts';

function pod(name: string, spec: object = {}, labels: Record<string, string> = {}): NewObject {
  const metadata = { name, namespace: 'default', labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'main' }], ...spec } };
}

const nodeOf = (at: KubeWorld, name: string): string | undefined => at.get('pods', name)['spec'].nodeName as string;

const affinity = (expression: object) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [expression] }] },
    },
  },
});

const beside = (kind: string, labels: Record<string, string>) => ({
  affinity: {
    [kind]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: labels }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  },
});

t.test('a pod gets this node, and is told so', (t) => {
  const at = new KubeWorld({ hasKubelet: false });
  at.create('pods', pod('a'));
  t.equal(nodeOf(at, 'a'), NODE);
  t.match(at.status('pods', 'a'), { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] });
  t.same(at.events('a'), [`Scheduled: Successfully assigned default/a to ${NODE}`]);
  at.create('pods', pod('elsewhere', { nodeName: 'other' }));
  at.create('pods', pod('not-mine', { schedulerName: 'my-scheduler' }));
  t.equal(nodeOf(at, 'elsewhere'), 'other');
  t.equal(nodeOf(at, 'not-mine'), undefined);
  t.end();
});

t.test('what keeps a pod waiting is told, and no longer when it holds no longer', (t) => {
  const cases: { name: string; spec: object; why: string; change: (at: KubeWorld) => void }[] = [
    {
      name: 'selector',
      spec: { nodeSelector: { disk: 'ssd' } },
      why: "1 node(s) didn't match Pod's node affinity/selector",
      change: (at) => label(at, { disk: 'ssd' }),
    },
    {
      name: 'affinity',
      spec: affinity({ key: 'cores', operator: 'Gt', values: ['8'] }),
      why: "1 node(s) didn't match Pod's node affinity/selector",
      change: (at) => label(at, { cores: '16' }),
    },
    {
      name: 'beside',
      spec: beside('podAffinity', { app: 'db' }),
      why: "1 node(s) didn't match pod affinity rules",
      change: (at) => at.create('pods', pod('db', {}, { app: 'db' })),
    },
  ];
  for (const { name, spec, why, change } of cases) {
    const at = new KubeWorld();
    at.create('pods', pod(name, spec));
    t.equal(nodeOf(at, name), undefined, name);
    t.match(at.status('pods', name).conditions, [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }]);
    t.same(at.events(name), [`FailedScheduling: 0/1 nodes are available: ${why}.`]);
    change(at);
    if (name === 'beside') at.update('nodes', NODE, (one) => ({ ...one, spec: { ...one['spec'], touched: true } }), '');
    t.equal(nodeOf(at, name), NODE, name);
  }
  t.end();
});

function label(at: KubeWorld, labels: Record<string, string>): void {
  at.update('nodes', NODE, (one) => ({ ...one, metadata: { ...one.metadata, labels } }), '');
}

t.test('cordon, taints and tolerations', (t) => {
  const at = new KubeWorld();
  at.patchSpec('nodes', NODE, { unschedulable: true }, '');
  at.create('pods', pod('a'));
  t.match(at.events('a'), ['FailedScheduling: 0/1 nodes are available: 1 node(s) were unschedulable.']);
  at.patchSpec('nodes', NODE, { unschedulable: false, taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] }, '');
  t.match(at.events('a')[1], 'had untolerated taint {k: v}');
  at.create('pods', pod('b', { tolerations: [{ key: 'k', operator: 'Equal', value: 'v' }] }));
  at.create('pods', pod('c', { tolerations: [{ operator: 'Exists' }] }));
  at.create('pods', pod('d', { tolerations: [{ key: 'k', operator: 'Equal', value: 'w' }] }));
  at.create('pods', pod('e', { tolerations: [{ key: 'k', value: 'v', effect: 'NoExecute' }] }));
  t.same(
    ['a', 'b', 'c', 'd', 'e'].map((name) => nodeOf(at, name)),
    [undefined, NODE, NODE, undefined, undefined],
  );
  at.patchSpec('nodes', NODE, { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }, '');
  t.same(
    ['a', 'd', 'e'].map((name) => nodeOf(at, name)),
    [NODE, NODE, NODE],
  );
  t.end();
});

t.test('anti-affinity counts both ways; the first of a group starts it', (t) => {
  const at = new KubeWorld();
  at.create('pods', pod('a', beside('podAntiAffinity', { app: 'web' }), { app: 'web' }));
  at.create('pods', pod('b', beside('podAntiAffinity', { app: 'web' }), { app: 'web' }));
  at.create('pods', pod('c', {}, { app: 'web' }));
  t.same(
    ['a', 'b', 'c'].map((name) => nodeOf(at, name)),
    [NODE, undefined, undefined],
  );
  at.create('pods', pod('d', beside('podAffinity', { app: 'group' }), { app: 'group' }));
  t.equal(nodeOf(at, 'd'), NODE);
  at.delete('pods', 'a');
  t.same(
    ['b', 'c'].map((name) => nodeOf(at, name)),
    [NODE, undefined],
    'room for one again',
  );
  t.end();
});

t.test('more pods than the node takes wait, and get the place of those that go', (t) => {
  const at = new KubeWorld({ maxPods: 3 });
  for (const name of ['a', 'b', 'c', 'd', 'e']) at.create('pods', pod(name));
  t.same(
    ['c', 'd', 'e'].map((name) => nodeOf(at, name)),
    [NODE, undefined, undefined],
  );
  t.match(at.events('d'), ['FailedScheduling: 0/1 nodes are available: 1 Too many pods.']);
  at.end(at.get('pods', 'a'), 'Succeeded');
  t.equal(nodeOf(at, 'd'), NODE);
  at.delete('pods', 'b');
  t.equal(nodeOf(at, 'e'), NODE);
  t.end();
});

t.test('gates hold a pod, and what is no shape of wishes ends nothing', (t) => {
  const at = new KubeWorld();
  at.create('pods', pod('gated', { schedulingGates: [{ name: 'x' }] }));
  t.match(at.status('pods', 'gated').conditions, [{ reason: 'SchedulingGated' }]);
  at.patchSpec('pods', 'gated', { schedulingGates: [] });
  t.equal(nodeOf(at, 'gated'), NODE);
  at.create('pods', pod('odd', { tolerations: 7, affinity: { nodeAffinity: 'x' } }));
  at.create('pods', pod('well'));
  t.equal(nodeOf(at, 'well'), NODE);
  t.end();
});
