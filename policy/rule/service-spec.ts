/** Services and the endpoints behind them, as plain values of a known shape, whatever document they came from. */

export type ServiceType = 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
export type Family = 4 | 6;
export type Algorithm = 'random' | 'maglev';

export interface ServiceSpec {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Empty = the backends are listed by hand, in endpoint slices. */
  readonly selector: Readonly<Record<string, string>>;
  readonly type: ServiceType;
  /** No address of its own: a name for its backends. */
  readonly isHeadless: boolean;
  readonly ports: readonly ServicePort[];
  /** Addresses of its own that the document gives, at most one a family; the others are drawn. */
  readonly clusterIPs: readonly string[];
  /** Families in the order of preference, as far as the document says. */
  readonly families: readonly Family[];
  readonly familyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack';
  readonly externalIPs: readonly string[];
  readonly loadBalancer: LoadBalancerSpec;
  /** Name that an ExternalName stands for; '' for the other types. */
  readonly externalName: string;
  /** How long a client stays with its backend; 0 = every connection chooses anew. */
  readonly affinitySec: number;
  /** Only backends of this node, for who comes from outside. */
  readonly isExternalLocal: boolean;
  /** Only backends of this node, for who comes from inside. */
  readonly isInternalLocal: boolean;
  /** Pods that are not ready are backends too. */
  readonly publishesNotReady: boolean;
  /** Undefined = as the option says. */
  readonly algorithm?: Algorithm;
  /** Where it was written, for what can only be said later: that an address is taken. */
  readonly file?: string;
  readonly line?: number;
}

export interface ServicePort {
  /** '' = the only one. */
  readonly name: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
  /** A number, or the name of a container port, which each pod may have elsewhere. */
  readonly target: number | string;
  /** 0 = drawn, for the types that have one. */
  readonly nodePort: number;
}

export interface LoadBalancerSpec {
  /** Addresses that the document gives: its status, or what it asks for. */
  readonly addresses: readonly string[];
  /** An address is drawn for it when it has none: false for those of a class that is not ours. */
  readonly isOurs: boolean;
  readonly hasNodePorts: boolean;
  /** Who may come by these addresses; empty = everyone. */
  readonly sourceRanges: readonly string[];
  /** The ranges say who may not. */
  readonly deniesRanges: boolean;
}

/** What one EndpointSlice or Endpoints object lists. */
export interface EndpointSliceSpec {
  readonly namespace: string;
  readonly name: string;
  /** '' = of none. */
  readonly service: string;
  readonly subsets: readonly EndpointSubset[];
  /** Share of new connections against other backends; 0 = none, while those that are there go on. */
  readonly weight: number;
}

/** Endpoints that have the same ports. */
export interface EndpointSubset {
  readonly endpoints: readonly SliceEndpoint[];
  readonly ports: readonly EndpointPort[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly isReady: boolean;
  /** Answers, although it may be about to go. */
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  /** Its name beneath that of the service; '' = none of its own. */
  readonly hostname: string;
  /** '' = not said. */
  readonly nodeName: string;
}

export interface EndpointPort {
  readonly name: string;
  readonly protocol: number;
  /** 0 = every port. */
  readonly port: number;
}

/** `namespace/name`. */
export function serviceKey({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

/** Share of a backend of which nobody says one, as Cilium has it. */
export const DEFAULT_WEIGHT = 100;
