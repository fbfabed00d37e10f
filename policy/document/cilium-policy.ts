/**
 * CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy -> rules. The document has been validated: nothing here reports.
 *
 * Scoping on ingest, in Cilium's order:
 *   1. keys without a source mean any source;
 *   2. the subject of a namespaced policy is in its namespace, whatever its labels say;
 *   3. a peer selector that names a reserved label is left as it is;
 *   4. a namespaced policy's peer selector without a namespace (or namespace label) means its own namespace;
 *   5. a clusterwide policy's peer selector without a namespace means any pod, unless the subject is reserved:init;
 *   6. a peer selector without a cluster means this cluster (policy-default-local-cluster).
 */
import type { HeaderMatch, HttpRule } from '../../policy-maps/l7-rules.ts';
import { parsePrefix, type Prefix } from '../../wire/prefix.ts';
import {
  type CiliumElement,
  type CiliumPort,
  type CiliumPortRule,
  type CiliumRule,
  type CiliumService,
  type CidrRule,
  member,
  RULE_LISTS,
  type RuleList,
} from './cilium-document.ts';
import { icmpType } from '../rule/icmp-types.ts';
import { CLUSTER, NAMESPACE_LABELS, POD_NAMESPACE } from '../rule/labels.ts';
import type { PolicyOptions } from '../rule/options.ts';
import {
  ANY_PEER,
  cidrGroupPeer,
  cidrGroupSelector,
  cidrPeer,
  endpointsPeer,
  entityPeer,
  fqdnPeer,
  labelsPeer,
  type Peer,
  type PrefixReach,
  servicePeer,
} from '../rule/peer.ts';
import { isServiceName, parsePort } from '../rule/port.ts';
import { PROTO_ICMP, PROTO_ICMPV6, protocolNumbers } from '../../wire/protocols.ts';
import type { Element, L7Spec, Origin, PortSpec, Rule } from '../rule/rule.ts';
import { equals, exists, type LabelSelector, mentions, type SelectorDocument, selectorFrom } from '../rule/selector.ts';

/** What a rule needs to know of the document it stands in. */
export interface RuleContext {
  readonly options: PolicyOptions;
  /** '' = clusterwide. */
  readonly namespace: string;
  /** The origin of the document's field at `path`. */
  readonly origin: (path: string) => Origin;
}

/** @param path `spec` or `specs[n]` */
export function ciliumRule(rule: CiliumRule, path: string, context: RuleContext): Rule {
  const isInit = mentions(selectorFrom(rule.endpointSelector ?? {}, 'any'), isReservedInit);
  const elements = (direction: 'ingress' | 'egress'): Element[] =>
    RULE_LISTS.filter((list) => list.direction === direction).flatMap((list) =>
      (rule[list.field] ?? []).map((element, i) =>
        readElement(element, list, { ...context, isInit, origin: () => origin(`${path}.${list.field}[${i}]`) }),
      ),
    );
  const origin = (place: string): Origin => {
    const at = context.origin(place);
    return rule.log?.value === undefined ? at : { ...at, log: rule.log.value };
  };
  return {
    origin: origin(path),
    subject: subjectOf(rule, context),
    selectsNodes: rule.nodeSelector !== undefined,
    ingress: elements('ingress'),
    egress: elements('egress'),
    defaultDeny: { ingress: closes(rule, 'ingress', context.options), egress: closes(rule, 'egress', context.options) },
  };
}

/**
 * A rule closes a direction that it has anything to say about, deny entries included, unless told not to. One that has
 * nothing to say cannot close it, whatever `enableDefaultDeny` says: Cilium looks at the flag entry by entry.
 */
function closes(rule: CiliumRule, direction: 'ingress' | 'egress', options: PolicyOptions): boolean {
  const speaks = (rule[direction]?.length ?? 0) + (rule[`${direction}Deny`]?.length ?? 0) > 0;
  if (!options['enable-non-default-deny-policies']) return speaks;
  return speaks && (rule.enableDefaultDeny?.[direction] ?? true);
}

/** What the labels say of the namespace is overwritten; expressions stay, so that both must hold. */
function subjectOf(rule: CiliumRule, { namespace }: RuleContext): LabelSelector {
  const document = rule.endpointSelector ?? rule.nodeSelector ?? {};
  if (namespace === '') return selectorFrom(document, 'any');
  const { matchLabels = {} } = document;
  const others = Object.entries(matchLabels).filter(([key]) => key !== `k8s:${POD_NAMESPACE}`);
  const selector = selectorFrom({ ...document, matchLabels: Object.fromEntries(others) }, 'any');
  return [...selector, equals({ source: 'k8s', key: POD_NAMESPACE }, namespace)];
}

