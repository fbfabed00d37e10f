/** What Cilium refuses in a CiliumEgressGatewayPolicy although its shape is right. */
import { checkAddress } from '../document/address.ts';
import type {
  EgressGatewayDocument,
  EgressPolicyDocument,
  EgressSelectorDocument,
} from '../document/egress-document.ts';
import type { Reader } from '../document/reader.ts';
import { quote } from '../rule/problems.ts';
import { contains, type Prefix } from '../../wire/prefix.ts';
import { checkCidr, checkSelector } from './peers.ts';

const MAX_INTERFACE_NAME = 15;

export function validateEgressPolicy(spec: Partial<EgressPolicyDocument> | undefined, reader: Reader): void {
  if (spec === undefined) return;
  const { selectors = [], destinationCIDRs = [], excludedCIDRs = [], egressGateway, egressGateways = [] } = spec;
  selectors.forEach((selector, i) => checkSubject(selector, `spec.selectors[${i}]`, reader));
  const destinations = destinationCIDRs.map((text, i) => checkCidr(text, `spec.destinationCIDRs[${i}]`, reader));
  excludedCIDRs.forEach((text, i) =>
    checkExcluded(text, { among: destinations, path: `spec.excludedCIDRs[${i}]` }, reader),
  );
  if (egressGateway === undefined && egressGateways.length === 0 && !reader.isReported('spec.egressGateway')) {
    const message = 'read egress policy: found no gateway, wanted egressGateway or egressGateways';
    reader.problem('spec.egressGateway', 'missing-field', message);
  }
  if (egressGateway !== undefined) checkGateway(egressGateway, 'spec.egressGateway', reader);
  egressGateways.forEach((gateway, i) => checkGateway(gateway, `spec.egressGateways[${i}]`, reader));
  if (egressGateway !== undefined && egressGateways.length > 0) {
    const message = 'read egress policy: found egressGateway beside egressGateways, wanted one of them';
    reader.warn('spec.egressGateway', 'ignored', message, 'it is ignored');
  }
}

function checkSubject(selector: EgressSelectorDocument, path: string, reader: Reader): void {
  const { podSelector, namespaceSelector, nodeSelector } = selector;
  if (podSelector === undefined && namespaceSelector === undefined && reader.isSound(path)) {
    const message = 'read selector: found neither podSelector nor namespaceSelector, wanted one at least';
    reader.problem(path, 'missing-field', message, 'podSelector: {} is every pod');
  }
  if (podSelector !== undefined) checkSelector(podSelector, `${path}.podSelector`, reader, false);
  if (namespaceSelector !== undefined) checkSelector(namespaceSelector, `${path}.namespaceSelector`, reader, false);
  if (nodeSelector !== undefined) checkSelector(nodeSelector, `${path}.nodeSelector`, reader, false);
}

function checkExcluded(
  text: string,
  { among, path }: { among: readonly (Prefix | undefined)[]; path: string },
  reader: Reader,
): void {
  const prefix = checkCidr(text, path, reader);
  if (prefix === undefined || among.some((one) => one === undefined || contains(one, prefix))) return;
  const message = `read excludedCIDRs: found ${quote(text)}, wanted a part of one of destinationCIDRs`;
  reader.warn(path, 'ignored', message, 'it takes nothing out of this policy');
}

function checkGateway(gateway: EgressGatewayDocument, path: string, reader: Reader): void {
  const { nodeSelector, interface: ifname, egressIP } = gateway;
  if (nodeSelector !== undefined) checkSelector(nodeSelector, `${path}.nodeSelector`, reader, false);
  if (ifname !== undefined && ifname !== '' && egressIP !== undefined && egressIP !== '') {
    const message = 'read gateway: found interface and egressIP, wanted one of them';
    reader.problem(path, 'gateway', message);
  }
  if (egressIP !== undefined && egressIP !== '') checkAddress(egressIP, `${path}.egressIP`, reader);
  if (ifname === undefined || ifname === '' || isInterfaceName(ifname)) return;
  const message = `read interface: found ${quote(ifname)}, wanted the name of one: at most ${MAX_INTERFACE_NAME} characters, no '/' and no space`;
  reader.problem(`${path}.interface`, 'gateway', message);
}

function isInterfaceName(text: string): boolean {
  return text.length <= MAX_INTERFACE_NAME && /^[^\s/]+$/.test(text) && text !== '.' && text !== '..';
}
