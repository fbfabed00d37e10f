import t from 'tap';
import type { EndpointDocument, ServiceDocument } from '../api/shapes.ts';
import { KubeWorld, NODE } from '../test/kube-world.ts';

function endpoint(pod: string, fields: Partial<EndpointDocument> = {}): EndpointDocument {
  return {
    ...{ id: 7, namespace: 'default', pod, place: 'local', node: NODE, state: 'ready', identity: 4711 },
    labels: ['k8s:app=web', 'k8s:io.kubernetes.pod.namespace=default', 'reserved:x'],
    ...{ ipv4: '10.0.0.9', ipv6: undefined, mac: '', interface: '', netns: '', port: 3, health: {} },
    policy: { ingress: 'Enabled', egress: 'Disabled', entries: 0, revision: 1 },
    ...fields,
  };
}

t.test('endpoints are CiliumEndpoints and CiliumIdentities, which nobody can write', (t) => {
  const at = new KubeWorld();
  const ports = [{ name: 'http', containerPort: 80 }];
  const metadata = { name: 'web', namespace: 'default', labels: { app: 'web' } };
  const pod = at.create('pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { containers: [{ name: 'a', ports }] },
  });
  at.controllers.setNode({ addresses: ['192.0.2.1'], podCIDRs: ['10.0.0.0/24'] });
  at.controllers.setEndpoints({ put: [endpoint('web'), endpoint('two', { state: 'attaching' })], removed: [] });
  t.match(at.get('ciliumendpoints.cilium.io', 'web'), {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumEndpoint',
    metadata: { labels: { app: 'web' }, ownerReferences: [{ kind: 'Pod', uid: pod.metadata.uid }] },
    status: {
      id: 7,
      identity: { id: 4711, labels: ['k8s:app=web', /./, /./] },
      'named-ports': [{ name: 'http', port: 80, protocol: 'TCP' }],
      networking: { addressing: [{ ipv4: '10.0.0.9' }], node: '192.0.2.1' },
      'external-identifiers': { 'pod-name': 'default/web' },
      policy: { ingress: { enforcing: true, state: 'enforcing' }, egress: { enforcing: false } },
      state: 'ready',
    },
  });
  t.equal(at.status('ciliumendpoints.cilium.io', 'two').state, 'waiting-to-regenerate');
  t.match(at.get('ciliumidentities.cilium.io', '4711', ''), {
    metadata: { labels: { app: 'web', 'io.kubernetes.pod.namespace': 'default' } },
    'security-labels': { 'k8s:app': 'web', 'reserved:x': '' },
  });
  t.match(at.get('ciliumnodes.cilium.io', NODE, ''), {
    spec: {
      addresses: [{ type: 'InternalIP', ip: '192.0.2.1' }, { type: 'CiliumInternalIP' }],
      ipam: { podCIDRs: ['10.0.0.0/24'] },
    },
  });
  t.throws(() => at.delete('ciliumendpoints.cilium.io', 'web'), { code: 403 });
  at.controllers.setEndpoints({ put: [endpoint('web', { identity: 4712 })], removed: [] });
  t.same(at.names('ciliumidentities.cilium.io'), ['4711', '4712'], 'the other one has it still');
  at.controllers.setEndpoints({ put: [endpoint('web', { identity: 4 })], removed: ['default/two', 'default/unknown'] });
  t.same(at.names('ciliumidentities.cilium.io'), []);
  at.controllers.setEndpoints({ put: [endpoint('web', { place: 'external' })], removed: [] });
  t.same(at.names('ciliumendpoints.cilium.io'), []);
  t.end();
});

t.test('the Node of this machine can be written, and comes again', (t) => {
  const at = new KubeWorld({
    node: { addresses: ['192.0.2.1', '2001:db8::1'], version: 'v1.2.3', labels: { zone: 'a' } },
  });
  t.match(at.get('nodes', NODE, ''), {
    metadata: { labels: { 'kubernetes.io/hostname': NODE, 'kubernetes.io/os': 'linux', zone: 'a' } },
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '2001:db8::1' },
        { type: 'Hostname', address: NODE },
      ],
      capacity: { pods: '110' },
      nodeInfo: { kubeletVersion: 'v1.2.3', operatingSystem: 'linux' },
    },
  });
  const ready = at.status('nodes', NODE, '').conditions.find(({ type }: { type: string }) => type === 'Ready');
  t.match(ready, { status: 'True', reason: 'KubeletReady' });
  at.update('nodes', NODE, (one) => ({ ...one, metadata: { ...one.metadata, labels: { zone: 'b' } } }), '');
  t.match(at.get('nodes', NODE, '').metadata.labels, { zone: 'b', 'kubernetes.io/hostname': NODE });
  const version = at.storage.resourceVersion;
  at.restart();
  at.clock.advance(3_600_000);
  t.equal(at.storage.resourceVersion, version);
  at.delete('nodes', NODE, {}, '');
  t.equal(at.get('nodes', NODE, '').metadata.labels?.['zone'], 'a');
  t.end();
});

t.test('a Service has what the agent gave to it', (t) => {
  const at = new KubeWorld();
  const given = (fields: Partial<ServiceDocument>): ServiceDocument => ({
    ...{ namespace: 'default', name: 'web', type: 'LoadBalancer', clusterIPs: ['10.96.0.20', 'fd00::20'] },
    loadBalancerIPs: ['192.0.2.9'],
    ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30080 }],
    ...{ endpoints: [], frontends: [], problems: [] },
    ...fields,
  });
  const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
  const metadata = { name: 'web', namespace: 'default' };
  at.create('services', { apiVersion: 'v1', kind: 'Service', metadata, spec });
  at.controllers.setServices([given({}), given({ name: 'gone' })]);
  t.match(at.get('services', 'web'), {
    spec: {
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20', 'fd00::20'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'PreferDualStack',
      ports: [{ port: 80, nodePort: 30080 }],
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
  });
  at.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'none', namespace: 'default' },
    spec: { clusterIP: 'None' },
  });
  at.controllers.setServices([given({ name: 'none', type: 'ClusterIP', clusterIPs: [], loadBalancerIPs: [] })]);
  t.match(at.get('services', 'none')['spec'], { clusterIP: 'None', clusterIPs: ['None'] });
  t.end();
});
