/**
 * Peers of a rule: who they are, where they live, and how each kind of policy writes them.
 *
 *   own namespace   pods that a selector without a namespace means, or that it names as the policy's own
 *   in the cluster  pods of other namespaces, nodes, Services, and the entities that stand for parts of the cluster
 *   outside         prefixes, DNS names, groups of a cloud, the entity `world`
 *   anyone          the entity `all`, and a rule that names nobody
 */
import { NAMESPACE_LABELS, NAMESPACE_NAME, POD_NAMESPACE } from '../../../policy/rule/labels.ts';
import { fieldOf, type Fields, fieldsOf, isFields, itemsOf, textOf, without } from './values.ts';

export type Group = 'anyone' | 'namespace' | 'cluster' | 'outside';

/** As documents have it: `matchLabels`, `matchExpressions`. */
export type Selector = Fields;

/** Whose pods a selector means. */
export type Scope =
  /** Those of the policy's namespace; of every namespace when it has none. */
  | { readonly of: 'own' }
  | { readonly of: 'any' }
  | { readonly of: 'named'; readonly name: string }
  /** By labels of the namespace, their keys without a prefix. */
  | { readonly of: 'labelled'; readonly selector: Selector };

export type Peer =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'pods'; readonly scope: Scope; readonly selector: Selector }
  | { readonly kind: 'nodes'; readonly selector: Selector }
  | { readonly kind: 'cidr'; readonly cidr: string; readonly except: readonly string[] }
  | { readonly kind: 'cidr-group'; readonly name: string; readonly except: readonly string[] }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'pattern'; readonly pattern: string }
  | { readonly kind: 'entity'; readonly entity: string }
  | { readonly kind: 'service'; readonly name: string; readonly namespace: string }
  /** Shown by its text, and changed in the text only. */
  | { readonly kind: 'other'; readonly member: string; readonly value: unknown };

/** @param namespace of the policy; '' when it is clusterwide */
export function groupOf(peer: Peer, namespace: string): Group {
  switch (peer.kind) {
    case 'anyone':
      return 'anyone';
    case 'entity':
      return peer.entity === 'all' ? 'anyone' : peer.entity === 'world' ? 'outside' : 'cluster';
    case 'pods': {
      const { scope } = peer;
      const isOwn = scope.of === 'own' || (scope.of === 'named' && scope.name === namespace);
      return isOwn && namespace !== '' ? 'namespace' : 'cluster';
    }
    case 'service':
      return peer.namespace === namespace && namespace !== '' ? 'namespace' : 'cluster';
    case 'nodes':
      return 'cluster';
    case 'other':
      return peer.member === 'Groups' || peer.member === 'CIDRSet' ? 'outside' : 'cluster';
    default:
      return 'outside';
  }
}

const NAMESPACE_KEYS = new Set([POD_NAMESPACE, `k8s:${POD_NAMESPACE}`, `any:${POD_NAMESPACE}`]);
const LABEL_PREFIXES = [`k8s:${NAMESPACE_LABELS}`, `any:${NAMESPACE_LABELS}`, NAMESPACE_LABELS];