interface ElementContext extends RuleContext {
  readonly isInit: boolean;
}

function readElement(element: CiliumElement, list: RuleList, context: ElementContext): Element {
  const ports = portsOf(element, context);
  const peers = peersOf(element, list.side, context);
  const mode = element.authentication?.mode;
  return {
    origin: context.origin(''),
    deny: list.deny,
    // No L3 member: any peer when there are ports, nobody when there is nothing at all (`ingress: [{}]`).
    peers: peers ?? (ports === null ? [] : [ANY_PEER]),
    ports,
    requires: (member(element, list.side, 'Requires') ?? []).flatMap((selector) =>
      peerSelector(selector, context, false),
    ),
    ...(mode !== undefined && { authType: { disabled: 0, required: 1, 'test-always-fail': 2 }[mode] }),
  };
}

/** null when no L3 member is present; an empty list when one is present and empty. */
function peersOf(element: CiliumElement, side: 'from' | 'to', context: ElementContext): Peer[] | null {
  const { options } = context;
  const members: (Peer[] | undefined)[] = [
    member(element, side, 'Endpoints')?.map((selector) => endpointsPeer(peerSelector(selector, context, true))),
    member(element, side, 'CIDR')?.map((text) => blockPeer(parsePrefix(text, 'host'), [], options)),
    member(element, side, 'CIDRSet')?.map((rule) => cidrSetPeer(rule, options)),
    member(element, side, 'Entities')?.map((entity) => entityPeer(entity, options['cluster-name'])),
    member(element, side, 'Nodes')?.map((selector) => labelsPeer(nodeSelector(selector, options))),
    member(element, side, 'Groups')?.map(() => labelsPeer([exists('reserved', 'none')])),
    side === 'to' ? element.toFQDNs?.map(fqdnPeer) : undefined,
    side === 'to' ? element.toServices?.map(toServicePeer) : undefined,
  ];
  const present = members.filter((peers) => peers !== undefined);
  return present.length === 0 ? null : present.flat();
}

/** Cilium writes a whole family, /0, as `reserved:world`, which no node or pod carries: it is everyone outside. */
export function blockPeer(prefix: Prefix, except: readonly Prefix[], options: PolicyOptions): Peer {
  return cidrPeer(prefix, except, prefix.length === 0 ? { nodes: false, pods: false } : cidrReach(options));
}

function cidrReach(options: PolicyOptions): PrefixReach {
  const modes = options['policy-cidr-match-mode'];
  return { nodes: modes.includes('nodes'), pods: modes.includes('pods') };
}

/** @param reservedStandsAlone whether a reserved label keeps the selector from being scoped (not so in fromRequires) */
function peerSelector(
  document: SelectorDocument,
  context: ElementContext,
  reservedStandsAlone: boolean,
): LabelSelector {
  const selector = selectorFrom(document, 'any');
  if (reservedStandsAlone && mentions(selector, (source) => source === 'reserved')) return selector;
  const scoped = [...selector];
  const namesNamespace = mentions(selector, (source, key) => isPodSource(source) && key === POD_NAMESPACE);
  const namesLabels = mentions(selector, (source, key) => isPodSource(source) && key.startsWith(NAMESPACE_LABELS));
  if (!namesNamespace && context.namespace !== '' && !namesLabels) {
    scoped.push(equals({ source: 'k8s', key: POD_NAMESPACE }, context.namespace));
  } else if (!namesNamespace && context.namespace === '' && !context.isInit) {
    scoped.push(exists('k8s', POD_NAMESPACE));
  }
  return inThisCluster(scoped, context.options);
}

/** Peers are of this cluster, unless the selector names one. */
export function inThisCluster(selector: LabelSelector, options: PolicyOptions): LabelSelector {
  if (!options['policy-default-local-cluster']) return selector;
  if (mentions(selector, (source, key) => isPodSource(source) && key === CLUSTER)) return selector;
  return [...selector, equals({ source: 'k8s', key: CLUSTER }, options['cluster-name'])];
}

/** Node labels are `node:` labels of remote-node identities. */
function nodeSelector(document: SelectorDocument, options: PolicyOptions): LabelSelector {
  return inThisCluster([...selectorFrom(document, 'any'), exists('reserved', 'remote-node')], options);
}

