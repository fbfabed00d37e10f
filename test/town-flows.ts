/**
 * Flows of a town of pods, as the decoder makes them, for tests of many: 300 pods of 80 workloads, 3000 addresses outside, 60
 * policies; a twentieth dropped, a tenth HTTP.
 */
import type { Endpoint, Envelope, Flow } from '../hubble/flow.ts';
import { rfc3339 } from '../hubble/time.ts';
import { randomFrom } from './random.ts';

const PODS = 300;
const OUTSIDE = 3000;

const two = (number: number) => number.toString(16).padStart(2, '0');

const pods = Array.from({ length: PODS }, (_, index) => ({
  ip: `10.244.${index >> 8}.${index & 255}`,
  mac: `02:00:00:00:${two(index >> 8)}:${two(index & 255)}`,
  port: { index: 100 + index, name: `lxc${index}` },
  end: {
    ID: index + 10,
    identity: 1000 + (index % 80),
    cluster_name: 'default',
    namespace: `team-${index % 20}`,
    labels: [
      `k8s:app=app-${index % 80}`,
      'k8s:io.cilium.k8s.policy.cluster=default',
      'k8s:io.cilium.k8s.policy.serviceaccount=default',
      `k8s:io.kubernetes.pod.namespace=team-${index % 20}`,
      `k8s:tier=${index % 3}`,
    ],
    pod_name: `app-${index % 80}-${index}`,
    workloads: [{ name: `app-${index % 80}`, kind: 'Deployment' }],
  } satisfies Endpoint,
}));
const WORLD: Endpoint = { identity: 2, labels: ['reserved:world'] };
const EMITTER = { name: 'Sluice', version: '0.1.0' };
const policies = Array.from({ length: 60 }, (_, index) => [
  { name: `policy-${index}`, namespace: `team-${index % 20}`, labels: [], revision: '7', kind: 'CiliumNetworkPolicy' },
]);
const services = Array.from({ length: 80 }, (_, index) => ({ name: `app-${index}`, namespace: `team-${index % 20}` }));
const names = Array.from({ length: 300 }, (_, index) => [`host-${index}.example.com`]);

const FLAGS = [
  [{ SYN: true }, 'TCP Flags: SYN'],
  [{ SYN: true, ACK: true }, 'TCP Flags: SYN, ACK'],
  [{ ACK: true }, 'TCP Flags: ACK'],
  [{ FIN: true, ACK: true }, 'TCP Flags: ACK, FIN'],
] as const;

export class TownFlows {
  readonly #draw = randomFrom(7);
  #position = 0;

  next(timeMs: number): Envelope {
    const draw = this.#draw;
    const from = pods[draw(PODS)];
    const to = pods[(from.end.ID * 7 + draw(12)) % PODS];
    const outside = draw(5) === 0 ? draw(OUTSIDE) : -1;
    const kind = draw(100);
    const [isDrop, isL7, isVerdict] = [kind < 5, kind >= 90, kind >= 5 && kind < 30];
    const [flags, summary] = FLAGS[draw(FLAGS.length)];
    const ports = { source_port: 30_000 + draw(30_000), destination_port: [80, 443, 8080, 5432, 9092][to.end.ID % 5] };
    const url = `http://app/${draw(500)}`;
    const policy = policies[to.end.ID % policies.length];
    const flow: Record<string, unknown> = {
      time: rfc3339(timeMs),
      uuid: this.#uuid(timeMs),
      emitter: EMITTER,
      verdict: isDrop ? 'DROPPED' : 'FORWARDED',
    };
    if (isDrop) flow['drop_reason'] = 133;
    if (!isL7) flow['ethernet'] = { source: from.mac, destination: '02:ff:00:00:00:01' };
    const destination = outside < 0 ? to.ip : `198.51.${outside >> 8}.${outside & 255}`;
    flow['IP'] = { source: from.ip, destination, ipVersion: 'IPv4' };
    flow['l4'] = { TCP: isL7 ? ports : { ...ports, flags } };
    flow['source'] = from.end;
    flow['destination'] = outside < 0 ? to.end : WORLD;
    flow['Type'] = isL7 ? 'L7' : 'L3_L4';
    flow['node_name'] = 'node-1';
    if (outside >= 0) flow['destination_names'] = names[outside % names.length];
    if (isL7)
      flow['l7'] = { type: 'RESPONSE', latency_ns: String(1e6 + draw(5e6)), http: { code: 200, method: 'GET', url } };
    flow['event_type'] = isL7 ? { type: 129 } : isDrop ? { type: 1, sub_type: 133 } : { type: isVerdict ? 5 : 4 };
    if (outside < 0) flow['destination_service'] = services[to.end.ID % services.length];
    flow['traffic_direction'] = kind % 2 === 0 ? 'INGRESS' : 'EGRESS';
    if (isDrop) flow['drop_reason_desc'] = 'POLICY_DENIED';
    else flow['is_reply'] = isL7;
    if (!isVerdict && !isL7) flow['interface'] = { ...to.port };
    flow['Summary'] = isL7 ? `HTTP/1.1 200 ${draw(9)}ms (GET ${url})` : summary;
    if (isVerdict || isL7) flow['ingress_allowed_by'] = policy;
    if (isDrop) flow['ingress_denied_by'] = policy;
    const whole = flow as unknown as Flow;
    return { flow: whole, node_name: 'node-1', time: whole.time };
  }

  /** As the observatory makes them. */
  #uuid(timeMs: number): string {
    const time = timeMs.toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-8000-9bce-98f7${(this.#position++).toString(16).padStart(8, '0')}`;
  }
}
