/**
 * What a FlowFilter may say: the fields of flow.proto under their names. Values in one list are alternatives, fields
 * must all match. Some fields our flows never have (an address before SNAT, an IP trace id): to ask for them is no error, and
 * matches nothing.
 */
import type { HttpHeader, NetworkInterface, TcpFlags, Workload } from '../flow.ts';

export interface FlowFilter {
  readonly uuid?: readonly string[];
  /** Addresses or prefixes. */
  readonly source_ip?: readonly string[];
  /** What source NAT made of the source. */
  readonly source_ip_xlated?: readonly string[];
  readonly destination_ip?: readonly string[];
  /** `namespace/prefix`; without a slash namespace `default`; an empty namespace is any. */
  readonly source_pod?: readonly string[];
  readonly destination_pod?: readonly string[];
  /** Names with `*` for any characters. */
  readonly source_fqdn?: readonly string[];
  readonly destination_fqdn?: readonly string[];
  /** Label selectors. */
  readonly source_label?: readonly string[];
  readonly destination_label?: readonly string[];
  /** As pods. */
  readonly source_service?: readonly string[];
  readonly destination_service?: readonly string[];
  /** Empty name or kind is any. */
  readonly source_workload?: readonly Workload[];
  readonly destination_workload?: readonly Workload[];
  readonly source_cluster_name?: readonly string[];
  readonly destination_cluster_name?: readonly string[];
  readonly source_identity?: readonly number[];
  readonly destination_identity?: readonly number[];
  /** `8080` or `8000-8100`. */
  readonly source_port?: readonly string[];
  readonly destination_port?: readonly string[];
  readonly traffic_direction?: readonly string[];
  readonly verdict?: readonly string[];
  readonly drop_reason_desc?: readonly string[];
  readonly interface?: readonly NetworkInterface[];
  readonly event_type?: readonly EventTypeFilter[];
  /** `404`, or a prefix with a plus: `4+`, `50+`. */
  readonly http_status_code?: readonly string[];
  readonly http_method?: readonly string[];
  /** RE2 patterns that match anywhere in the path. */
  readonly http_path?: readonly string[];
  readonly http_url?: readonly string[];
  readonly http_header?: readonly HttpHeader[];
  /** tcp, udp, sctp, icmp, icmpv4, icmpv6, vrrp, igmp, http, dns, kafka, tls. */
  readonly protocol?: readonly string[];
  readonly reply?: readonly boolean[];
  /** RE2 patterns that match anywhere in the name. */
  readonly dns_query?: readonly string[];
  /** All flags of one entry must be set. */
  readonly tcp_flags?: readonly TcpFlags[];
  /** `node`, `cluster/node`, `cluster/`, with `*` for any characters. */
  readonly node_name?: readonly string[];
  readonly node_labels?: readonly string[];
  /** IPv4, IPv6, IP_NOT_USED. */
  readonly ip_version?: readonly string[];
  readonly trace_id?: readonly string[];
  /** 64 bits, hence text; 0 is a flow without one. */
  readonly ip_trace_id?: readonly string[];
  readonly encrypted?: readonly boolean[];
  /** Refused when it holds an expression: there is no evaluator of CEL here. */
  readonly experimental?: { readonly cel_expression?: readonly string[] };
}

/** The fields that are lists of values: all but one. */
export type ListField = Exclude<keyof FlowFilter, 'experimental'>;

export interface EventTypeFilter {
  /** 0 is any. */
  readonly type?: number;
  readonly match_sub_type?: boolean;
  readonly sub_type?: number;
}
