/**
 * The smallest change that would let a denied flow pass: one more rule in a policy that closes the direction, one more HTTP rule,
 * or the deny rule that is in the way. It is a proposal in words and YAML; whether the flow ought to pass is not asked.
 */
import { stringify } from 'yaml';
import { PROTO_ICMP, PROTO_ICMPV6, protocolName } from '../wire/protocols.ts';
import type { Origin } from '../policy/rule/rule.ts';
import { reservedName } from '../wire/identities.ts';
import type { FlowQuery } from './query.ts';
import type { DirectionAnswer, ResolvedEnd } from './verdict.ts';

export interface Denial {
  readonly isEgress: boolean;
  readonly answer: DirectionAnswer;
  /** The end whose policy denies. */
  readonly subject: ResolvedEnd;
  readonly remote: ResolvedEnd;
  readonly query: FlowQuery;
  readonly port: number;
  /** The rules that decided; of a default deny those that closed the direction. */
  readonly origins: readonly Origin[];
}

const DROP_DENY = 181;
const DROP_AUTH = 189;

/** What to change, as text ending in a newline. */
export function remedyFor(denial: Denial): string {
  const { answer, origins } = denial;
  const [first] = origins;
  if (answer.reason === DROP_DENY && origins.some(({ path }) => !path.includes('Deny['))) {
    return `take terminatingTLS and originatingTLS out of ${origins.map(place).join(', ')}: TLS is not ended yet, so that its ports are closed\n`;
  }
  if (answer.reason === DROP_DENY) {
    return `narrow or remove the deny rule ${origins.map(place).join(', ')}: a deny outranks every allow\n`;
  }
  if (answer.reason === DROP_AUTH) return `${place(first)} demands authentication, for which there is no backend yet\n`;
  if (first === undefined) return 'no policy closes this direction by itself: enable-policy is always\n';
  const direction = denial.isEgress ? 'egress' : 'ingress';
  const rule = first.kind === 'NetworkPolicy' ? kubernetesRule(denial) : ciliumRule(denial);
  const list = first.kind === 'NetworkPolicy' ? 'spec' : first.path.replace(/\.(in|e)gress.*$/, '');
  return `add to ${list}.${direction} of ${first.kind}/${first.namespace}/${first.name} (${first.file}:${first.line}):\n${indent(stringify([rule]))}`;
}

/** What to change so that a request passes that only an L7 rule denies. */
export function requestRemedy(query: FlowQuery, origins: readonly Origin[]): string {
  const where = origins.map(place).join(' or ');
  if (query.http !== undefined) {
    const { method = 'GET', path = '/' } = query.http;
    return `add to rules.http of ${where}:\n${indent(stringify([{ method, path: escapeRegExp(path.split('?')[0]) }]))}`;
  }
  if (query.dns !== undefined)
    return `add to rules.dns of ${where}:\n${indent(stringify([{ matchName: query.dns.query }]))}`;
  return `widen the L7 rules of ${where}\n`;
}

/** `Kind/namespace/name spec.ingress[0] (file:line)` */
export function place({ kind, namespace, name, path, file, line }: Origin): string {
  return `${kind}/${namespace === '' ? '' : `${namespace}/`}${name} ${path} (${file}:${line})`;
}

function ciliumRule(denial: Denial): unknown {
  const { isEgress, remote, origins } = denial;
  const prefix = isEgress ? 'to' : 'from';
  const peer = ciliumPeer(prefix, remote, origins[0].namespace);
  const { protocol } = denial.query;
  if (protocol === PROTO_ICMP || protocol === PROTO_ICMPV6) {
    return { ...peer, icmps: [{ fields: [{ family: protocol === PROTO_ICMP ? 'IPv4' : 'IPv6', type: denial.port }] }] };
  }
  return { ...peer, toPorts: [{ ports: [{ port: String(denial.port), protocol: protocolName(protocol) }] }] };
}

/** @param namespace of the policy: its selectors mean pods there; '' when it is clusterwide */
function ciliumPeer(prefix: 'from' | 'to', remote: ResolvedEnd, namespace: string): Record<string, unknown> {
  const { spec } = remote;
  if (spec !== undefined) {
    const foreign = spec.namespace === namespace ? {} : { 'k8s:io.kubernetes.pod.namespace': spec.namespace };
    return { [`${prefix}Endpoints`]: [{ matchLabels: { ...spec.labels, ...foreign } }] };
  }
  if (remote.address !== undefined) return { [`${prefix}CIDR`]: [hostPrefix(remote.address)] };
  return { [`${prefix}Entities`]: [reservedName(remote.identity) ?? remote.text] };
}

function kubernetesRule(denial: Denial): unknown {
  const { isEgress, remote, subject, query, port } = denial;
  const { spec } = remote;
  const peer: Record<string, unknown> = {};
  if (spec !== undefined) {
    if (spec.namespace !== subject.spec?.namespace) {
      peer['namespaceSelector'] = { matchLabels: { 'kubernetes.io/metadata.name': spec.namespace } };
    }
    peer['podSelector'] = { matchLabels: spec.labels };
  } else {
    peer['ipBlock'] = { cidr: remote.address === undefined ? '0.0.0.0/0' : hostPrefix(remote.address) };
  }
  const isIcmp = query.protocol === PROTO_ICMP || query.protocol === PROTO_ICMPV6;
  const ports = isIcmp ? {} : { ports: [{ port, protocol: protocolName(query.protocol) }] };
  return { [isEgress ? 'to' : 'from']: [peer], ...ports };
}

/** The address comes canonical, with its length. */
function hostPrefix(address: string): string {
  return address.includes('/') ? address : `${address}/${address.includes(':') ? 128 : 32}`;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}
