import t from 'tap';
import type { Endpoint } from '../../hubble/flow.ts';
import { placeOf } from './place.ts';

t.test('placeOf() finds the workload, the pod, the name, the prefix or the entity', (t) => {
  const cases: Record<string, [Endpoint, string[], string]> = {
    'a workload': [
      { namespace: 'shop', pod_name: 'web-0', workloads: [{ name: 'web', kind: 'Deployment' }] },
      [],
      'workload shop web',
    ],
    'a pod': [{ namespace: 'shop', pod_name: 'web-0' }, [], 'pod shop web-0'],
    'a pod of another node': [
      { identity: 300, labels: ['k8s:app=api', 'k8s:io.kubernetes.pod.namespace=shop'] },
      [],
      'workload shop api',
    ],
    'a name from DNS': [{ identity: 2, labels: ['reserved:world'] }, ['api.example.com.'], 'name  api.example.com'],
    'the longest prefix': [
      { labels: ['cidr:0.0.0.0/0', 'cidr:10.0.0.0/8', 'cidr:10.1.0.0/16', 'reserved:world'] },
      [],
      'prefix  10.1.0.0/16',
    ],
    'a prefix of IPv6': [{ labels: ['cidr:2001-db8--/32', 'reserved:world-ipv6'] }, [], 'prefix  2001:db8::/32'],
    'the world': [{ identity: 2, labels: ['reserved:world'] }, [], 'entity  world'],
    'the host': [{ identity: 1, labels: ['reserved:host'] }, [], 'entity  host'],
    nothing: [{}, [], 'entity  unknown'],
  };
  for (const [name, [end, names, wanted]] of Object.entries(cases)) {
    const { kind, namespace, name: found } = placeOf(end, names);
    t.equal(`${kind} ${namespace} ${found}`, wanted, name);
  }
  t.end();
});

t.test('places of different kinds with the same name are not one', (t) => {
  const keys = [
    placeOf({ namespace: 'a', pod_name: 'b' }),
    placeOf({ namespace: 'a', workloads: [{ name: 'b', kind: 'Job' }] }),
    placeOf({ namespace: 'a', workloads: [{ name: 'b', kind: 'Deployment' }] }),
    placeOf({}, ['a/b']),
    placeOf({ labels: ['reserved:a/b'] }),
  ].map(({ key }) => key);
  t.equal(new Set(keys).size, keys.length);
  t.end();
});
