// What `Writes` makes of objects is what a kube-apiserver makes of them: the same steps to both, after each the objects and who has which
// fields must be equal. What differs on purpose is in docs/decisions/0023-managed-fields.md.
import t from 'tap';
import { compared, type Operation, type Step } from './compared.ts';
import { missingParts, RealApi } from './real-api.ts';

const missing = missingParts();
const api = new RealApi();
t.before(async () => {
  if (missing === '') await api.start();
});
t.teardown(() => api.stop());

const deployment = (pod = {}, spec = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', labels: { app: 'a' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'a' } },
    template: {
      metadata: { labels: { app: 'a' } },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i:1',
            ports: [{ containerPort: 80 }],
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
          },
        ],
        ...pod,
      },
    },
    ...spec,
  },
});
const pods = (containers: object[], more = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: { template: { spec: { containers, ...more } } },
});
const map = (data: object, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'cm', ...metadata },
  data,
});
const service = (spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec });
const policy = (spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: 'np' },
  spec,
});
const LAST = 'kubectl.kubernetes.io/last-applied-configuration';
const PORTS = [
  { name: 'http', port: 80 },
  { name: 'dns', port: 53, protocol: 'UDP' },
];

const step =
  (operation: Operation) =>
  (body: unknown, how: Omit<Step, 'operation' | 'body'> = {}): Step => ({ operation, body, ...how });
const [create, put, strategic, merge, json, apply] = (
  ['create', 'put', 'strategic', 'merge', 'json', 'apply'] as const
).map(step);
const pod = (patch: object) => strategic({ spec: { template: { spec: patch } } });
const by = (manager: string) => ({ manager });
const force = (manager: string) => ({ manager, isForced: true });

