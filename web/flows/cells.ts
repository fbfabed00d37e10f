/** The columns of the table of flows: what each says of a flow, in plain text. Names in it are foreign: show them by `visible()`. */
import type { Endpoint, Flow, Icmp, PolicyRef } from '../../hubble/flow.ts';
import { ownReasonTexts } from '../../hubble/own-reason.ts';
import { identityText } from '../../wire/identities.ts';
import { OBSERVATION_POINTS } from '../../wire/event.ts';
import { reasonText } from '../../wire/reasons.ts';
import { markOf } from '../controls/verdict-mark.ts';

export interface Column {
  readonly name: ColumnName;
  readonly title: string;
  /** Of its width, in the letters of the monospaced font. */
  readonly letters: number;
  /** Shown unless somebody has chosen otherwise. */
  readonly isUsual: boolean;
  readonly text: (flow: Flow) => string;
}

export type ColumnName =
  | 'time'
  | 'verdict'
  | 'source'
  | 'source-ip'
  | 'source-identity'
  | 'source-port'
  | 'destination'
  | 'destination-ip'
  | 'destination-identity'
  | 'port'
  | 'l7'
  | 'direction'
  | 'reason'
  | 'policy'
  | 'flags'
  | 'type'
  | 'auth'
  | 'node';

const column = (name: ColumnName, title: string, letters: number, isUsual: boolean, text: Column['text']): Column => ({
  name,
  title,
  letters,
  isUsual,
  text,
});

export const COLUMNS: readonly Column[] = [
  column('time', 'Time (UTC)', 19, true, ({ time }) => timeText(time)),
  column('verdict', 'Verdict', 12, true, ({ verdict }) => markOf(verdict).word),
  column('source', 'Source', 22, true, (flow) => endName(flow.source, flow.source_names, flow.IP?.source)),
  column('source-ip', 'Source IP', 16, false, ({ IP }) => IP?.source ?? ''),
  column('source-identity', 'Source identity', 14, false, ({ source }) => identityOf(source)),
  column('source-port', 'Source port', 10, false, (flow) => portOf(flow, 'source_port')),
  column('destination', 'Destination', 22, true, (flow) =>
    endName(flow.destination, flow.destination_names, flow.IP?.destination),
  ),
  column('destination-ip', 'Destination IP', 16, false, ({ IP }) => IP?.destination ?? ''),
  column('destination-identity', 'Destination identity', 14, false, ({ destination }) => identityOf(destination)),
  column('port', 'Port', 11, true, (flow) => protocolAndPort(flow)),
  column('l7', 'L7', 22, true, l7Text),
  column('direction', 'Direction', 10, true, ({ traffic_direction: direction = '' }) => direction.toLowerCase()),
  column('reason', 'Drop reason', 18, true, reasonOf),
  column('policy', 'Policy', 20, true, (flow) => policiesOf(flow).map(policyText).join(', ')),
  column('flags', 'TCP flags', 10, false, ({ l4 }) => Object.keys(l4?.TCP?.flags ?? {}).join(' ')),
  column('type', 'Event', 20, false, typeOf),
  column('auth', 'Authentication', 14, false, ({ auth_type: auth = '' }) => auth),
  column('node', 'Node', 14, false, ({ node_name: node = '' }) => node),
];

/** All that the table can show of a flow, in small letters: what words of a query are looked for in. */
export function flowText(flow: Flow): string {
  return COLUMNS.map(({ text }) => text(flow))
    .join('\n')
    .toLowerCase();
}