/** Pods of a Cilium selector: labels that speak of the namespace are its scope. */
export function podsOfCilium(selector: unknown): Peer {
  const labels = fieldsOf(fieldOf(selector, 'matchLabels'));
  const keys = Object.keys(labels);
  const expressions = itemsOf(fieldOf(selector, 'matchExpressions'));
  const named = keys.filter((key) => NAMESPACE_KEYS.has(key));
  const labelled = keys.filter((key) => labelOfNamespace(key) !== undefined);
  const anyNamespace = expressions.filter((one) => isAnyNamespace(one));
  const plain = (taken: readonly string[]): Selector => {
    const rest = without(labels, ...taken);
    const others = expressions.filter((one) => !anyNamespace.includes(one));
    return {
      ...without(fieldsOf(selector), 'matchLabels', 'matchExpressions'),
      ...(Object.keys(rest).length > 0 && { matchLabels: rest }),
      ...(others.length > 0 && { matchExpressions: others }),
    };
  };
  if (named.length === 1 && labelled.length + anyNamespace.length === 0)
    return { kind: 'pods', scope: { of: 'named', name: textOf(labels[named[0]]) }, selector: plain(named) };
  if (labelled.length > 0 && named.length + anyNamespace.length === 0) {
    const matchLabels = Object.fromEntries(labelled.map((key) => [labelOfNamespace(key) as string, labels[key]]));
    return { kind: 'pods', scope: { of: 'labelled', selector: { matchLabels } }, selector: plain(labelled) };
  }
  if (anyNamespace.length === 1 && named.length + labelled.length === 0)
    return { kind: 'pods', scope: { of: 'any' }, selector: plain([]) };
  return { kind: 'pods', scope: { of: 'own' }, selector: fieldsOf(selector) };
}

function labelOfNamespace(key: string): string | undefined {
  const prefix = LABEL_PREFIXES.find((one) => key.startsWith(one));
  return prefix === undefined ? undefined : key.slice(prefix.length);
}

function isAnyNamespace(expression: unknown): boolean {
  return NAMESPACE_KEYS.has(textOf(fieldOf(expression, 'key'))) && fieldOf(expression, 'operator') === 'Exists';
}

/** The selector of a Cilium policy that means these pods. */
function ciliumSelector(scope: Scope, selector: Selector): Selector {
  const withLabels = (labels: Fields): Selector => ({
    ...selector,
    matchLabels: { ...labels, ...fieldsOf(selector['matchLabels']) },
  });
  switch (scope.of) {
    case 'own':
      return selector;
    case 'named':
      return withLabels({ [`k8s:${POD_NAMESPACE}`]: scope.name });
    case 'any': {
      const exists = { key: `k8s:${POD_NAMESPACE}`, operator: 'Exists' };
      return { ...selector, matchExpressions: [...itemsOf(selector['matchExpressions']), exists] };
    }
    case 'labelled': {
      const prefixed = (key: string): string => `k8s:${NAMESPACE_LABELS}${key}`;
      const labels = Object.entries(fieldsOf(scope.selector['matchLabels']));
      const expressions = itemsOf(scope.selector['matchExpressions']).map((one) => ({
        ...fieldsOf(one),
        key: prefixed(textOf(fieldOf(one, 'key'))),
      }));
      const named = withLabels(Object.fromEntries(labels.map(([key, value]) => [prefixed(key), value])));
      if (expressions.length === 0) return named;
      return { ...named, matchExpressions: [...itemsOf(selector['matchExpressions']), ...expressions] };
    }
  }
}

/** A peer of a NetworkPolicy. */
export function peerOfKubernetes(value: unknown): Peer {
  const block = fieldOf(value, 'ipBlock');
  if (isFields(block)) return { kind: 'cidr', cidr: textOf(block['cidr']), except: texts(block['except']) };
  const [pods, namespaces] = [fieldOf(value, 'podSelector'), fieldOf(value, 'namespaceSelector')];
  if (!isFields(pods) && !isFields(namespaces)) return { kind: 'other', member: '', value };
  return { kind: 'pods', scope: isFields(namespaces) ? scopeOf(namespaces) : { of: 'own' }, selector: fieldsOf(pods) };
}

function scopeOf(namespaces: Fields): Scope {
  if (itemsOf(namespaces['matchExpressions']).length > 0) return { of: 'labelled', selector: namespaces };
  const labels = Object.entries(fieldsOf(namespaces['matchLabels']));
  if (labels.length === 0) return { of: 'any' };
  const isName = labels.length === 1 && labels[0][0] === NAMESPACE_NAME;
  return isName ? { of: 'named', name: textOf(labels[0][1]) } : { of: 'labelled', selector: namespaces };
}

