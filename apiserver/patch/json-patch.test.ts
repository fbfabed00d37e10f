import fc from 'fast-check';
import t from 'tap';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';

const pod = () => ({ metadata: { name: 'web', labels: { app: 'web', 'a/b': '1' } }, spec: { ports: [1, 2, 3] } });

for (const [what, patch, expected] of [
  ['adds a field', [{ op: 'add', path: '/spec/x', value: 1 }], { spec: { ports: [1, 2, 3], x: 1 } }],
  ['replaces a field that is there', [{ op: 'add', path: '/metadata/name', value: 'z' }], { metadata: { name: 'z' } }],
  ['replaces one that is not', [{ op: 'replace', path: '/spec/x', value: 1 }], { spec: { x: 1 } }],
  ['inserts before an item', [{ op: 'add', path: '/spec/ports/1', value: 9 }], { spec: { ports: [1, 9, 2, 3] } }],
  ['appends', [{ op: 'add', path: '/spec/ports/-', value: 9 }], { spec: { ports: [1, 2, 3, 9] } }],
  ['counts from the end', [{ op: 'remove', path: '/spec/ports/-1' }], { spec: { ports: [1, 2] } }],
  [
    'knows ~1 as a slash',
    [{ op: 'replace', path: '/metadata/labels/a~1b', value: '2' }],
    { metadata: { labels: { 'a/b': '2' } } },
  ],
  ['moves', [{ op: 'move', from: '/spec/ports', path: '/ports' }], { spec: {}, ports: [1, 2, 3] }],
  [
    'copies a value that later operations leave alone',
    [
      { op: 'copy', from: '/spec/ports', path: '/spec/old' },
      { op: 'add', path: '/spec/ports/0', value: 0 },
    ],
    { spec: { ports: [0, 1, 2, 3], old: [1, 2, 3] } },
  ],
  [
    'tests whatever the order of fields',
    [{ op: 'test', path: '/metadata/labels', value: { 'a/b': '1', app: 'web' } }],
    {},
  ],
  ['tests a missing field for null', [{ op: 'test', path: '/metadata/labels/none', value: null }], {}],
] as const) {
  t.test(`a JSON patch ${what}`, (t) => {
    const before = pod();
    t.match(applyJsonPatch(before, patch), expected);
    t.same(before, pod(), 'the object is as it was');
    t.end();
  });
}

for (const [patch, code, message] of [
  [{ op: 'add' }, 400, /wanted a list of operations/],
  [[{ op: 'add', path: '/a/b', value: 1 }], 422, /doc is missing path: "\/a\/b"/],
  [[{ op: 'add', path: '/spec/ports/7', value: 1 }], 422, /invalid index: 7/],
  [[{ op: 'add', path: '/spec/ports/x', value: 1 }], 422, /not a proper array index: 'x'/],
  [[{ op: 'remove', path: '/spec/none' }], 422, /Unable to remove nonexistent key: none/],
  [[{ op: 'copy', from: '/spec/none', path: '/x' }], 422, /doc is missing from path: \/spec\/none/],
  [[{ op: 'test', path: '/metadata/name', value: 'other' }], 422, /testing value \/metadata\/name failed/],
  [[{ op: 'move', from: '/spec', path: '/spec/inner' }], 422, /it lies in what is moved/],
  [[{ op: 'replace', path: '', value: 3 }], 422, /leaves no object/],
  [[{ op: 'shout', path: '/spec' }], 422, /Unexpected kind: shout/],
  [[{ op: 'constructor', path: '/spec' }], 422, /Unexpected kind: constructor/],
  [[{ op: 'add', path: '/metadata/__proto__', value: {} }], 400, /found a field "__proto__"/],
  [JSON.parse('[{"op":"add","path":"/spec","value":{"__proto__":{"x":1}}}]'), 400, /found a field "__proto__"/],
  [Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: 1 })), 413, /is 10000, got 10001/],
] as const) {
  t.test(`a JSON patch is refused: ${message}`, (t) => {
    t.throws(() => applyJsonPatch(pod(), patch), { code, message });
    t.end();
  });
}

t.test('copies that double each other end at a bound, and so does depth', (t) => {
  const started = process.cpuUsage();
  const double = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/spec', path: '/spec/ports/-' }));
  t.throws(() => applyJsonPatch(pod(), double), { code: 413 });
  const nested = Array.from({ length: 300 }, () => ({ op: 'copy', from: '/spec', path: '/spec/more' }));
  t.throws(() => applyJsonPatch(pod(), nested), { code: 400, message: /levels/ });
  t.ok(process.cpuUsage(started).user < 5e6, 'and soon');
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = { a: deep };
  t.throws(() => applyJsonPatch(pod(), [{ op: 'add', path: '/a', value: deep }]), { code: 400, message: /levels/ });
  t.throws(() => applyMergePatch(pod(), deep), { code: 400, message: /levels/ });
  t.end();
});

t.test('a merge patch merges objects, removes by null and replaces the rest', (t) => {
  const patch = {
    metadata: { labels: { app: null, b: 'c' } },
    spec: { ports: [9], none: null, made: { x: null, y: 1 } },
  };
  t.same(applyMergePatch(pod(), patch), {
    metadata: { name: 'web', labels: { 'a/b': '1', b: 'c' } },
    spec: { ports: [9], made: { y: 1 } },
  });
  t.throws(() => applyMergePatch(pod(), [1]), { code: 400 });
  t.end();
});

t.test('what a merge patch between two documents says, makes the one of the other', (t) => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(fc.integer(), fc.string(), fc.array(fc.integer()), tie('object')),
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('any'), { maxKeys: 4, noNullPrototype: true }),
  })).object as fc.Arbitrary<Record<string, any>>;
  const difference = (from: Record<string, any>, to: Record<string, any>): object =>
    Object.fromEntries([
      ...Object.keys(from)
        .filter((name) => !(name in to))
        .map((name) => [name, null]),
      ...Object.entries(to).map(([name, inner]) => {
        const isBoth = [from[name], inner].every((side) => typeof side === 'object' && !Array.isArray(side));
        return [name, isBoth ? difference(from[name], inner) : inner];
      }),
    ]);
  fc.assert(fc.property(value, value, (from, to) => t.same(applyMergePatch(from, difference(from, to)), to)));
  t.end();
});
