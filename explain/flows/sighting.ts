/**
 * What one recorded flow says about a connection: who, to which port, which request, and whether policies let it pass.
 *
 * Not every flow says something. Replies and errors that a connection brings are let through by the connection and by no rule;
 * a frame that was seen before it was judged was not let through yet; and what was dropped for another reason than policy says
 * nothing of policy. These are told apart by name (`Silence`), so that whoever counts can say what was left out and why.
 *
 *   verdict event, trace to-*      FORWARDED, REDIRECTED, AUDIT     passed, in the flow's direction; to-endpoint: in both
 *   verdict or drop event          DROPPED for 133, 181 or 189      dropped, in the flow's direction
 *   L7 request                     FORWARDED, REDIRECTED / DROPPED  passed / dropped, as a request
 */
import { EVENT_DROP, EVENT_L7, EVENT_POLICY_VERDICT, EVENT_TRACE } from '../../wire/event.ts';
import type { Flow, Http, Layer7 } from '../../hubble/flow.ts';
import { PROTO_ICMP, PROTO_ICMPV6, PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../../wire/protocols.ts';
import { DROP_POLICY, DROP_POLICY_AUTH_REQUIRED, DROP_POLICY_DENY } from '../../wire/reasons.ts';
import { API_KEY_NAMES } from '../../wire/kafka.ts';
import type { FlowQuery } from '../query.ts';
import { type Party, type PartyFault, partyOf } from './party.ts';

export type Request = Pick<FlowQuery, 'http' | 'dns' | 'sni' | 'kafka'>;

/** Bits of what was seen of a connection. */
export const EGRESS_PASSED = 1;
export const INGRESS_PASSED = 2;
const EGRESS_DROPPED = 4;
export const INGRESS_DROPPED = 8;

export interface Sighting {
  readonly from: Party;
  readonly to: Party;
  /** IP protocol number. */
  readonly protocol: number;
  /** Port of the destination, or the type of an ICMP message. */
  readonly port: number;
  readonly request: Request | undefined;
  /** Bits. */
  readonly seen: number;
  /** It passed in audit mode only. */
  readonly isAudited: boolean;
  /** Whether each end is on the machine that recorded it. */
  readonly isFromLocal: boolean;
  readonly isToLocal: boolean;
  /** DNS names of the destination. */
  readonly names: readonly string[];
}

/** What is read of a flow. */
export type SightedFlow = Pick<
  Flow,
  | 'verdict'
  | 'drop_reason'
  | 'IP'
  | 'l4'
  | 'source'
  | 'destination'
  | 'Type'
  | 'source_names'
  | 'destination_names'
  | 'l7'
  | 'event_type'
  | 'traffic_direction'
  | 'trace_observation_point'
  | 'trace_reason'
  | 'drop_reason_desc'
  | 'is_reply'
  | 'extensions'
  | 'aggregate'
>;

/** Why a flow says nothing. */
export type Silence =
  | PartyFault
  | 'a reply'
  | 'an error that a connection brought'
  | 'not known whether it is a reply'
  | 'seen before it was judged'
  | 'dropped for another reason than policy'
  | 'no verdict'
  | 'no port'
  | 'many packets without addresses or ports'
  | 'a pod that talks to itself'
  | 'a request that no rule can name'
  | 'of more connections than are told apart';

const POLICY_REASONS: readonly number[] = [DROP_POLICY, DROP_POLICY_DENY, DROP_POLICY_AUTH_REQUIRED];

/** Reads what a flow says; a text when it says nothing. */
export function sightingOf(flow: SightedFlow): Sighting | Silence {
  if (flow.is_reply === true || flow.l7?.type === 'RESPONSE') return 'a reply';
  if (flow.trace_reason === 'RELATED') return 'an error that a connection brought';
  const seen = seenIn(flow);
  if (typeof seen === 'string') return seen;
  if (flow.aggregate !== undefined && flow.IP === undefined) return 'many packets without addresses or ports';
  const packet = packetOf(flow);
  if (packet === undefined) return 'no port';
  const [from, to] = [
    partyOf(flow.source, flow.IP?.source ?? ''),
    partyOf(flow.destination, flow.IP?.destination ?? ''),
  ];
  if (typeof from === 'string') return from;
  if (typeof to === 'string') return to;
  const { source, destination, destination_names: names = [] } = flow;
  const isOwn = source.pod_name !== undefined && source.pod_name === destination.pod_name && from.key === to.key;
  if (isOwn) return 'a pod that talks to itself';
  const request = flow.l7 === undefined ? undefined : requestOf(flow.l7);
  if (flow.Type === 'L7' && request === undefined) return 'a request that no rule can name';
  const isAudited = flow.verdict === 'AUDIT';
  const places = { isFromLocal: (source.ID ?? 0) !== 0, isToLocal: (destination.ID ?? 0) !== 0 };
  return { from, to, ...packet, request, seen, isAudited, ...places, names: names.filter(isName) };
}

function seenIn(flow: SightedFlow): number | Silence {
  const { verdict, event_type: event, traffic_direction: direction } = flow;
  const isEgress = direction === 'EGRESS';
  if (verdict === 'DROPPED') {
    if (event.type === EVENT_L7 || flow.Type === 'L7') return EGRESS_DROPPED | INGRESS_DROPPED;
    const isPolicy = isPolicyDrop(flow) && (event.type !== EVENT_TRACE || direction !== undefined);
    if (!isPolicy) return 'dropped for another reason than policy';
    return isEgress ? EGRESS_DROPPED : INGRESS_DROPPED;
  }
  if (verdict !== 'FORWARDED' && verdict !== 'REDIRECTED' && verdict !== 'AUDIT') return 'no verdict';
  if (event.type === EVENT_L7 || flow.Type === 'L7') return EGRESS_PASSED | INGRESS_PASSED;
  if (event.type === EVENT_DROP) return 'no verdict';
  if (event.type === EVENT_TRACE) return seenInTrace(flow, isEgress);
  if (flow.is_reply === undefined && event.type !== EVENT_POLICY_VERDICT) return 'not known whether it is a reply';
  return isEgress ? EGRESS_PASSED : INGRESS_PASSED;
}

/** A drop event and a verdict name the reason alike; a reason of our own is told beside Hubble's nearest. */
function isPolicyDrop({ drop_reason: reason = 0, drop_reason_desc: text = '', extensions }: SightedFlow): boolean {
  if (extensions !== undefined) return false;
  return reason === 0 ? /^(POLICY_DENIED|POLICY_DENY|AUTH_REQUIRED)$/.test(text) : POLICY_REASONS.includes(reason);
}

function seenInTrace(flow: SightedFlow, isEgress: boolean): number | Silence {
  const { trace_observation_point: point = '', is_reply: isReply } = flow;
  if (!point.startsWith('TO_')) return 'seen before it was judged';
  if (isReply === undefined) return 'not known whether it is a reply';
  // Whoever is delivered to has let it in, and who sent it has let it out.
  if (point === 'TO_ENDPOINT') return EGRESS_PASSED | INGRESS_PASSED;
  return isEgress ? EGRESS_PASSED : INGRESS_PASSED;
}

function packetOf({ l4 }: SightedFlow): { protocol: number; port: number } | undefined {
  if (l4?.ICMPv4 !== undefined) return within(PROTO_ICMP, l4.ICMPv4.type ?? 0, 255);
  if (l4?.ICMPv6 !== undefined) return within(PROTO_ICMPV6, l4.ICMPv6.type ?? 0, 255);
  if (l4?.TCP !== undefined) return within(PROTO_TCP, l4.TCP.destination_port ?? 0, 65535);
  if (l4?.UDP !== undefined) return within(PROTO_UDP, l4.UDP.destination_port ?? 0, 65535);
  return l4?.SCTP === undefined ? undefined : within(PROTO_SCTP, l4.SCTP.destination_port ?? 0, 65535);
}

/** Port 0 means every port to a rule, so no rule can name it alone. */
function within(protocol: number, port: number, most: number): { protocol: number; port: number } | undefined {
  const isIcmp = most === 255;
  return Number.isInteger(port) && port >= (isIcmp ? 0 : 1) && port <= most ? { protocol, port } : undefined;
}

/** What is written out in a rule and means itself: a name without stars. */
const DNS_NAME = /^(?=.{1,254}$)[a-z\d_]([-\w]{0,62})(\.[a-z\d_][-\w]{0,62})*\.?$/i;

export function isName(text: string): boolean {
  return DNS_NAME.test(text);
}

function requestOf({ http, dns, kafka, tlsSNI: sni }: Layer7): Request | undefined {
  if (http !== undefined) return httpOf(http);
  if (dns !== undefined) return dnsOf(dns.query ?? '');
  if (kafka !== undefined) return kafkaOf(kafka.api_key ?? '', kafka.topic ?? '');
  return sni !== undefined && (sni === '' || isName(sni)) ? { sni: sni.toLowerCase() } : undefined;
}

function dnsOf(query: string): Request | undefined {
  return isName(query) ? { dns: { query: query.toLowerCase().replace(/\.$/, '') } } : undefined;
}

function kafkaOf(apiKey: string, topic: string): Request | undefined {
  if (!API_KEY_NAMES.includes(apiKey.toLowerCase()) || !/^[\w.-]{0,255}$/.test(topic)) return undefined;
  return { kafka: { apiKey: apiKey.toLowerCase(), ...(topic !== '' && { topic }) } };
}

const TOKEN = /^[!#$%&'*+.^_`|~\w-]{1,64}$/;

/** Headers stay out: rules about them are for people to write. */
function httpOf({ method = '', url = '/' }: Http): Request | undefined {
  const [, host = '', rest = ''] = /^(?:[a-z][a-z\d+.-]*:\/\/([^/?#]*))?(.*)$/is.exec(url) ?? [];
  // As on the wire: no blank, no control character, nothing beyond ASCII.
  if (!TOKEN.test(method) || !/^[!-~]{0,300}$/.test(host)) return undefined;
  if (method === 'CONNECT') {
    const target = host === '' ? rest : host;
    return /^[\w.:[\]-]{1,300}$/.test(target) ? { http: { method, path: target, host: target } } : undefined;
  }
  const path = rest === '' ? '/' : rest;
  return /^\/[!-"$-~]{0,8192}$/.test(path) ? { http: { method, path, ...(host !== '' && { host }) } } : undefined;
}
