/**
 * FlowFilters compiled to predicates: once, when a request comes, so that for each flow only comparisons are left.
 * Patterns that users write are RE2 (linear time): one bad pattern must not hold up the agent.
 */
import { RE2JS } from 're2js';
import { parseIp } from '../../wire/address.ts';
import { EVENT_L7 } from '../../wire/event.ts';
import { holdsAddress, parsePrefix, type Prefix } from '../../wire/prefix.ts';
import { reasonNumber } from '../../wire/reasons.ts';
import { type Endpoint, type Envelope, type Flow, type TcpFlag, VERDICTS, type Workload } from '../flow.ts';
import type { EventTypeFilter, FlowFilter, ListField } from './flow-filter.ts';
import { ownReasonName } from '../own-reason.ts';
import { compileSelector } from './label-selector.ts';
import { compileNamePatterns, compileNodePatterns, compileQualifiedNames } from './name-pattern.ts';

export type FlowPredicate = (flow: Flow) => boolean;

type Compilers = { readonly [K in ListField]: (values: NonNullable<FlowFilter[K]>) => FlowPredicate };

const compilers: Compilers = {
  uuid: (values) => isOneOf(values, (flow) => flow.uuid),
  source_ip: (values) => ipIn(values, (flow) => flow.IP?.source),
  source_ip_xlated: (values) => ipIn(values, (flow) => flow.IP?.source_xlated),
  destination_ip: (values) => ipIn(values, (flow) => flow.IP?.destination),
  source_pod: (values) => named(values, (flow) => [flow.source.namespace, flow.source.pod_name]),
  destination_pod: (values) => named(values, (flow) => [flow.destination.namespace, flow.destination.pod_name]),
  source_fqdn: (values) => fqdn(values, (flow) => flow.source_names),
  destination_fqdn: (values) => fqdn(values, (flow) => flow.destination_names),
  source_label: (values) => labelled(values, (flow) => flow.source.labels),
  destination_label: (values) => labelled(values, (flow) => flow.destination.labels),
  source_service: (values) => named(values, (flow) => [flow.source_service?.namespace, flow.source_service?.name]),
  destination_service: (values) =>
    named(values, (flow) => [flow.destination_service?.namespace, flow.destination_service?.name]),
  source_workload: (values) => workload(values, (flow) => flow.source),
  destination_workload: (values) => workload(values, (flow) => flow.destination),
  source_cluster_name: (values) => isOneOf(values, (flow) => flow.source.cluster_name),
  destination_cluster_name: (values) => isOneOf(values, (flow) => flow.destination.cluster_name),
  source_identity: (values) => isOneOf(values, (flow) => flow.source.identity ?? 0),
  destination_identity: (values) => isOneOf(values, (flow) => flow.destination.identity ?? 0),
  source_port: (values) => portIn(values, 'source_port'),
  destination_port: (values) => portIn(values, 'destination_port'),
  traffic_direction: (values) =>
    isOneOf(known(values, 'traffic direction', DIRECTIONS), (flow) => flow.traffic_direction ?? DIRECTIONS[0]),
  verdict: (values) => isOneOf(known(values, 'verdict', VERDICTS), (flow) => flow.verdict),
  drop_reason_desc: dropReason,
  interface: (values) => (flow) =>
    values.some(
      (wanted) =>
        flow.interface !== undefined &&
        (!wanted.name || wanted.name === flow.interface.name) &&
        (!wanted.index || wanted.index === flow.interface.index),
    ),
  event_type: (values) => (flow) => values.some((wanted) => isEventType(flow, wanted)),
  http_status_code: httpStatus,
  http_method: (values) => isOneOf(upper(values), (flow) => flow.l7?.http?.method?.toUpperCase()),
  http_path: (values) => patterns('http path', values, (flow) => pathOf(flow.l7?.http?.url)),
  http_url: (values) => patterns('http url', values, (flow) => flow.l7?.http?.url),
  http_header: (values) => (flow) =>
    values.some((wanted) =>
      flow.l7?.http?.headers?.some(({ key, value }) => sameText(key, wanted.key) && value === wanted.value),
    ),
  protocol: (values) => isAny(values.map(protocol)),
  reply: (values) => (flow) =>
    // A drop does not know whether it was a reply; filters count it as none, as Hubble does.
    (flow.is_reply !== undefined || flow.verdict === 'DROPPED') && values.includes(flow.is_reply ?? false),
  dns_query: (values) => patterns('DNS query', values, (flow) => flow.l7?.dns?.query),
  tcp_flags: (values) => (flow) => {
    const flags = flow.l4?.TCP?.flags;
    const isSet = (name: string) => flags?.[name as TcpFlag] === true;
    return (
      flags !== undefined && values.some((wanted) => Object.entries(wanted).every(([name, on]) => !on || isSet(name)))
    );
  },
  node_name: (values) => {
    const matches = compileNodePatterns(values);
    return (flow) => flow.node_name !== undefined && matches(flow.node_name);
  },
  node_labels: (values) => labelled(values, (flow) => flow.node_labels),
  ip_version: (values) =>
    isOneOf(
      known(values, 'IP version', ['IPv4', 'IPv6', 'IP_NOT_USED']),
      (flow) => flow.IP?.ipVersion ?? 'IP_NOT_USED',
    ),
  trace_id: (values) => isOneOf(values, (flow) => flow.trace_context?.parent.trace_id),
  ip_trace_id: (values) => isOneOf(values, (flow) => flow.ip_trace_id?.trace_id ?? '0'),
  encrypted: (values) => isOneOf(values, (flow) => flow.IP?.encrypted ?? false),
};

