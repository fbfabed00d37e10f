/**
 * The metrics of Hubble by the names under which `hubble.metrics` asks for them (pkg/hubble/metrics of Cilium): names, labels
 * and which flows count are Hubble's, so that its dashboards and alerts hold. Of our own: drops for which Hubble has no reason
 * are counted under the reason that `observe` shows, TLS hellos have subtype TLS, and a flow that stands for many packets
 * counts as many where packets are counted (`drop`, `flows-to-world`), and once where flows are.
 */
import { EVENT_DROP, EVENT_L7, EVENT_POLICY_VERDICT, EVENT_TRACE, OBSERVATION_POINTS } from '../../wire/event.ts';
import { IDENTITY_HEALTH, IDENTITY_HOST, IDENTITY_WORLD } from '../../wire/identities.ts';
import { rcodeText } from '../decode/rcode-names.ts';
import { type Flow, packetsOf } from '../flow.ts';
import { ownReasonName } from '../own-reason.ts';
import { icmpName } from '../print/icmp-names.ts';
import { matchTypeText } from '../print/print.ts';
import type { ContextLabels } from './contexts.ts';
import { flowProtocol } from './flow-protocol.ts';
import { Counter, Histogram, type Registry } from './registry.ts';

/** Takes in one flow. */
export type FlowHandler = (flow: Flow) => void;

/** What a metric is made with. */
export interface Making {
  readonly registry: Registry;
  readonly context: ContextLabels;
  /** Whether an option without a value was given; options that nobody asked about are refused. */
  readonly has: (option: string) => boolean;
  /** Any steady clock, in milliseconds. */
  readonly nowMs: () => number;
}

type Make = (making: Making) => FlowHandler;

const WORLD_LABELS = ['reserved:world', 'reserved:world-ipv4', 'reserved:world-ipv6'];
const REPORTERS = { EGRESS: 'client', INGRESS: 'server' } as const;

/** All, by name. */
export const FLOW_METRICS: Readonly<Record<string, Make>> = {
  dns: makeDns,
  drop: makeDrop,
  flow: makeFlow,
  'flows-to-world': makeFlowsToWorld,
  http: makeHttp,
  httpV2: makeHttpV2,
  icmp: makeIcmp,
  kafka: makeKafka,
  policy: makePolicy,
  'port-distribution': makePortDistribution,
  sctp: makeSctp,
  tcp: makeTcp,
};

function counter({ registry, nowMs }: Making, name: string, help: string, labels: readonly string[]): Counter {
  return registry.add(new Counter({ name, help, labels }, nowMs));
}

function histogram({ registry, nowMs }: Making, name: string, help: string, labels: readonly string[]): Histogram {
  return registry.add(new Histogram({ name, help, labels }, nowMs));
}

function makeDns(making: Making): FlowHandler {
  const { context, has } = making;
  const [withQuery, isIgnoringAaaa] = [has('query'), has('ignoreaaaa')];
  const query = withQuery ? ['query'] : [];
  const labels = [...context.names, 'rcode', 'qtypes', 'ips_returned', ...query];
  const queries = counter(making, 'hubble_dns_queries_total', 'DNS queries.', labels);
  const responses = counter(making, 'hubble_dns_responses_total', 'DNS responses.', labels);
  const typeLabels = [...context.names, 'type', 'qtypes', ...query];
  const types = counter(making, 'hubble_dns_response_types_total', 'Records in DNS responses.', typeLabels);
  return (flow) => {
    const dns = flow.l7?.dns;
    if (dns === undefined || (isIgnoringAaaa && dns.qtypes?.length === 1 && dns.qtypes[0] === 'AAAA')) return;
    const own = context.values(flow);
    const qtypes = dns.qtypes?.join(',') ?? '';
    const asked = withQuery ? [dns.query ?? ''] : [];
    const valuesOf = (rcode: string) => [...own, rcode, qtypes, String(dns.ips?.length ?? 0), ...asked];
    if (flow.verdict === 'DROPPED' || flow.is_reply !== true) {
      queries.add(valuesOf(flow.verdict === 'DROPPED' ? 'Policy denied' : ''));
      return;
    }
    responses.add(valuesOf(rcodeText(dns.rcode ?? 0)));
    for (const type of dns.rrtypes ?? []) types.add([...own, type, qtypes, ...asked]);
  };
}

function makeDrop(making: Making): FlowHandler {
  const { context } = making;
  const drops = counter(making, 'hubble_drop_total', 'Drops.', [...context.names, 'reason', 'protocol']);
  return (flow) => {
    if (flow.verdict !== 'DROPPED') return;
    const reason = ownReasonName(flow) ?? flow.drop_reason_desc ?? 'DROP_REASON_UNKNOWN';
    drops.add([...context.values(flow), reason, flowProtocol(flow)], packetsOf(flow));
  };
}

