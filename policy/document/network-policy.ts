/** Kubernetes NetworkPolicy -> rules, as Cilium translates it, or (semantics `kubernetes`) to the letter of the API. */
import { blockPeer, inThisCluster, type RuleContext } from './cilium-policy.ts';
import { NAMESPACE_LABELS, POD_NAMESPACE } from '../rule/labels.ts';
import type { PolicyOptions } from '../rule/options.ts';
import { ANY_PEER, cidrPeer, type Peer, podsPeer } from '../rule/peer.ts';
import { protocolNumbers } from '../../wire/protocols.ts';
import type { Element, PortSpec, Rule } from '../rule/rule.ts';
import { equals, exists, type LabelSelector, type SelectorDocument, selectorFrom } from '../rule/selector.ts';
import { parsePrefix } from '../../wire/prefix.ts';

export interface NetworkPolicySpec {
  readonly podSelector?: SelectorDocument;
  readonly policyTypes?: readonly ('Ingress' | 'Egress')[];
  readonly ingress?: readonly NetworkPolicyElement[];
  readonly egress?: readonly NetworkPolicyElement[];
}

export interface NetworkPolicyElement {
  readonly from?: readonly NetworkPolicyPeer[];
  readonly to?: readonly NetworkPolicyPeer[];
  readonly ports?: readonly NetworkPolicyPort[];
}

export interface NetworkPolicyPeer {
  readonly podSelector?: SelectorDocument;
  readonly namespaceSelector?: SelectorDocument;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

export interface NetworkPolicyPort {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

export function networkPolicyRule(spec: NetworkPolicySpec, context: RuleContext): Rule {
  const isEnforced = directions(spec, context.options);
  const elements = (direction: 'ingress' | 'egress'): Element[] =>
    isEnforced[direction]
      ? (spec[direction] ?? []).map((element, i) => readElement(element, direction, i, context))
      : [];
  return {
    origin: context.origin('spec'),
    subject: [...selectorFrom(spec.podSelector ?? {}, 'k8s'), inNamespace(context.namespace)],
    selectsNodes: false,
    ingress: elements('ingress'),
    egress: elements('egress'),
    defaultDeny: isEnforced,
  };
}

/**
 * Which directions the policy closes. Without policyTypes: ingress always, egress when it has rules. With them, Cilium
 * still applies the rules of a direction that is not listed; Kubernetes ignores them.
 */
function directions(spec: NetworkPolicySpec, options: PolicyOptions): { ingress: boolean; egress: boolean } {
  const types = spec.policyTypes ?? [];
  const hasIngress = (spec.ingress ?? []).length > 0;
  const hasEgress = (spec.egress ?? []).length > 0;
  if (options.semantics === 'kubernetes' && types.length > 0) {
    return { ingress: types.includes('Ingress'), egress: types.includes('Egress') };
  }
  return {
    ingress: hasIngress || types.includes('Ingress') || !types.includes('Egress'),
    egress: hasEgress || types.includes('Egress'),
  };
}

function readElement(
  element: NetworkPolicyElement,
  direction: 'ingress' | 'egress',
  i: number,
  context: RuleContext,
): Element {
  const peers = (direction === 'ingress' ? element.from : element.to) ?? [];
  const ports = element.ports ?? [];
  return {
    origin: context.origin(`spec.${direction}[${i}]`),
    deny: false,
    peers: peers.length === 0 ? [ANY_PEER] : peers.map((peer) => readPeer(peer, context)),
    ports: ports.length === 0 ? null : ports.flatMap(readPort),
    requires: [],
  };
}

function readPeer(peer: NetworkPolicyPeer, { namespace, options }: RuleContext): Peer {
  if (peer.ipBlock !== undefined) {
    const except = (peer.ipBlock.except ?? []).map((text) => parsePrefix(text));
    const block = parsePrefix(peer.ipBlock.cidr);
    const isKubernetes = options.semantics === 'kubernetes';
    return isKubernetes ? cidrPeer(block, except, { nodes: true, pods: true }) : blockPeer(block, except, options);
  }
  const pods = inThisCluster(selectorFrom(peer.podSelector ?? {}, 'k8s'), options);
  if (peer.namespaceSelector === undefined) return podsPeer([...pods, inNamespace(namespace)]);
  const namespaces = namespaceRequirements(peer.namespaceSelector, options);
  return podsPeer([...namespaces, ...pods]);
}

/** Namespace labels are labels of the pods in it, under a prefix; an empty selector means any namespace. */
function namespaceRequirements(document: SelectorDocument, options: PolicyOptions): LabelSelector {
  const selector = selectorFrom(document, 'k8s');
  if (selector.length === 0) return [exists('k8s', POD_NAMESPACE)];
  const labels = selector.map((one) => ({ ...one, source: 'k8s', key: NAMESPACE_LABELS + one.key }));
  // What has no namespace lacks every label too, so that exclusions alone would select nodes and the outside (as in Cilium).
  return options.semantics === 'kubernetes' ? [exists('k8s', POD_NAMESPACE), ...labels] : labels;
}

function inNamespace(namespace: string): LabelSelector[number] {
  return equals({ source: 'k8s', key: POD_NAMESPACE }, namespace);
}

function readPort({ protocol = 'TCP', port, endPort }: NetworkPolicyPort): PortSpec[] {
  const number = typeof port === 'number' ? port : 0;
  return protocolNumbers(protocol).map((protocolNumber) => ({
    protocol: protocolNumber,
    port: number,
    endPort: number === 0 ? 0 : Math.max(number, endPort ?? 0),
    isIcmp: false,
    ...(typeof port === 'string' && { name: port.toLowerCase() }),
  }));
}
