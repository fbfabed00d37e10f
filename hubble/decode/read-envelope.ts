/**
 * Flows that were written elsewhere (an export file, a stock hubble) read back. Members that we know and that have another
 * type than they should are dropped, members that we do not know are kept for the JSON output; so filters and printers
 * never meet a value of the wrong type.
 */
import type { Endpoint, Envelope, Flow } from '../flow.ts';

/** 's' text, 'n' number, 'b' boolean, a list of one kind, or an object of named kinds. */
type Kind = 's' | 'n' | 'b' | readonly [Kind] | { readonly [name: string]: Kind };

const TYPE_NAMES = { s: 'string', n: 'number', b: 'boolean' } as const;

const WORKLOAD: Kind = { name: 's', kind: 's' };
const ENDPOINT: Kind = {
  ID: 'n',
  identity: 'n',
  cluster_name: 's',
  namespace: 's',
  labels: ['s'],
  pod_name: 's',
  workloads: [WORKLOAD],
};
const SERVICE: Kind = { name: 's', namespace: 's' };
const PORTS: Kind = { source_port: 'n', destination_port: 'n' };
const ICMP: Kind = { type: 'n', code: 'n' };
const VRRP_FIELDS: Kind = { type: 'n', vrid: 'n', priority: 'n' };
const IGMP_FIELDS: Kind = { type: 'n', group_address: 's' };
const FLAGS: Kind = { FIN: 'b', SYN: 'b', RST: 'b', PSH: 'b', ACK: 'b', URG: 'b', ECE: 'b', CWR: 'b', NS: 'b' };
const POLICIES: Kind = [{ name: 's', namespace: 's', kind: 's', labels: ['s'], revision: 's' }];
const HTTP: Kind = { code: 'n', method: 's', url: 's', protocol: 's', headers: [{ key: 's', value: 's' }] };
const DNS: Kind = {
  query: 's',
  observation_source: 's',
  ips: ['s'],
  cnames: ['s'],
  qtypes: ['s'],
  rcode: 'n',
  ttl: 'n',
};

const FLOW: Kind = {
  time: 's',
  uuid: 's',
  verdict: 's',
  drop_reason: 'n',
  auth_type: 's',
  ethernet: { source: 's', destination: 's' },
  IP: { source: 's', destination: 's', ipVersion: 's' },
  l4: {
    TCP: { ...PORTS, flags: FLAGS },
    UDP: PORTS,
    SCTP: { ...PORTS, chunk_type: 's' },
    ICMPv4: ICMP,
    ICMPv6: ICMP,
    VRRP: VRRP_FIELDS,
    IGMP: IGMP_FIELDS,
  },
  source: ENDPOINT,
  destination: ENDPOINT,
  Type: 's',
  node_name: 's',
  node_labels: ['s'],
  source_names: ['s'],
  destination_names: ['s'],
  l7: { type: 's', latency_ns: 's', http: HTTP, dns: DNS, kafka: { topic: 's', api_key: 's' }, tlsSNI: 's' },
  event_type: { type: 'n', sub_type: 'n' },
  source_service: SERVICE,
  destination_service: SERVICE,
  traffic_direction: 's',
  policy_match_type: 'n',
  trace_observation_point: 's',
  drop_reason_desc: 's',
  is_reply: 'b',
  interface: { index: 'n', name: 's' },
  trace_context: { parent: { trace_id: 's' } },
  Summary: 's',
  egress_allowed_by: POLICIES,
  ingress_allowed_by: POLICIES,
  egress_denied_by: POLICIES,
  ingress_denied_by: POLICIES,
  extensions: { '@type': 's', value: 's' },
  aggregate: { ingress_flow_count: 'n', egress_flow_count: 'n', unknown_direction_flow_count: 'n' },
};

const ENVELOPE: Kind = {
  flow: FLOW,
  lost_events: { source: 's', num_events_lost: 's', cpu: 'n' },
  node_name: 's',
  time: 's',
};

