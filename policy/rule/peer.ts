/**
 * A peer: a set of remote identities, described by labels, by prefixes, or by both.
 * Equal keys mean equal sets, so that a thousand rules about `app=web` share one selector in the cache.
 */
import {
  AGGREGATE_CLUSTER,
  AGGREGATE_CLUSTER_MESH,
  AGGREGATE_REMOTE_NODE,
  AGGREGATE_WORLD,
} from '../../wire/identities.ts';
import { contains, type Prefix } from '../../wire/prefix.ts';
import type { Entity } from './entities.ts';
import { CIDR_GROUP_NAME, CLUSTER, type LabelSet, POD_NAMESPACE } from './labels.ts';
import { prefixLabelKey } from './prefix-label.ts';
import { PrefixSet } from './prefix-set.ts';
import { equals, exists, type LabelSelector, type Requirements, selectorKey, selects } from './selector.ts';

export interface Peer {
  readonly key: string;
  /** One of these must select the identity. */
  readonly anyOf: readonly LabelSelector[];
  /** Identities must lie inside this prefix (judged by their `cidr:` label). */
  readonly within?: Prefix;
  /** ... and inside none of these. */
  readonly except?: PrefixSet;
  /** Of a peer made of prefixes or groups of them: it holds the outside world only, unless these are set. */
  readonly reach?: PrefixReach;
  /** Aggregate identities (11..14) that stand for the whole of this peer. */
  readonly aggregates: readonly number[];
  /** Made of labels that pods are to have. */
  readonly isPods?: boolean;
  /** Made from fromEndpoints/toEndpoints: fromRequires/toRequires bind it. */
  readonly isEndpoints?: boolean;
  /** What identities must meet besides; shared by all peers that it binds. */
  readonly required?: LabelSelector;
  /** The names whose addresses this peer has. */
  readonly fqdn?: { readonly matchName?: string; readonly matchPattern?: string };
  /** A Service: resolved by the cluster into endpoint selectors or prefixes. */
  readonly service?: ServicePeer;
}

/** What besides the outside world a rule about prefixes is about. */
export interface PrefixReach {
  readonly nodes: boolean;
  readonly pods: boolean;
}

export interface ServicePeer {
  /** '' = every namespace. */
  readonly namespace: string;
  readonly name?: string;
  readonly selector?: LabelSelector;
}

/** A peer that is everyone is stored under all of these. */
export const WILDCARD_IDENTITIES = [
  0,
  AGGREGATE_CLUSTER,
  AGGREGATE_CLUSTER_MESH,
  AGGREGATE_WORLD,
  AGGREGATE_REMOTE_NODE,
];

/** Everyone, known or not. */
export const ANY_PEER: Peer = { key: '*', anyOf: [[]], aggregates: [] };

export function isWildcard(peer: Peer): boolean {
  return peer.key === '*';
}

export function endpointsPeer(selector: LabelSelector): Peer {
  return { ...podsPeer(selector), isEndpoints: true };
}

/**
 * The peer with fromRequires/toRequires upon it, if it is one that they bind.
 * @param requirements of all rules of the direction
 */
export function requiring(peer: Peer, requirements: Requirements): Peer {
  if (peer.isEndpoints !== true || requirements.selector.length === 0) return peer;
  const anyOf = peer.anyOf.map((selector) => requirements.without(selector));
  const key = `labels ${anyOf.map(selectorKey).join(' or ')} and ${requirements.key}`;
  return { ...peer, key, anyOf, required: requirements.selector };
}

/** Pods of a NetworkPolicy. */
export function podsPeer(selector: LabelSelector): Peer {
  return { ...labelsPeer(selector), isPods: true };
}

export function labelsPeer(selector: LabelSelector): Peer {
  return { key: `labels ${selectorKey(selector)}`, anyOf: [selector], aggregates: [] };
}

export function cidrPeer(within: Prefix, except: readonly Prefix[], reach: PrefixReach): Peer {
  const key = `cidr ${within.text}${lessText(except)}${reachText(reach)}`;
  return { key, anyOf: [[]], within, except: new PrefixSet(except), reach, aggregates: [] };
}