const CASES: Readonly<Record<string, readonly Step[]>> = {
  'strategic patches of containers': [
    create(deployment()),
    pod({ containers: [{ name: 'c', image: 'i:2' }, { name: 'd', image: 'x' }] }),
    pod({ '$setElementOrder/containers': [{ name: 'd' }, { name: 'c' }], containers: [{ name: 'c', env: [{ name: 'A', $patch: 'delete' }, { name: 'Z', value: '9' }] }] }),
    pod({ containers: [{ $patch: 'delete', name: 'd' }] }),
    strategic({ spec: { replicas: 5, strategy: { $retainKeys: ['type'], type: 'Recreate' } } }),
    strategic({ metadata: { labels: { app: null, x: 'y' } } }),
    pod({ containers: [{ $patch: 'replace' }, { name: 'n', image: 'n' }] }),
    pod({ containers: [{ image: 'nokey' }] }),
    pod({ $patch: 'shout' }),
    pod({ volumes: [{ name: 'v', emptyDir: {} }] }),
    pod({ volumes: [{ $retainKeys: ['name', 'configMap'], name: 'v', configMap: { name: 'c' } }] }),
    pod({ '$setElementOrder/volumes': [{ name: 'w' }, { name: 'v' }], volumes: [{ name: 'w', emptyDir: { medium: 'Memory' } }] }),
    pod({ tolerations: [{ key: 'a', operator: 'Exists' }] }),
    pod({ tolerations: [{ key: 'b', operator: 'Exists' }] }),
  ],
  'strategic patches of lists of values': [
    create(deployment()),
    strategic({ metadata: { finalizers: ['a/b', 'c/d'] } }),
    strategic({ metadata: { finalizers: ['e/f', 'a/b'] } }),
    strategic({ metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'] } }),
    strategic({ metadata: { '$setElementOrder/finalizers': ['z/z', 'e/f', 'c/d'], finalizers: ['z/z'] } }),
    strategic({ metadata: { finalizers: null } }),
  ],
  'patches of a Service': [
    create(service({ selector: { app: 'a' }, ports: PORTS })),
    strategic({ spec: { ports: [{ port: 80, name: 'web', targetPort: 8080 }] } }),
    strategic({ spec: { '$setElementOrder/ports': [{ port: 80 }], ports: [{ port: 53, $patch: 'delete', protocol: 'UDP' }] } }),
    merge({ spec: { ports: [{ port: 90, name: 'x' }] } }),
    json([{ op: 'add', path: '/spec/ports/-', value: { port: 91, name: 'y' } }, { op: 'test', path: '/spec/ports/0/port', value: 90 }, { op: 'remove', path: '/spec/ports/0' }]),
    json([{ op: 'test', path: '/spec/ports/0/port', value: 1 }]),
    json([{ op: 'remove', path: '/spec/nope' }]),
    json([{ op: 'replace', path: '/spec/nope/x', value: 1 }]),
    json([{ op: 'replace', path: '/spec/nope', value: 1 }]),
    json([{ op: 'add', path: '/spec/ports/7', value: {} }]),
    json([{ op: 'bogus', path: '/spec/x/y', value: {} }]),
    json([{ op: 'copy', from: '/metadata/name', path: '/metadata/labels' }]),
    json([{ op: 'add', path: '/metadata/labels', value: {} }, { op: 'copy', from: '/metadata/name', path: '/metadata/labels/n' }, { op: 'move', from: '/metadata/labels/n', path: '/metadata/labels/m' }]),
    json([{ op: 'add', path: '/metadata/annotations', value: { 'a/b': '1' } }, { op: 'replace', path: '/metadata/annotations/a~1b', value: '2' }]),
    json([{ op: 'test', path: '/metadata/annotations/zzz', value: null }]),
  ],
  'a ConfigMap that two apply': [
    apply(map({ a: '1', b: '2' }), by('m1')),
    apply(map({ a: '1', c: '3' }), by('m2')),
    apply(map({ a: '2' }), by('m2')),
    apply(map({ b: '9', a: '7' }), by('m2')),
    apply(map({ a: '2' }), force('m2')),
    apply(map({ b: '2' }), by('m1')),
    merge({ data: { a: '5', n: '1' } }, by('kubectl-edit')),
    apply(map({ a: '2' }), by('m2')),
    apply(map({ a: '5' }), by('m2')),
    apply(map({ a: '6' }), by('kubectl')),
    apply(map({ a: '6' }), force('kubectl')),
    apply({ ...map({ a: '6' }), data2: {} }, by('kubectl')),
    apply(map({ a: 6 }), by('kubectl')),
    apply(map({ a: '6' }, { managedFields: [{}] }), by('kubectl')),
  ],
  'a Deployment that an injector and a scaler write too': [
    apply(deployment(), by('m1')),
    merge({ spec: { replicas: 4 } }, by('scaler')),
    apply(deployment(), by('m1')),
    apply(deployment({}, { replicas: undefined }), by('m1')),
    apply(pods([{ name: 'side', image: 's' }, { name: 'c', env: [{ name: 'X', value: '1' }] }]), by('injector')),
    apply(deployment(), force('m1')),
    apply(pods([{ name: 'c', env: [{ name: 'X', value: '1' }] }]), by('injector')),
    merge({ status: { replicas: 1 } }, { subresource: 'status', manager: 'controller' }),
    apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' }, status: { replicas: 3 } }, { subresource: 'status', manager: 'other', isForced: true }),
    apply({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } }, by('injector')),
    apply(deployment({}, { foo: 1 }), by('m1')),
    apply(pods([{ name: 'c', image: 'a' }, { name: 'c', image: 'b' }]), by('m1')),
    apply(deployment({ containers: 'x' }), by('m1')),
  ],
  'a Service that two apply': [
    apply(service({ selector: { app: 'a' }, ports: PORTS }), by('a')),
    apply(service({ ports: [{ port: 80, targetPort: 'http', name: 'http' }] }), force('b')),
    apply(service({ ports: [{ port: 80, name: 'http' }, { port: 99, name: 'z' }] }), force('a')),
    put(service({ ports: [{ port: 80, name: 'http' }] }), by('put')),
    apply({ ...service({ ports: [{ port: 80, name: 'http' }] }), metadata: { name: 's', labels: { a: 'b' }, finalizers: ['x/y'] } }, force('a')),
    merge({ metadata: { finalizers: null } }, by('e')),
  ],
  'an object that kubectl applied by itself before': [
    create(map({ a: '1', b: '2' }, { annotations: { [LAST]: `${JSON.stringify(map({ a: '1', b: '2' }))}\n` } }), by('kubectl-client-side-apply')),
    apply(map({ a: '3', b: '2' }), by('kubectl')),
    merge({ data: { b: '7' } }, by('ed')),
    apply(map({ a: '3', b: '2' }), by('kubectl')),
    apply(map({ a: '4' }), by('kubectl')),
  ],
  'managed fields that are written': [
    create(map({ a: '1' }), by('x')),
    json([{ op: 'replace', path: '/metadata/managedFields', value: [{ manager: 'y', operation: 'Apply', apiVersion: 'v1', time: '2026-01-01T00:00:00Z', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': { '.': {}, 'f:a': {} } } }] }], by('z')),
    merge({ metadata: { managedFields: [{}] } }),
    apply(map({ b: '1' }), by('q')),
  ],
  'many managers': [create(map({ a: '1' }), by('m0')), ...Array.from({ length: 13 }, (_, i) => merge({ data: { [`k${i}`]: 'v' } }, by(`m${i + 1}`)))],
  'a NetworkPolicy': [
    apply(policy({ podSelector: { matchLabels: { a: 'b' } }, ingress: [{ from: [{ podSelector: {} }] }] }), by('a')),
    apply(policy({ podSelector: {}, policyTypes: ['Ingress'] }), by('b')),
    apply(policy({ podSelector: { matchLabels: { a: 'b' } } }), by('a')),
  ],
}; // biome-ignore format: a step a line

const template = (spec = {}, container = {}) => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'c', image: 'nginx', ...container }], ...spec },
});
const selector = { matchLabels: { app: 'a' } };
const made = (apiVersion: string, kind: string, rest: object) => ({
  apiVersion,
  kind,
  metadata: { name: 'x1' },
  ...rest,
});
const port = { httpGet: { port: 80 } };

/** Kind -> bodies that are created, whose defaults are compared. */
const CREATED: readonly object[] = [
  made('v1', 'Pod', { spec: template({ volumes: [{ name: 'a' }, { name: 'b', configMap: { name: 'x' } }, { name: 'c', secret: { secretName: 's' } }, { name: 'd', hostPath: { path: '/x' } }, { name: 'e', projected: { sources: [{ configMap: { name: 'z' } }] } }, { name: 'f', downwardAPI: { items: [{ path: 'x', fieldRef: { fieldPath: 'metadata.name' } }] } }], initContainers: [{ name: 'i', image: 'a:latest' }] }, { livenessProbe: port, readinessProbe: { exec: { command: ['a'] } }, startupProbe: { tcpSocket: { port: 1 }, periodSeconds: 3 }, env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, { name: 'Q' }], ports: [{ containerPort: 1 }], resources: { limits: { cpu: '1' } }, lifecycle: { preStop: { httpGet: { port: 'x' } } } }).spec }),
  made('v1', 'Pod', { spec: template({ hostNetwork: true, restartPolicy: 'Never', tolerations: [{ operator: 'Exists' }] }, { image: `a@sha256:${'0'.repeat(64)}`, ports: [{ containerPort: 80 }], resources: { limits: { cpu: '1', memory: '1Gi' } } }).spec }),
  made('v1', 'Service', { spec: { type: 'LoadBalancer', selector: { a: 'b' }, ports: [{ port: 80, targetPort: 'http', nodePort: 30099 }] } }),
  made('v1', 'Service', { spec: { selector: { a: 'b' }, ports: [{ port: 80 }], sessionAffinity: 'ClientIP' } }),
  made('v1', 'Service', { spec: { type: 'ExternalName', externalName: 'a.b' } }),
  made('apps/v1', 'Deployment', { spec: { selector, template: template() } }),
  made('apps/v1', 'Deployment', { spec: { selector, strategy: { rollingUpdate: { maxSurge: 1 } }, template: template() } }),
  made('apps/v1', 'Deployment', { spec: { selector, strategy: { type: 'Recreate' }, template: template() } }),
  made('apps/v1', 'ReplicaSet', { spec: { selector, template: template() } }),
  made('v1', 'ReplicationController', { spec: { template: template() } }),
  made('apps/v1', 'StatefulSet', { spec: { selector, serviceName: 'x', template: template(), volumeClaimTemplates: [{ metadata: { name: 'v' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }] } }),
  made('batch/v1', 'CronJob', { spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template({ restartPolicy: 'Never' }) } } } }),
  made('v1', 'Secret', { stringData: { a: 'b' }, data: { c: 'ZA==' } }),
  made('v1', 'ConfigMap', { data: { a: 'b' }, immutable: true }),
  made('networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {}, egress: [{ ports: [{ port: 53 }, { port: 'x', protocol: 'UDP' }], to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }] } }),
  made('networking.k8s.io/v1', 'NetworkPolicy', { spec: {} }),
  made('discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] }),
  made('v1', 'Endpoints', { subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] }),
  made('coordination.k8s.io/v1', 'Lease', { spec: { holderIdentity: 'x' } }),
  made('v1', 'ServiceAccount', {}),
]; // biome-ignore format: a body a line