const DIRECTIONS = ['TRAFFIC_DIRECTION_UNKNOWN', 'INGRESS', 'EGRESS'];

const HTTP_FIELDS = ['http_status_code', 'http_method', 'http_path', 'http_url', 'http_header'] as const;

/**
 * Compiles one filter. A field that is absent or an empty list says nothing.
 * @throws SyntaxError for a field that does not exist and for values that make no sense
 */
export function compileFilter(filter: FlowFilter): FlowPredicate {
  const predicates: FlowPredicate[] = [];
  const { experimental, ...lists } = filter;
  if (experimental?.cel_expression?.length) {
    throw new SyntaxError('flow filter: CEL expressions are not supported: use the other fields of FlowFilter');
  }
  for (const [field, values] of Object.entries(lists)) {
    if (!Object.hasOwn(compilers, field)) throw new SyntaxError(`flow filter: no such field "${field}"`);
    checkValues(field, values);
    const compiler = compilers[field as ListField] as (values: unknown) => FlowPredicate;
    if (values.length > 0) predicates.push(compiler(values));
  }
  checkHttp(filter);
  return (flow) => predicates.every((matches) => matches(flow));
}

/** Only L7 events have HTTP fields: asking for other types as well can never match. */
function checkHttp(filter: FlowFilter): void {
  const types = filter.event_type ?? [];
  const field = HTTP_FIELDS.find((name) => filter[name]?.length);
  if (field === undefined || types.length === 0 || types.some(({ type }) => type === EVENT_L7)) return;
  const what = field.replaceAll('_', ' ');
  throw new SyntaxError(`filtering by ${what} requires the event type filter to only match 'l7' events`);
}

/** Fields whose values are no strings; filters come from the network, so types are checked and not believed. */
const VALUE_TYPES: Readonly<Record<string, string>> = {
  source_identity: 'number',
  destination_identity: 'number',
  reply: 'boolean',
  encrypted: 'boolean',
  source_workload: 'object',
  destination_workload: 'object',
  interface: 'object',
  event_type: 'object',
  http_header: 'object',
  tcp_flags: 'object',
};

