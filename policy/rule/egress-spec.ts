/** Egress gateway policies as plain values, whatever document said them. */
import type { Prefix } from '../../wire/prefix.ts';
import type { LabelSelector } from './selector.ts';

/** Who leaves with another address than pods do, where to, and with which. */
export interface EgressPolicySpec {
  readonly name: string;
  /** Pods, by the labels of their identities: one of them selects. */
  readonly selectors: readonly EgressSubject[];
  readonly destinations: readonly Prefix[];
  /** Parts of the destinations that the policy is not about. */
  readonly excluded: readonly Prefix[];
  /** At least one; of several each pod has one. */
  readonly gateways: readonly EgressGatewaySpec[];
  readonly file: string;
  readonly line: number;
}

export interface EgressSubject {
  readonly pods: LabelSelector;
  /** Nodes that the pods are on. */
  readonly nodes: LabelSelector;
}

/** A node, and which address of it; of `interface` and `egressIP` at most one is not ''. */
export interface EgressGatewaySpec {
  readonly nodes: LabelSelector;
  readonly interface: string;
  readonly egressIP: string;
}
