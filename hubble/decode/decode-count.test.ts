import t from 'tap';
import { options } from '../../test/events.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';
import { DROP_L7_DENIED, DROP_POLICY } from '../../wire/reasons.ts';
import { readEnvelope } from './read-envelope.ts';
import { FlowPrinter } from '../print/print.ts';
import { type CountedDrops, decodeCount } from './decode-count.ts';

const DROPS: CountedDrops = {
  reason: DROP_POLICY,
  direction: INGRESS,
  protocol: 6,
  srcIdentity: 2,
  dstIdentity: 2345,
  cookie: 8,
  srcEndpoint: 0,
  dstEndpoint: 20,
  port: 4,
  packets: 184_113,
  bytes: 13_624_362,
  lastMs: 1_704_164_645_999,
};
const NOBODY = { direction: 0, protocol: 0, srcIdentity: 0, dstIdentity: 0, cookie: 0, dstEndpoint: 0, port: 0 };

t.test('drops that were dropped alike are one flow, which says how many and who refused them', async (t) => {
  t.same(decodeCount(DROPS, options), {
    time: '2024-01-02T03:04:05.999Z',
    verdict: 'DROPPED',
    drop_reason: 133,
    l4: { TCP: {} },
    source: { identity: 2, labels: ['reserved:world'] },
    destination: { ID: 20, identity: 2345, namespace: 'shop', labels: ['k8s:app=api'], pod_name: 'api-0' },
    Type: 'L3_L4',
    node_name: 'node-1',
    event_type: { type: 1, sub_type: 133 },
    traffic_direction: 'INGRESS',
    drop_reason_desc: 'POLICY_DENIED',
    interface: { index: 4, name: 'lxcabc' },
    Summary: '184113 packets, 13624362 bytes',
    ingress_denied_by: [{ name: 'default-deny', namespace: 'shop', kind: 'NetworkPolicy' }],
    aggregate: { ingress_flow_count: 184_113 },
  });
  t.same(decodeCount({ ...DROPS, direction: EGRESS }, options).aggregate, { egress_flow_count: 184_113 });
  for (const protocol of [0, 1, 58, 255]) t.equal(decodeCount({ ...DROPS, protocol }, options).l4, undefined);
});

t.test('the rest of a reason says only that; a reason of our own keeps its text', async (t) => {
  const flow = decodeCount({ ...DROPS, ...NOBODY, reason: DROP_L7_DENIED, packets: 2 ** 40, bytes: 5 }, options);
  t.match(flow, { source: {}, destination: {}, Summary: 'Denied by L7 policy; 1099511627776 packets, 5 bytes' });
  t.same(flow.aggregate, { unknown_direction_flow_count: 0xffffffff }, 'the field has 32 bits');
});

t.test('it is printed with the pod where there is one, and is the same when it is read back', async (t) => {
  const flow = decodeCount(DROPS, options);
  let text = '';
  new FlowPrinter(
    { output: 'compact' },
    (line) => (text += line),
    () => {},
  ).write({ flow });
  t.equal(
    text,
    'Jan  2 03:04:05.999: * (world) <> shop/api-0 (ID:2345) Policy denied DROPPED (184113 packets, 13624362 bytes)\n',
  );
  t.same(readEnvelope(JSON.parse(JSON.stringify({ flow })))?.flow, flow);
});