const bad = (container: object) => made('v1', 'Pod', { spec: { containers: [container] } });
/** Bodies that are refused, for the same fields. */
const REFUSED: readonly object[] = [
  bad({ image: 'a' }),
  bad({ name: 'a' }),
  bad({ name: 'A', image: 'a' }),
  bad({ name: 'a', image: 'a', ports: [{ containerPort: 0 }] }),
  bad({ name: 'a', image: 'a', ports: [{ containerPort: 70000 }] }),
  bad({ name: 'a', image: 'a', volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
  bad({ name: 'a', image: 'a', imagePullPolicy: 'Sometimes' }),
  bad({ name: 'a', image: 'a', livenessProbe: {} }),
  made('v1', 'Pod', { spec: { containers: [] } }),
  made('v1', 'Pod', { spec: { containers: [{ name: 'a', image: 'a' }], restartPolicy: 'Nope' } }),
  { ...made('v1', 'ConfigMap', {}), metadata: { name: 'Up' } },
  { ...made('v1', 'ConfigMap', {}), metadata: { name: 'x', labels: { 'a b': 'c' } } },
  { ...made('v1', 'ConfigMap', {}), metadata: { name: 'x', annotations: { 'a b': 'c' } } },
  made('v1', 'Service', { spec: {} }),
  made('v1', 'Service', { spec: { ports: [{ port: 1 }, { port: 2 }] } }),
  made('v1', 'Service', { spec: { ports: [{ port: 0 }] } }),
  made('apps/v1', 'Deployment', { spec: { selector: { matchLabels: { x: 'y' } }, template: template() } }),
  made('apps/v1', 'Deployment', { spec: { selector, template: template({ restartPolicy: 'Never' }) } }),
  made('apps/v1', 'Deployment', { spec: { selector, replicas: -1, template: template() } }),
  made('apps/v1', 'Deployment', { spec: { selector: 'x', template: template() } }),
  made('batch/v1', 'Job', { spec: { template: template() } }),
]; // biome-ignore format: a body a line

const all: Readonly<Record<string, readonly Step[]>> = {
  ...CASES,
  ...Object.fromEntries(CREATED.map((body) => [`created: ${JSON.stringify(body).slice(0, 150)}`, [create(body)]])),
  ...Object.fromEntries(REFUSED.map((body) => [`refused: ${JSON.stringify(body).slice(0, 300)}`, [create(body)]])),
};
for (const [name, steps] of Object.entries(all)) {
  t.test(name, { skip: missing }, async (t) => {
    for await (const { name, ours, real } of compared(api, steps)) t.same(ours, real, name);
  });
}
