/** What changes in the agent, as events: from the same deltas that flows are decoded with. */
import t from 'tap';
import { AgentEvents } from './agent-events.ts';
import type { DirectoryDelta } from '../../hubble/decode/directory-delta.ts';

const WEB = { namespace: 'shop', podName: 'web-0', labels: ['k8s:app=web'], identity: 1234 };
const RULE = { kind: 'CiliumNetworkPolicy', namespace: 'shop', name: 'web' };

function eventsOf(...deltas: readonly DirectoryDelta[]) {
  const events = new AgentEvents('node-1', () => 1000);
  for (const delta of deltas) events.learn(delta);
  return Array.from({ length: events.ring.length }, (_, i) => events.ring.at(i)!.agent_event!);
}

const typesOf = (...deltas: readonly DirectoryDelta[]) => eventsOf(...deltas).map(({ type }) => type);

t.test('endpoints come, change and go', async (t) => {
  t.same(
    typesOf(
      { endpoints: [[7, WEB]], denies: [[7, { ingress: 1, egress: 0 }]] },
      { endpoints: [[7, { ...WEB, identity: 99 }]] },
      { denies: [[7, { ingress: 2, egress: 0 }]] },
      { endpoints: [[7, undefined]], denies: [[7, undefined]] },
      { endpoints: [[7, undefined]] },
    ),
    ['ENDPOINT_CREATED', 'ENDPOINT_REGENERATE_SUCCESS', 'ENDPOINT_REGENERATE_SUCCESS', 'ENDPOINT_DELETED'],
  );
  const [created] = eventsOf({ endpoints: [[7, WEB]] });
  t.same(created, {
    type: 'ENDPOINT_CREATED',
    endpoint_update: { id: '7', labels: ['k8s:app=web'], pod_name: 'web-0', namespace: 'shop' },
  });
});

t.test('addresses of pods are told with the identity that they have', async (t) => {
  const pod = { namespace: 'shop', podName: 'web-0' };
  const events = eventsOf(
    {
      endpoints: [[7, WEB]],
      addresses: [
        ['10.0.0.1', pod],
        ['fd00::1', { ...pod, podName: 'far' }],
      ],
    },
    {
      addresses: [
        ['10.0.0.1', undefined],
        ['10.0.0.9', undefined],
      ],
    },
  );
  t.same(events.slice(1), [
    {
      type: 'IPCACHE_UPSERTED',
      ipcache_update: { cidr: '10.0.0.1/32', identity: 1234, namespace: 'shop', pod_name: 'web-0' },
    },
    { type: 'IPCACHE_UPSERTED', ipcache_update: { cidr: 'fd00::1/128', namespace: 'shop', pod_name: 'far' } },
    {
      type: 'IPCACHE_DELETED',
      ipcache_update: { cidr: '10.0.0.1/32', identity: 1234, namespace: 'shop', pod_name: 'web-0' },
    },
  ]);
});

t.test('a policy is there as long as a cookie has a rule of it', async (t) => {
  const steps: DirectoryDelta[] = [
    {
      cookies: [
        [1, [RULE]],
        [2, [RULE, { ...RULE, name: 'other' }]],
      ],
    },
    { cookies: [[1, undefined]] },
    { cookies: [[2, undefined]] },
  ];
  const told = eventsOf(...steps).map(
    (event) =>
      'policy_update' in event && [event.type, event.policy_update.labels?.[1], event.policy_update.rule_count],
  );
  const [web, other] = ['web', 'other'].map((name) => `k8s:io.cilium.k8s.policy.name=${name}`);
  t.same(told, [
    ['POLICY_UPDATED', web, '2'],
    ['POLICY_UPDATED', other, '1'],
    ['POLICY_UPDATED', web, '1'],
    ['POLICY_DELETED', web, '0'],
    ['POLICY_DELETED', other, '0'],
  ]);
});

t.test('services, and the start of the agent', async (t) => {
  t.same(eventsOf({ frontends: [[3, { name: 'web', namespace: 'shop' }]] }, { frontends: [[3, undefined]] }), [
    { type: 'SERVICE_UPSERTED', service_upsert: { id: 3, name: 'web', namespace: 'shop' } },
    { type: 'SERVICE_DELETED', service_delete: { id: 3 } },
  ]);
  const events = new AgentEvents('node-1', () => 1000);
  events.agentStarted(0);
  t.same(events.ring.at(0), {
    agent_event: { type: 'AGENT_STARTED', agent_start: { time: '1970-01-01T00:00:00Z' } },
    node_name: 'node-1',
    time: '1970-01-01T00:00:01Z',
  });
});