function isPodSource(source: string): boolean {
  return source === 'k8s' || source === 'any';
}

function isReservedInit(source: string, key: string): boolean {
  return source === 'reserved' && key === 'init';
}

function cidrSetPeer(rule: CidrRule, options: PolicyOptions): Peer {
  const except = (rule.except ?? []).map((text) => parsePrefix(text));
  const reach = cidrReach(options);
  if (rule.cidrGroupRef !== undefined) return cidrGroupPeer(cidrGroupSelector(rule.cidrGroupRef), except, reach);
  if (rule.cidrGroupSelector !== undefined)
    return cidrGroupPeer(selectorFrom(rule.cidrGroupSelector, 'cidrgroup'), except, reach);
  return blockPeer(parsePrefix(rule.cidr ?? ''), except, options);
}

/** A service without a namespace is one of any namespace. */
function toServicePeer({ k8sService, k8sServiceSelector }: CiliumService): Peer {
  if (k8sServiceSelector !== undefined) {
    const { namespace = '', selector } = k8sServiceSelector;
    return servicePeer({ namespace, selector: selectorFrom(selector, 'any') });
  }
  return servicePeer({ namespace: k8sService?.namespace ?? '', name: k8sService?.serviceName ?? '' });
}

function portsOf(element: CiliumElement, context: RuleContext): PortSpec[] | null {
  if (element.icmps !== undefined && element.icmps.length > 0) return element.icmps.flatMap(icmpPorts);
  if (element.toPorts === undefined || element.toPorts.length === 0) return null;
  return element.toPorts.flatMap((rule) => (rule.ports ?? []).flatMap((port) => portSpecs(port, rule, context)));
}

function icmpPorts({
  fields,
}: {
  readonly fields?: readonly { family?: 'IPv4' | 'IPv6'; type: number | string }[];
}): PortSpec[] {
  return (fields ?? []).map(({ family = 'IPv4', type }) => {
    const number = icmpType(family, type) ?? 0;
    return { protocol: family === 'IPv4' ? PROTO_ICMP : PROTO_ICMPV6, port: number, endPort: number, isIcmp: true };
  });
}

function portSpecs(port: CiliumPort, rule: CiliumPortRule, context: RuleContext): PortSpec[] {
  const { number, endPort, name } = portNumbers(port);
  const l7 = l7Of(rule, context);
  const hasTls = rule.terminatingTLS !== undefined || rule.originatingTLS !== undefined;
  return protocolNumbers(port.protocol).map((protocol) => ({
    protocol,
    port: number,
    endPort,
    isIcmp: false,
    ...(name !== undefined && { name }),
    ...(l7 !== undefined && { l7 }),
    ...(rule.serverNames !== undefined && rule.serverNames.length > 0 && { serverNames: rule.serverNames }),
    ...(hasTls && { closedBecause: 'TLS interception is not enforced yet' }),
  }));
}

function portNumbers({ port = '0', endPort = 0 }: CiliumPort): { number: number; endPort: number; name?: string } {
  if (isServiceName(port)) return { number: 0, endPort: 0, name: port.toLowerCase() };
  const number = parsePort(port) ?? 0;
  // An end below the start is taken as a single port; port 0 is every port, ranges or not.
  return { number, endPort: number === 0 ? 0 : Math.max(number, endPort) };
}

/** Empty lists restrict nothing. */
function l7Of({ rules }: CiliumPortRule, context: RuleContext): L7Spec | undefined {
  if (rules?.http !== undefined && rules.http.length > 0)
    return { parser: 'http', rules: rules.http.map((rule) => httpRule(rule, context)) };
  if (rules?.dns !== undefined && rules.dns.length > 0) return { parser: 'dns', rules: rules.dns };
  if (rules?.kafka !== undefined && rules.kafka.length > 0) return { parser: 'kafka', rules: rules.kafka };
  return undefined;
}

/** Secrets without a namespace are of the policy's own. */
function httpRule(written: HttpRule, { options, namespace }: RuleContext): HttpRule {
  const own = ({ secret, ...match }: HeaderMatch): HeaderMatch =>
    secret === undefined
      ? match
      : { ...match, secret: { namespace: secret.namespace || namespace, name: secret.name } };
  const { headerMatches } = written;
  const rule = headerMatches === undefined ? written : { ...written, headerMatches: headerMatches.map(own) };
  return rule.path === undefined || options['http-normalize-path'] ? rule : { ...rule, isPathRaw: true };
}
