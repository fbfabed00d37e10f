/**
 * Event records as `cilium-dbg monitor` prints them: closer to the datapath than a flow, with endpoint numbers, hash and
 * connection-tracking state, and readable without the agent.
 *
 *   xx drop (REASON) flow 0x1 to endpoint 10, ifindex 4, file sluice:0, identity 1234->2345: CONNECTION
 *   -> endpoint 10 flow 0x1 , identity 1234->2345 state new ifindex lxcabc orig-ip 0.0.0.0: CONNECTION
 *   Policy verdict log: flow 0x1 local EP ID 10, remote ID 1234, proto 6, ingress, action deny, auth: disabled, match none, CONNECTION
 *   -> Request http from 10 ([LABELS]) to 20 ([LABELS]), identity 1234->2345, verdict Forwarded GET http://api/ => 0
 *
 * `file` names no source: the field is kept for programs that take the line apart. A record without a hash gets one of
 * its addresses and ports, the same for both directions of a connection.
 */
import {
  EVENT_DROP,
  EVENT_POLICY_VERDICT,
  EVENT_TRACE,
  type EventRecord,
  FLAG_AUDITED,
  FLAG_IPV6,
  OBSERVATION_POINTS,
} from '../../wire/event.ts';
import { reasonText } from '../../wire/reasons.ts';
import type { Directory } from '../decode/directory.ts';
import { type Dissection, tcpFlagsText } from '../decode/dissect.ts';
import { identityText } from '../../wire/identities.ts';
import { matchTypeText } from './print.ts';
import { escapeControls, joinHostPort } from './terminal.ts';
import { INGRESS } from '../../wire/direction.ts';

export interface MonitorOptions {
  readonly directory: Directory;
  /** Numbers for reserved identities too. */
  readonly numeric?: boolean;
  /** One line (default), several with the packet taken apart, or JSON. */
  readonly form?: 'line' | 'verbose' | 'json';
  /** With `verbose`: the captured bytes in hex instead. */
  readonly hex?: boolean;
}

/** One record as one line. */
export function line(record: EventRecord, seen: Dissection, options: MonitorOptions): string {
  const flow = hashText(record, seen);
  const identities = identityPair(record, options);
  if (record.type === EVENT_DROP) {
    const where = `to endpoint ${record.destinationEndpoint}, ifindex ${record.ifindex}, file sluice:0`;
    return `xx drop (${reasonText(record.subtype)}) flow ${flow} ${where}, ${identities}: ${connection(seen)}`;
  }
  if (record.type === EVENT_TRACE) {
    const encrypted = (record.traceReason & 0x80) !== 0 ? ' encrypted ' : '';
    const device = options.directory.interface(record.ifindex)?.name ?? String(record.ifindex);
    const state = `state ${stateText(record.traceReason)} ifindex ${escapeControls(device)} orig-ip ${noAddress(record)}`;
    return `${traceSummary(record)}${encrypted} flow ${flow} , ${identities} ${state}: ${connection(seen)}`;
  }
  if (record.type !== EVENT_POLICY_VERDICT) return `CPU 00: Unknown event: type ${record.type}`;
  return `Policy verdict log: flow ${flow} ${verdictText(record, options)}, ${connection(seen)}`;
}

function verdictText(record: EventRecord, options: MonitorOptions): string {
  const isIngress = record.direction === INGRESS;
  const local = isIngress ? record.destinationEndpoint : record.sourceEndpoint;
  const remote = identityOf(isIngress ? record.srcIdentity : record.dstIdentity, options);
  const auth = ['disabled', 'spire', 'test-always-fail'][record.authType] ?? String(record.authType);
  return [
    `local EP ID ${local}`,
    `remote ID ${remote}`,
    `proto ${record.protocol}`,
    isIngress ? 'ingress' : 'egress',
    `action ${actionText(record)}`,
    `auth: ${auth}`,
    `match ${matchTypeText(record.matchType)}`,
  ].join(', ');
}

