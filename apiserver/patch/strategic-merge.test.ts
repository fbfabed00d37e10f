import fc from 'fast-check';
import t from 'tap';
import { Structures } from '../openapi/structures.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

const structures = new Structures();
const DEPLOYMENT = structures.of({ apiVersion: 'apps/v1', kind: 'Deployment' });
const POD = structures.of({ apiVersion: 'v1', kind: 'Pod' });
const container = (name: string, more = {}) => ({ name, image: `${name}:1`, ...more });

/** A Pod's spec after a patch of it. */
const patched = (spec: object, patch: object) =>
  (applyStrategicMergePatch({ kind: 'Pod', spec }, { spec: patch }, POD) as { spec: unknown }).spec;

const env = [
  { name: 'A', value: '1' },
  { name: 'B', value: '2' },
];
const two = { containers: [container('a'), container('b')] };
for (const [what, before, patch, after] of [
  [
    'merges containers by name',
    { containers: [container('a', { env }), container('b')] },
    { containers: [{ name: 'a', image: 'a:2' }] },
    { containers: [{ name: 'a', image: 'a:2', env }, container('b')] },
  ],
  [
    'puts new items in the order that goes with them',
    two,
    { '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }], containers: [container('c')] },
    { containers: [container('c'), container('b'), container('a')] },
  ],
  [
    'keeps an item that only the server has where it was',
    { containers: [container('a'), container('injected'), container('b')] },
    { '$setElementOrder/containers': [{ name: 'a' }, { name: 'b' }] },
    { containers: [container('a'), container('injected'), container('b')] },
  ],
  [
    'takes items out by their keys',
    { containers: [container('a', { env }), container('b')] },
    {
      containers: [
        { name: 'b', $patch: 'delete' },
        { name: 'a', env: [{ name: 'A', $patch: 'delete' }] },
      ],
    },
    { containers: [container('a', { env: [env[1]] })] },
  ],
  [
    'replaces a list that says so',
    two,
    { containers: [{ $patch: 'replace' }, container('c')] },
    { containers: [container('c')] },
  ],
  [
    'replaces an object that says so',
    { nodeSelector: { a: 'b' } },
    { nodeSelector: { $patch: 'replace', c: 'd' } },
    { nodeSelector: { c: 'd' } },
  ],
  [
    'empties an object that says so',
    { securityContext: { runAsUser: 1 } },
    { securityContext: { $patch: 'delete' } },
    { securityContext: {} },
  ],
  [
    'retains only the keys it names',
    { volumes: [{ name: 'v', emptyDir: {} }] },
    { volumes: [{ name: 'v', $retainKeys: ['name', 'configMap'], configMap: { name: 'c' } }] },
    { volumes: [{ name: 'v', configMap: { name: 'c' } }] },
  ],
  [
    'replaces lists without a key',
    { tolerations: [{ key: 'a' }] },
    { tolerations: [{ key: 'b' }] },
    { tolerations: [{ key: 'b' }] },
  ],
  [
    'leaves nulls out of what it adds',
    {},
    { securityContext: { runAsUser: null, runAsGroup: 1 } },
    { securityContext: { runAsGroup: 1 } },
  ],
] as const) {
  t.test(`a strategic merge patch ${what}`, (t) => {
    t.same(patched(before, patch), after);
    t.end();
  });
}

t.test('lists of values are sets, from which values are taken by a word', (t) => {
  const finalizers = (list: string[], patch: object) =>
    (applyStrategicMergePatch({ metadata: { finalizers: list } }, { metadata: patch }, POD) as any).metadata.finalizers;
  t.same(finalizers(['a', 'b'], { finalizers: ['c', 'a'] }), ['c', 'a', 'b']);
  t.same(finalizers(['a', 'b'], { '$deleteFromPrimitiveList/finalizers': ['a'] }), ['b']);
  t.same(finalizers(['a', 'b'], { '$setElementOrder/finalizers': ['z', 'b'], finalizers: ['z'] }), ['z', 'a', 'b']);
  t.same(finalizers(['a'], { finalizers: null }), undefined);
  t.end();
});

for (const [patch, message] of [
  [{ containers: [{ image: 'x' }] }, /does not contain declared merge key: name/],
  [{ containers: [{ name: 'a', $patch: 'merge' }] }, /merging lists cannot yet be specified/],
  [{ containers: [{ name: 'a', $patch: 'shout' }] }, /unknown patch type: "shout"/],
  [{ $patch: 'shout' }, /unknown patch type: "shout"/],
  [
    { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a' }, { name: 'b' }] },
    /The order in patch list/,
  ],
  [{ '$setElementOrder/containers': 'a' }, /invalid patch format of setElementOrder list/],
  [{ $retainKeys: ['a'], nodeName: 'x' }, /invalid patch format of retainKeys/],
  [{ '$deleteFromPrimitiveList/containers': 'a' }, /invalid patch format of primitive list/],
] as const) {
  t.test(`a strategic merge patch is refused: ${message}`, (t) => {
    t.throws(() => patched({ containers: [container('a')] }, patch), { code: 422, message });
    t.end();
  });
}

t.test('a patch of the object itself changes nothing, and no patch changes its object', (t) => {
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 });
  const envOf = (all: string[], value: string) => all.map((name) => ({ name, value }));
  const spec = names.map((all) => ({
    template: { spec: { containers: all.map((name) => container(name, { env: envOf(all, name) })) } },
  }));
  fc.assert(
    fc.property(spec, spec, (one, other) => {
      const [before, patch] = [Object.freeze({ spec: one }), { spec: other }];
      const text = JSON.stringify([before, patch]);
      t.same(applyStrategicMergePatch(before, before, DEPLOYMENT), before);
      const once = applyStrategicMergePatch(before, patch, DEPLOYMENT);
      t.same(applyStrategicMergePatch(once, patch, DEPLOYMENT), once, 'twice is as once');
      t.equal(JSON.stringify([before, patch]), text);
    }),
  );
  t.end();
});
