/**
 * An event record and a Directory make a Flow. Pure: the same record and directory give the same flow, but for the uuid,
 * which the caller supplies.
 *
 * Which verdict an event has (hubble parser/threefour, parser/seven):
 *
 *   drop                          DROPPED     is_reply absent
 *   trace                         FORWARDED   is_reply when the record knows it
 *   policy-verdict, audited       AUDIT       is_reply false
 *   policy-verdict < 0 / 0 / > 0  DROPPED / FORWARDED / REDIRECTED; is_reply absent / false / false
 *   L7                            from its access-log record (decode-l7.ts)
 *
 * Which way: drops, verdicts and L7 say it themselves. The record of a trace says which way the frame goes; the flow
 * says which way its connection does, so a reply is turned round.
 *
 * Who decided: the cookie of the record leads to policies, listed as allowed by or denied by in the direction of the
 * verdict. Unlike Cilium's, our drops and L7 records carry the cookie too, and a default deny has one.
 */
import {
  EVENT_DROP,
  EVENT_L7,
  EVENT_POLICY_VERDICT,
  EVENT_TRACE,
  type EventRecord,
  FLAG_AUDITED,
  FLAG_L3,
  FLAG_REPLY,
  FLAG_REPLY_KNOWN,
  OBSERVATION_POINTS,
  TRACE_TO_PROXY,
} from '../../wire/event.ts';
import { DROP_POLICY, hubbleReason, reasonName } from '../../wire/reasons.ts';
import { ownReason, withOwnText } from '../own-reason.ts';
import { share } from '../shared-part.ts';
import type { Directory } from './directory.ts';
import type { Redaction } from './redact.ts';
import { type Dissection, dissect } from './dissect.ts';
import { type FlowFields, finish } from './flow-object.ts';
import {
  compact,
  type Emitter,
  type Endpoint,
  type Envelope,
  type EventType,
  type Flow,
  type LostEvents,
  type Verdict,
} from '../flow.ts';
import { isLocalScope } from '../../wire/identities.ts';
import { rfc3339 } from '../time.ts';
import { EGRESS, INGRESS } from '../../wire/direction.ts';

export interface DecodeOptions {
  readonly directory: Directory;
  readonly nodeName: string;
  /** The identifier of the flow that is being decoded; none by default. */
  readonly uuid?: () => string;
  readonly emitter?: Emitter;
  /** What is hidden of L7 flows; default: passwords in URLs. */
  readonly redaction?: Redaction;
}

/** Names of the trace reasons, by number, as flow.proto has them. */
const TRACE_REASONS = ['NEW', 'ESTABLISHED', 'REPLY', 'RELATED', 'REOPENED'];
/** Observation points by number, as flow.proto has them. */
const POINTS = OBSERVATION_POINTS.map((point) => point.toUpperCase().replace('-', '_'));
const AUTH_TYPES = [undefined, 'SPIRE', 'TEST_ALWAYS_FAIL'] as const;

/**
 * Decodes a drop, a trace or a policy verdict.
 * @returns the flow, or undefined for another type of event (of EVENT_L7 see decode-l7.ts `L7Decoder`)
 */
export function decodeFlow(given: EventRecord, options: DecodeOptions): Flow | undefined {
  if (given.type !== EVENT_DROP && given.type !== EVENT_TRACE && given.type !== EVENT_POLICY_VERDICT) return undefined;
  return finish(fieldsOf(given, options));
}

/** The fields of a drop, a trace or a policy verdict. */
export function fieldsOf(given: EventRecord, options: DecodeOptions): FlowFields {
  const record = attribute(given, options.directory);
  const seen = dissect(record.payload, (record.flags & FLAG_L3) === 0);
  const fields = commonFields(record, options);
  fields.verdict = verdictOf(record);
  fields.ethernet = seen.ethernet;
  fields.IP = seen.ip;
  fields.l4 = seen.l4;
  fields.Type = 'L3_L4';
  fields.is_reply = isReply(record);
  fields.reply = fields.is_reply === true ? true : undefined;
  fields.traffic_direction = directionName(connectionDirection(record, fields.is_reply === true));
  fields.Summary = seen.summary;
  fillParties(fields, record, options.directory, seen);
  fillByType(fields, record, options.directory);
  fillPolicies(fields, record, options.directory);
  return fields;
}

