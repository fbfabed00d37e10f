/** The one form every policy document is turned into: rules of a subject, each a list of elements by direction. */
import type { DnsRule, HttpRule, KafkaRule } from '../../policy-maps/l7-rules.ts';
import type { Peer } from './peer.ts';
import type { LabelSelector } from './selector.ts';

export type PolicyKind = 'NetworkPolicy' | 'CiliumNetworkPolicy' | 'CiliumClusterwideNetworkPolicy';

/**
 * What objects of a Kubernetes API that is followed have in place of a file. Who writes those may write in one namespace and not in another; whoever writes all others
 * is root here.
 */
export const KUBERNETES = 'kubernetes';

/** Where a map entry comes from: what a cookie leads back to. */
export interface Origin {
  readonly kind: string;
  /** '' when cluster-wide. */
  readonly namespace: string;
  readonly name: string;
  /** e.g. `spec.ingress[0]`; '' for what the compiler adds by itself. */
  readonly path: string;
  readonly file: string;
  readonly line: number;
  /** `log.value` of the rule. */
  readonly log?: string;
}

export interface Policy {
  readonly kind: PolicyKind;
  readonly namespace: string;
  readonly name: string;
  /** Evaluated beside the others; what it would drop passes with verdict AUDIT. */
  readonly audit: boolean;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly origin: Origin;
  readonly subject: LabelSelector;
  /** The subject is a node (host policy), not an endpoint. */
  readonly selectsNodes: boolean;
  readonly ingress: readonly Element[];
  readonly egress: readonly Element[];
  /** Does this rule close the direction to what no rule allows? */
  readonly defaultDeny: { readonly ingress: boolean; readonly egress: boolean };
}

/** One item of ingress, egress, ingressDeny or egressDeny. */
export interface Element {
  readonly origin: Origin;
  readonly deny: boolean;
  /** Empty = nobody; the wildcard is `ANY_PEER`. */
  readonly peers: readonly Peer[];
  /** null = every protocol and port; empty = none. */
  readonly ports: readonly PortSpec[] | null;
  /** fromRequires/toRequires: bind every endpoint selector of the direction, whichever rule it stands in. */
  readonly requires: LabelSelector;
  /** Undefined = not said. */
  readonly authType?: number;
}

export interface PortSpec {
  /** IP protocol number; ANY was already unfolded into TCP, UDP and SCTP. */
  readonly protocol: number;
  /** First port, 0 = every port (then endPort is 0 too); ICMP type for ICMP. */
  readonly port: number;
  readonly endPort: number;
  /** A named port: port and endPort are 0 until it is resolved. */
  readonly name?: string;
  /** ICMP types may be 0; a port of 0 means every port. */
  readonly isIcmp: boolean;
  readonly l7?: L7Spec;
  readonly serverNames?: readonly string[];
  /** Why this port cannot be enforced yet: it is closed to the peers instead. */
  readonly closedBecause?: string;
}

export type L7Spec =
  | { readonly parser: 'http'; readonly rules: readonly HttpRule[] }
  | { readonly parser: 'dns'; readonly rules: readonly DnsRule[] }
  | { readonly parser: 'kafka'; readonly rules: readonly KafkaRule[] };

/** `Kind/namespace/name`, or `Kind/name` when cluster-wide. */
export function policyName(policy: { kind: string; namespace: string; name: string }): string {
  return policy.namespace === ''
    ? `${policy.kind}/${policy.name}`
    : `${policy.kind}/${policy.namespace}/${policy.name}`;
}

/** `Kind/namespace/name spec.ingress[0] (file:line)`; of what the compiler adds by itself, its name. */
export function originText(origin: Origin): string {
  if (origin.kind === 'reserved') return origin.name;
  return `${policyName(origin)} ${origin.path} (${origin.file}:${origin.line})`;
}