/** As a NetworkPolicy writes it; undefined when it cannot. */
export function kubernetesPeer(peer: Peer): Fields | undefined {
  if (peer.kind === 'cidr')
    return { ipBlock: { cidr: peer.cidr, ...(peer.except.length > 0 && { except: peer.except }) } };
  if (peer.kind !== 'pods') return undefined;
  const { scope, selector } = peer;
  if (scope.of === 'own') return { podSelector: selector };
  const namespaceSelector =
    scope.of === 'any' ? {} : scope.of === 'named' ? { matchLabels: { [NAMESPACE_NAME]: scope.name } } : scope.selector;
  return { namespaceSelector, ...(Object.keys(selector).length > 0 && { podSelector: selector }) };
}

/** A list of a Cilium rule in which peers stand, by its name without `from` or `to`. */
export const MEMBERS = ['Endpoints', 'CIDR', 'CIDRSet', 'Entities', 'Nodes', 'FQDNs', 'Services', 'Groups'] as const;

export type Member = (typeof MEMBERS)[number];

export function peerOfCilium(member: Member, value: unknown): Peer {
  const other: Peer = { kind: 'other', member, value };
  switch (member) {
    case 'Endpoints':
      return isFields(value) ? podsOfCilium(value) : other;
    case 'CIDR':
      return typeof value === 'string' ? { kind: 'cidr', cidr: value, except: [] } : other;
    case 'CIDRSet': {
      const except = texts(fieldOf(value, 'except'));
      const [cidr, name] = [fieldOf(value, 'cidr'), fieldOf(value, 'cidrGroupRef')];
      if (typeof cidr === 'string') return { kind: 'cidr', cidr, except };
      return typeof name === 'string' ? { kind: 'cidr-group', name, except } : other;
    }
    case 'Entities':
      return typeof value === 'string' ? { kind: 'entity', entity: value } : other;
    case 'Nodes':
      return isFields(value) ? { kind: 'nodes', selector: value } : other;
    case 'FQDNs': {
      const [name, pattern] = [fieldOf(value, 'matchName'), fieldOf(value, 'matchPattern')];
      if (typeof name === 'string') return { kind: 'name', name };
      return typeof pattern === 'string' ? { kind: 'pattern', pattern } : other;
    }
    case 'Services': {
      const service = fieldOf(value, 'k8sService');
      if (!isFields(service)) return other;
      return { kind: 'service', name: textOf(service['serviceName']), namespace: textOf(service['namespace']) };
    }
    case 'Groups':
      return other;
  }
}

/** The list that a peer stands in, and what is written there; undefined when a Cilium rule cannot say it. */
export function ciliumPeer(peer: Peer): { readonly member: Member; readonly value: unknown } | undefined {
  switch (peer.kind) {
    case 'anyone':
      return { member: 'Entities', value: 'all' };
    case 'pods':
      return { member: 'Endpoints', value: ciliumSelector(peer.scope, peer.selector) };
    case 'nodes':
      return { member: 'Nodes', value: peer.selector };
    case 'cidr':
      return peer.except.length === 0
        ? { member: 'CIDR', value: peer.cidr }
        : { member: 'CIDRSet', value: { cidr: peer.cidr, except: peer.except } };
    case 'cidr-group':
      return {
        member: 'CIDRSet',
        value: { cidrGroupRef: peer.name, ...(peer.except.length > 0 && { except: peer.except }) },
      };
    case 'name':
      return { member: 'FQDNs', value: { matchName: peer.name } };
    case 'pattern':
      return { member: 'FQDNs', value: { matchPattern: peer.pattern } };
    case 'entity':
      return { member: 'Entities', value: peer.entity };
    case 'service':
      return {
        member: 'Services',
        value: { k8sService: { serviceName: peer.name, ...(peer.namespace !== '' && { namespace: peer.namespace }) } },
      };
    case 'other':
      return undefined;
  }
}

function texts(value: unknown): string[] {
  return itemsOf(value).map(textOf);
}