/** The fields of a flow in the order of flow.proto, with those filled that every event has. */
export function commonFields(record: EventRecord, options: DecodeOptions): FlowFields {
  return {
    time: rfc3339(record.timeMs),
    uuid: options.uuid?.(),
    emitter: options.emitter,
    verdict: 'VERDICT_UNKNOWN',
    drop_reason: undefined,
    auth_type: undefined,
    ethernet: undefined,
    IP: undefined,
    l4: undefined,
    source: undefined,
    destination: undefined,
    Type: undefined,
    node_name: options.nodeName,
    node_labels: options.directory.nodeLabels(),
    source_names: undefined,
    destination_names: undefined,
    l7: undefined,
    reply: undefined,
    event_type: eventTypeOf(record.type, subtypeOf(record)),
    source_service: undefined,
    destination_service: undefined,
    traffic_direction: undefined,
    policy_match_type: undefined,
    trace_observation_point: undefined,
    trace_reason: undefined,
    ip_trace_id: undefined,
    drop_reason_desc: undefined,
    is_reply: undefined,
    interface: undefined,
    proxy_port: undefined,
    trace_context: undefined,
    Summary: undefined,
    extensions: undefined,
    egress_allowed_by: undefined,
    ingress_allowed_by: undefined,
    egress_denied_by: undefined,
    ingress_denied_by: undefined,
    policy_log: undefined,
    aggregate: undefined,
  };
}

function verdictOf(record: EventRecord): Verdict {
  if (record.type === EVENT_DROP) return 'DROPPED';
  if (record.type === EVENT_TRACE) return 'FORWARDED';
  if ((record.flags & FLAG_AUDITED) !== 0) return 'AUDIT';
  if (record.verdict < 0) return 'DROPPED';
  return record.verdict > 0 ? 'REDIRECTED' : 'FORWARDED';
}

function isReply(record: EventRecord): boolean | undefined {
  if (record.type === EVENT_DROP) return undefined;
  if (record.type === EVENT_TRACE) {
    return (record.flags & FLAG_REPLY_KNOWN) === 0 ? undefined : (record.flags & FLAG_REPLY) !== 0;
  }
  return record.verdict < 0 && (record.flags & FLAG_AUDITED) === 0 ? undefined : false;
}

function connectionDirection(record: EventRecord, isReplyFrame: boolean): number {
  if (record.type !== EVENT_TRACE || !isReplyFrame) return record.direction;
  return record.direction === INGRESS ? EGRESS : INGRESS;
}

/** 'INGRESS', 'EGRESS', or undefined for an unknown direction. */
export function directionName(direction: number): 'INGRESS' | 'EGRESS' | undefined {
  if (direction === INGRESS) return 'INGRESS';
  return direction === EGRESS ? 'EGRESS' : undefined;
}

function fillParties(fields: FlowFields, record: EventRecord, directory: Directory, seen: Dissection): void {
  const from = seen.ip?.source ?? '';
  const to = seen.ip?.destination ?? '';
  fields.source = endpointOf(directory, record.sourceEndpoint, record.srcIdentity, from);
  fields.destination = endpointOf(directory, record.destinationEndpoint, record.dstIdentity, to);
  if (from === '') return;
  fields.source_names = directory.names(from, record.destinationEndpoint);
  fields.destination_names = directory.names(to, record.sourceEndpoint);
  fields.source_service = directory.service(from, seen.srcPort);
  fields.destination_service = directory.service(to, seen.dstPort);
  // The record has the backend's address: which service the client asked for, its frontend says.
  if (record.frontend === 0) return;
  const asked = directory.frontend(record.frontend);
  if ((record.flags & FLAG_REPLY) !== 0) fields.source_service ??= asked;
  else fields.destination_service ??= asked;
}

/** Ends that were told: by what the directory said of them, which is the same object each time until it changes. */
const ENDS = new WeakMap<object, End>();

interface End {
  readonly labels: readonly string[];
  readonly endpoint: Endpoint;
}

/**
 * Who an end of a flow is. The identity is the one the dataplane judged by, even where the directory has a newer one.
 * @param id endpoint id, 0 when it is not local @param ip '' when there is none
 * @returns the same object for the same end, as a rule
 */
export function endpointOf(directory: Directory, id: number, identity: number, ip: string): Endpoint {
  const local = id === 0 ? undefined : directory.endpoint(id);
  const known = local ?? (ip === '' ? undefined : directory.pod(ip));
  const judgedBy = identity === 0 ? (local?.identity ?? 0) : identity;
  const labels = local?.labels ?? directory.identityLabels(judgedBy) ?? NO_LABELS;
  const told = ENDS.get(known ?? labels);
  if (told !== undefined && told.labels === labels) {
    const { ID = 0, identity: was = 0, pod_name: name } = told.endpoint;
    if (ID === id && was === judgedBy && name === known?.podName) return told.endpoint;
  }
  const endpoint = share(
    compact<Endpoint>({
      ID: id,
      identity: judgedBy,
      cluster_name: labelOf(labels, CLUSTER_LABEL),
      namespace: known?.namespace ?? labelOf(labels, NAMESPACE_LABEL),
      labels: sortedLabels(labels, judgedBy),
      pod_name: known?.podName,
      workloads: known?.workloads,
    }),
  );
  ENDS.set(known ?? labels, { labels, endpoint });
  return endpoint;
}

const NO_LABELS: readonly string[] = [];
const CLUSTER_LABEL = 'k8s:io.cilium.k8s.policy.cluster=';
/** Begins the label that says in which namespace a pod is. */
export const NAMESPACE_LABEL = 'k8s:io.kubernetes.pod.namespace=';

