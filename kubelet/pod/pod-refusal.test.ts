/** Pods that cannot run here at all. */
import t from 'tap';
import type { Pod } from '../pod-spec.ts';
import { podRefusal } from './container-start.ts';

function podOf(spec: object): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', uid: 'u' },
    spec,
  } as unknown as Pod;
}

const many = (count: number): object[] => Array.from({ length: count }, (_, number) => ({ name: `c${number}` }));

t.test('a pod has as many containers as fit, those of the beginning among them', async (t) => {
  t.equal(podRefusal(podOf({ containers: many(64) })), '');
  t.match(podRefusal(podOf({ containers: many(65) })), /found 65 containers, wanted at most 64/);
  t.match(podRefusal(podOf({ initContainers: many(40), containers: many(40) })), /found 80 containers/);
});

t.test('a pod that shares something with the machine is refused by the name of what it shares', async (t) => {
  t.match(podRefusal(podOf({ hostPID: true, containers: many(1) })), /spec.hostPID: found true/);
  t.match(
    podRefusal(podOf({ containers: [{ name: 'a', securityContext: { privileged: true } }] })),
    /container a: .*privileged/,
  );
});
