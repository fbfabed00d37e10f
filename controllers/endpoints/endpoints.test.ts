import t from 'tap';
import type { NewObject } from '../../apiserver/storage/kube-object.ts';
import { KubeWorld } from '../../test/kube-world.ts';
import { SLICES } from './written.ts';

const LABELS = { app: 'web' };

function pod(name: string, spec: object = {}, labels: Record<string, string> = LABELS): NewObject {
  const containers = [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }];
  const metadata = { name, namespace: 'default', labels };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers, ...spec } };
}

function service(spec: object = {}, metadata: object = {}): NewObject {
  const ports = [{ name: 'web', port: 80, targetPort: 'http', protocol: 'TCP' }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec: { selector: LABELS, ports, clusterIPs: ['10.96.0.9'], ...spec },
  };
}

interface Slice {
  addressType: string;
  ports: object[];
  endpoints: { addresses: string[]; conditions: object; hostname?: string; targetRef: { name: string } }[];
}

const slices = (at: KubeWorld): Slice[] => at.storage.list(SLICES) as unknown as Slice[];
const subsets = (at: KubeWorld): { addresses?: object[] }[] | undefined =>
  at.get('endpoints', 'web')['subsets'] as { addresses?: object[] }[] | undefined;
const READY = [{ type: 'Ready', status: 'True' }];

t.test('ready pods are listed with the port that a name means in each', (t) => {
  const at = new KubeWorld();
  at.create('pods', pod('a'));
  at.create('pods', pod('b', { containers: [{ name: 'x', ports: [{ name: 'http', containerPort: 9090 }] }] }));
  at.create('pods', pod('c', { containers: [{ name: 'x' }] }));
  at.create('pods', pod('other', {}, { app: 'db' }));
  at.create('services', service());
  const targetRef = { kind: 'Pod', namespace: 'default', name: 'a' };
  t.match(subsets(at), [
    { addresses: [{ ip: '10.0.0.1', nodeName: 'node-1', targetRef }], ports: [{ name: 'web', port: 8080 }] },
    { addresses: [{ ip: '10.0.0.2' }], ports: [{ name: 'web', port: 9090 }] },
    // A pod without a port of that name is there, and takes nothing.
    { addresses: [{ ip: '10.0.0.3' }] },
  ]);
  const listed = slices(at).map(({ ports, endpoints }) => `${endpoints[0].targetRef.name} ${JSON.stringify(ports)}`);
  t.same(listed.sort(), [
    'a [{"name":"web","protocol":"TCP","port":8080}]',
    'b [{"name":"web","protocol":"TCP","port":9090}]',
    'c []',
  ]);
  const [slice] = at.storage.list(SLICES);
  t.match(slice.metadata.labels, {
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  });
  t.match(slice.metadata.ownerReferences, [{ kind: 'Service', name: 'web', controller: true }]);
  t.end();
});

t.test('readiness takes a pod out and in again, without another slice', (t) => {
  const at = new KubeWorld();
  const a = at.create('pods', pod('a'));
  at.create('pods', pod('b'));
  at.create('services', service());
  const names = at.names(SLICES);
  at.becomesReady = ({ metadata }) => metadata.name !== 'a';
  at.tell(a, { message: 'its probe fails' });
  t.match(subsets(at), [{ addresses: [{ ip: '10.0.0.2' }], notReadyAddresses: [{ ip: '10.0.0.1' }] }]);
  const [one] = slices(at);
  t.same(
    one.endpoints.map(({ conditions }) => conditions),
    [
      { ready: false, serving: false, terminating: false },
      { ready: true, serving: true, terminating: false },
    ],
  );
  t.same(at.names(SLICES), names);
  at.delete('pods', 'b');
  t.match(subsets(at), [{ notReadyAddresses: [{ ip: '10.0.0.1' }] }]);
  t.notOk(subsets(at)?.[0].addresses);
  at.patchSpec('services', 'web', { publishNotReadyAddresses: true });
  t.match(subsets(at), [{ addresses: [{ ip: '10.0.0.1' }] }]);
  t.end();
});

t.test('a pod that is about to go serves, and takes nothing new', (t) => {
  const at = new KubeWorld({ hasKubelet: false });
  const a = at.create('pods', pod('a'));
  at.tell(a, { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions: READY });
  at.create('services', service());
  at.delete('pods', 'a');
  t.same(slices(at)[0].endpoints[0].conditions, { ready: false, serving: true, terminating: true });
  t.equal(subsets(at), undefined);
  at.delete('pods', 'a', { gracePeriodSeconds: 0 });
  t.same(
    slices(at).map(({ endpoints }) => endpoints),
    [[]],
  );
  t.end();
});

t.test('a headless Service with names, two families, a change of ports', (t) => {
  const at = new KubeWorld({ hasKubelet: false });
  const a = at.create('pods', pod('a', { hostname: 'a-0', subdomain: 'web' }));
  at.tell(a, { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], conditions: READY });
  at.create('services', service({ clusterIP: 'None', clusterIPs: ['None'], ipFamilies: ['IPv6', 'IPv4'] }));
  t.match(subsets(at), [{ addresses: [{ ip: 'fd00::1', hostname: 'a-0' }] }]);
  t.equal(at.get('endpoints', 'web').metadata.labels?.['service.kubernetes.io/headless'], '');
  t.same(
    slices(at)
      .map(({ addressType, endpoints }) => `${addressType} ${endpoints[0].hostname}`)
      .sort(),
    ['IPv4 a-0', 'IPv6 a-0'],
  );
  at.patchSpec('services', 'web', { ports: [{ port: 5432 }] });
  t.match(subsets(at), [{ ports: [{ port: 5432, protocol: 'TCP' }] }]);
  for (const { ports } of slices(at)) t.same(ports, [{ name: '', protocol: 'TCP', port: 5432 }]);
  t.end();
});

t.test('many pods are more than one slice; a Service that goes takes all with it', (t) => {
  const at = new KubeWorld({ maxPods: 300 });
  for (let i = 0; i < 250; i++) at.storage.create('pods', pod(`p${i}`));
  at.create('services', service());
  t.same(
    slices(at)
      .map(({ endpoints }) => endpoints.length)
      .sort((a, b) => a - b),
    [50, 100, 100],
  );
  at.delete('services', 'web');
  t.same(at.names(SLICES), []);
  t.same(at.names('endpoints'), []);
  t.end();
});

t.test('a Service that goes while nobody looks leaves nothing', (t) => {
  const at = new KubeWorld();
  at.create('pods', pod('a'));
  at.create('services', service());
  at.controllers.stop();
  at.storage.delete('services', 'default', 'web');
  at.restart();
  t.same([at.names(SLICES), at.names('endpoints')], [[], []]);
  t.end();
});

t.test('what is written by hand stays: no selector, ExternalName', (t) => {
  const at = new KubeWorld();
  at.create('pods', pod('a'));
  at.create('services', service({ selector: undefined }));
  const metadata = { name: 'web', namespace: 'default' };
  at.create('endpoints', { apiVersion: 'v1', kind: 'Endpoints', metadata, subsets: [] });
  const version = at.storage.resourceVersion;
  at.restart();
  t.equal(at.storage.resourceVersion, version);
  at.create('services', service({ type: 'ExternalName', externalName: 'x.example' }, { name: 'out' }));
  t.same(at.names('endpoints'), ['web']);
  t.same(at.names(SLICES), []);
  at.delete('services', 'web');
  t.same(at.names('endpoints'), ['web']);
  t.end();
});
