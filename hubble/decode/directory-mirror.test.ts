import t from 'tap';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { serviceAt, toldTo } from './directory-delta.ts';
import { DirectoryMirror } from './directory-mirror.ts';

const WEB = { namespace: 'shop', podName: 'web-0', labels: ['k8s:app=web'], identity: 300 };

t.test('the mirror answers what it was told last, and remembers who has gone', async (t) => {
  const mirror = new DirectoryMirror();
  t.same([mirror.identityLabels(300), mirror.endpoint(7), mirror.pod('10.0.0.1')], [undefined, undefined, undefined]);
  mirror.learn({
    identities: [[300, ['k8s:app=web']]],
    endpoints: [[7, WEB]],
    addresses: [['10.0.0.1', WEB]],
    frontends: [[5, { name: 'web', namespace: 'shop' }]],
    interfaces: [[3, { index: 17, name: 'lxc1' }]],
    denies: [[7, { ingress: 21, egress: 0 }]],
  });
  mirror.learn({ identities: [[300, undefined]], endpoints: [[7, undefined]], addresses: [['10.0.0.1', undefined]] });
  mirror.learn({ frontends: [[5, undefined]], denies: [[7, undefined]] });
  t.same([mirror.identityLabels(300), mirror.endpoint(7), mirror.pod('10.0.0.1')], [['k8s:app=web'], WEB, WEB]);
  t.same(mirror.frontend(5), { name: 'web', namespace: 'shop' });
  t.same([mirror.defaultDeny(7, INGRESS), mirror.defaultDeny(7, EGRESS)], [21, 0]);
  t.same(mirror.interface(3), { index: 17, name: 'lxc1' });
  mirror.learn({ endpoints: [[7, { ...WEB, podName: 'other-0' }]], interfaces: [[3, { index: 18, name: 'lxc2' }]] });
  t.equal(mirror.endpoint(7)?.podName, 'other-0', 'a number that is given out anew is its new owner');
  t.equal(mirror.interface(3)?.name, 'lxc2');
});

t.test('of those who have gone the last 1024 are remembered', async (t) => {
  const mirror = new DirectoryMirror();
  const all = Array.from({ length: 1100 }, (_, id) => id + 1);
  mirror.learn({ identities: all.map((id) => [id, [`k8s:n=${id}`]]) });
  mirror.learn({ identities: all.map((id) => [id, undefined]) });
  t.equal(all.filter((id) => mirror.identityLabels(id) !== undefined).length, 1024);
  t.same([mirror.identityLabels(76), mirror.identityLabels(77)], [undefined, ['k8s:n=77']]);
});

t.test('names are those that the endpoint was told, and those that nobody learnt', async (t) => {
  const mirror = new DirectoryMirror();
  mirror.learn({
    names: [
      [toldTo(7, '192.0.2.1'), ['a.example', 'kept.example']],
      [toldTo(0, '192.0.2.1'), ['kept.example']],
      [toldTo(8, '2001:db8::1'), ['b.example']],
    ],
  });
  t.same(mirror.names('192.0.2.1', 7), ['a.example', 'kept.example']);
  t.same(mirror.names('192.0.2.1', 9), ['kept.example']);
  t.same(mirror.names('192.0.2.1', 0), ['kept.example']);
  t.same(mirror.names('2001:db8::1', 8), ['b.example']);
  mirror.learn({ names: [[toldTo(7, '192.0.2.1'), undefined]] });
  t.same(mirror.names('192.0.2.1', 7), ['kept.example'], 'an address outlives its names');
});

t.test('a service is told by its address and port while it has them', async (t) => {
  const mirror = new DirectoryMirror();
  const dns = { name: 'kube-dns', namespace: 'kube-system' };
  mirror.learn({ places: [[serviceAt('10.96.0.10', 53), dns]] });
  t.same([mirror.service('10.96.0.10', 53), mirror.service('10.96.0.10', 54)], [dns, undefined]);
  mirror.learn({ places: [[serviceAt('10.96.0.10', 53), undefined]] });
  t.equal(mirror.service('10.96.0.10', 53), undefined, 'another may listen there now');
});

t.test('a cookie names each policy once, and the logs of its rules', async (t) => {
  const mirror = new DirectoryMirror();
  const rule = { kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'web' };
  mirror.learn({
    cookies: [
      [
        9,
        [
          { ...rule, log: 'first' },
          { ...rule, log: 'second' },
          { ...rule, name: 'base' },
        ],
      ],
    ],
  });
  t.same(
    mirror.policies(9).map(({ name }) => name),
    ['web', 'base'],
  );
  t.same(mirror.policyLog(9), ['first', 'second']);
  t.same([mirror.policies(10), mirror.policyLog(10)], [[], []]);
  const labels = ['k8s:io.cilium.k8s.policy.name=web'];
  mirror.learn({ policies: [['CiliumNetworkPolicy shop/web', { labels, revision: 4 }]], nodeLabels: ['zone=a'] });
  t.same(mirror.policies(9), [
    { name: 'web', namespace: 'shop', labels, revision: '4', kind: 'CiliumNetworkPolicy' },
    { name: 'base', namespace: 'shop', kind: 'CiliumNetworkPolicy' },
  ]);
  mirror.learn({ policies: [['CiliumNetworkPolicy shop/web', undefined]], cookies: [[9, undefined]] });
  t.equal(mirror.policies(9)[0]?.revision, '4', 'also when the policy has gone');
  t.same(mirror.nodeLabels(), ['zone=a']);
});
