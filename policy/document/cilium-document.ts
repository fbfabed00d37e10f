/** CiliumNetworkPolicy as the reader hands it over: the fields of schema-cilium.ts as TypeScript types. */
import type { DnsRule, HttpRule, KafkaRule } from '../../policy-maps/l7-rules.ts';
import type { Entity } from '../rule/entities.ts';
import type { SelectorDocument } from '../rule/selector.ts';

export interface CiliumRule {
  readonly endpointSelector?: SelectorDocument;
  readonly nodeSelector?: SelectorDocument;
  readonly ingress?: readonly CiliumElement[];
  readonly ingressDeny?: readonly CiliumElement[];
  readonly egress?: readonly CiliumElement[];
  readonly egressDeny?: readonly CiliumElement[];
  readonly enableDefaultDeny?: { readonly ingress?: boolean; readonly egress?: boolean };
  readonly log?: { readonly value?: string };
}

/** Both directions in one type: `fromX` and `toX` are read through `member()`. */
export interface CiliumElement {
  readonly toPorts?: readonly CiliumPortRule[];
  readonly icmps?: readonly { readonly fields?: readonly { family?: 'IPv4' | 'IPv6'; type: number | string }[] }[];
  readonly authentication?: { readonly mode: 'disabled' | 'required' | 'test-always-fail' };
  readonly toFQDNs?: readonly DnsRule[];
  readonly toServices?: readonly CiliumService[];
  readonly [member: string]: unknown;
}

export interface CiliumMembers {
  readonly Endpoints: readonly SelectorDocument[];
  readonly Requires: readonly SelectorDocument[];
  readonly CIDR: readonly string[];
  readonly CIDRSet: readonly CidrRule[];
  readonly Entities: readonly Entity[];
  readonly Groups: readonly unknown[];
  readonly Nodes: readonly SelectorDocument[];
}

/** `member(element, 'from', 'CIDR')` is `element.fromCIDR`. */
export function member<K extends keyof CiliumMembers>(
  element: CiliumElement,
  side: 'from' | 'to',
  name: K,
): CiliumMembers[K] | undefined {
  return element[`${side}${name}`] as CiliumMembers[K] | undefined;
}

export interface CidrRule {
  readonly cidr?: string;
  readonly cidrGroupRef?: string;
  readonly cidrGroupSelector?: SelectorDocument;
  readonly except?: readonly string[];
}

export interface CiliumService {
  readonly k8sService?: { readonly serviceName?: string; readonly namespace?: string };
  readonly k8sServiceSelector?: { readonly selector: SelectorDocument; readonly namespace?: string };
}

export interface CiliumPort {
  readonly port?: string;
  readonly endPort?: number;
  readonly protocol?: string;
}

export interface CiliumPortRule {
  readonly ports?: readonly CiliumPort[];
  readonly terminatingTLS?: unknown;
  readonly originatingTLS?: unknown;
  readonly serverNames?: readonly string[];
  readonly listener?: { readonly name?: string };
  readonly rules?: {
    readonly http?: readonly (HttpRule & {
      headerMatches?: readonly { name?: string; secret?: { name?: string } }[];
    })[];
    readonly dns?: readonly DnsRule[];
    readonly kafka?: readonly KafkaRule[];
    readonly l7proto?: string;
    readonly l7?: unknown;
  };
}

/** The four lists of a rule with what they mean. */
export const RULE_LISTS = [
  { field: 'ingress', side: 'from', direction: 'ingress', deny: false },
  { field: 'ingressDeny', side: 'from', direction: 'ingress', deny: true },
  { field: 'egress', side: 'to', direction: 'egress', deny: false },
  { field: 'egressDeny', side: 'to', direction: 'egress', deny: true },
] as const;

export type RuleList = (typeof RULE_LISTS)[number];
