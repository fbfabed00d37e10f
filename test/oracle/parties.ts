/** The world as documents tell it, and who is who in it: every address belongs to a pod, to a node or to the outside. */
import { isInside, isV6 } from './addresses.ts';
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
  /** The address of a pod that has no labels yet. */
  readonly newcomer: string | undefined;
}

export interface Party {
  /** An `init` pod has no labels yet. */
  readonly kind: 'pod' | 'init' | 'host' | 'node' | 'outside';
  /** Every address with this identity: of a pod and of the local host all, of others one. */
  readonly addresses: readonly string[];
  readonly labels: Labels;
  /** Labels of each CIDR group around its addresses, for the rules that see it. */
  readonly groups: readonly Labels[];
  /** Of a pod. */
  readonly pod?: Document;
}

export const ofKind = (world: World, kind: string): Document[] =>
  world.documents.filter((document) => document.kind === kind);

/** Pods in the network of their node have none of their own. */
export const addressesOf = (pod: Document): string[] =>
  pod.spec?.hostNetwork === true ? [] : (pod.status?.podIPs ?? []).map(({ ip }: { ip: string }) => ip);

export const nodeAddresses = (node: Document): string[] => node.status.addresses.map(({ address }: any) => address);

export function whoIs(world: World, ip: string): Party {
  const pod = ofKind(world, 'Pod').find((one) => addressesOf(one).includes(ip));
  if (pod !== undefined) return podParty(world, pod);
  const node = ofKind(world, 'Node').find((one) => nodeAddresses(one).includes(ip));
  if (node !== undefined) return nodeParty(world, node, ip);
  if (ip === world.newcomer) return party(world, 'init', [ip], new Map([['reserved:init', '']]));
  const family = isV6(ip) ? 'world-ipv6' : 'world-ipv4';
  const labels = new Map([[`reserved:${world.options['dual-stack'] ? family : 'world'}`, '']]);
  if (world.apiServers.includes(ip)) labels.set('reserved:kube-apiserver', '');
  return party(world, 'outside', [ip], labels);
}

function party(world: World, kind: Party['kind'], addresses: string[], labels: Map<string, string>): Party {
  return { kind, addresses, labels, groups: groupsAround(world, addresses) };
}

function podParty(world: World, pod: Document): Party {
  return { ...party(world, 'pod', addressesOf(pod), podLabels(world, pod)), pod };
}

function podLabels(world: World, pod: Document): Map<string, string> {
  const { namespace, labels = {} } = pod.metadata;
  const found = ofKind(world, 'Namespace').find(({ metadata }) => metadata.name === namespace);
  // A pod's author does not get to say what its namespace is like.
  const all: Record<string, string> = Object.fromEntries(
    Object.entries<string>(labels).filter(([key]) => !key.startsWith('io.cilium.k8s.namespace.labels.')),
  );
  for (const [key, value] of Object.entries<string>(found?.metadata.labels ?? {})) {
    all[`io.cilium.k8s.namespace.labels.${key}`] = value;
  }
  all['io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name'] = namespace;
  all['io.kubernetes.pod.namespace'] = namespace;
  all['io.cilium.k8s.policy.cluster'] = world.options['cluster-name'];
  all['io.cilium.k8s.policy.serviceaccount'] = pod.spec?.serviceAccountName ?? 'default';
  const kept = Object.entries(all).filter(([key]) => world.options.semantics === 'kubernetes' || makesIdentity(key));
  return new Map(kept.map(([key, value]) => [`k8s:${key}`, value]));
}

function nodeParty(world: World, node: Document, ip: string): Party {
  const isHost = node.metadata.name === world.options['node-name'];
  const labels = new Map([[isHost ? 'reserved:host' : 'reserved:remote-node', '']]);
  const addresses = isHost ? nodeAddresses(node) : [ip];
  if (addresses.some((address) => world.apiServers.includes(address))) labels.set('reserved:kube-apiserver', '');
  if (world.options['enable-node-selector-labels']) {
    labels.set('k8s:io.cilium.k8s.policy.cluster', world.options['cluster-name']);
    for (const [key, value] of Object.entries<string>(node.metadata.labels ?? {})) labels.set(`node:${key}`, value);
  }
  return party(world, isHost ? 'host' : 'node', addresses, labels);
}

/** The labels of each CIDR group that holds one of the addresses; its name is one of them. */
function groupsAround(world: World, addresses: readonly string[]): Labels[] {
  return ofKind(world, 'CiliumCIDRGroup')
    .filter(({ spec }) => spec.externalCIDRs.some((cidr: string) => addresses.some((ip) => isInside(ip, cidr))))
    .map(({ metadata }) => {
      const own = Object.entries<string>(metadata.labels ?? {}).map(
        ([key, value]) => [`cidrgroup:${key}`, value] as const,
      );
      return new Map([[`cidrgroup:io.cilium.policy.cidrgroupname/${metadata.name}`, ''], ...own]);
    });
}
