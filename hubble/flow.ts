import type { AgentEvent } from './agent-event.ts';

/**
 * A flow as Hubble's JSON has it: the fields of flow.proto under their original names, enumerations by name, 64-bit
 * numbers as strings, and every field that has its zero value left out (protojson). Objects are built in the order of
 * the declaration below, which is the order of the proto file, so that `JSON.stringify` answers what a stock hubble prints.
 */
export interface Flow {
  /** RFC 3339 in UTC, with as many digits of a second as it has: 0, 3, 6 or 9. */
  readonly time: string;
  readonly uuid?: string;
  readonly emitter?: Emitter;
  readonly verdict: Verdict;
  readonly drop_reason?: number;
  readonly auth_type?: 'SPIRE' | 'TEST_ALWAYS_FAIL';
  readonly ethernet?: Ethernet;
  readonly IP?: Ip;
  readonly l4?: Layer4;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly Type: 'L3_L4' | 'L7';
  readonly node_name?: string;
  readonly node_labels?: readonly string[];
  readonly source_names?: readonly string[];
  readonly destination_names?: readonly string[];
  readonly l7?: Layer7;
  readonly reply?: true;
  readonly event_type: EventType;
  readonly source_service?: Service;
  readonly destination_service?: Service;
  readonly traffic_direction?: 'INGRESS' | 'EGRESS';
  readonly policy_match_type?: number;
  readonly trace_observation_point?: string;
  readonly trace_reason?: string;
  readonly ip_trace_id?: { readonly trace_id?: string; readonly ip_option_type?: number };
  readonly drop_reason_desc?: string;
  /** Absent when it is not known whether this is a reply. */
  readonly is_reply?: boolean;
  readonly interface?: NetworkInterface;
  readonly proxy_port?: number;
  readonly trace_context?: { readonly parent: { readonly trace_id: string } };
  readonly Summary?: string;
  /** The name of a drop reason of our own, which Hubble's enumeration lacks; see own-reason.ts. */
  readonly extensions?: OwnReason;
  readonly egress_allowed_by?: readonly PolicyRef[];
  readonly ingress_allowed_by?: readonly PolicyRef[];
  readonly egress_denied_by?: readonly PolicyRef[];
  readonly ingress_denied_by?: readonly PolicyRef[];
  readonly policy_log?: readonly string[];
  /** How many packets this flow stands for, when it is not about one. */
  readonly aggregate?: Aggregate;
}

export interface Aggregate {
  readonly ingress_flow_count?: number;
  readonly egress_flow_count?: number;
  readonly unknown_direction_flow_count?: number;
}

/** How many packets a flow stands for: one, unless it says more. */
export function packetsOf({ aggregate = {} }: Flow): number {
  const { ingress_flow_count: ingress = 0, egress_flow_count: egress = 0 } = aggregate;
  return Math.max(1, ingress + egress + (aggregate.unknown_direction_flow_count ?? 0));
}

/** A google.protobuf.Any that every client of Hubble can read. */
export interface OwnReason {
  readonly '@type': 'type.googleapis.com/google.protobuf.StringValue';
  readonly value: string;
}

/** The names of Hubble's enumeration. Our own events never have the last two, which are of socket traces. */
export type Verdict =
  | 'VERDICT_UNKNOWN'
  | 'FORWARDED'
  | 'DROPPED'
  | 'ERROR'
  | 'AUDIT'
  | 'REDIRECTED'
  | 'TRACED'
  | 'TRANSLATED';

/** All verdicts of Hubble by number, for filters. */
export const VERDICTS: readonly string[] = [
  'VERDICT_UNKNOWN',
  'FORWARDED',
  'DROPPED',
  'ERROR',
  'AUDIT',
  'REDIRECTED',
  'TRACED',
  'TRANSLATED',
];

export interface Emitter {
  readonly name: string;
  readonly version: string;
}

export interface Ethernet {
  readonly source: string;
  readonly destination: string;
}

export interface Ip {
  readonly source: string;
  /** The source after source NAT. */
  readonly source_xlated?: string;
  readonly destination: string;
  readonly ipVersion: 'IPv4' | 'IPv6';
  readonly encrypted?: true;
}

/** Exactly one of the members. */
export interface Layer4 {
  readonly TCP?: { readonly source_port?: number; readonly destination_port?: number; readonly flags?: TcpFlags };
  readonly UDP?: Ports;
  readonly ICMPv4?: Icmp;
  readonly ICMPv6?: Icmp;
  readonly SCTP?: Ports & { readonly chunk_type?: SctpChunk };
  readonly VRRP?: { readonly type?: number; readonly vrid?: number; readonly priority?: number };
  readonly IGMP?: { readonly type?: number; readonly group_address?: string };
}

