/**
 * What flows tell of two pods, a policy and a node that the agent knows, and of what was dropped while there was no agent.
 *
 *   x/web (Deployment, veth) ── dataplane ── x/db (TAP)      policy x/db: from web, UDP 5353
 */
import { join } from 'node:path';
import t from 'tap';
import { mapFile } from '../../dataplane/native/index.ts';
import { PINNED } from '../../policy-maps/pinned.ts';
import { INGRESS } from '../../wire/direction.ts';
import { DROP_POLICY } from '../../wire/reasons.ts';
import { Cleanup, inNetns, makeNetns, must, waitFor } from '../command.ts';
import { SluiceInstance } from '../rig.ts';

t.jobs = 1;
const cleanup = new Cleanup();
t.teardown(() => cleanup.finish());
const name = `slf${process.pid.toString(36)}`;
const host = `${name}-host`;
await makeNetns(cleanup, host);
const config = 'nodeName: node-1\nmaps: { bpf-drop-events-map-max: 64 }\n';
const options = { name, cleanup, netns: host, netnsPrefix: `${name}-`, createNamespaces: true, config };
const instance = await SluiceInstance.start(options);
t.teardown(() => instance.stop());

const DOCUMENTS = `
{ apiVersion: v1, kind: Node, metadata: { name: node-1, labels: { zone: a, arch: z80 } } }
---
{ apiVersion: v1, kind: Namespace, metadata: { name: x } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: x }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template: { metadata: { labels: { app: web } }, spec: { containers: [] } }
---
apiVersion: v1
kind: Pod
metadata: { name: db, namespace: x, labels: { app: db }, annotations: { sluice.io/attach: tap } }
---
apiVersion: v1
kind: Pod
metadata:
  name: away
  namespace: x
  labels: { app: away }
  ownerReferences: [{ apiVersion: apps/v1, kind: DaemonSet, name: aways, uid: 1-2, controller: true }]
spec: { nodeName: node-2 }
status: { podIP: 198.51.100.20 }
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: { name: db, namespace: x, uid: 0c7f1e2d-1111-2222-3333-444455556666 }
spec:
  endpointSelector: { matchLabels: { app: db } }
  ingress:
    - fromEndpoints: [{ matchLabels: { app: web } }]
      toPorts: [{ ports: [{ port: "5353", protocol: UDP }] }]
`;

await instance.send(DOCUMENTS);
const endpoints: { pod: string; ipv4: string; interface: string; id: number }[] = await instance.read('/v1/endpoints');
const webPod = endpoints.find(({ pod }) => pod.startsWith('web'))!;
const db = endpoints.find(({ pod }) => pod === 'db')!;
await instance.untilReady([`x/${webPod.pod}`, 'x/db']);

const talk = (to: string, port: number): Promise<unknown> =>
  instance.inPod(`x/${webPod.pod}`, ['bash', '-c', `echo hello > /dev/udp/${to}/${port}`]);

/** The first flow that `wanted` says. */
async function flowThat(what: string, wanted: (flow: any) => boolean): Promise<any> {
  let found: any;
  await waitFor(what, async () => (found = (await instance.flows()).find(wanted)) !== undefined);
  return found;
}

/** What the policy of the pod that was talked to decided. */
const verdictTo = (port: number): Promise<any> =>
  flowThat('the verdict', ({ event_type, l4, traffic_direction: way }) => {
    return event_type.type === 5 && way === 'INGRESS' && l4?.UDP?.destination_port === port;
  });