/** `Nov 30 15:08:32.123`, in UTC as everywhere else in Sluice. */
function timeText(time: string): string {
  const iso = /^\d{4}-(\d\d)-(\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,3}))?/.exec(time);
  if (iso === null) return time;
  return `${MONTHS[Number(iso[1]) - 1] ?? iso[1]} ${iso[2]} ${iso[3]}.${(iso[4] ?? '').padEnd(3, '0')}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What people call an end: its pod, the name that DNS gave it, its entity, its address. */
export function endName(
  { namespace, pod_name: pod, labels = [], identity }: Endpoint,
  names: readonly string[] = [],
  ip = '',
) {
  if (pod !== undefined) return `${namespace ?? 'default'}/${pod}`;
  if (names.length > 0) return names[0];
  const entity = labels.find((label) => label.startsWith('reserved:'))?.slice('reserved:'.length);
  if (ip !== '') return entity === undefined || entity.startsWith('world') ? ip : `${ip} (${entity})`;
  return entity ?? (identity === undefined ? '' : identityText(identity));
}

function identityOf({ identity }: Endpoint): string {
  return identity === undefined ? '' : identityText(identity);
}

function portOf({ l4 }: Flow, side: 'source_port' | 'destination_port'): string {
  const ports = l4?.TCP ?? l4?.UDP ?? l4?.SCTP;
  return ports?.[side] === undefined ? '' : String(ports[side]);
}

/** Name and fields of what is above IP; '' for nothing that is known. */
export function layer4({ l4 = {} }: Flow): readonly [protocol: string, fields: Icmp] {
  return (Object.entries(l4) as [string, Icmp][])[0] ?? ['', {}];
}

/** `TCP 8080`; of ICMP its type. */
function protocolAndPort(flow: Flow): string {
  const [protocol, { type }] = layer4(flow);
  if (protocol === '') return '';
  const port = portOf(flow, 'destination_port');
  if (port !== '') return `${protocol} ${port}`;
  return protocol.startsWith('ICMP') ? `${protocol} ${type ?? 0}` : protocol;
}

/** What was asked inside of the stream, and what was answered. */
export function l7Text({ l7 }: Flow): string {
  if (l7 === undefined) return '';
  const { http, dns, kafka, tlsSNI: name, latency_ns: latency } = l7;
  const took = latency === undefined ? '' : `, ${Math.round(Number(latency) / 1e4) / 100} ms`;
  if (http !== undefined) {
    const request = `${http.method ?? ''} ${http.url ?? ''}`.trim();
    return http.code === undefined ? request : `${http.code} ${request}${took}`;
  }
  if (dns !== undefined) {
    const asked = `${dns.query ?? ''} ${(dns.qtypes ?? []).join(' ')}`.trim();
    return l7.type === 'RESPONSE' ? `${asked}: ${dnsAnswer(dns.rcode, dns.ips)}${took}` : asked;
  }
  if (kafka !== undefined) return `${kafka.api_key ?? ''} ${kafka.topic ?? ''}`.trim();
  return name === undefined ? '' : `TLS ${name === '' ? 'without a name' : name}`;
}

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

function dnsAnswer(code = 0, ips: readonly string[] = []): string {
  return code === 0 && ips.length > 0 ? ips.join(' ') : (RCODES[code] ?? `code ${code}`);
}

/** Why it was dropped, in words: our own reason if it has one. */
export function reasonOf(flow: Flow): string {
  const own = ownReasonTexts(flow)?.reason;
  if (own !== undefined) return own;
  const { drop_reason: number, drop_reason_desc: name = '' } = flow;
  if (number === undefined && name === '') return '';
  return number === undefined ? name : reasonText(number);
}

/** Policies that decided, those that denied first. */
export function policiesOf(flow: Flow): readonly PolicyRef[] {
  const {
    ingress_denied_by: a = [],
    egress_denied_by: b = [],
    ingress_allowed_by: c = [],
    egress_allowed_by: d = [],
  } = flow;
  return a.length + b.length + c.length + d.length === 0 ? [] : [...a, ...b, ...c, ...d];
}

/** `shop/web-api`, or the name alone of a policy of the cluster. */
export function policyText({ namespace, name }: PolicyRef): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

const TYPES: Readonly<Record<number, string>> = { 1: 'drop', 4: 'trace', 5: 'policy-verdict', 129: 'l7' };

export function typeOf({ event_type: { type, sub_type: sub = 0 }, l7 }: Flow): string {
  const name = TYPES[type] ?? String(type);
  if (type === 4) return OBSERVATION_POINTS[sub] ?? name;
  return l7 === undefined ? name : `${name} ${l7.type.toLowerCase()}`;
}