/** What follows the name and `=` of a label. */
function labelOf(labels: readonly string[], name: string): string | undefined {
  return labels.find((label) => label.startsWith(name))?.slice(name.length);
}

/** Labels in order, of those that the directory has: it answers with the same lists again and again. */
const SORTED = new WeakMap<readonly string[], readonly string[]>();

function sortedOf(labels: readonly string[]): readonly string[] {
  const known = SORTED.get(labels);
  if (known !== undefined) return known;
  const sorted = [...labels].sort();
  SORTED.set(labels, sorted);
  return sorted;
}

/** Sorted; of several `cidr:` labels only the longest prefix is told. */
function sortedLabels(labels: readonly string[], identity: number): readonly string[] {
  if (!isLocalScope(identity)) return sortedOf(labels);
  const sorted = sortedOf(labels);
  const length = (label: string) => Number(label.slice(label.lastIndexOf('/') + 1));
  const prefixes = sorted.filter((label) => label.startsWith('cidr:')).sort((a, b) => length(b) - length(a));
  return sorted.filter((label) => !label.startsWith('cidr:') || label === prefixes[0]);
}

function fillByType(fields: FlowFields, record: EventRecord, directory: Directory): void {
  if (record.type === EVENT_TRACE) {
    fields.trace_observation_point = POINTS[record.subtype];
    fields.trace_reason = TRACE_REASONS[record.traceReason & 0x7f];
    if (record.subtype === TRACE_TO_PROXY && record.verdict > 0) fields.proxy_port = record.verdict;
  }
  if (record.type !== EVENT_POLICY_VERDICT && record.ifindex !== 0) {
    fields.interface = directory.interface(record.ifindex);
  }
  if (record.type === EVENT_POLICY_VERDICT) {
    fields.policy_match_type = record.matchType;
    fields.auth_type = AUTH_TYPES[record.authType];
  }
  if (fields.verdict === 'DROPPED') {
    fillReason(fields, record.type === EVENT_DROP ? record.subtype : -record.verdict);
  }
}

/** A stock client refuses a name that its enumeration lacks, so it gets the nearest, and reads ours in the summary. */
function fillReason(fields: FlowFields, reason: number): void {
  fields.drop_reason = hubbleReason(reason);
  fields.drop_reason_desc = reasonName(fields.drop_reason);
  if (fields.drop_reason === reason) return;
  fields.extensions = ownReason(reason);
  fields.Summary = withOwnText(reason, fields.Summary);
}

/** What no entry allowed has no entry to name its authors: they are the rules that closed the direction. */
function attribute(record: EventRecord, directory: Directory): EventRecord {
  if (record.type === EVENT_TRACE || record.cookie !== 0 || record.verdict !== -DROP_POLICY) return record;
  const direction = record.direction === EGRESS ? EGRESS : INGRESS;
  const endpoint = direction === EGRESS ? record.sourceEndpoint : record.destinationEndpoint;
  return { ...record, cookie: directory.defaultDeny(endpoint, direction) };
}

/** By type and subtype, both numbers of a byte. */
const EVENT_TYPES: (EventType | undefined)[] = [];

function eventTypeOf(type: number, subtype: number): EventType {
  return (EVENT_TYPES[type * 256 + subtype] ??= share(compact<EventType>({ type, sub_type: subtype })));
}

function subtypeOf({ type, subtype }: EventRecord): number {
  if (type === EVENT_L7) return 0;
  return type === EVENT_DROP ? hubbleReason(subtype) : subtype;
}

/** Fills who allowed or denied, by the verdict and the direction that the record names. */
export function fillPolicies(fields: FlowFields, record: EventRecord, directory: Directory): void {
  const isDenied = fields.verdict === 'DROPPED' || fields.verdict === 'AUDIT';
  const isAllowed = fields.verdict === 'FORWARDED' || fields.verdict === 'REDIRECTED';
  if (record.cookie !== 0 && (isDenied || isAllowed)) {
    const refs = directory.policies(record.cookie);
    if (record.direction === INGRESS) fields[isDenied ? 'ingress_denied_by' : 'ingress_allowed_by'] = refs;
    if (record.direction === EGRESS) fields[isDenied ? 'egress_denied_by' : 'egress_allowed_by'] = refs;
    fields.policy_log = directory.policyLog(record.cookie);
  }
  // The other direction let it through, or there would be no verdict in this one.
  if (record.otherCookie === 0) return;
  const others = directory.policies(record.otherCookie);
  if (record.direction === INGRESS) fields.egress_allowed_by = others;
  if (record.direction === EGRESS) fields.ingress_allowed_by = others;
}

/** The envelope that tells of lost events. @param timeMs when the loss was noticed */
export function lostEnvelope(source: LostEvents['source'], count: number, nodeName: string, timeMs: number): Envelope {
  return { lost_events: { source, num_events_lost: String(count) }, node_name: nodeName, time: rfc3339(timeMs) };
}
