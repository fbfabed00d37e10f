/** CiliumEgressGatewayPolicy, from its document to the value that the cluster works with. */
import type { Document } from './document.ts';
import type { EgressGatewayDocument, EgressPolicyDocument, EgressSelectorDocument } from './egress-document.ts';
import { parsePrefix } from '../../wire/prefix.ts';
import { NAMESPACE_LABELS } from '../rule/labels.ts';
import { selectorFrom } from '../rule/selector.ts';
import type { EgressGatewaySpec, EgressPolicySpec, EgressSubject } from '../rule/egress-spec.ts';

export function egressPolicyFromDocument({ name, object, file, line }: Document): EgressPolicySpec {
  const { spec } = object as { spec: EgressPolicyDocument };
  const { egressGateway, egressGateways = [] } = spec;
  // With a list the single one does not count, as in Cilium.
  const gateways = egressGateways.length > 0 || egressGateway === undefined ? egressGateways : [egressGateway];
  return {
    name,
    selectors: spec.selectors.map(subjectFrom),
    destinations: spec.destinationCIDRs.map((text) => parsePrefix(text)),
    excluded: (spec.excludedCIDRs ?? []).map((text) => parsePrefix(text)),
    gateways: gateways.map(gatewayFrom),
    file,
    line,
  };
}

/** Every pod has labels of its namespace, so an empty namespaceSelector needs no requirement. */
function subjectFrom({
  podSelector = {},
  namespaceSelector = {},
  nodeSelector = {},
}: EgressSelectorDocument): EgressSubject {
  const namespaces = selectorFrom(namespaceSelector, 'k8s');
  return {
    pods: [
      ...selectorFrom(podSelector, 'k8s'),
      ...namespaces.map((requirement) => ({ ...requirement, key: NAMESPACE_LABELS + requirement.key })),
    ],
    nodes: selectorFrom(nodeSelector, 'k8s'),
  };
}

function gatewayFrom({
  nodeSelector = {},
  interface: ifname = '',
  egressIP = '',
}: EgressGatewayDocument): EgressGatewaySpec {
  return { nodes: selectorFrom(nodeSelector, 'k8s'), interface: ifname, egressIP };
}
