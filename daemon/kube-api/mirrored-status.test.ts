import t from 'tap';
import type { EndpointDocument } from '../../api/shapes.ts';
import { POD_COLUMNS } from '../../apiserver/tables/pod-columns.ts';
import { podStatus } from './mirrored-status.ts';

const POD = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ name: 'dns', image: 'sluice-dns' }] } };

function endpoint(state: EndpointDocument['state']): EndpointDocument {
  return {
    ...{ id: 7, namespace: 'kube-system', pod: 'kube-dns', place: 'local', node: 'here', state, identity: 4711 },
    ...{ labels: [], ipv4: '10.0.0.9', ipv6: 'fd00::9', mac: '', interface: '', netns: '', port: 3, health: {} },
    policy: { ingress: 'Enabled', egress: 'Disabled', entries: 0, revision: 1 },
  };
}

/** READY and STATUS of `kubectl get pods`. */
function shown(status: object | undefined, known: EndpointDocument | undefined): string {
  const pod = { ...POD, ...(status !== undefined && { status }) };
  const metadata = { name: 'kube-dns', uid: '', resourceVersion: '', creationTimestamp: '' };
  const row = { ...pod, metadata, status: podStatus(pod, known) };
  const cell = (name: string) => String(POD_COLUMNS.find((one) => one.name === name)?.cell(row, 0));
  return `${cell('Ready')} ${cell('Status')}`;
}

t.test('a mirrored pod is as its endpoint is', (t) => {
  t.equal(shown(undefined, endpoint('ready')), '1/1 Running');
  t.equal(shown(undefined, endpoint('attaching')), '0/1 ContainerCreating');
  t.equal(shown(undefined, endpoint('unreachable')), '0/1 Running');
  t.equal(shown(undefined, undefined), '0/1 ContainerCreating');
  t.match(podStatus(POD, endpoint('ready')), {
    podIP: '10.0.0.9',
    podIPs: [{ ip: '10.0.0.9' }, { ip: 'fd00::9' }],
    conditions: [{ type: 'PodScheduled' }, {}, {}, { type: 'Ready', status: 'True' }],
  });
  t.end();
});

t.test('a document that was written while its pod waited does not keep it waiting', (t) => {
  const waiting = { phase: 'Pending', conditions: [{ type: 'Ready', status: 'False' }] };
  t.equal(shown(waiting, endpoint('ready')), '1/1 Running');
  t.equal(shown({ phase: 'Succeeded' }, endpoint('ready')), '0/1 Succeeded');
  t.end();
});

t.test('a pod of another node is as its document says', (t) => {
  const status = { phase: 'Running', podIP: '10.0.1.2', conditions: [{ type: 'Ready', status: 'True' }] };
  t.same(podStatus({ ...POD, status }, undefined), status);
  t.end();
});
