/** The world as documents tell it, and who is who in it: every address belongs to a pod, to a node or to the outside. */
import { isInside, isV6, lengthOf } from './addresses.ts';
import { type Labels, makesIdentity } from './labels.ts';

/** A Kubernetes object as parsed from YAML. */
export type Document = Record<string, any>;

/** Options by their names in the configuration; those that change what policies mean. */
export interface Options {
  readonly 'enable-policy': 'default' | 'always' | 'never';
  readonly 'policy-audit-mode': boolean;
  readonly 'policy-cidr-match-mode': readonly ('nodes' | 'pods')[];
  readonly 'policy-default-local-cluster': boolean;
  readonly 'allow-localhost': 'auto' | 'always' | 'policy';
  readonly 'enable-node-selector-labels': boolean;
  readonly 'enable-extended-ip-protocols': boolean;
  readonly 'enable-non-default-deny-policies': boolean;
  readonly 'enable-host-firewall': boolean;
  readonly 'dual-stack': boolean;
  readonly semantics: 'cilium' | 'kubernetes';
  readonly 'cluster-name': string;
  readonly 'node-name': string;
}

export interface World {
  readonly options: Options;
  /** Objects of every kind, policies among them. */
  readonly documents: readonly Document[];
  /** What the agent has learnt: the addresses of DNS names. */
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly apiServers: readonly string[];
}

export interface Party {
  readonly kind: 'pod' | 'host' | 'node' | 'outside';
  readonly ip: string;
  readonly labels: Labels;
  /** Of a pod. */
  readonly pod?: Document;
  /** Pods with the same labels have the same identity. */
  readonly identity: string;
}

export const ofKind = (world: World, kind: string): Document[] =>
  world.documents.filter((document) => document.kind === kind);

export const addressesOf = (pod: Document): string[] => (pod.status?.podIPs ?? []).map(({ ip }: { ip: string }) => ip);

const nodeAddresses = (node: Document): string[] => node.status.addresses.map(({ address }: any) => address);

export function whoIs(world: World, ip: string): Party {
  const pod = ofKind(world, 'Pod').find((one) => addressesOf(one).includes(ip));
  if (pod !== undefined) return podParty(world, pod, ip);
  const node = ofKind(world, 'Node').find((one) => nodeAddresses(one).includes(ip));
  if (node !== undefined) return nodeParty(world, node, ip);
  return outsideParty(world, ip);
}

const party = (kind: Party['kind'], ip: string, labels: Map<string, string>): Party => ({
  kind,
  ip,
  labels,
  identity: [...labels].map(([key, value]) => `${key}=${value};`).sort().join(''),
});

export function podParty(world: World, pod: Document, ip: string): Party {
  const { namespace, labels = {} } = pod.metadata;
  const found = ofKind(world, 'Namespace').find(({ metadata }) => metadata.name === namespace);
  const all: Record<string, string> = { ...labels };
  for (const [key, value] of Object.entries<string>(found?.metadata.labels ?? {})) {
    all[`io.cilium.k8s.namespace.labels.${key}`] = value;
  }
  all['io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name'] = namespace;
  all['io.kubernetes.pod.namespace'] = namespace;
  all['io.cilium.k8s.policy.cluster'] = world.options['cluster-name'];
  all['io.cilium.k8s.policy.serviceaccount'] = pod.spec?.serviceAccountName ?? 'default';
  const kept = Object.entries(all).filter(([key]) => makesIdentity(key));
  return { ...party('pod', ip, new Map(kept.map(([key, value]) => [`k8s:${key}`, value]))), pod };
}

function nodeParty(world: World, node: Document, ip: string): Party {
  const isHost = node.metadata.name === world.options['node-name'];
  const labels = new Map([[isHost ? 'reserved:host' : 'reserved:remote-node', '']]);
  // The local host is one identity, whichever of its addresses is used.
  const addresses = isHost ? nodeAddresses(node) : [ip];
  if (addresses.some((address) => world.apiServers.includes(address))) labels.set('reserved:kube-apiserver', '');
  if (!isHost && world.options['enable-node-selector-labels']) {
    labels.set('k8s:io.cilium.k8s.policy.cluster', world.options['cluster-name']);
    for (const [key, value] of Object.entries<string>(node.metadata.labels ?? {})) labels.set(`node:${key}`, value);
  }
  return party(isHost ? 'host' : 'node', ip, labels);
}

function outsideParty(world: World, ip: string): Party {
  const family = isV6(ip) ? 'world-ipv6' : 'world-ipv4';
  const labels = new Map([[`reserved:${world.options['dual-stack'] ? family : 'world'}`, '']]);
  if (world.apiServers.includes(ip)) labels.set('reserved:kube-apiserver', '');
  // Labels of CIDR groups: where two groups disagree, the one with the longer prefix has its way.
  for (const { group } of groupsAround(world, ip).reverse()) {
    labels.set(`cidrgroup:io.cilium.policy.cidrgroupname/${group.metadata.name}`, '');
    for (const [key, value] of Object.entries<string>(group.metadata.labels ?? {})) {
      labels.set(`cidrgroup:${key}`, value);
    }
  }
  return party('outside', ip, labels);
}

/** Longest prefix first. */
function groupsAround(world: World, ip: string): { group: Document; cidr: string }[] {
  return ofKind(world, 'CiliumCIDRGroup')
    .flatMap((group) => group.spec.externalCIDRs.map((cidr: string) => ({ group, cidr })))
    .filter(({ cidr }) => isInside(ip, cidr))
    .sort((a, b) => lengthOf(b.cidr) - lengthOf(a.cidr));
}
