/** Flows by chance, usual and unusual, for tests of what keeps them. */
import type { Envelope, Flow } from '../hubble/flow.ts';
import { rfc3339 } from '../hubble/time.ts';

type Draw = (below: number) => number;

const PODS = Array.from({ length: 12 }, (_, index) => ({
  ip: index % 3 === 0 ? `fd00::${index + 1}` : `10.0.0.${index + 1}`,
  end: {
    ID: index + 10,
    identity: 1000 + (index % 5),
    cluster_name: 'default',
    namespace: `team-${index % 3}`,
    labels: [`k8s:app=app-${index % 5}`, `k8s:io.kubernetes.pod.namespace=team-${index % 3}`],
    pod_name: `app-${index % 5}-${index}`,
    workloads: [{ name: `app-${index % 5}`, kind: 'Deployment' }],
  },
}));
const WORLD = { identity: 2, labels: ['reserved:world'] };
const NAMES = [['cdn.example'], ['a.example', 'b.example'], ['\u2028\n"x"']];
const POLICIES = [[{ name: 'p', namespace: 'team-1', kind: 'NetworkPolicy', revision: '7' }], [{ name: 'q' }]];
const SERVICES = [
  { name: 'web', namespace: 'team-0' },
  { name: 'api', namespace: 'team-1' },
];
const L4S: readonly ((draw: Draw) => unknown)[] = [
  (draw) => ({
    TCP: { source_port: 1 + draw(65_535), destination_port: [80, 443, 8080][draw(3)], flags: { SYN: true } },
  }),
  (draw) => ({ TCP: { source_port: draw(65_536), destination_port: 443, flags: { FIN: true, ACK: true } } }),
  () => ({ TCP: { destination_port: 80, flags: {} } }),
  (draw) => ({ UDP: { source_port: 1 + draw(65_535), destination_port: 53 } }),
  () => ({ ICMPv4: { type: 8 } }),
  (draw) => ({ ICMPv6: { type: 3, code: draw(256) } }),
  () => ({ SCTP: {} }),
];
const L7S: readonly ((draw: Draw) => unknown)[] = [
  (draw) => ({
    type: 'RESPONSE',
    latency_ns: String(draw(2 ** 31)),
    http: {
      code: [200, 404, 503][draw(3)],
      method: 'GET',
      url: `http://api/${draw(9)}`,
      headers: [{ key: 'a', value: 'ü' }],
    },
  }),
  (draw) => ({
    type: 'REQUEST',
    http: { method: ['GET', 'PUT'][draw(2)], url: `http://api/${draw(9)}`, protocol: 'HTTP/1.1' },
  }),
  (draw) => ({ type: 'REQUEST', dns: { query: `n${draw(5)}.example.`, qtypes: ['A'] } }),
  () => ({ type: 'REQUEST', latency_ns: '007', kafka: { topic: 't' } }),
];
/** What no decoder of ours makes, but a later one may. */
const ODDITIES: readonly Readonly<Record<string, unknown>>[] = [
  { time: '2024-01-02T03:04:05.1Z' },
  { time: 'yesterday' },
  { time: '2024-01-02T03:04:05.123456789Z' },
  { uuid: 'not-a-uuid' },
  { IP: { destination: '10.0.0.1', source: '10.0.0.2' } },
  { l4: { TCP: { flags: { SYN: false } } } },
  { l4: { GRE: {} } },
  { l4: { UDP: { source_port: 70_000 } } },
  { event_type: { sub_type: 1, type: 4 } },
  { source: 'nobody' },
  { trace_context: { parent: { trace_id: 'abc' } } },
  { a_member_of_tomorrow: { deep: [1, { er: '' }] }, Summary: '' },
  { ethernet: { source: 'x' } },
];

/** @param timeMs of the flow @returns an envelope as the agent makes them, mostly */
export function randomEnvelope(draw: Draw, timeMs: number): Envelope {
  if (draw(50) === 0) {
    const lost = { source: 'PERF_EVENT_RING_BUFFER', num_events_lost: String(1 + draw(99)) } as const;
    return { lost_events: lost, node_name: 'node-1', time: rfc3339(timeMs) };
  }
  const flow = randomFlow(draw, timeMs) as unknown as Flow;
  return { flow, ...(flow.node_name !== undefined && { node_name: flow.node_name }), time: flow.time };
}

function uuidOf(draw: Draw): string {
  const digits = (count: number) => Array.from({ length: count }, () => draw(16).toString(16)).join('');
  return [8, 4, 4, 4, 12].map(digits).join('-');
}

function randomFlow(draw: Draw, timeMs: number): Record<string, unknown> {
  const from = PODS[draw(PODS.length)];
  const to = PODS[draw(PODS.length)];
  const isWorld = draw(4) === 0;
  const isL7 = draw(4) === 0;
  const verdict = ['FORWARDED', 'FORWARDED', 'DROPPED', 'AUDIT', 'REDIRECTED'][draw(5)];
  const some = (value: unknown) => (draw(2) === 0 ? undefined : value);
  const whole = {
    time: rfc3339(timeMs + [0, 0, 0.25][draw(3)]),
    uuid: draw(20) === 0 ? undefined : uuidOf(draw),
    emitter: { name: 'Sluice', version: '1' },
    verdict,
    drop_reason: verdict === 'DROPPED' ? 133 : undefined,
    ethernet: isL7 ? undefined : { source: `02:00:00:00:00:0${draw(9)}`, destination: '02:00:00:00:00:01' },
    IP:
      draw(10) === 0
        ? undefined
        : { source: from.ip, destination: isWorld ? `192.0.2.${draw(250)}` : to.ip, ipVersion: 'IPv4' },
    l4: some(L4S[draw(L4S.length)](draw)),
    source: from.end,
    destination: isWorld ? WORLD : { ...to.end },
    Type: isL7 ? 'L7' : 'L3_L4',
    node_name: 'node-1',
    destination_names: isWorld ? NAMES[draw(NAMES.length)] : undefined,
    l7: isL7 ? L7S[draw(L7S.length)](draw) : undefined,
    event_type: { type: isL7 ? 129 : [1, 4, 5][draw(3)], sub_type: some(draw(5)) },
    destination_service: some(SERVICES[draw(SERVICES.length)]),
    traffic_direction: some(['INGRESS', 'EGRESS'][draw(2)]),
    drop_reason_desc: verdict === 'DROPPED' ? 'POLICY_DENIED' : undefined,
    is_reply: some(draw(2) === 0),
    interface: some({ index: draw(9), name: `lxc${draw(9)}` }),
    Summary: isL7 ? `GET ${draw(99)}` : 'TCP Flags: SYN',
    ingress_denied_by: verdict === 'DROPPED' ? POLICIES[draw(POLICIES.length)] : undefined,
    policy_log: some(['a']),
    ...(draw(8) === 0 && ODDITIES[draw(ODDITIES.length)]),
  };
  return JSON.parse(JSON.stringify(whole)) as Record<string, unknown>;
}
