/** Service, EndpointSlice and Endpoints as they are written: readers may trust these types, the Reader has checked them. */

type Labels = Readonly<Record<string, string>>;

/** A document of one of these kinds, as far as checks look at it. */
export interface Written {
  readonly kind: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly object: object;
}

export type ProtocolWord = 'TCP' | 'UDP' | 'SCTP';
export type FamilyWord = 'IPv4' | 'IPv6';

export interface ServiceObject {
  readonly spec?: ServiceDocument;
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

export interface ServiceDocument {
  readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  readonly selector?: Labels;
  readonly ports?: readonly ServicePortDocument[];
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly FamilyWord[];
  readonly ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  readonly externalIPs?: readonly string[];
  readonly externalName?: string;
  readonly loadBalancerIP?: string;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly loadBalancerClass?: string;
  readonly allocateLoadBalancerNodePorts?: boolean;
  readonly healthCheckNodePort?: number;
  readonly sessionAffinity?: 'None' | 'ClientIP';
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  readonly externalTrafficPolicy?: 'Cluster' | 'Local';
  readonly internalTrafficPolicy?: 'Cluster' | 'Local';
  readonly trafficDistribution?: string;
  readonly publishNotReadyAddresses?: boolean;
}

export interface ServicePortDocument {
  readonly name?: string;
  readonly protocol?: ProtocolWord;
  /** A Service without is refused. */
  readonly port?: number;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
}

export interface EndpointPortDocument {
  readonly name?: string;
  readonly protocol?: ProtocolWord;
  readonly port?: number;
}

export interface SliceObject {
  readonly addressType?: FamilyWord | 'FQDN';
  readonly endpoints?: readonly SliceEndpointDocument[];
  readonly ports?: readonly EndpointPortDocument[];
}

export interface SliceEndpointDocument {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hostname?: string;
  readonly nodeName?: string;
}

export interface EndpointsObject {
  readonly subsets?: readonly EndpointsSubset[];
}

export interface EndpointsSubset {
  readonly addresses?: readonly EndpointsAddress[];
  readonly notReadyAddresses?: readonly EndpointsAddress[];
  readonly ports?: readonly EndpointPortDocument[];
}

export interface EndpointsAddress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly nodeName?: string;
}

/** Annotations that are read, by what they say. */
export const SERVICE_ANNOTATIONS = {
  algorithm: 'service.cilium.io/lb-algorithm',
  rangesPolicy: 'service.cilium.io/src-ranges-policy',
  weight: 'service.cilium.io/weight',
  sourceRanges: 'service.beta.kubernetes.io/load-balancer-source-ranges',
  loadBalancerIPs: 'lbipam.cilium.io/ips',
  loadBalancerIPsOfOld: 'io.cilium/lb-ipam-ips',
} as const;

/** Label of an EndpointSlice: the Service that it is of. */
export const SERVICE_NAME = 'kubernetes.io/service-name';

/** Classes of load balancers that are ours to give an address. */
export const LOAD_BALANCER_CLASSES: readonly string[] = ['sluice.io/lb', 'io.cilium/l2-announcer', 'io.cilium/node'];

/** Without an address of its own: its names lead to its pods. */
export function isHeadless({ clusterIP, clusterIPs }: ServiceDocument): boolean {
  return clusterIP === 'None' || clusterIPs?.[0] === 'None';
}

/** The entries of a list in one text, as annotations have them. */
export function listed(text: string | undefined): string[] {
  const entries = (text ?? '').split(',').map((entry) => entry.trim());
  return entries.filter((entry) => entry !== '');
}
