import t from 'tap';
import { Structures } from '../openapi/structures.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { type WriteOptions, Writes } from './writes.ts';

const writes = new Writes(new Structures());
const OPTIONS: WriteOptions = {
  manager: 'tester',
  subresource: '',
  mode: 'Warn',
  isForced: false,
  time: '2026-01-01T00:00:00Z',
};
const by = (options: Partial<WriteOptions>): WriteOptions => ({ ...OPTIONS, ...options });
const made = (object: object) => writes.create(object, OPTIONS).object;

const container = (more = {}) => ({ name: 'web', image: 'nginx:1.25', ...more });
const pod = (spec = {}, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', ...metadata },
  spec: { containers: [container()], ...spec },
});
const template = (spec = {}, labels = {}) => ({
  metadata: { labels: { app: 'web', ...labels } },
  spec: { containers: [{ name: 'web', image: 'nginx' }], ...spec },
});
const deployment = (spec = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { selector: { matchLabels: { app: 'web' } }, template: template(), ...spec },
});
const service = (spec = {}) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec });
const policy = (spec: object, labels = {}) => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { name: 'p', namespace: 'shop', labels },
  spec,
});

t.test('a Deployment gets what Kubernetes fills in, and its maker owns all of it', (t) => {
  const { object, warnings } = writes.create(deployment(), OPTIONS);
  t.same(warnings, []);
  t.match(object['spec'], {
    replicas: 1,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
    template: {
      spec: {
        containers: [{ imagePullPolicy: 'Always', resources: {}, terminationMessagePolicy: 'File' }],
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        terminationGracePeriodSeconds: 30,
      },
    },
  });
  const fieldsV1 = { 'f:spec': { 'f:replicas': {} } };
  t.match(object.metadata.managedFields, [{ manager: 'tester', operation: 'Update', fieldsV1 }]);
  t.end();
});

t.test('a field that is not known is dropped with a warning, refused, or dropped in silence', (t) => {
  const misspelt = deployment({ template: template({ containers: [container({ imagee: 'y' })] }), foo: 1 });
  const { object, warnings } = writes.create(misspelt, OPTIONS);
  t.same(warnings, ['unknown field "spec.template.spec.containers[0].imagee"', 'unknown field "spec.foo"']);
  t.equal(object['spec'].foo, undefined);
  t.equal(object['spec'].template.spec.containers[0].imagee, undefined);
  t.same(writes.create(misspelt, by({ mode: 'Ignore' })).warnings, []);
  t.throws(() => writes.create(misspelt, by({ mode: 'Strict' })), {
    code: 400,
    reason: 'BadRequest',
    message:
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].imagee", unknown field "spec.foo"',
  });
  t.end();
});

t.test('nothing is dropped from a policy: a rule without a part of it is another rule', (t) => {
  const spec = { endpointSelector: {}, ingress: [{ fromEndpointz: [{}] }] };
  for (const mode of ['Warn', 'Ignore'] as const)
    t.same(writes.create(policy(spec), by({ mode })).object['spec'], spec);
  t.throws(() => writes.create(policy(spec), by({ mode: 'Strict' })), {
    code: 400,
    message: 'strict decoding error: unknown field "spec.ingress[0].fromEndpointz"',
  });
  t.end();
});