function makeFlow(making: Making): FlowHandler {
  const { context } = making;
  const labels = ['protocol', 'type', 'subtype', 'verdict', ...context.names];
  const flows = counter(making, 'hubble_flows_processed_total', 'Flows processed.', labels);
  return (flow) => {
    const [type, subtype] = typeOf(flow);
    flows.add([flowProtocol(flow), type, subtype, flow.verdict, ...context.values(flow)]);
  };
}

function typeOf({ event_type: { type, sub_type: subtype = 0 }, l7 }: Flow): [type: string, subtype: string] {
  if (type === EVENT_DROP) return ['Drop', ''];
  if (type === EVENT_TRACE) return ['Trace', OBSERVATION_POINTS[subtype] ?? ''];
  if (type === EVENT_POLICY_VERDICT) return ['PolicyVerdict', ''];
  if (type !== EVENT_L7) return ['Unknown', String(type)];
  if (l7?.dns !== undefined) return ['L7', 'DNS'];
  if (l7?.http !== undefined) return ['L7', 'HTTP'];
  if (l7?.kafka !== undefined) return ['L7', 'Kafka'];
  return ['L7', l7?.tlsSNI === undefined ? '' : 'TLS'];
}

function makeFlowsToWorld(making: Making): FlowHandler {
  const { context, has } = making;
  const [anyDrop, withPort, synOnly] = [has('any-drop'), has('port'), has('syn-only')];
  const labels = ['protocol', 'verdict', ...(withPort ? ['port'] : []), ...context.names];
  const flows = counter(making, 'hubble_flows_to_world_total', 'Flows to the world.', labels);
  return (flow) => {
    const { verdict, l4, destination } = flow;
    const isToWorld = destination.identity === IDENTITY_WORLD || hasWorldLabel(destination.labels);
    if (l4 === undefined || !isToWorld) return;
    const isDropped = verdict === 'DROPPED';
    if (isDropped && !anyDrop && flow.drop_reason_desc !== 'POLICY_DENIED') return;
    // The destination of a reply is a port that its client chose.
    if (!isDropped && flow.is_reply === true) return;
    if (synOnly && (l4.TCP?.flags?.SYN !== true || flow.is_reply === true)) return;
    const port = (l4.TCP ?? l4.UDP ?? l4.SCTP)?.destination_port;
    const own = [...(withPort ? [String(port ?? '')] : []), ...context.values(flow)];
    flows.add([flowProtocol(flow), verdict, ...own], packetsOf(flow));
  };
}

function hasWorldLabel(labels: readonly string[] = []): boolean {
  return labels.some((label) => WORLD_LABELS.includes(label));
}

function reporterOf({ traffic_direction: direction }: Flow): string {
  return direction === undefined ? 'unknown' : REPORTERS[direction];
}

function makeHttp(making: Making): FlowHandler {
  const { context } = making;
  const { names } = context;
  const requests = counter(making, 'hubble_http_requests_total', 'HTTP requests.', [
    ...names,
    'method',
    'protocol',
    'reporter',
  ]);
  const responses = counter(making, 'hubble_http_responses_total', 'HTTP responses.', [
    ...names,
    'status',
    'method',
    'reporter',
  ]);
  const durations = durationsOf(making);
  return (flow) => {
    const { l7 } = flow;
    if (l7?.http === undefined) return;
    const { method = '', protocol = '', code = 0 } = l7.http;
    const own = context.values(flow);
    const reporter = reporterOf(flow);
    if (l7.type === 'REQUEST') requests.add([...own, method, protocol, reporter]);
    if (l7.type !== 'RESPONSE') return;
    responses.add([...own, String(code), method, reporter]);
    observe(durations, [...own, method, reporter], flow);
  };
}

/** With the status beside the method, and by who asked: counted when the response comes, or as 403 when there is none because it is denied. */
function makeHttpV2(making: Making): FlowHandler {
  const { context } = making;
  const labels = [...context.names, 'method', 'protocol', 'status', 'reporter'];
  const requests = counter(making, 'hubble_http_requests_total', 'HTTP requests.', labels);
  const durations = durationsOf(making);
  return (flow) => {
    const { l7 } = flow;
    if (l7?.http === undefined) return;
    const { method = '', protocol = '', code } = l7.http;
    const reporter = reporterOf(flow);
    if (l7.type === 'RESPONSE') {
      const own = context.valuesOfRequest(flow);
      requests.add([...own, method, protocol, String(code ?? 0), reporter]);
      observe(durations, [...own, method, reporter], flow);
    } else if (flow.verdict === 'DROPPED') {
      requests.add([...context.values(flow), method, protocol, String(code ?? 403), reporter]);
    }
  };
}

function durationsOf(making: Making): Histogram {
  const labels = [...making.context.names, 'method', 'reporter'];
  return histogram(making, 'hubble_http_request_duration_seconds', 'From a request to its response.', labels);
}

