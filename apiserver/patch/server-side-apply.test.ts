import fc from 'fast-check';
import t from 'tap';
import { Structures } from '../openapi/structures.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import { FieldSet } from './field-set.ts';
import { applyServerSide } from './server-side-apply.ts';
import { trackUpdate } from './track-update.ts';

const structures = new Structures();
const TIME = '2026-01-01T00:00:00Z';
const LATER = '2026-01-01T00:00:09Z';
const kindOf = (object: object) => structures.of(object as KubeObject);

interface By {
  readonly manager?: string;
  readonly isForced?: boolean;
  readonly subresource?: string;
  readonly time?: string;
}

const apply = (live: object | undefined, applied: object, by: By = {}) =>
  applyServerSide({
    live: live as KubeObject | undefined,
    applied,
    manager: 'one',
    isForced: false,
    subresource: '',
    time: TIME,
    structure: kindOf(applied),
    ...by,
  }) as KubeObject;

const update = (before: object | undefined, after: object, by: By = {}) =>
  trackUpdate({
    before: before,
    after,
    manager: 'editor',
    subresource: '',
    time: TIME,
    structure: kindOf(after),
    ...by,
  }) as KubeObject;

const map = (data: object, metadata = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', ...metadata },
  data,
});
const deployment = (spec: object) => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec });
const pods = (containers: object[]) => deployment({ template: { spec: { containers } } });
/** `manager operation` -> its fields. */
const owners = ({ metadata }: KubeObject) =>
  Object.fromEntries(
    (metadata.managedFields as any[]).map(({ manager, operation, fieldsV1 }) => [`${manager} ${operation}`, fieldsV1]),
  );

t.test('who applies has what it applied, and what it no longer applies goes', (t) => {
  const first = apply(undefined, map({ a: '1', b: '2' }));
  t.same(owners(first), { 'one Apply': { 'f:data': { 'f:a': {}, 'f:b': {} } } });
  const second = apply(first, map({ a: '1' }));
  t.same(second['data'], { a: '1' });
  t.same(owners(second), { 'one Apply': { 'f:data': { 'f:a': {} } } });
  t.end();
});

t.test('a field that another has too stays when one gives it up', (t) => {
  const both = apply(apply(undefined, map({ a: '1', b: '2' })), map({ a: '1' }), { manager: 'two' });
  const left = apply(both, map({ b: '2' }));
  t.same(left['data'], { a: '1', b: '2' });
  t.same(owners(left), { 'one Apply': { 'f:data': { 'f:b': {} } }, 'two Apply': { 'f:data': { 'f:a': {} } } });
  t.end();
});

t.test('a conflict names the manager, the version and the field, as Kubernetes does', (t) => {
  const made = update(undefined, deployment({ replicas: 2 }), { manager: 'kubectl-client-side-apply' });
  t.throws(() => apply(made, deployment({ replicas: 3 })), {
    code: 409,
    reason: 'Conflict',
    message: 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    details: {
      causes: [
        {
          reason: 'FieldManagerConflict',
          message: 'conflict with "kubectl-client-side-apply" using apps/v1',
          field: '.spec.replicas',
        },
      ],
    },
  });
  const two = apply(made, deployment({ replicas: 2, paused: true }));
  t.throws(() => apply(two, deployment({ replicas: 3, paused: false }), { manager: 'two' }), {
    message: [
      'Apply failed with 3 conflicts: conflicts with "kubectl-client-side-apply" using apps/v1:',
      '- .spec.replicas',
      'conflicts with "one":',
      '- .spec.paused',
      '- .spec.replicas',
    ].join('\n'),
  });
  t.end();
});

t.test('the same value is shared, a forced one is taken', (t) => {
  const shared = apply(apply(undefined, map({ a: '1' })), map({ a: '1' }), { manager: 'two' });
  t.same(Object.keys(owners(shared)), ['one Apply', 'two Apply']);
  const taken = apply(shared, map({ a: '2' }), { manager: 'two', isForced: true });
  t.same(taken['data'], { a: '2' });
  t.same(owners(taken), { 'two Apply': { 'f:data': { 'f:a': {} } } });
  t.end();
});

t.test('items of lists have owners by their keys', (t) => {
  const one = apply(undefined, pods([{ name: 'web', image: 'a' }]));
  const two = apply(one, pods([{ name: 'proxy', image: 'p' }]), { manager: 'two' });
  const containers = (object: KubeObject) => object['spec'].template.spec.containers as { name: string }[];
  const names = (object: KubeObject) => containers(object).map(({ name }) => name);
  t.same(names(two), ['web', 'proxy']);
  const held = { 'k:{"name":"proxy"}': { '.': {}, 'f:image': {}, 'f:name': {} } };
  t.same(owners(two)['two Apply'], { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': held } } } });
  t.same(names(apply(two, deployment({}), { manager: 'two' })), ['web']);
  t.throws(() => apply(two, pods([{ name: 'web', image: 'b' }]), { manager: 'two' }), {
    message: 'Apply failed with 1 conflict: conflict with "one": .spec.template.spec.containers[name="web"].image',
  });
  t.end();
});

t.test('a key that has a default need not be written', (t) => {
  const service = (ports: object[]) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's' },
    spec: { ports },
  });
  const made = apply(undefined, service([{ port: 80 }, { port: 80, protocol: 'UDP' }]));
  t.match(owners(made)['one Apply'], {
    'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': {}, 'k:{"port":80,"protocol":"UDP"}': {} } },
  });
  const live = { ...made, spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] } };
  t.same(apply(live, service([{ port: 80, name: 'http' }]), { isForced: true })['spec'].ports, [
    { port: 80, protocol: 'TCP', targetPort: 80, name: 'http' },
  ]);
  t.end();
});