/** The first chunk of a packet; others are not told. */
export type SctpChunk = 'INIT' | 'INIT_ACK' | 'SHUTDOWN' | 'SHUTDOWN_ACK' | 'SHUTDOWN_COMPLETE' | 'ABORT';

export interface Ports {
  readonly source_port?: number;
  readonly destination_port?: number;
}

export interface Icmp {
  readonly type?: number;
  readonly code?: number;
}

/** Flags that are set. */
export type TcpFlags = Readonly<Partial<Record<TcpFlag, boolean>>>;
export type TcpFlag = 'FIN' | 'SYN' | 'RST' | 'PSH' | 'ACK' | 'URG' | 'ECE' | 'CWR' | 'NS';

export interface Endpoint {
  /** Endpoint id; absent when it is not local. */
  readonly ID?: number;
  readonly identity?: number;
  readonly cluster_name?: string;
  readonly namespace?: string;
  /** `source:key=value`, sorted. */
  readonly labels?: readonly string[];
  readonly pod_name?: string;
  readonly workloads?: readonly Workload[];
}

export interface Workload {
  readonly name?: string;
  readonly kind?: string;
}

export interface Service {
  readonly name: string;
  readonly namespace: string;
}

export interface NetworkInterface {
  readonly index?: number;
  readonly name?: string;
}

/** type: 1 drop, 4 trace, 5 policy-verdict, 129 L7; sub_type: reason or observation point, left out when 0. */
export interface EventType {
  readonly type: number;
  readonly sub_type?: number;
}

export interface Layer7 {
  readonly type: 'REQUEST' | 'RESPONSE' | 'SAMPLE' | 'UNKNOWN_L7_TYPE';
  readonly latency_ns?: string;
  readonly dns?: Dns;
  readonly http?: Http;
  readonly kafka?: Kafka;
  /** Not of flow.proto: the server name of a TLS hello; '' = it has none. */
  readonly tlsSNI?: string;
}

export interface Dns {
  readonly query?: string;
  readonly ips?: readonly string[];
  readonly ttl?: number;
  readonly cnames?: readonly string[];
  readonly observation_source?: string;
  readonly rcode?: number;
  readonly qtypes?: readonly string[];
  readonly rrtypes?: readonly string[];
}

export interface Http {
  readonly code?: number;
  readonly method?: string;
  readonly url?: string;
  readonly protocol?: string;
  readonly headers?: readonly HttpHeader[];
}

export interface HttpHeader {
  readonly key: string;
  readonly value: string;
}

export interface Kafka {
  readonly error_code?: number;
  readonly api_version?: number;
  readonly api_key?: string;
  readonly correlation_id?: number;
  readonly topic?: string;
}

/** A policy that decided a flow. */
export interface PolicyRef {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: readonly string[];
  /** 64 bits, hence text. */
  readonly revision?: string;
  readonly kind?: string;
}

/** What a stream of flows carries: one of `flow` and `lost_events`; a stream of events of the agent has `agent_event`. */
export interface Envelope {
  readonly flow?: Flow;
  readonly lost_events?: LostEvents;
  readonly agent_event?: AgentEvent;
  readonly node_name?: string;
  readonly time?: string;
  /** `time` as a number, of envelopes that know it without reading their flow; in no JSON. */
  readonly timeMs?: number;
}

/**
 * Events that nobody will see: the agent was slower than the dataplane (PERF_EVENT_RING_BUFFER, Hubble's name for the
 * datapath's ring), or a reader slower than the agent (HUBBLE_RING_BUFFER).
 */
export interface LostEvents {
  readonly source:
    | 'PERF_EVENT_RING_BUFFER'
    | 'OBSERVER_EVENTS_QUEUE'
    | 'HUBBLE_RING_BUFFER'
    | 'UNKNOWN_LOST_EVENT_SOURCE';
  /** 64 bits, hence text. */
  readonly num_events_lost: string;
  readonly cpu?: number;
  /** RFC 3339: when the first and the last of them were missed. */
  readonly first?: string;
  readonly last?: string;
}

/** The object without members that are undefined, 0, '', false or empty: what protojson leaves out. */
export function compact<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  const out: Record<string, unknown> = {};
  for (const key in fields) {
    const value: unknown = fields[key];
    const isZero = value === undefined || value === 0 || value === '' || value === false;
    if (!isZero && !(Array.isArray(value) && value.length === 0)) out[key] = value;
  }
  return out as T;
}
