/** What the Kubernetes API refuses in a NetworkPolicy although its shape is right. */
import type {
  NetworkPolicyElement,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../document/network-policy.ts';
import type { SelectorDocument } from '../rule/selector.ts';
import { isServiceName } from '../rule/port.ts';
import { quote } from '../rule/problems.ts';
import type { Reader } from '../document/reader.ts';
import { checkCidr, checkExcept, checkSelector } from './peers.ts';

/** @param spec undefined when there is none, which Kubernetes takes for an empty one */
export function validateNetworkPolicy(spec: NetworkPolicySpec | undefined, reader: Reader): void {
  if (spec === undefined) {
    if (!reader.isSound('spec')) return;
    const hint = 'it selects every pod of the namespace and closes their ingress, as in Kubernetes';
    reader.warn('spec', 'no-spec', 'read policy: found no spec, wanted one', hint);
    return;
  }
  if ((spec.policyTypes ?? []).length > 2) {
    const message = `read policyTypes: found ${spec.policyTypes?.length} entries, wanted at most two`;
    reader.problem('spec.policyTypes', 'too-many-types', message);
  }
  if (spec.podSelector === undefined && reader.isSound('spec')) {
    reader.warn(
      'spec',
      'no-subject',
      'read policy: found no podSelector, wanted one',
      'podSelector: {} selects every pod of the namespace, and so does leaving it out',
    );
  } else if (spec.podSelector !== undefined) {
    checkSelector(spec.podSelector, 'spec.podSelector', reader, false);
  }
  for (const direction of ['ingress', 'egress'] as const) {
    spec[direction]?.forEach((element, i) => checkElement(element, `spec.${direction}[${i}]`, reader));
    const types = spec.policyTypes ?? [];
    const name = direction === 'ingress' ? 'Ingress' : 'Egress';
    if (types.length > 0 && !types.includes(name) && (spec[direction]?.length ?? 0) > 0) {
      reader.warn(
        `spec.${direction}`,
        'policy-types',
        `read policy: found ${direction} rules without ${name} in policyTypes, wanted it listed`,
        `Kubernetes ignores these rules, Cilium applies them; add ${name} to policyTypes`,
      );
    }
  }
}

function checkElement(element: NetworkPolicyElement, path: string, reader: Reader): void {
  const side = element.from !== undefined ? 'from' : 'to';
  element[side]?.forEach((peer, i) => checkPeer(peer, `${path}.${side}[${i}]`, reader));
  warnApart(element[side] ?? [], `${path}.${side}`, reader);
  element.ports?.forEach((port, i) => checkPort(port, `${path}.ports[${i}]`, reader));
}

/** Two elements are alternatives: pods of every namespace beside certain pods are pods of every namespace. */
function warnApart(peers: readonly NetworkPolicyPeer[], path: string, reader: Reader): void {
  const everyone = peers.findIndex(
    ({ namespaceSelector, podSelector }) =>
      podSelector === undefined && namespaceSelector !== undefined && isEmpty(namespaceSelector),
  );
  const some = peers.find(({ namespaceSelector, podSelector }) => podSelector !== undefined && !namespaceSelector);
  if (everyone < 0 || some === undefined) return;
  const message = 'read peers: found every pod of every namespace beside a podSelector, wanted both in one entry';
  const hint =
    'entries are alternatives; for pods of these labels in any namespace write both selectors behind one dash';
  reader.warn(`${path}[${everyone}]`, 'apart', message, hint);
}

function isEmpty({ matchLabels = {}, matchExpressions = [] }: SelectorDocument): boolean {
  return Object.keys(matchLabels).length + matchExpressions.length === 0;
}

function checkPeer(peer: NetworkPolicyPeer, path: string, reader: Reader): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (podSelector === undefined && namespaceSelector === undefined && ipBlock === undefined) {
    reader.problem(
      path,
      'empty-peer',
      'read peer: found nothing, wanted podSelector, namespaceSelector or ipBlock',
      'to mean every peer leave the whole list out; to mean every pod of the namespace write podSelector: {}',
    );
  }
  if (ipBlock !== undefined && (podSelector !== undefined || namespaceSelector !== undefined)) {
    reader.problem(
      path,
      'two-members',
      'read peer: found ipBlock beside a selector, wanted one of them',
      'make two entries of the list; entries are alternatives',
    );
  }
  if (podSelector !== undefined) checkSelector(podSelector, `${path}.podSelector`, reader, false);
  if (namespaceSelector !== undefined) checkSelector(namespaceSelector, `${path}.namespaceSelector`, reader, false);
  if (ipBlock === undefined) return;
  checkCidr(ipBlock.cidr, `${path}.ipBlock.cidr`, reader);
  ipBlock.except?.forEach((text, i) => checkExcept(text, ipBlock.cidr, `${path}.ipBlock.except[${i}]`, reader));
}

function checkPort({ port, endPort }: NetworkPolicyPort, path: string, reader: Reader): void {
  if (typeof port === 'string' && !isServiceName(port)) {
    reader.problem(
      `${path}.port`,
      'port',
      `read port: found the string ${quote(port)}, wanted a number or a port name`,
      /^\d+$/.test(port) ? `write ${port} without quotes` : undefined,
    );
  }
  if (typeof port === 'string' && isServiceName(port) && port !== port.toLowerCase()) {
    const message = `read port: found the name ${quote(port)}, wanted lower case`;
    reader.problem(`${path}.port`, 'port', message, `write ${port.toLowerCase()}`);
  }
  if (typeof port === 'number' && (port < 1 || port > 65535)) {
    reader.problem(`${path}.port`, 'port', `read port: found ${port}, wanted 1 to 65535`);
  }
  if (endPort === undefined) return;
  if (typeof port !== 'number') {
    reader.problem(
      `${path}.endPort`,
      'named-range',
      'read port: found endPort without a port number, wanted a number as start',
    );
  } else if (endPort < port) {
    reader.problem(
      `${path}.endPort`,
      'end-below-port',
      `read port: found endPort ${endPort} below port ${port}, wanted at least ${port}`,
    );
  }
}