const twice = [container(), container()];
for (const [what, body, code, message] of [
  [
    'a number for a text',
    pod({ hostname: 5 }),
    400,
    /unmarshal number into Go struct field PodSpec\.spec\.hostname of type string/,
  ],
  [
    'a text for a number',
    deployment({ replicas: 'two' }),
    400,
    /string into Go struct field DeploymentSpec\.spec\.replicas of type int32/,
  ],
  ['a fraction for a count', deployment({ replicas: 1.5 }), 400, /number into Go struct field/],
  [
    'an object for a list',
    pod({ containers: {} }),
    400,
    /object into Go struct field PodSpec\.spec\.containers of type \[\]v1\.Container/,
  ],
  ['no container', pod({ containers: [] }), 422, /^Pod "web" is invalid: spec\.containers: Required value$/],
  ['no image', pod({ containers: [{ name: 'a' }] }), 422, /spec\.containers\[0\]\.image: Required value/],
  ['two containers of a name', pod({ containers: twice }), 422, /spec\.containers\[1\]\.name: Duplicate value: "web"/],
  [
    'a word that there is not',
    pod({ restartPolicy: 'Sometimes' }),
    422,
    /spec\.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"/,
  ],
  [
    'a port beyond all',
    pod({ containers: [container({ ports: [{ containerPort: 70000 }] })] }),
    422,
    /containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive/,
  ],
  [
    'a mount without volume',
    pod({ containers: [container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] })] }),
    422,
    /volumeMounts\[0\]\.name: Not found: "v"/,
  ],
  [
    'a probe that asks nothing',
    pod({ containers: [container({ livenessProbe: {} })] }),
    422,
    /livenessProbe: Required value: must specify a handler type/,
  ],
  [
    'a name in capitals',
    pod({}, { name: 'Web' }),
    422,
    /metadata\.name: Invalid value: "Web": a lowercase RFC 1123 subdomain/,
  ],
  ['a label that is none', pod({}, { labels: { a: 'b c' } }), 422, /metadata\.labels: Invalid value: "b c"/],
  [
    'no selector',
    deployment({ selector: null }),
    422,
    /^Deployment\.apps "web" is invalid: spec\.selector: Required value$/,
  ],
  [
    'a selector of other pods',
    deployment({ selector: { matchLabels: { app: 'other' } } }),
    422,
    /spec\.template\.metadata\.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`/,
  ],
  [
    'pods that end',
    deployment({ template: template({ restartPolicy: 'Never' }) }),
    422,
    /restartPolicy: Unsupported value: "Never": supported values: "Always"/,
  ],
  ['a Service without ports', service(), 422, /spec\.ports: Required value/],
  [
    'ports without names',
    service({ ports: [{ port: 1 }, { port: 2 }] }),
    422,
    /spec\.ports\[0\]\.name: Required value.*spec\.ports\[1\]\.name: Required value/,
  ],
  ['no kind', { apiVersion: 'v1', metadata: { name: 's' } }, 400, /Object 'Kind' is missing/],
  ['metadata that is a text', { ...pod(), metadata: 'web' }, 400, /metadata that is no object/],
  ['a prototype', JSON.parse('{"apiVersion":"v1","kind":"Pod","__proto__":{}}'), 400, /"__proto__"/],
  [
    'labels that are a list',
    pod({}, { labels: ['a'] }),
    400,
    /array into Go struct field ObjectMeta\.metadata\.labels of type map\[string\]string/,
  ],
  [
    'labels of a policy that are numbers',
    policy({}, { a: 1 }),
    400,
    /number into Go struct field ObjectMeta\.metadata\.labels/,
  ],
] as const) {
  // biome-ignore format: a row a line
  t.test(`a body with ${what} is refused`, (t) => {
    t.throws(() => writes.create(body, OPTIONS), { code, message });
    t.end();
  });
}

t.test('what may not change does not', (t) => {
  const change = (live: KubeObject, spec: object) =>
    writes.replace(live, { ...live, spec: { ...live['spec'], ...spec } }, OPTIONS).object;
  const other = { selector: { matchLabels: { app: 'web', x: 'y' } }, template: template({}, { x: 'y' }) };
  t.throws(() => change(made(deployment()), other), {
    message: /spec\.selector: Invalid value: .*: field is immutable/,
  });
  const live = made(pod());
  t.throws(() => change(live, { nodeName: 'other' }), {
    message: /^Pod "web" is invalid: spec: Forbidden: .*found `spec\.nodeName`/,
  });
  const [running] = live['spec'].containers as object[];
  t.equal(change(live, { containers: [{ ...running, image: 'nginx:2' }] })['spec'].containers[0].image, 'nginx:2');
  const served = made(service({ ports: [{ port: 80 }], clusterIP: '10.0.0.1' }));
  t.throws(() => change(served, { clusterIP: '10.0.0.2' }), {
    message: /clusterIPs\[0\]: Invalid value: \[\]: may not change once set/,
  });
  const map = made({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, immutable: true, data: { a: '1' } });
  t.throws(() => writes.replace(map, { ...map, data: { a: '2' } }, OPTIONS), {
    message: /data: Forbidden: field is immutable when `immutable` is set/,
  });
  t.throws(() => writes.replace(map, { ...map, kind: 'Secret' }, OPTIONS), { code: 400, message: /expected one/ });
  t.end();
});

t.test('status is written by its own way, and everything else not by it', (t) => {
  const live = { ...made(deployment()), status: { replicas: 1 } } as KubeObject;
  t.same(writes.replace(live, { ...live, status: { replicas: 9 } }, OPTIONS).object['status'], { replicas: 1 });
  const patch = { spec: { replicas: 7 }, metadata: { labels: { a: 'b' } }, status: { replicas: 2 } };
  const merge = 'application/merge-patch+json';
  const status = writes.patch(live, merge, patch, by({ subresource: 'status' })).object;
  t.match(status, { spec: { replicas: 1 }, status: { replicas: 2 } });
  t.equal(status.metadata.labels, undefined);
  t.equal(made({ ...deployment(), status: { replicas: 9 } })['status'].replicas, undefined);
  t.end();
});

t.test('a live object keeps what the storage filled in, whatever a writer says', (t) => {
  const live = made(pod());
  const stored = { ...live, metadata: { ...live.metadata, uid: 'u', creationTimestamp: 't', resourceVersion: '5' } };
  const given = { name: 'web', uid: 'other', deletionTimestamp: 'now', labels: { a: 'b' } };
  const { metadata } = writes.replace(stored, { ...live, metadata: given }, OPTIONS).object;
  t.match(metadata, { name: 'web', namespace: 'shop', uid: 'u', creationTimestamp: 't', labels: { a: 'b' } });
  t.equal(metadata.deletionTimestamp, undefined);
  t.end();
});

t.test('a Secret’s texts become data, a Namespace has its label', (t) => {
  const texts = { stringData: { a: 'b' }, data: { c: 'ZA==' } };
  const secret = made({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, ...texts });
  t.match(secret, { type: 'Opaque', data: { a: 'Yg==', c: 'ZA==' } });
  t.equal(secret['stringData'], undefined);
  t.match(made({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }), {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'shop' } },
    spec: { finalizers: ['kubernetes'] },
  });
  t.end();
});

t.test('an applied object gets defaults that nobody owns, and needs a manager', (t) => {
  const { object } = writes.apply(undefined, deployment(), OPTIONS);
  t.equal(object['spec'].progressDeadlineSeconds, 600);
  t.notMatch(object.metadata.managedFields, [{ fieldsV1: { 'f:spec': { 'f:progressDeadlineSeconds': {} } } }]);
  t.throws(() => writes.apply(undefined, deployment(), by({ manager: '' })), {
    code: 400,
    message: /fieldManager: Required/,
  });
  t.end();
});

const widgets = (schema: object) => ({
  metadata: {},
  spec: {
    group: 'example.com',
    names: { kind: 'Widget' },
    versions: [{ name: 'v1', schema: { openAPIV3Schema: { type: 'object', properties: { spec: schema } } } }],
  },
});

t.test('a kind that a definition brings is held to its schema', (t) => {
  const structures = new Structures();
  const custom = new Writes(structures);
  const part = { type: 'object', properties: { name: { type: 'string' }, n: { type: 'integer' } } };
  const definition = widgets({
    type: 'object',
    required: ['size'],
    properties: {
      size: { type: 'integer' },
      colour: { type: 'string', enum: ['red', 'blue'], default: 'red' },
      parts: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'], items: part },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    },
  }) as unknown as KubeObject;
  structures.define(definition);
  const widget = (spec: object) => ({ apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' }, spec });
  const create = (spec: object) => custom.create(widget(spec), OPTIONS);
  const { object, warnings } = create({ size: 1, bogus: 2, free: { any: { thing: 1 } } });
  t.same(object['spec'], { size: 1, free: { any: { thing: 1 } }, colour: 'red' });
  t.same(warnings, ['unknown field "spec.bogus"']);
  t.throws(() => create({ size: 'big' }), {
    code: 422,
    message:
      'Widget.example.com "w" is invalid: spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
  });
  t.throws(() => create({}), { code: 422, message: /spec\.size: Required value/ });
  t.throws(() => create({ size: 1, colour: 'green' }), {
    message: /Unsupported value: "green": supported values: "blue", "red"/,
  });
  t.throws(() => custom.patch(object, 'application/strategic-merge-patch+json', {}, OPTIONS), { code: 415 });
  const applyAs = (manager: string, live: KubeObject | undefined, spec: object) =>
    custom.apply(live, widget(spec), by({ manager })).object;
  const one = applyAs('one', undefined, { size: 1, parts: [{ name: 'a', n: 1 }] });
  const parts = applyAs('two', one, { parts: [{ name: 'b', n: 2 }] })['spec'].parts;
  t.same(
    parts,
    [
      { name: 'a', n: 1 },
      { name: 'b', n: 2 },
    ],
    'items are known by the keys that the schema names',
  );
  structures.forget(definition);
  t.same(create({ anything: 1 }).object['spec'], { anything: 1 }, 'and then to nothing');
  t.end();
});

t.test('a schema that is none, or goes on and on, is no harm', (t) => {
  let deep: object = { type: 'object' };
  for (let level = 0; level < 3000; level++) deep = { type: 'object', properties: { a: deep } };
  for (const schema of [
    deep,
    'text',
    [1],
    { type: 'array', items: 7 },
    { type: 'object', properties: [1], required: 'x' },
  ]) {
    const structures = new Structures();
    structures.define(widgets(schema as object) as unknown as KubeObject);
    const body = { apiVersion: 'example.com/v1', kind: 'Widget', metadata: { name: 'w' } };
    t.equal(new Writes(structures).create(body, OPTIONS).object.kind, 'Widget');
  }
  new Structures().define({ spec: { versions: 'x' } } as unknown as KubeObject);
  t.end();
});