t.test('an atomic part has one owner', (t) => {
  const policy = (podSelector: object) => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p' },
    spec: { podSelector },
  });
  const made = apply(undefined, policy({ matchLabels: { a: '1' } }));
  t.same(owners(made)['one Apply'], { 'f:spec': { 'f:podSelector': {} } });
  t.throws(() => apply(made, policy({ matchLabels: { b: '1' } }), { manager: 'two' }), {
    code: 409,
    message: /\.spec\.podSelector$/,
  });
  t.end();
});

t.test('updates are tracked by manager and subresource; what they change they have', (t) => {
  const made = update(undefined, map({ a: '1', b: '2' }), { manager: 'maker' });
  const edited = update(made, { ...made, data: { a: '5' } });
  t.same(owners(edited), { 'maker Update': { 'f:data': {} }, 'editor Update': { 'f:data': { 'f:a': {} } } });
  const same = update(edited, edited, { manager: 'idle', time: LATER });
  t.same(
    same.metadata.managedFields,
    edited.metadata.managedFields,
    'a write that changes nothing makes nobody an owner',
  );
  const deployed = update(undefined, deployment({ replicas: 1 }));
  const by = { manager: 'controller', subresource: 'status' };
  const status = update(deployed, { ...deployed, status: { replicas: 1 } }, by);
  t.match(
    (status.metadata.managedFields as any[]).find(({ manager }) => manager === 'controller'),
    { subresource: 'status', fieldsV1: { 'f:status': { 'f:replicas': {} } } },
  );
  t.end();
});

t.test('status is not a main write’s', (t) => {
  const made = apply(undefined, { ...deployment({ replicas: 1 }), status: { replicas: 7 } });
  t.same(owners(made), { 'one Apply': { 'f:spec': { 'f:replicas': {} } } });
  t.end();
});

t.test('a label may be called as what every object inherits', (t) => {
  const made = update(undefined, map({}, { labels: { constructor: 'x', toString: 'y' } }));
  const labels = { 'f:constructor': {}, 'f:toString': {} };
  t.match(owners(made)['editor Update'], { 'f:metadata': { 'f:labels': labels } });
  const left = update(made, map({}, { labels: { toString: 'y' } }), { manager: 'other' });
  t.same(owners(left)['editor Update']['f:metadata']['f:labels'], { '.': {}, 'f:toString': {} });
  t.same(Object.keys(apply(map({}), map({}, { labels: { valueOf: 'z' } })).metadata.labels!), ['valueOf']);
  t.end();
});

t.test('many items of one key cost what many items cost', (t) => {
  const env = Array.from({ length: 100_000 }, () => ({ name: 'A' }));
  const live = pods([{ name: 'web', env }]);
  const started = process.cpuUsage();
  const made = update(undefined, live);
  t.match(owners(made)['editor Update'], { 'f:spec': { 'f:template': { 'f:spec': { 'f:containers': {} } } } });
  t.ok(process.cpuUsage(started).user < 5e6);
  t.end();
});

t.test('an apply that changes nothing keeps its time', (t) => {
  const made = apply(undefined, map({ a: '1' }));
  t.same(apply(made, map({ a: '1' }), { time: LATER }), made);
  t.match(apply(made, map({ a: '2' }), { time: LATER }).metadata.managedFields, [{ time: LATER }]);
  t.end();
});

t.test('an object from before managed fields is of before-first-apply', (t) => {
  const live = map({ a: '1', b: '2' });
  t.throws(() => apply(live, map({ a: '2' })), { message: /conflict with "before-first-apply" using v1: \.data\.a/ });
  t.same(owners(apply(live, map({ a: '1' })))['one Apply'], { 'f:data': { 'f:a': {} } });
  t.equal(update(live, map({ a: '2' })).metadata.managedFields, undefined, 'updates of it are not tracked');
  t.end();
});

