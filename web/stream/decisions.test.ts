import t from 'tap';
import type { Flow } from '../../hubble/flow.ts';
import { decisionsOf } from './decisions.ts';

const WEB = { name: 'web', namespace: 'shop', kind: 'NetworkPolicy' };
const ALL = { name: 'all', kind: 'CiliumClusterwideNetworkPolicy' };
const BASE: Flow = {
  time: '2026-01-01T00:00:00.5Z',
  verdict: 'FORWARDED',
  source: { namespace: 'shop', pod_name: 'client' },
  destination: { namespace: 'shop', pod_name: 'web' },
  Type: 'L3_L4',
  event_type: { type: 5 },
  l4: { TCP: { source_port: 40_000, destination_port: 80 } },
};
const at = (time: string, more: Partial<Flow>): Flow => ({ ...BASE, ...more, time: `2026-01-01T00:0${time}Z` });

t.test('decisionsOf() counts what each policy let through, denied, or would have denied', (t) => {
  const flows = [
    at('0:00', { ingress_allowed_by: [WEB] }),
    at('5:00.25', { ingress_allowed_by: [WEB, ALL], egress_allowed_by: [ALL] }),
    at('6:00', { verdict: 'DROPPED', ingress_denied_by: [WEB] }),
    at('7:00', { verdict: 'AUDIT', ingress_denied_by: [WEB] }),
  ];
  const { recent, ever, since, situations } = decisionsOf(flows, Date.parse('2026-01-01T00:05:00Z'), '');
  const web = 'NetworkPolicy/shop/web';
  t.same(recent.get(web), { allowed: 1, denied: 1, audited: 1, lastTime: '2026-01-01T00:07:00Z' });
  t.same(ever.get(web), { allowed: 2, denied: 1, audited: 1, lastTime: '2026-01-01T00:07:00Z' });
  t.match(recent.get('CiliumClusterwideNetworkPolicy/all'), { allowed: 2 });
  t.equal(since, '2026-01-01T00:00:00Z');
  t.same(situations, []);
  t.same(decisionsOf([], 0, web).since, '');
  t.end();
});

t.test('a reply and what it answers are one situation; of many, those of the newest flows are told', (t) => {
  const back = {
    is_reply: true,
    source: BASE.destination,
    destination: BASE.source,
    l4: { TCP: { source_port: 80, destination_port: 40_000 } },
  };
  const to = (port: number) => ({
    l4: { TCP: { source_port: 1, destination_port: port } },
    verdict: 'DROPPED' as const,
    ingress_denied_by: [WEB],
  });
  const flows = [
    ...Array.from({ length: 30 }, (_, port) => at('1:00', to(1000 + port))),
    at('2:00', { ingress_allowed_by: [WEB] }),
    at('2:01', { ...back, ingress_allowed_by: [WEB] }),
  ];
  const { situations } = decisionsOf(flows, 0, 'NetworkPolicy/shop/web');
  t.equal(situations.length, 24);
  t.match(situations[0], { word: 'allowed', count: 2, flow: { is_reply: true } });
  t.match(situations[1], { word: 'denied', count: 1, flow: { l4: { TCP: { destination_port: 1029 } } } });
  t.end();
});