/** Members of CIDR groups, by name or by the groups' labels, less some prefixes. */
export function cidrGroupPeer(selector: LabelSelector, except: readonly Prefix[], reach: PrefixReach): Peer {
  const key = `cidrgroup ${selectorKey(selector)}${lessText(except)}${reachText(reach)}`;
  return { key, anyOf: [selector], except: new PrefixSet(except), reach, aggregates: [] };
}

function lessText(except: readonly Prefix[]): string {
  const texts = except.map(({ text }) => `,!${text}`);
  return texts.sort().join('');
}

function reachText({ nodes, pods }: PrefixReach): string {
  return `${nodes ? ' nodes' : ''}${pods ? ' pods' : ''}`;
}

export function cidrGroupSelector(name: string): LabelSelector {
  return [exists('cidrgroup', CIDR_GROUP_NAME + name)];
}

export function fqdnPeer(fqdn: { matchName?: string; matchPattern?: string }): Peer {
  const pattern = fqdn.matchName ?? fqdn.matchPattern ?? '';
  return { key: `fqdn ${pattern}`, anyOf: [[exists('fqdn', pattern)]], aggregates: [], fqdn };
}

export function servicePeer(service: ServicePeer): Peer {
  const what = service.name ?? selectorKey(service.selector ?? []);
  return {
    key: `service ${service.namespace}/${service.name === undefined ? 'by labels ' : ''}${what}`,
    anyOf: [],
    aggregates: [],
    service,
  };
}

/** Does the peer hold an identity with these labels? (Aggregates are listed, never matched by labels.) */
export function holds(peer: Peer, labels: LabelSet): boolean {
  return isSelected(peer, labels) && (peer.reach === undefined || isInside(peer, peer.reach, labels));
}

/** Asked for each identity of many peers: no closure, so that nothing is left for the collector. */
function isSelected({ anyOf, required }: Peer, labels: LabelSet): boolean {
  for (const selector of anyOf) {
    if (selects(selector, labels)) return required === undefined || selects(required, labels);
  }
  return false;
}

function isInside({ within, except }: Peer, reach: PrefixReach, labels: LabelSet): boolean {
  if (!isReached(reach, labels)) return false;
  const prefixes = labels.prefixes();
  if (within !== undefined && !prefixes.some((prefix) => contains(within, prefix))) return false;
  return except === undefined || !prefixes.some((prefix) => except.covers(prefix));
}

function isReached(reach: PrefixReach, labels: LabelSet): boolean {
  if (labels.isWorld()) return true;
  if (labels.isReserved('host') || labels.isReserved('remote-node')) return reach.nodes;
  return reach.pods && labels.has('k8s', POD_NAMESPACE);
}

/** Prefixes that must have identities of their own for this peer to be told apart from its surroundings. */
export function prefixesOf(peer: Peer): readonly Prefix[] {
  const holes = peer.except?.prefixes ?? [];
  return peer.within === undefined ? holes : [peer.within, ...holes];
}

/** What each entity stands for by the labels of identities. */
export function entityPeer(entity: Entity, clusterName: string): Peer {
  if (entity === 'all') return ANY_PEER;
  const reserved = (...names: string[]): LabelSelector[] => names.map((name) => [exists('reserved', name)]);
  const peer = (anyOf: LabelSelector[], aggregates: number[] = []): Peer => ({
    key: `entity ${entity}`,
    anyOf,
    aggregates,
  });
  const nodes = reserved('host', 'remote-node', 'init', 'ingress', 'health', 'unmanaged', 'kube-apiserver');
  switch (entity) {
    case 'world':
      return peer(reserved('world', 'world-ipv4', 'world-ipv6'), [AGGREGATE_WORLD]);
    case 'remote-node':
      return peer(reserved('remote-node'), [AGGREGATE_REMOTE_NODE]);
    case 'cluster':
      return peer([...nodes, [equals({ source: 'k8s', key: CLUSTER }, clusterName)]], [AGGREGATE_CLUSTER]);
    case 'cluster-mesh':
      return peer([...nodes, [exists('k8s', CLUSTER)]], [AGGREGATE_CLUSTER, AGGREGATE_CLUSTER_MESH]);
    case 'none':
      return peer([]);
    default:
      return peer(reserved(entity));
  }
}

/** The label that an identity of this prefix carries. */
export function cidrLabel(prefix: Prefix): string {
  return `cidr:${prefixLabelKey(prefix)}`;
}
