/** Numbers of identities, and the labels that make one. */
import t from 'tap';
import { reservedName } from '../../wire/identities.ts';
import { LabelFilter } from '../rule/label-filter.ts';
import { LabelSet, parseLabel } from '../rule/labels.ts';
import { MemoryIdentityStore, RESERVED_IDENTITIES } from './identity.ts';

t.test('identities keep their numbers through a restart, and unclaimed ones go', (t) => {
  const store = new MemoryIdentityStore();
  const a = store.allocate(['k8s:app=a'], 'cluster');
  const b = store.allocate(['k8s:app=b'], 'cluster');
  const world = store.allocate(['cidr:10.0.0.0/8', 'reserved:world'], 'local');
  t.same(
    [a, b, world, store.allocate(['node:x', 'reserved:remote-node'], 'remote-node')],
    [256, 257, 16777217, 33554433],
  );
  t.equal(store.allocate(['k8s:app=a'], 'cluster'), a);
  const restored = new MemoryIdentityStore(store.export());
  t.equal(restored.allocate(['k8s:app=b'], 'cluster'), b);
  restored.dropUnclaimed();
  t.same(restored.export(), [{ id: b, labels: ['k8s:app=b'] }]);
  t.equal(restored.allocate(['k8s:app=c'], 'cluster'), 258, 'numbers of the last run are reused as late as possible');
  restored.release(b);
  restored.release(b);
  t.equal(restored.allocate(['k8s:app=d'], 'cluster'), 259, 'a freed number waits its turn');
  const full = new MemoryIdentityStore(
    Array.from({ length: 65280 }, (_, i) => ({ id: 256 + i, labels: [`k8s:n=${i}`] })),
  );
  t.throws(() => full.allocate(['k8s:app=x'], 'cluster'), {
    message: /found all 65280 identities of scope cluster in use/,
  });
  t.equal(reservedName(2), 'world');
  t.equal(RESERVED_IDENTITIES.length, 10);
  t.end();
});

t.test('LabelFilter keeps what makes an identity', (t) => {
  const kept = (key: string, own: string[] = [], source = 'k8s'): boolean => new LabelFilter(own).keeps(source, key);
  const yes = [
    'app',
    'app.kubernetes.io/name',
    'io.kubernetes.pod.namespace',
    'io.cilium.k8s.policy.cluster',
    'io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name',
    'role',
  ];
  const no = [
    'kubernetes.io/os',
    'pod-template-hash',
    'controller-revision-hash',
    'statefulset.kubernetes.io/pod-name',
    'io.kubernetes.container.name',
    'k8s.io/x',
    'topology.kubernetes.io/zone',
    'failure-domain.beta.kubernetes.io/zone',
    'annotation.x',
  ];
  t.same(
    yes.map((key) => kept(key)),
    yes.map(() => true),
  );
  t.same(
    no.map((key) => kept(key)),
    no.map(() => false),
  );
  t.same(
    [kept('app', ['role']), kept('role', ['role']), kept('app.kubernetes.io/x', ['role'])],
    [false, true, true],
    'an including pattern makes a whitelist',
  );
  t.same([kept('app', ['!app']), kept('role', ['!app']), kept('app', ['k8s:!app'], 'container')], [false, true, true]);
  t.same([kept('host', [], 'reserved')], [true]);
  t.throws(() => new LabelFilter(['(']), SyntaxError);
  t.end();
});

t.test('labels: sources, reserved, values, and any source', (t) => {
  t.same(parseLabel('k8s:app=web', 'any'), { source: 'k8s', key: 'app', value: 'web' });
  t.same(parseLabel('$host', 'any'), { source: 'reserved', key: 'host', value: '' });
  t.same(parseLabel('app=a=b', 'unspec'), { source: 'unspec', key: 'app', value: 'a=b' });
  const labels = new LabelSet(['k8s:app=web', 'container:app=box', 'reserved:world', 'cidr:10.0.0.0/8', 'k8s:app=web']);
  t.equal(labels.serialized, 'cidr:10.0.0.0/8;container:app=box;k8s:app=web;reserved:world');
  t.same(
    [labels.value('k8s', 'app'), labels.value('container', 'app'), labels.value('any', 'absent')],
    ['web', 'box', undefined],
  );
  t.ok(labels.isWorld());
  t.same(
    labels.prefixes().map(({ text }) => text),
    ['10.0.0.0/8'],
  );
  t.same(
    new LabelSet(['reserved:world-ipv6']).prefixes().map(({ text }) => text),
    ['::/0'],
  );
  t.end();
});
