/** The pods that workloads stand for. */
import t from 'tap';
import { read } from '../../test/policy/documents.ts';
import { expandWorkload } from './workload.ts';

const POD = 'template: {metadata: {labels: {app: x}}, spec: {containers: []}}';
const of = (kind: string, apiVersion: string, spec: string) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: w, namespace: shop}\nspec: {${spec}}\n`;

t.test('each kind of workload stands for its pods', async (t) => {
  for (const [kind, apiVersion, spec, pods] of [
    ['Deployment', 'apps/v1', `replicas: 2, ${POD}`, ['w-0', 'w-1']],
    ['ReplicationController', 'v1', `selector: {app: x}, ${POD}`, ['w-0']],
    ['ReplicationController', 'v1', `replicas: 0, ${POD}`, []],
    ['Job', 'batch/v1', POD, ['w-0']],
    ['Job', 'batch/v1', `parallelism: 2, completions: 4, ${POD}`, ['w-0', 'w-1']],
    ['Job', 'batch/v1', `suspend: true, ${POD}`, []],
    ['CronJob', 'batch/v1', `schedule: "* * * * *", jobTemplate: {spec: {parallelism: 2, ${POD}}}`, ['w-0', 'w-1']],
    ['CronJob', 'batch/v1', `suspend: true, jobTemplate: {spec: {${POD}}}`, []],
  ] as const) {
    const { documents, problems } = read(of(kind, apiVersion, spec));
    t.same(problems, [], kind);
    const found = documents.flatMap(expandWorkload);
    t.same(
      found.map(({ name }) => name),
      pods,
      `${kind}: ${spec}`,
    );
    for (const pod of found) t.match(pod, { kind: 'Pod', namespace: 'shop', labels: { app: 'x' }, line: 1 });
  }
});

t.test('a pod of a StatefulSet has its name as host name beneath the service of the set', async (t) => {
  const set = of('StatefulSet', 'apps/v1', `serviceName: nginx, replicas: 2, ${POD}`);
  const [, second] = read(set).documents.flatMap(expandWorkload);
  t.match(second.object['spec'], { hostname: 'w-1', subdomain: 'nginx', containers: [] });
  t.same(second.labels, {
    app: 'x',
    'statefulset.kubernetes.io/pod-name': 'w-1',
    'apps.kubernetes.io/pod-index': '1',
  });
  const [plain] = read(of('Deployment', 'apps/v1', POD)).documents.flatMap(expandWorkload);
  t.same(plain.object['spec'], { containers: [] });
});

t.test('what is wrong with the pods of a CronJob has its place', async (t) => {
  const wrong = `jobTemplate: {spec: {${POD.replace('app: x', '"a b": c')}}}`;
  t.match(read(of('CronJob', 'batch/v1', wrong)).problems, [
    { code: 'label-key', path: 'spec.jobTemplate.spec.template.metadata.labels["a b"]' },
  ]);
});
