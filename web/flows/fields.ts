/** Everything that a flow says, as names and values to read, each with the filter that looks for the same. Values are foreign text. */
import type { Endpoint, Flow, Service } from '../../hubble/flow.ts';
import { packetsOf } from '../../hubble/flow.ts';
import { identityText } from '../../wire/identities.ts';
import { matchTypeText } from '../../hubble/print/print.ts';
import { reasonNumber, REASONS } from '../../wire/reasons.ts';
import { ownReasonName } from '../../hubble/own-reason.ts';
import { l7Text, layer4, policiesOf, policyText, reasonOf, typeOf } from './cells.ts';

export interface Field {
  readonly name: string;
  readonly value: string;
  /** Flag and value of the query line. */
  readonly filter?: readonly [flag: string, value: string];
}

export interface FieldGroup {
  readonly title: string;
  readonly fields: readonly Field[];
}

type Draft = readonly [
  name: string,
  value: string | number | undefined,
  flag?: string | undefined,
  filterValue?: string | undefined,
];

/** Fields without a value are left out, and groups without a field. */
export function fieldGroups(flow: Flow): readonly FieldGroup[] {
  const drafts: readonly (readonly [string, readonly Draft[]])[] = [
    ['Decision', decision(flow)],
    ['Source', endOf(flow, 'source')],
    ['Destination', endOf(flow, 'destination')],
    ['Packet', packet(flow)],
    ['L7', l7(flow)],
    ['Observation', observation(flow)],
  ];
  return drafts
    .map(([title, group]) => ({ title, fields: group.flatMap(field) }))
    .filter(({ fields }) => fields.length > 0);
}

function field([name, value, flag, filterValue]: Draft): Field[] {
  if (value === undefined || value === '') return [];
  const text = String(value);
  return [{ name, value: text, ...(flag !== undefined && { filter: [flag, filterValue ?? text] as const }) }];
}

function decision(flow: Flow): Draft[] {
  const reason = ownReasonName(flow) ?? flow.drop_reason_desc;
  const number = reason === undefined ? -1 : reasonNumber(reason);
  return [
    ['Verdict', flow.verdict, 'verdict'],
    ['Drop reason', reasonOf(flow), 'drop-reason-desc', reason],
    ['That means', number < 0 ? undefined : REASONS[number]?.sentence],
    ...policiesOf(flow).map(
      (policy): Draft => ['Policy', `${policyText(policy)}${policy.kind === undefined ? '' : ` (${policy.kind})`}`],
    ),
    ['Match', flow.policy_match_type === undefined ? undefined : matchTypeText(flow.policy_match_type)],
    ['Direction', flow.traffic_direction?.toLowerCase(), 'traffic-direction'],
    ['Authentication', flow.auth_type],
    ['Log of the policy', flow.policy_log?.join(', ')],
    ['Packets', packetsOf(flow) === 1 ? undefined : packetsOf(flow)],
    ['Summary', flow.Summary],
  ];
}

function endOf(flow: Flow, side: 'source' | 'destination'): Draft[] {
  const end: Endpoint = flow[side];
  const flag = side === 'source' ? 'from-' : 'to-';
  const names = side === 'source' ? flow.source_names : flow.destination_names;
  const service: Service | undefined = side === 'source' ? flow.source_service : flow.destination_service;
  const { TCP, UDP, SCTP } = flow.l4 ?? {};
  const pod = end.pod_name === undefined ? undefined : `${end.namespace ?? 'default'}/${end.pod_name}`;
  return [
    ['Pod', pod, `${flag}pod`],
    ...(end.workloads ?? []).map(
      ({ kind = '', name = '' }): Draft => ['Workload', kind === '' ? name : `${kind}/${name}`, `${flag}workload`],
    ),
    ['Namespace', pod === undefined ? end.namespace : undefined, `${flag}namespace`],
    ['Service', service && `${service.namespace}/${service.name}`, `${flag}service`],
    ['Address', flow.IP?.[side], `${flag}ip`],
    ['Address after NAT', side === 'source' ? flow.IP?.source_xlated : undefined, 'snat-ip'],
    ['Port', (TCP ?? UDP ?? SCTP)?.[`${side}_port`], `${flag}port`],
    ...(names ?? []).map((name): Draft => ['DNS name', name, `${flag}fqdn`]),
    [
      'Identity',
      end.identity === undefined ? undefined : identityLong(end.identity),
      `${flag}identity`,
      String(end.identity),
    ],
    ...(end.labels ?? []).map((label): Draft => ['Label', label, `${flag}label`]),
    ['Cluster', end.cluster_name, `${flag}cluster`],
    ['Endpoint', end.ID],
    ['MAC', flow.ethernet?.[side]],
  ];
}

function identityLong(identity: number): string {
  const name = identityText(identity);
  return name === String(identity) ? name : `${identity} (${name})`;
}

function packet(flow: Flow): Draft[] {
  const { l4 = {}, IP: ip } = flow;
  const [protocol, { type = 0, code = 0 }] = layer4(flow);
  const isIcmp = protocol.startsWith('ICMP');
  const flags = Object.keys(l4.TCP?.flags ?? {}).join(',');
  return [
    ['Protocol', protocol, 'protocol'],
    ['TCP flags', flags, 'tcp-flags'],
    ['ICMP type', isIcmp ? `${type}, code ${code}` : undefined],
    ['IP version', ip?.ipVersion, 'ip-version'],
    ['Encrypted', ip?.encrypted ? 'yes' : undefined],
    ['Reply', flow.is_reply === undefined ? 'not known' : flow.is_reply ? 'yes' : 'no', ...replyFilter(flow.is_reply)],
  ];
}

function replyFilter(isReply: boolean | undefined): [] | [string, string] {
  return isReply === undefined ? [] : ['reply', String(isReply)];
}

function l7(flow: Flow): Draft[] {
  const { l7: seen } = flow;
  if (seen === undefined) return [];
  const { http, dns } = seen;
  return [
    ['What', l7Text(flow)],
    ['Kind', seen.type.toLowerCase()],
    ['Status', http?.code, 'http-status'],
    ['Method', http?.method, 'http-method'],
    ['URL', http?.url],
    ['HTTP version', http?.protocol],
    ...(http?.headers ?? []).map(
      ({ key, value }): Draft => ['Header', `${key}: ${value}`, 'http-header', `${key}:${value}`],
    ),
    ['Question', dns?.query],
    ['Answers', dns?.ips?.join(', ')],
    ['Server name', seen.tlsSNI],
    ['Trace', flow.trace_context?.parent.trace_id, 'trace-id'],
  ];
}

function observation(flow: Flow): Draft[] {
  return [
    ['Time', flow.time],
    ['Event', typeOf(flow)],
    ['Interface', flow.interface?.name, 'interface'],
    ['Node', flow.node_name, 'node-name'],
    ['UUID', flow.uuid, 'uuid'],
  ];
}