t.test('kubectl takes over what its own annotation holds, and keeps it true', (t) => {
  const LAST = 'kubectl.kubernetes.io/last-applied-configuration';
  const annotations = { [LAST]: JSON.stringify(map({ a: '1' })) };
  const made = update(undefined, map({ a: '1', b: '2' }, { annotations }), { manager: 'kubectl-client-side-apply' });
  const applied = apply(made, map({ a: '3' }), { manager: 'kubectl' });
  t.same(applied['data'], { a: '3', b: '2' });
  t.match(JSON.parse(applied.metadata.annotations![LAST]), { data: { a: '3' } });
  t.throws(() => apply(made, map({ b: '3' }), { manager: 'kubectl' }), { code: 409 }, 'not what it does not hold');
  t.throws(() => apply(made, map({ a: '3' }), { manager: 'other' }), { code: 409 }, 'and nobody else');
  t.end();
});

t.test('ten updaters are kept apart, the oldest of more become one', (t) => {
  let object = update(undefined, map({ start: '1' }), { manager: 'm-start' });
  for (let i = 0; i < 14; i++) {
    const data = { ...object['data'], [`k${i}`]: '1' };
    object = update(object, { ...object, data }, { manager: `m${i}`, time: `2026-01-01T00:01:${10 + i}Z` });
  }
  const managers = Object.keys(owners(object));
  t.equal(managers.length, 10);
  t.ok(managers.includes('ancient-changes Update') && managers.includes('m13 Update'));
  t.notOk(managers.includes('m2 Update'));
  t.end();
});

t.test('managed fields may be written: kubectl moves ownership so, and an empty list starts anew', (t) => {
  const made = update(undefined, map({ a: '1' }));
  const moved = { manager: 'kubectl', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1' };
  const write = (managedFields: unknown[]) => update(made, map({ a: '1' }, { managedFields }));
  const fieldsV1 = { 'f:data': { 'f:a': {} } };
  t.same(owners(write([{ ...moved, fieldsV1 }])), { 'kubectl Apply': fieldsV1 });
  t.equal(write([]).metadata.managedFields, undefined);
  t.same(owners(write([{ operation: 'Steal' }])), owners(made), 'what cannot be read is as none');
  t.end();
});

for (const [applied, message] of [
  [
    { ...map({}), more: 1 },
    /failed to create typed patch object \(\/c; \/v1, Kind=ConfigMap\): \.more: field not declared in schema/,
  ],
  [map({ a: 1 }), /\.data\.a: expected string, got 1/],
  [pods([{ name: 'a' }, { name: 'a' }]), /containers: duplicate entries for key \[name="a"\]/],
  [deployment({ replicas: 'x' }), /\.spec\.replicas: expected numeric/],
  [map({}, { managedFields: [] }), /metadata\.managedFields must be nil/],
  [map(JSON.parse('{"__proto__":"1"}')), /"__proto__"/],
] as const) {
  t.test(`what cannot be applied is refused: ${message}`, (t) => {
    t.throws(() => apply(undefined, applied), { code: 400, message });
    t.end();
  });
}

t.test('whatever managers force in turn, each has what it applied last, and all fields have owners', (t) => {
  const data = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), {
    minKeys: 1,
    noNullPrototype: true,
  });
  const steps = fc.array(fc.record({ manager: fc.constantFrom('one', 'two', 'three'), data }), { maxLength: 8 });
  fc.assert(
    fc.property(steps, (all) => {
      let live: KubeObject | undefined;
      for (const { manager, data } of all) {
        live = apply(live, map(data), { manager, isForced: true });
        t.match(live['data'], data, 'what is forced is there');
        t.same(apply(live, map(data), { manager }), live, 'twice is as once');
        const held = Object.values(owners(live)).flatMap((fields: any) => Object.keys(fields['f:data']));
        const there = Object.keys(live['data']).map((name) => `f:${name}`);
        t.same([...new Set(held)].sort(), there.sort());
      }
    }),
  );
  t.end();
});

t.test('sets of fields obey the laws of sets and are read as they are written', (t) => {
  const path = fc.array(fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'v:1'), { minLength: 1, maxLength: 3 });
  const setOf = (elements: readonly string[]): FieldSet => {
    const [first, ...rest] = elements;
    return rest.length === 0
      ? new FieldSet(new Set([first]))
      : new FieldSet(new Set(), new Map([[first, setOf(rest)]]));
  };
  const set = fc.array(path).map((paths) => paths.map(setOf).reduce((all, one) => all.union(one), new FieldSet()));
  const texts = (one: FieldSet) => [...one.paths()].map((elements) => elements.join('/')).sort();
  fc.assert(
    fc.property(set, set, (a, b) => {
      const [inA, inB] = [texts(a), texts(b)];
      t.same(texts(a.union(b)), [...new Set([...inA, ...inB])].sort());
      t.same(
        texts(a.intersection(b)),
        inA.filter((one) => inB.includes(one)),
      );
      t.same(
        texts(a.difference(b)),
        inA.filter((one) => !inB.includes(one)),
      );
      t.same(texts(FieldSet.fromJson(a.toJson())), inA);
      t.ok([...b.paths()].every((elements) => b.has(elements) && a.union(b).has(elements)));
    }),
  );
  t.end();
});
