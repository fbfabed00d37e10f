/** Flows as `sluice observe -o json` tells them of one connection, for tests: a pod or something else, to a port, let through or not. */
import type { Endpoint, Flow, Layer7, Verdict } from '../hubble/flow.ts';

export interface RecordedEnd {
  readonly endpoint: Endpoint;
  readonly ip: string;
  readonly names?: readonly string[];
}

/** @param labels of its own: `{app: 'web'}` @param id of its endpoint; 0 = it is elsewhere */
export function podEnd(
  reference: string,
  labels: Readonly<Record<string, string>>,
  { id = 1, ip = '10.0.0.1', workload = '', namespaceLabels = {} } = {},
): RecordedEnd {
  const [namespace, pod_name] = reference.split('/');
  const texts = [
    ...Object.entries(labels).map(([key, value]) => `k8s:${key}=${value}`),
    ...Object.entries({ 'kubernetes.io/metadata.name': namespace, ...namespaceLabels }).map(
      ([key, value]) => `k8s:io.cilium.k8s.namespace.labels.${key}=${value}`,
    ),
    'k8s:io.cilium.k8s.policy.cluster=default',
    'k8s:io.cilium.k8s.policy.serviceaccount=default',
    `k8s:io.kubernetes.pod.namespace=${namespace}`,
  ].sort();
  const workloads = workload === '' ? {} : { workloads: [{ kind: 'Deployment', name: workload }] };
  const local = id === 0 ? {} : { ID: id };
  return { endpoint: { ...local, identity: 1000, namespace, labels: texts, pod_name, ...workloads }, ip };
}

export function worldEnd(ip: string, ...names: string[]): RecordedEnd {
  return { endpoint: { identity: 2, labels: ['reserved:world'] }, ip, names };
}

export function entityEnd(entity: string, identity: number, ip = '172.18.0.2'): RecordedEnd {
  return { endpoint: { identity, labels: [`reserved:${entity}`] }, ip };
}

export interface Talk {
  readonly from: RecordedEnd;
  readonly to: RecordedEnd;
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP' | 'ICMPv4' | 'ICMPv6';
  /** Or the type of the ICMP message. */
  readonly port: number;
  /** Which judge drops it; none: it passes. */
  readonly droppedBy?: 'egress' | 'ingress';
  readonly isAudited?: boolean;
  readonly request?: Omit<Layer7, 'type'>;
  /** The request is refused. */
  readonly isRefused?: boolean;
  /** The client's port. */
  readonly client?: number;
}

/** Verdicts at the ends that are here, what is delivered, the reply, and the request. */
export function flowsOf(talk: Talk): Flow[] {
  const { from, to, droppedBy, request, isRefused = false } = talk;
  const isHere = ({ endpoint }: RecordedEnd): boolean => (endpoint.ID ?? 0) !== 0;
  const flows: Flow[] = [];
  if (isHere(from)) flows.push(verdict(talk, 'EGRESS', droppedBy === 'egress'));
  if (droppedBy === 'egress') return flows;
  if (isHere(to)) flows.push(verdict(talk, 'INGRESS', droppedBy === 'ingress'));
  if (droppedBy === 'ingress') return flows;
  const point = isHere(to) ? 'TO_ENDPOINT' : 'TO_NETWORK';
  const direction = isHere(to) ? 'INGRESS' : 'EGRESS';
  flows.push({ ...base(talk, 'FORWARDED', direction, 4), trace_observation_point: point, trace_reason: 'NEW' });
  flows.push(reply(talk));
  if (request !== undefined)
    flows.push({
      ...base(talk, isRefused ? 'DROPPED' : 'FORWARDED', direction, 129),
      Type: 'L7',
      l7: { type: 'REQUEST', ...request },
    });
  return flows;
}

function verdict(talk: Talk, direction: 'INGRESS' | 'EGRESS', isDropped: boolean): Flow {
  const passed = talk.isAudited === true ? 'AUDIT' : talk.request === undefined ? 'FORWARDED' : 'REDIRECTED';
  const flow = base(talk, isDropped ? 'DROPPED' : passed, direction, 5);
  if (!isDropped) return flow;
  delete (flow as { is_reply?: boolean }).is_reply;
  return { ...flow, drop_reason: 133, drop_reason_desc: 'POLICY_DENIED' };
}

function base({ from, to, ...talk }: Talk, verdict: Verdict, direction: 'INGRESS' | 'EGRESS', type: number): Flow {
  const { protocol = 'TCP', port, client = 40000 } = talk;
  const isIcmp = protocol.startsWith('ICMP');
  const l4 = { [protocol]: isIcmp ? { type: port } : { source_port: client, destination_port: port } };
  const ipVersion = from.ip.includes(':') ? 'IPv6' : 'IPv4';
  return {
    time: '2026-01-02T03:04:05.006Z',
    uuid: 'a29db1b7-4359-4848-9e7a-1b96510e3123',
    verdict,
    IP: { source: from.ip, destination: to.ip, ipVersion },
    l4,
    source: from.endpoint,
    destination: to.endpoint,
    Type: 'L3_L4',
    ...(to.names !== undefined && { destination_names: to.names }),
    event_type: { type },
    traffic_direction: direction,
    is_reply: false,
  };
}

function reply(talk: Talk): Flow {
  const { protocol = 'TCP', port, client = 40000, from, to } = talk;
  const flow = base({ ...talk, from: to, to: from }, 'FORWARDED', 'INGRESS', 4);
  const l4 = protocol.startsWith('ICMP')
    ? { [protocol]: {} }
    : { [protocol]: { source_port: port, destination_port: client } };
  return { ...flow, l4, is_reply: true, reply: true, trace_observation_point: 'TO_ENDPOINT', trace_reason: 'REPLY' };
}
