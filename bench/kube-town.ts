/**
 * A Kubernetes API with a big cluster in it, as a process of its own: `node kube-town.js PODS POLICIES TOUCHED`. It prints its URL; told by SIGUSR2 it changes so many
 * pods of other nodes one by one.
 *
 * Pods are of Deployments of twenty, 5 KiB each as a server gives them; ten of them are of the node `here`. Half of the policies are NetworkPolicies.
 */
import { type FakeObject, KubeApiServer } from '../test/kube-api-server.ts';

const PODS = '/api/v1/pods';
const NAMESPACES = 100;
const REPLICAS = 20;
const NODES = 500;
const HERE = 10;

/** What a kubelet and a runtime write, which nobody here reads. */
const BALLAST = 'x'.repeat(180);
const managed = (manager: string) => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: '2026-01-01T00:00:00Z',
  fieldsType: 'FieldsV1',
  fieldsV1: Object.fromEntries(['f:metadata', 'f:spec', 'f:status'].map((name) => [name, { 'f:all': BALLAST }])),
});

function namespaceOf(deployment: number): string {
  return `team-${deployment % NAMESPACES}`;
}

function address(pod: number): string {
  const index = pod + 16; // the first of a range are nobody's
  return `10.${64 + (index >>> 16)}.${(index >>> 8) & 255}.${index & 255}`;
}

function townPod(index: number, isHere: boolean, extra: Readonly<Record<string, string>> = {}): FakeObject {
  const deployment = Math.floor(index / REPLICAS);
  const hash = (deployment * 7919).toString(36).padStart(8, 'a');
  const app = `app-${deployment}`;
  const name = `${app}-${hash}-${(index * 104_729).toString(36).padStart(5, '0')}`;
  const labels = { app, 'pod-template-hash': hash, tier: `tier-${deployment % 4}`, version: 'v1', ...extra };
  const env = Array.from({ length: 10 }, (_, i) => ({ name: `SETTING_${i}`, value: BALLAST.slice(0, 90) }));
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' });
  const ip = address(index);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: namespaceOf(deployment),
      generateName: `${app}-${hash}-`,
      uid: `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`,
      labels,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${hash}`, uid: 'u', controller: true },
      ],
      managedFields: [managed('kube-controller-manager'), { ...managed('kubelet'), subresource: 'status' }],
    },
    spec: {
      nodeName: isHere ? 'here' : `node-${index % NODES}`,
      serviceAccountName: deployment % 3 === 0 ? app : 'default',
      containers: [{ name: 'main', image: `registry/${app}:v1`, env, ports: [{ name: 'http', containerPort: 8080 }] }],
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
    },
    status: {
      phase: 'Running',
      hostIP: `10.250.${(index % NODES) >>> 8}.${(index % NODES) & 255}`,
      podIP: ip,
      podIPs: [{ ip }],
      conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(condition),
      containerStatuses: [
        { name: 'main', ready: true, imageID: BALLAST, containerID: BALLAST, state: { running: {} } },
      ],
    },
  };
}

function townPolicy(index: number, deployments: number): [resource: string, object: FakeObject] {
  const to = index % deployments;
  const from = (to + NAMESPACES) % deployments; // of the same namespace
  const metadata = { name: `p${index}`, namespace: namespaceOf(to), creationTimestamp: '2026-01-01T00:00:00Z' };
  const target = { matchLabels: { app: `app-${to}` } };
  const peer = { matchLabels: { app: `app-${from}` } };
  if (index % 2 === 0) {
    const ingress = [{ from: [{ podSelector: peer }], ports: [{ port: 8080, protocol: 'TCP' }] }];
    const spec = { podSelector: target, policyTypes: ['Ingress'], ingress };
    const object = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec };
    return ['/apis/networking.k8s.io/v1/networkpolicies', object];
  }
  const toPorts = [{ ports: [{ port: '8080', protocol: 'TCP' }] }];
  const other = { matchLabels: { 'k8s:io.kubernetes.pod.namespace': namespaceOf(to + 1), tier: `tier-${to % 4}` } };
  const spec = { endpointSelector: target, ingress: [{ fromEndpoints: [peer, other], toPorts }] };
  const status = { conditions: [{ type: 'Valid', status: 'True' }] };
  const object = { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata, spec, status };
  return ['/apis/cilium.io/v2/ciliumnetworkpolicies', object];
}

function town(pods: number, policies: number): KubeApiServer {
  const server = new KubeApiServer();
  server.serve(PODS, '/api/v1/nodes', '/api/v1/services', '/api/v1/namespaces');
  server.serve('/apis/networking.k8s.io/v1/networkpolicies', '/apis/discovery.k8s.io/v1/endpointslices');
  server.serve('/apis/cilium.io/v2/ciliumnetworkpolicies');
  for (let i = 0; i < NAMESPACES; i++) {
    const metadata = { name: `team-${i}`, labels: { team: `t${i}`, 'kubernetes.io/metadata.name': `team-${i}` } };
    server.put('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata });
  }
  const deployments = Math.max(1, Math.ceil(pods / REPLICAS));
  for (let i = 0; i < pods; i++) server.put(PODS, townPod(i, i % REPLICAS === 0 && i < HERE * REPLICAS));
  for (let i = 0; i < policies; i++) server.put(...townPolicy(i, deployments));
  return server;
}

const [pods, policies, touched] = process.argv.slice(2).map(Number);
const server = town(pods, policies);
process.on('SIGUSR2', () => {
  for (let i = 1; i <= touched; i++) server.put(PODS, townPod(pods - i, false, { touched: 'yes' }));
});
console.log(await server.listen());