function checkValues(field: string, values: unknown): asserts values is unknown[] {
  const wanted = VALUE_TYPES[field] ?? 'string';
  const isWanted = (value: unknown) => typeof value === wanted && value !== null;
  if (Array.isArray(values) && values.every(isWanted)) return;
  throw new SyntaxError(`flow filter: field "${field}", found ${JSON.stringify(values)}, wanted a list of ${wanted}s`);
}

/**
 * Compiles a request: an envelope passes when an `allow` filter matches (or there is none) and no `deny` filter does.
 * Lost events always pass: they are rare, and whoever filters wants to know.
 */
export function compileFilters(allow: readonly FlowFilter[], deny: readonly FlowFilter[]): (e: Envelope) => boolean {
  const allowed = isAny(allow.map(compileFilter));
  const denied = isAny(deny.map(compileFilter));
  return ({ flow }) => flow === undefined || ((allow.length === 0 || allowed(flow)) && !denied(flow));
}

function isAny(predicates: readonly FlowPredicate[]): FlowPredicate {
  return (flow) => predicates.some((matches) => matches(flow));
}

function isOneOf<T>(values: readonly T[], read: (flow: Flow) => T | undefined): FlowPredicate {
  const wanted = new Set(values);
  return (flow) => {
    const value = read(flow);
    return value !== undefined && wanted.has(value);
  };
}

function known(values: readonly string[], what: string, names: readonly string[]): readonly string[] {
  const stranger = values.find((value) => !names.includes(value));
  if (stranger === undefined) return values;
  throw new SyntaxError(`invalid ${what} filter: "${stranger}", wanted one of ${names.join(', ')}`);
}

const upper = (values: readonly string[]) => values.map((value) => value.toUpperCase());
const sameText = (a = '', b = '') => a.toLowerCase() === b.toLowerCase();

function ipIn(values: readonly string[], read: (flow: Flow) => string | undefined): FlowPredicate {
  const prefixes = values.map(parseIpFilter);
  const words = new Int32Array(4);
  return (flow) => {
    const text = read(flow);
    if (text === undefined || parseIp(text, words) === 0) return false;
    return prefixes.some((prefix) => holdsAddress(prefix, words));
  };
}

/** Reads an address or a prefix. @throws SyntaxError */
export function parseIpFilter(text: string): Prefix {
  try {
    return parsePrefix(text, 'host');
  } catch {
    throw new SyntaxError(`invalid ${text.includes('/') ? 'CIDR' : 'IP address'} in filter: "${text}"`);
  }
}

function named(values: readonly string[], read: (flow: Flow) => readonly (string | undefined)[]): FlowPredicate {
  const isMeant = compileQualifiedNames(values);
  return (flow) => {
    const [namespace = '', name = ''] = read(flow);
    return (namespace !== '' || name !== '') && isMeant(namespace, name);
  };
}

function fqdn(values: readonly string[], read: (flow: Flow) => readonly string[] | undefined): FlowPredicate {
  const matches = compileNamePatterns(values);
  return (flow) => read(flow)?.some(matches) ?? false;
}

function labelled(values: readonly string[], read: (flow: Flow) => readonly string[] | undefined): FlowPredicate {
  const selectors = values.map(compileSelector);
  return (flow) => {
    const labels = read(flow) ?? [];
    return selectors.some((matches) => matches(labels));
  };
}

function workload(values: readonly Workload[], read: (flow: Flow) => Endpoint): FlowPredicate {
  const isWanted = (found: Workload) =>
    values.some(({ name, kind }) => (!name || name === found.name) && (!kind || kind === found.kind));
  return (flow) => read(flow).workloads?.some(isWanted) ?? false;
}

function portIn(values: readonly string[], field: 'source_port' | 'destination_port'): FlowPredicate {
  const ranges = values.map(parsePorts);
  return ({ l4, aggregate }) => {
    const ports = l4?.TCP ?? l4?.UDP ?? l4?.SCTP;
    // What stands for many packets has no ports; elsewhere a port that is left out is 0.
    if (ports === undefined || (aggregate !== undefined && ports[field] === undefined)) return false;
    const port = ports[field] ?? 0;
    return ranges.some(({ from, to }) => from <= port && port <= to);
  };
}