/**
 * Reads an envelope, or a flow without one (as older exports have it).
 * @param value parsed JSON; what is right of it is not copied
 * @returns undefined when the value is no object
 */
export function readEnvelope(value: unknown): Envelope | undefined {
  if (!isObject(value)) return undefined;
  const isBareFlow = value['flow'] === undefined && value['verdict'] !== undefined;
  const envelope = keep(isBareFlow ? { flow: value, time: value['time'] } : value, ENVELOPE) as Envelope;
  const { flow, lost_events: lost } = envelope;
  if (lost === undefined && (flow === undefined || isWhole(flow))) return envelope;
  return { ...envelope, ...(flow && { flow: wholeFlow(flow) }), ...(lost && { lost_events: { ...NO_LOSS, ...lost } }) };
}

/** Reads one end of a flow; undefined when the value is no object. */
export function readEndpoint(value: unknown): Endpoint | undefined {
  return keep(value, ENDPOINT) as Endpoint | undefined;
}

const NO_LOSS = { source: 'UNKNOWN_LOST_EVENT_SOURCE', num_events_lost: '0' } as const;

/** What printers and filters count on, for flows that lack it. */
const WHOLE = { time: '', verdict: 'VERDICT_UNKNOWN', source: {}, destination: {}, Type: 'L3_L4' } as const;

/** Whether a flow, of which nothing has another type than it should, lacks nothing. */
function isWhole({ time, verdict, source, destination, Type, event_type, l7, trace_context }: Partial<Flow>): boolean {
  if (time === undefined || verdict === undefined || Type === undefined) return false;
  if (source === undefined || destination === undefined || event_type?.type === undefined) return false;
  return (
    (l7 === undefined || l7.type !== undefined) &&
    (trace_context === undefined || trace_context.parent?.trace_id !== undefined)
  );
}

function wholeFlow(flow: Partial<Flow>): Flow {
  const { trace_context: context, l7 } = flow;
  const missing = Object.entries(WHOLE).filter(([key]) => !Object.hasOwn(flow, key));
  const whole: Record<string, unknown> = {
    ...flow, // first, so that members stay in their order
    ...Object.fromEntries(missing),
    event_type: { type: 0, ...flow.event_type },
    ...(l7 && { l7: { ...l7, type: l7.type ?? 'UNKNOWN_L7_TYPE' } }),
  };
  if (context?.parent?.trace_id === undefined) delete whole['trace_context'];
  return whole as unknown as Flow;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value itself, or with members of the wrong type left out; undefined when it is of the wrong type itself. */
function keep(value: unknown, kind: Kind): unknown {
  if (isRight(value, kind)) return value;
  if (typeof kind === 'string') return undefined;
  if (isList(kind)) {
    if (!Array.isArray(value)) return undefined;
    return value.map((item: unknown) => keep(item, kind[0])).filter((item) => item !== undefined);
  }
  if (!isObject(value)) return undefined;
  const kept = Object.entries(value).map(([key, member]) => {
    return [key, Object.hasOwn(kind, key) ? keep(member, kind[key]) : member] as const;
  });
  return Object.fromEntries(kept.filter(([, member]) => member !== undefined));
}

/** Whether nothing of a value has another type than it should. */
function isRight(value: unknown, kind: Kind): boolean {
  // biome-ignore lint/suspicious/useValidTypeof: the names come from the table above
  if (typeof kind === 'string') return typeof value === TYPE_NAMES[kind];
  if (isList(kind)) {
    if (!Array.isArray(value)) return false;
    const [each] = kind;
    for (const item of value) if (!isRight(item, each)) return false;
    return true;
  }
  if (!isObject(value)) return false;
  for (const key of Object.keys(value)) if (Object.hasOwn(kind, key) && !isRight(value[key], kind[key])) return false;
  return true;
}

function isList(kind: Kind): kind is readonly [Kind] {
  return Array.isArray(kind);
}