function observe(durations: Histogram, values: readonly string[], flow: Flow): void {
  const seconds = Number(flow.l7?.latency_ns ?? 0) / 1e9;
  durations.observe(values, seconds, flow.trace_context?.parent.trace_id, Date.parse(flow.time));
}

function makeIcmp(making: Making): FlowHandler {
  const { context } = making;
  const messages = counter(making, 'hubble_icmp_total', 'ICMP messages.', ['family', 'type', ...context.names]);
  return (flow) => {
    const { ICMPv4: v4, ICMPv6: v6 } = flow.l4 ?? {};
    const message = v4 ?? v6;
    if (message === undefined) return;
    const name = icmpName(v4 === undefined ? 6 : 4, message.type ?? 0, message.code ?? 0);
    messages.add([v4 === undefined ? 'IPv6' : 'IPv4', name, ...context.values(flow)]);
  };
}

function makeKafka(making: Making): FlowHandler {
  const { context } = making;
  const labels = [...context.names, 'topic', 'api_key', 'error_code', 'reporter'];
  const requests = counter(making, 'hubble_kafka_requests_total', 'Kafka requests.', labels);
  const durationLabels = [...context.names, 'topic', 'api_key', 'reporter'];
  const durations = histogram(
    making,
    'hubble_kafka_request_duration_seconds',
    'From a Kafka request to its response.',
    durationLabels,
  );
  return (flow) => {
    const { l7 } = flow;
    if (l7?.kafka === undefined) return;
    const { topic = '', api_key: apiKey = '', error_code: error = 0 } = l7.kafka;
    const reporter = reporterOf(flow);
    if (l7.type === 'REQUEST') requests.add([...context.values(flow), topic, apiKey, String(error), reporter]);
    else observe(durations, [...context.valuesOfRequest(flow), topic, apiKey, reporter], flow);
  };
}

function makePolicy(making: Making): FlowHandler {
  const { context } = making;
  const labels = ['direction', 'match', 'action', ...context.names];
  const verdicts = counter(making, 'hubble_policy_verdicts_total', 'Verdicts of network policies.', labels);
  return (flow) => {
    const { source, destination } = flow;
    const isHealth = source.identity === IDENTITY_HEALTH || destination.identity === IDENTITY_HEALTH;
    if (flow.event_type.type !== EVENT_POLICY_VERDICT || source.identity === IDENTITY_HOST || isHealth) return;
    const direction = flow.traffic_direction?.toLowerCase() ?? 'unknown';
    const match = matchTypeText(flow.policy_match_type ?? 0).toLowerCase();
    verdicts.add([direction, match, flow.verdict.toLowerCase(), ...context.values(flow)]);
  };
}

function makePortDistribution(making: Making): FlowHandler {
  const { context } = making;
  const labels = ['protocol', 'port', ...context.names];
  const ports = counter(making, 'hubble_port_distribution_total', 'Packets by destination port.', labels);
  return (flow) => {
    const isForwarded = flow.verdict === 'FORWARDED' || flow.verdict === 'REDIRECTED';
    // Not known to be no reply: its destination may be a port that a client chose.
    if (!isForwarded || flow.l4 === undefined || flow.is_reply !== false) return;
    const { TCP: tcp, UDP: udp, SCTP: sctp } = flow.l4;
    const port = (tcp ?? udp ?? sctp)?.destination_port ?? 0;
    ports.add([flowProtocol(flow), String(port), ...context.values(flow)]);
  };
}

function makeSctp(making: Making): FlowHandler {
  const { context } = making;
  const labels = ['chunk_type', 'family', ...context.names];
  const chunks = counter(making, 'hubble_sctp_chunk_types_total', 'SCTP packets by their first chunk.', labels);
  return (flow) => {
    if (flow.verdict !== 'FORWARDED' || flow.l4?.SCTP === undefined) return;
    chunks.add(['UNSUPPORTED', flow.IP?.ipVersion ?? '', ...context.values(flow)]);
  };
}

function makeTcp(making: Making): FlowHandler {
  const { context } = making;
  const flags = counter(making, 'hubble_tcp_flags_total', 'TCP flags.', ['flag', 'family', ...context.names]);
  return (flow) => {
    const seen = flow.l4?.TCP?.flags;
    if (flow.verdict !== 'FORWARDED' || flow.IP === undefined || seen === undefined) return;
    const names: string[] = [];
    if (seen.FIN === true) names.push('FIN');
    if (seen.SYN === true) names.push(seen.ACK === true ? 'SYN-ACK' : 'SYN');
    if (seen.RST === true) names.push('RST');
    if (names.length === 0) return;
    const own = context.values(flow);
    for (const name of names) flags.add([name, flow.IP.ipVersion, ...own]);
  };
}