/** `allow`, `deny`, `redirect`, `audit` */
export function actionText(record: EventRecord): string {
  if ((record.flags & FLAG_AUDITED) !== 0) return 'audit';
  if (record.verdict < 0) return 'deny';
  return record.verdict > 0 ? 'redirect' : 'allow';
}

const STATES = ['new', 'established', 'reply', 'related', 'reopened', 'unknown', 'srv6-encap', 'srv6-decap'];

/** Connection-tracking state of a trace: `new`, `established`, ... */
export function stateText(traceReason: number): string {
  return STATES[traceReason & 0x7f] ?? String(traceReason);
}

/** `-> endpoint 10`, `<- network` */
export function traceSummary(record: EventRecord): string {
  const point = OBSERVATION_POINTS[record.subtype];
  if (point === undefined) return 'unknown trace';
  if (point === 'to-endpoint') return `-> endpoint ${record.destinationEndpoint}`;
  if (point === 'from-endpoint') return `<- endpoint ${record.sourceEndpoint}`;
  if (point === 'to-proxy') return `-> proxy${record.verdict > 0 ? ` port ${record.verdict}` : ''}`;
  if (point === 'to-host') return '-> host from';
  return `${point.startsWith('to-') ? '->' : '<-'} ${point.slice(point.indexOf('-') + 1)}`;
}

/** The original address, which is never another: service translation is not told by it. */
export function noAddress(record: EventRecord): string {
  return (record.flags & FLAG_IPV6) === 0 ? '0.0.0.0' : '::';
}

function identityOf(identity: number, options: MonitorOptions): string {
  return options.numeric === true ? String(identity) : identityText(identity);
}

/** `identity 1234->world` */
export function identityPair(record: EventRecord, options: MonitorOptions): string {
  return `identity ${identityOf(record.srcIdentity, options)}->${identityOf(record.dstIdentity, options)}`;
}

/** `10.0.0.1:41000 -> 10.0.0.2:80 tcp SYN`, `10.0.0.1 -> 10.0.0.2 EchoRequest`, MAC addresses for frames without IP. */
export function connection(seen: Dissection): string {
  const { ip, ethernet: mac, protocol } = seen;
  if (ip === undefined) return mac === undefined ? '[unknown]' : `${mac.source} -> ${mac.destination} ${seen.summary}`;
  if (protocol === '') return `${ip.source} -> ${ip.destination}`;
  if (protocol === 'icmp') return `${ip.source} -> ${ip.destination} ${seen.summary.replace(/^ICMPv\d /, '')}`;
  const from = joinHostPort(ip.source, String(seen.srcPort));
  const to = joinHostPort(ip.destination, String(seen.dstPort));
  const flags = seen.l4?.TCP?.flags;
  return `${from} -> ${to} ${protocol}${flags === undefined ? '' : ` ${monitorFlags(flags)}`}`;
}

/** Of the TCP flags the monitor shows four. */
function monitorFlags(flags: NonNullable<NonNullable<NonNullable<Dissection['l4']>['TCP']>['flags']>): string {
  const { SYN, ACK, RST, FIN } = flags;
  return tcpFlagsText({ ...(SYN && { SYN }), ...(ACK && { ACK }), ...(RST && { RST }), ...(FIN && { FIN }) });
}

/** The record's hash, or one of its addresses, ports and protocol. */
export function hashText(record: EventRecord, seen: Dissection): string {
  return `0x${(record.hash || connectionHash(seen)).toString(16)}`;
}

/** FNV-1a over both ends in an order of their own. */
function connectionHash({ ip, srcPort, dstPort, protocol }: Dissection): number {
  if (ip === undefined) return 0;
  const ends = [`${ip.source} ${srcPort}`, `${ip.destination} ${dstPort}`].sort();
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${ends.join(' ')} ${protocol}`)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