t.test('a flow tells who, where, by which interface, and which policy in which revision', async (t) => {
  await talk(db.ipv4, 5353);
  const allowed = await verdictTo(5353);
  t.match(allowed, {
    verdict: 'FORWARDED',
    node_name: 'node-1',
    node_labels: ['arch=z80', 'zone=a'],
    source: { namespace: 'x', pod_name: webPod.pod, workloads: [{ name: 'web', kind: 'Deployment' }] },
    destination: { namespace: 'x', pod_name: 'db', ID: db.id },
    ingress_allowed_by: [
      {
        name: 'db',
        namespace: 'x',
        kind: 'CiliumNetworkPolicy',
        revision: /^\d+$/,
        labels: [
          'k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy',
          'k8s:io.cilium.k8s.policy.name=db',
          'k8s:io.cilium.k8s.policy.namespace=x',
          'k8s:io.cilium.k8s.policy.uid=0c7f1e2d-1111-2222-3333-444455556666',
        ],
      },
    ],
  });
  const traced = await flowThat('the trace', ({ event_type, l4 }) => event_type.type === 4 && l4?.UDP !== undefined);
  const link = JSON.parse(await must(inNetns(host, ['ip', '-j', 'link', 'show', webPod.interface])));
  t.same(traced.interface, { index: link[0].ifindex, name: webPod.interface }, 'as the kernel has it');
});

t.test('the revision of a policy is that of its last change', async (t) => {
  const revisionOf = async (port: number): Promise<number> => {
    await talk(db.ipv4, port);
    const flow = await verdictTo(port);
    return Number((flow.ingress_allowed_by ?? flow.ingress_denied_by)[0].revision);
  };
  const before = await revisionOf(1001);
  await instance.send(DOCUMENTS.replace('"5353"', '"5354"'));
  t.ok((await revisionOf(1002)) > before);
});

t.test('what is refused for its address is told with the pod and the interface that it came from', async (t) => {
  await must(inNetns(instance.netnsOf(`x/${webPod.pod}`), ['ip', 'address', 'add', '198.51.100.7/32', 'dev', 'eth0']));
  await instance.inPod(`x/${webPod.pod}`, ['ping', '-c', '1', '-W', '1', '-I', '198.51.100.7', db.ipv4]);
  const spoofed = await flowThat('the drop', ({ drop_reason_desc: why }) => why === 'INVALID_SOURCE_IP');
  t.match(spoofed, {
    IP: { source: '198.51.100.7' },
    source: { ID: webPod.id, pod_name: webPod.pod },
    interface: { name: webPod.interface },
    traffic_direction: 'EGRESS',
  });
});

t.test('a pod of another node is called by its name, and by the workload that its document says', async (t) => {
  await talk('198.51.100.20', 7);
  const flow = await flowThat('the drop', ({ IP }) => IP?.destination === '198.51.100.20');
  t.match(flow.destination, { namespace: 'x', pod_name: 'away', workloads: [{ name: 'aways', kind: 'DaemonSet' }] });
});

/** What the dataplane has counted. */
function policyDrops(): number {
  const { file, map } = PINNED.metrics;
  const metrics = map.open(join(instance.runDir, 'maps', file), mapFile);
  const ofPolicy = [...metrics.entries()].filter(
    ({ reason, direction }) => reason === DROP_POLICY && direction === INGRESS,
  );
  return ofPolicy.reduce((sum, { packets }) => sum + packets, 0);
}

t.test('drops while there is no agent are told by the next: the last one by one, the others as counts', async (t) => {
  const before = policyDrops();
  process.kill(instance.agent.pid, 'SIGKILL');
  await instance.untilAgentEnded();
  const many = 'for i in $(seq 300); do echo x > /dev/udp/$0/9; done';
  await instance.inPod(`x/${webPod.pod}`, ['bash', '-c', many, db.ipv4]);
  await instance.restartAgent();
  const counted = await flowThat('counts', ({ aggregate }) => aggregate?.ingress_flow_count > 0);
  t.match(counted, {
    source: { pod_name: webPod.pod },
    destination: { pod_name: 'db' },
    ingress_denied_by: [{ name: 'db' }],
  });
  const dropped = policyDrops() - before;
  t.ok(dropped > 200, `${dropped} of 300 came to the dataplane`);
  let single = 0;
  await waitFor('all to be told', async () => {
    const drops = (await instance.flows()).filter(({ event_type }) => event_type.type === 1);
    single = drops.filter(({ l4 }) => l4?.UDP?.destination_port === 9).length;
    return drops.reduce((sum, { aggregate }) => sum + (aggregate?.ingress_flow_count ?? 0), single) === dropped;
  });
  t.ok(single > 0 && single <= 64, 'those that the ring still had, by themselves');
  t.same((await instance.read('/v1/status')).problems, []);
});
