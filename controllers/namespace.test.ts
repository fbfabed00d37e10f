import t from 'tap';
import { deployment, KubeWorld } from '../test/kube-world.ts';

const namespace = (name: string, labels: Record<string, string> = {}) => ({
  ...{ apiVersion: 'v1', kind: 'Namespace' },
  metadata: { name, labels },
});

const remaining = (at: KubeWorld, name: string): string =>
  (at.status('namespaces', name, '').conditions as { message: string }[])[0].message;

t.test('every cluster has its namespaces, with what pods count on', (t) => {
  const at = new KubeWorld({ caCertificate: 'PEM' });
  t.same(at.names('namespaces'), ['default', 'kube-node-lease', 'kube-public', 'kube-system']);
  t.match(at.get('namespaces', 'default', ''), {
    metadata: { labels: { 'kubernetes.io/metadata.name': 'default' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  at.create('namespaces', namespace('shop', { team: 'a' }));
  t.match(at.get('namespaces', 'shop', ''), {
    metadata: { labels: { team: 'a', 'kubernetes.io/metadata.name': 'shop' } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  });
  t.same(at.get('configmaps', 'kube-root-ca.crt', 'shop')['data'], { 'ca.crt': 'PEM' });
  at.delete('serviceaccounts', 'default', {}, 'shop');
  at.update('configmaps', 'kube-root-ca.crt', (one) => ({ ...one, data: {} }), 'shop');
  t.ok(at.get('serviceaccounts', 'default', 'shop'), 'it comes again');
  t.same(at.get('configmaps', 'kube-root-ca.crt', 'shop')['data'], { 'ca.crt': 'PEM' });
  t.end();
});

t.test('a namespace goes when all in it has gone', (t) => {
  const at = new KubeWorld();
  at.create('namespaces', namespace('shop'));
  const made = deployment('web', { replicas: 3 });
  at.create('deployments.apps', { ...made, metadata: { ...made.metadata, namespace: 'shop' } });
  t.equal(at.storage.list('pods', { namespace: 'shop' }).length, 3);
  const metadata = { name: 'kept', namespace: 'shop', finalizers: ['example.com/wait'] };
  at.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata });
  at.delete('namespaces', 'shop', {}, '');
  at.clock.advance(1500);
  t.equal(at.status('namespaces', 'shop', '').phase, 'Terminating');
  t.match(remaining(at, 'shop'), 'configmaps has 1 resource instances');
  t.same(at.storage.list('pods', { namespace: 'shop' }), []);
  t.same(at.storage.list('serviceaccounts', { namespace: 'shop' }), []);
  at.update('configmaps', 'kept', (one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }), 'shop');
  at.clock.advance(3000);
  t.equal(at.storage.get('namespaces', '', 'shop'), undefined);
  t.equal(at.storage.list('events', { namespace: 'shop' }).length, 0);
  t.end();
});

t.test('policies hold until the last pod of a namespace has ended', (t) => {
  const at = new KubeWorld();
  at.create('namespaces', namespace('shop'));
  const kinds = [
    ['networkpolicies.networking.k8s.io', 'networking.k8s.io/v1', 'NetworkPolicy'],
    ['ciliumnetworkpolicies.cilium.io', 'cilium.io/v2', 'CiliumNetworkPolicy'],
  ];
  for (const [resource, apiVersion, kind] of kinds)
    at.create(resource, { apiVersion, kind, metadata: { name: 'deny', namespace: 'shop' } });
  const metadata = { name: 'slow', namespace: 'shop', finalizers: ['example.com/wait'] };
  at.create('pods', { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [] } });
  at.create('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'cfg', namespace: 'shop' } });
  at.delete('namespaces', 'shop', {}, '');
  at.clock.advance(30_000);
  t.ok(at.get('pods', 'slow', 'shop').metadata.deletionTimestamp, 'the pod is ending');
  t.same(at.storage.list('configmaps', { namespace: 'shop' }), []);
  for (const [resource] of kinds)
    t.same(
      at.storage.list(resource, { namespace: 'shop' }).map((one) => one.metadata.deletionTimestamp),
      [undefined],
      resource,
    );
  t.match(remaining(at, 'shop'), 'networkpolicies.networking.k8s.io has 1 resource instances');
  at.update('pods', 'slow', (one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }), 'shop');
  at.clock.advance(3000);
  for (const [resource] of kinds) t.same(at.storage.list(resource, { namespace: 'shop' }), [], resource);
  t.equal(at.storage.get('namespaces', '', 'shop'), undefined);
  t.end();
});

t.test('a namespace goes without what the agent has in it of other sources', (t) => {
  const at = new KubeWorld();
  at.create('namespaces', namespace('shop'));
  at.storage.mirror('pods', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'rig', namespace: 'shop' } }, 0);
  at.delete('namespaces', 'shop', {}, '');
  at.clock.advance(3000);
  t.equal(at.storage.get('namespaces', '', 'shop'), undefined);
  t.ok(at.storage.get('pods', 'shop', 'rig'));
  t.end();
});
