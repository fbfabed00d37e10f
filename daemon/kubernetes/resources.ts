/**
 * Which resources of an API the agent keeps a copy of, and what of each. Pods of this node and pods of others come on watches of their own, so that
 * what happens here does not stand in line behind what happens elsewhere; those of others leave out pods that have ended or have no node yet.
 */
import type { Resource } from '../../kubeclient/resource.ts';
import type { DocumentKind } from '../../policy/document/kinds.ts';

export interface SourceResource extends Resource {
  readonly kind: DocumentKind;
  /** As it is written in documents, whatever version the server has. */
  readonly apiVersion: string;
}

const cilium = (kind: DocumentKind, plural: string, name: string, ...versions: string[]): SourceResource => ({
  kind,
  apiVersion: `cilium.io/${versions[0]}`,
  name,
  paths: versions.map((version) => `/apis/cilium.io/${version}/${plural}`),
});

export const PODS_HERE = 'pods of this node';
export const PODS_ELSEWHERE = 'pods of other nodes';

/** In the order in which they are asked for. */
export function resourcesOf(nodeName: string): SourceResource[] {
  const core = (kind: DocumentKind, plural: string): SourceResource => ({
    kind,
    apiVersion: 'v1',
    name: plural,
    paths: [`/api/v1/${plural}`],
  });
  return [
    core('Namespace', 'namespaces'),
    {
      kind: 'NetworkPolicy',
      apiVersion: 'networking.k8s.io/v1',
      name: 'network policies',
      paths: ['/apis/networking.k8s.io/v1/networkpolicies'],
    },
    cilium('CiliumNetworkPolicy', 'ciliumnetworkpolicies', 'Cilium policies', 'v2'),
    cilium('CiliumClusterwideNetworkPolicy', 'ciliumclusterwidenetworkpolicies', 'clusterwide Cilium policies', 'v2'),
    cilium('CiliumCIDRGroup', 'ciliumcidrgroups', 'CIDR groups', 'v2', 'v2alpha1'),
    cilium('CiliumEgressGatewayPolicy', 'ciliumegressgatewaypolicies', 'egress gateway policies', 'v2'),
    { ...core('Pod', 'pods'), name: PODS_HERE, fieldSelector: `spec.nodeName=${nodeName}` },
    core('Node', 'nodes'),
    // As kube-proxy: those that name another proxy are its business.
    { ...core('Service', 'services'), labelSelector: '!service.kubernetes.io/service-proxy-name' },
    {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      name: 'endpoint slices',
      paths: ['/apis/discovery.k8s.io/v1/endpointslices'],
    },
    {
      ...core('Pod', 'pods'),
      name: PODS_ELSEWHERE,
      fieldSelector: `spec.nodeName!=${nodeName},spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed`,
    },
  ];
}

/** A secret that a policy names. */
export function secretResource(namespace: string, name: string): SourceResource {
  return {
    kind: 'Secret',
    apiVersion: 'v1',
    name: `secret ${namespace}/${name}`,
    paths: [`/api/v1/namespaces/${namespace}/secrets`],
    fieldSelector: `metadata.name=${name}`,
  };
}
