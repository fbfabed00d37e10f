/** What a pod says of names: its own, and how it looks others up. Readers may trust the shapes, the Reader has checked them. */

export const DNS_POLICIES = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'] as const;
export type DnsPolicy = (typeof DNS_POLICIES)[number];

/** The fields of a pod's `spec` that speak of names. */
export interface NamesDocument {
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly setHostnameAsFQDN?: boolean;
  readonly hostAliases?: readonly { readonly ip?: string; readonly hostnames?: readonly string[] }[];
  readonly dnsPolicy?: DnsPolicy;
  readonly dnsConfig?: DnsConfigDocument;
}

export interface DnsConfigDocument {
  readonly nameservers?: readonly string[];
  readonly searches?: readonly string[];
  readonly options?: readonly { readonly name?: string; readonly value?: string }[];
}

/** The names of a pod in DNS: it has one beneath the headless service that its `subdomain` names. */
export interface HostName {
  /** '' = it says none, and the name of the pod stands in for it. */
  readonly hostname: string;
  readonly subdomain: string;
}

/** All that a pod says of names. */
export interface PodNames extends HostName {
  /** Its host name is the whole name, domain and all. */
  readonly isHostnameWhole: boolean;
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly dnsPolicy: DnsPolicy;
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly ResolverOption[];
  /** It says something of how it looks names up. */
  readonly hasOwnLookups: boolean;
}

export interface ResolverOption {
  readonly name: string;
  /** '' = without one. */
  readonly value: string;
}

interface PodObject {
  readonly spec?: NamesDocument;
}

/** @param object a Pod */
export function hostNameOf({ spec = {} }: PodObject): HostName {
  return { hostname: spec.hostname ?? '', subdomain: spec.subdomain ?? '' };
}

/** @param object a Pod */
export function podNames(object: PodObject): PodNames {
  const { setHostnameAsFQDN, hostAliases = [], dnsPolicy = 'ClusterFirst', dnsConfig } = object.spec ?? {};
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {};
  return {
    ...hostNameOf(object),
    isHostnameWhole: setHostnameAsFQDN === true,
    hostAliases: hostAliases.map(({ ip = '', hostnames = [] }) => ({ ip, hostnames })),
    dnsPolicy,
    nameservers,
    searches,
    options: options.map(({ name = '', value = '' }) => ({ name, value })),
    hasOwnLookups: object.spec?.dnsPolicy !== undefined || dnsConfig !== undefined || hostAliases.length > 0,
  };
}
