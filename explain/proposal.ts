/**
 * Rules that would open a closed direction to one remote and one port, the narrowest first. Which of them a policy can
 * hold, and which reaches the remote, depends on its kind and on the options: whoever asks tries them in turn.
 *
 *   pod       its labels, less those that identities lack
 *   address   the prefix of the address alone; a node, to which CIDR rules are blind, by its entity
 *   entity    the entity
 *
 * A NetworkPolicy can say neither entities nor ICMP types. Then a CiliumNetworkPolicy for the same pods says it, beside it. So it
 * does for the world where ipBlock matches pods and nodes too, as Kubernetes has it: `0.0.0.0/0` would open to all of them.
 */
import { EGRESS } from '../wire/direction.ts';
import type { PolicyOptions } from '../policy/rule/options.ts';
import type { Origin } from '../policy/rule/rule.ts';
import { isPlace, POD_NAMESPACE, parseLabel } from '../policy/rule/labels.ts';
import {
  IDENTITY_REMOTE_NODE,
  IDENTITY_WORLD,
  IDENTITY_WORLD_IPV4,
  IDENTITY_WORLD_IPV6,
  REMOTE_NODE_SCOPE,
  reservedName,
} from '../wire/identities.ts';
import { PROTO_ICMP, PROTO_ICMPV6, protocolName } from '../wire/protocols.ts';
import type { Change } from './change.ts';
import type { Denial, ResolvedEnd } from './verdict.ts';

type Part = Record<string, unknown>;

/** Changes that may open what the denial closes. */
export function rulesFor(denial: Denial, { semantics }: PolicyOptions): Change[] {
  const { origins } = denial;
  const direction = denial.direction === EGRESS ? 'egress' : 'ingress';
  const proposals = origins.flatMap((origin): Change[] => {
    const isKubernetes = origin.kind === 'NetworkPolicy';
    const rules = isKubernetes ? kubernetesRules(denial, semantics) : ciliumRules(denial, origin.namespace);
    const spec = origin.path.replace(/\.(in|e)gress.*$/, '');
    return rules.map((item) => ({ kind: 'add', origin, path: `${spec}.${direction}`, item }));
  });
  return [...proposals, ...policiesFor(denial, direction)];
}

/** A policy of its own, for the pods that are like the subject. */
function policiesFor(denial: Denial, direction: 'ingress' | 'egress'): Change[] {
  const { spec } = denial.subject;
  if (spec === undefined) return [];
  const { namespace } = spec;
  const beside = denial.origins.map((origin) => nameOf(origin)).join(', ') || 'the others';
  return ciliumRules(denial, namespace).map((rule) => ({
    kind: 'create',
    beside,
    object: {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: `allow-${direction}-of-${spec.name}`.slice(0, 200), namespace },
      spec: { endpointSelector: { matchLabels: labelsOf(denial.subject, 'k8s:') }, [direction]: [rule] },
    },
  }));
}

function nameOf({ kind, namespace, name }: Origin): string {
  return `${kind}/${namespace === '' ? '' : `${namespace}/`}${name}`;
}

/** @param namespace of the policy: its selectors mean pods there; '' when it is clusterwide */
function ciliumRules(denial: Denial, namespace: string): Part[] {
  const side = denial.direction === EGRESS ? 'to' : 'from';
  return ciliumPeers(side, denial.remote, namespace).flatMap((peer) =>
    ciliumPorts(denial).map((ports) => ({ ...peer, ...ports })),
  );
}

function ciliumPorts({ query: { protocol }, port }: Denial): Part[] {
  if (protocol === PROTO_ICMP || protocol === PROTO_ICMPV6) {
    return [{ icmps: [{ fields: [{ family: protocol === PROTO_ICMP ? 'IPv4' : 'IPv6', type: port }] }] }];
  }
  const one = { ports: [{ port: String(port), protocol: protocolName(protocol) }] };
  // Where a protocol has no ports, or its rules are switched off, only a rule for everything is left.
  return port === 0 ? [{ toPorts: [one] }, {}] : [{ toPorts: [one] }];
}

function ciliumPeers(side: 'from' | 'to', remote: ResolvedEnd, namespace: string): Part[] {
  const { spec, address, identity } = remote;
  if (spec !== undefined) {
    const foreign = spec.namespace === namespace ? {} : { [`k8s:${POD_NAMESPACE}`]: spec.namespace };
    return [{ [`${side}Endpoints`]: [{ matchLabels: { ...labelsOf(remote, ''), ...foreign } }] }];
  }
  const entity = entityOf(identity);
  const byAddress = address === undefined ? [] : [{ [`${side}CIDR`]: [hostPrefix(address)] }];
  const byFamily = FAMILIES[identity] === undefined ? [] : [{ [`${side}CIDR`]: [FAMILIES[identity]] }];
  const byEntity = entity === undefined ? [] : [{ [`${side}Entities`]: [entity] }];
  return address === undefined ? [...byFamily, ...byEntity] : [...byAddress, ...byEntity];
}

/** World of one family, which is no entity to Cilium. */
const FAMILIES: Readonly<Record<number, string>> = {
  [IDENTITY_WORLD_IPV4]: '0.0.0.0/0',
  [IDENTITY_WORLD_IPV6]: '::/0',
};

function entityOf(identity: number): string | undefined {
  if (identity >= REMOTE_NODE_SCOPE) return reservedName(IDENTITY_REMOTE_NODE);
  if (FAMILIES[identity] !== undefined) return reservedName(IDENTITY_WORLD);
  return reservedName(identity);
}

function kubernetesRules(denial: Denial, semantics: PolicyOptions['semantics']): Part[] {
  const { direction, remote, subject, query, port } = denial;
  const { spec } = remote;
  const isTransport = ['TCP', 'UDP', 'SCTP'].includes(protocolName(query.protocol));
  if (!isTransport || port === 0) return [];
  if (spec === undefined && remote.address === undefined && semantics === 'kubernetes') return [];
  return kubernetesPeers(remote, spec?.namespace === subject.spec?.namespace).map((peer) => ({
    [direction === EGRESS ? 'to' : 'from']: [peer],
    ports: [{ port, protocol: protocolName(query.protocol) }],
  }));
}

function kubernetesPeers(remote: ResolvedEnd, isSameNamespace: boolean): Part[] {
  const { spec, address, identity } = remote;
  if (spec !== undefined) {
    const foreign = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': spec.namespace } } };
    return [{ ...(!isSameNamespace && foreign), podSelector: { matchLabels: labelsOf(remote, '') } }];
  }
  if (address !== undefined) return [{ ipBlock: { cidr: hostPrefix(address) } }];
  if (identity === IDENTITY_WORLD) return [{ ipBlock: { cidr: '0.0.0.0/0' } }];
  return FAMILIES[identity] === undefined ? [] : [{ ipBlock: { cidr: FAMILIES[identity] } }];
}

/** The labels of a pod that make its identity, but for those that say where it is. */
function labelsOf({ endpoint }: ResolvedEnd, prefix: string): Record<string, string> {
  const labels = (endpoint?.labels ?? []).map((text) => parseLabel(text, 'k8s'));
  const own = labels.filter(({ source, key }) => source === 'k8s' && !isPlace(key));
  return Object.fromEntries(own.map(({ key, value }) => [prefix + key, value]));
}

/** The address comes canonical, with its length. */
function hostPrefix(address: string): string {
  return address.includes('/') ? address : `${address}/${address.includes(':') ? 128 : 32}`;
}
