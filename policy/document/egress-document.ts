/** CiliumEgressGatewayPolicy as it is written: readers may trust these types, the Reader has checked them. */
import type { SelectorDocument } from '../rule/selector.ts';

export interface EgressPolicyDocument {
  readonly selectors: readonly EgressSelectorDocument[];
  readonly destinationCIDRs: readonly string[];
  readonly excludedCIDRs?: readonly string[];
  readonly egressGateway?: EgressGatewayDocument;
  readonly egressGateways?: readonly EgressGatewayDocument[];
}

export interface EgressSelectorDocument {
  readonly podSelector?: SelectorDocument;
  readonly namespaceSelector?: SelectorDocument;
  readonly nodeSelector?: SelectorDocument;
}

export interface EgressGatewayDocument {
  readonly nodeSelector?: SelectorDocument;
  readonly interface?: string;
  readonly egressIP?: string;
}