/** Reads `8080` or `8000-8100`. @throws SyntaxError */
export function parsePorts(value: string): { from: number; to: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value);
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || from > to || to > 65_535) throw new SyntaxError(`invalid port filter: "${value}"`);
  return { from, to };
}

function dropReason(values: readonly string[]): FlowPredicate {
  const stranger = values.find((value) => reasonNumber(value) < 0 && value !== 'DROP_REASON_UNKNOWN');
  if (stranger !== undefined) throw new SyntaxError(`invalid drop reason filter: "${stranger}"`);
  const isHubble = isOneOf(upper(values), (flow) => flow.drop_reason_desc);
  const isOwn = isOneOf(upper(values), ownReasonName);
  return (flow) => isHubble(flow) || isOwn(flow);
}

function isEventType({ event_type: { type, sub_type: subType = 0 } }: Flow, wanted: EventTypeFilter): boolean {
  if (wanted.type && wanted.type !== type) return false;
  return wanted.match_sub_type !== true || (wanted.sub_type ?? 0) === subType;
}

function httpStatus(values: readonly string[]): FlowPredicate {
  const stranger = values.find((value) => !/^[1-5]([0-9]{2}|[0-9]?\+)$/.test(value));
  if (stranger !== undefined)
    throw new SyntaxError(`invalid http status code filter: invalid status code prefix: "${stranger}"`);
  return (flow) => {
    const code = flow.l7?.http?.code;
    if (code === undefined) return false;
    const text = String(code).padStart(3, '0');
    return values.some((value) => (value.endsWith('+') ? text.startsWith(value.slice(0, -1)) : text === value));
  };
}

function patterns(what: string, values: readonly string[], read: (flow: Flow) => string | undefined): FlowPredicate {
  const compiled = values.map((value) => {
    try {
      return RE2JS.compile(value);
    } catch (error) {
      throw new SyntaxError(`invalid ${what} filter: ${value}: ${String(error)}`, { cause: error });
    }
  });
  return (flow) => {
    const text = read(flow);
    return text !== undefined && text !== '' && compiled.some((pattern) => pattern.matcher(text).find());
  };
}

function pathOf(url: string | undefined): string | undefined {
  if (url === undefined || url === '') return undefined;
  return URL.canParse(url, 'http://any') ? decodePath(new URL(url, 'http://any').pathname) : undefined;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const PROTOCOLS: Readonly<Record<string, FlowPredicate>> = {
  tcp: ({ l4 }) => l4?.TCP !== undefined,
  udp: ({ l4 }) => l4?.UDP !== undefined,
  sctp: ({ l4 }) => l4?.SCTP !== undefined,
  icmp: ({ l4 }) => l4?.ICMPv4 !== undefined || l4?.ICMPv6 !== undefined,
  icmpv4: ({ l4 }) => l4?.ICMPv4 !== undefined,
  icmpv6: ({ l4 }) => l4?.ICMPv6 !== undefined,
  vrrp: ({ l4 }) => l4?.VRRP !== undefined,
  igmp: ({ l4 }) => l4?.IGMP !== undefined,
  http: ({ l7 }) => l7?.http !== undefined,
  dns: ({ l7 }) => l7?.dns !== undefined,
  kafka: ({ l7 }) => l7?.kafka !== undefined,
  tls: ({ l7 }) => l7?.tlsSNI !== undefined,
};

function protocol(name: string): FlowPredicate {
  const key = name.toLowerCase();
  if (!Object.hasOwn(PROTOCOLS, key)) throw new SyntaxError(`invalid protocol filter: unknown protocol: "${name}"`);
  return PROTOCOLS[key];
}
