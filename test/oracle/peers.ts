/** Who a rule element is about: every kind of peer as a question asked of a party. */
import { isInside } from './addresses.ts';
import { allHold, type Condition, conditionsOf, exists, isMet, isOneOf, nameOf, sourceOf, textOf } from './labels.ts';
import { type Document, ofKind, type Options, type Party, type World } from './parties.ts';

export interface Peer {
  /** Rules whose peers have the same text are about the same peer, and merged. */
  readonly text: string;
  readonly isEveryone: boolean;
  /** Endpoint selectors must also meet the `fromRequires` of all rules. */
  readonly takesRequirements: boolean;
  readonly selects: (party: Party) => boolean;
}

/** Where a rule was written. */
export interface Scope {
  readonly world: World;
  /** '' = for the whole cluster. */
  readonly namespace: string;
  /** The subject is `reserved:init`. */
  readonly isAboutInit: boolean;
}

const NAMESPACE = 'io.kubernetes.pod.namespace';
const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';
const CLUSTER = 'io.cilium.k8s.policy.cluster';

export const EVERYONE: Peer = {
  text: 'everyone',
  isEveryone: true,
  takesRequirements: false,
  selects: () => true,
};

const peer = (text: string, selects: Peer['selects']): Peer => ({
  text,
  selects,
  isEveryone: false,
  takesRequirements: false,
});

/**
 * The peers of an element of a Cilium rule. No list at all = everyone; a list that is there and empty = nobody.
 * @param way `from` or `to`
 */
export function peersOf(element: Document, way: 'from' | 'to', scope: Scope): Peer[] {
  const of = (name: string): any[] | undefined => element[way + name];
  const lists = ['Endpoints', 'Entities', 'CIDR', 'CIDRSet', 'Nodes', 'Services', 'FQDNs'].map(of);
  if (lists.every((list) => list === undefined)) return [EVERYONE];
  if (lists.some((list) => list?.length === 0)) return [];
  const { world } = scope;
  return [
    ...(of('Endpoints') ?? []).map((selector) => endpoints(endpointConditions(selector, scope))),
    ...(of('Entities') ?? []).map((entity) => entityPeer(entity, world)),
    ...(of('CIDR') ?? []).map((cidr) => cidrPeer({ cidr }, world.options['policy-cidr-match-mode'])),
    ...(of('CIDRSet') ?? []).map((rule) => cidrSetPeer(rule, world)),
    ...(of('Nodes') ?? []).map((selector) => ({
      ...endpoints(nodeConditions(selector, world.options)),
      takesRequirements: false,
    })),
    ...(of('Services') ?? []).flatMap((service) => servicePeers(service, world)),
    ...(of('FQDNs') ?? []).map((name) => fqdnPeer(name, world)),
  ];
}

// --- labels

export function endpoints(conditions: Condition[]): Peer {
  const one = peer(textOf(conditions), ({ labels }) => allHold(conditions, labels));
  return { ...one, takesRequirements: true };
}

/** An endpoint selector means pods of the policy's namespace, unless it says otherwise; see facts 1.8. */
export function endpointConditions(selector: Document, { world, namespace, isAboutInit }: Scope): Condition[] {
  const conditions = conditionsOf(selector);
  const isPlain = ({ key }: Condition): boolean => ['k8s', 'any'].includes(sourceOf(key));
  if (conditions.some(({ key }) => sourceOf(key) === 'reserved')) return conditions;
  const saysNamespace = conditions.some((one) => isPlain(one) && nameOf(one.key) === NAMESPACE);
  const saysLabels = conditions.some((one) => isPlain(one) && nameOf(one.key).startsWith(NAMESPACE_LABELS));
  if (!saysNamespace && namespace === '' && !isAboutInit) conditions.push(exists(`k8s:${NAMESPACE}`));
  if (!saysNamespace && namespace !== '' && !saysLabels) conditions.push(isOneOf(`k8s:${NAMESPACE}`, namespace));
  return ofThisCluster(conditions, world.options);
}

function nodeConditions(selector: Document, options: Options): Condition[] {
  return ofThisCluster([...conditionsOf(selector), exists('reserved:remote-node')], options);
}

export function ofThisCluster(conditions: Condition[], options: Options): Condition[] {
  const saysCluster = conditions.some(({ key }) => ['k8s', 'any'].includes(sourceOf(key)) && nameOf(key) === CLUSTER);
  if (saysCluster || !options['policy-default-local-cluster']) return conditions;
  return [...conditions, isOneOf(`k8s:${CLUSTER}`, options['cluster-name'])];
}

function entityPeer(entity: string, { options }: World): Peer {
  const has = (party: Party, ...names: string[]): boolean => names.some((name) => party.labels.has(`reserved:${name}`));
  const isInCluster = (party: Party): boolean =>
    has(party, 'host', 'remote-node', 'init', 'ingress', 'health', 'unmanaged', 'kube-apiserver');
  switch (entity) {
    case 'all':
      return EVERYONE;
    case 'none':
      return peer('none', () => false);
    case 'world':
      return peer('world', (party) => has(party, 'world', 'world-ipv4', 'world-ipv6'));
    case 'cluster':
      return peer(
        'cluster',
        (party) => isInCluster(party) || party.labels.get(`k8s:${CLUSTER}`) === options['cluster-name'],
      );
    case 'cluster-mesh':
      return peer('cluster-mesh', (party) => isInCluster(party) || party.labels.has(`k8s:${CLUSTER}`));
    default:
      return peer(`entity ${entity}`, (party) => has(party, entity));
  }
}

// --- addresses

type Seen = readonly ('nodes' | 'pods')[];

/** CIDR rules are blind to pods and nodes, unless configured to see them. */
function isSeen({ kind }: Party, seen: Seen): boolean {
  // Pods without labels share one identity, reserved:init, and that has no prefix.
  if (kind === 'init') return false;
  return kind === 'outside' || seen.includes(kind === 'host' || kind === 'node' ? 'nodes' : 'pods');
}

/** An identity is inside a prefix when one of its addresses is, and so for exceptions. */
const isAnyInside = ({ addresses }: Party, cidr: string): boolean => addresses.some((ip) => isInside(ip, cidr));

interface Block {
  readonly cidr: string;
  readonly except?: readonly string[];
}

/** A whole family is everyone outside, whatever else CIDR rules see. */
export const cidrPeer = (block: Block, seen: Seen): Peer => blockPeer(block, block.cidr.endsWith('/0') ? [] : seen);

export function blockPeer({ cidr, except = [] }: Block, seen: Seen): Peer {
  return peer(`${cidr} except ${[...except].sort().join()}; ${seen.join()}`, (party) => {
    return isSeen(party, seen) && isAnyInside(party, cidr) && !except.some((hole) => isAnyInside(party, hole));
  });
}

function cidrSetPeer(rule: Document, world: World): Peer {
  const seen = world.options['policy-cidr-match-mode'];
  const { cidr, except = [], cidrGroupRef, cidrGroupSelector } = rule;
  if (cidr !== undefined) return cidrPeer({ cidr, except }, seen);
  const conditions =
    cidrGroupRef !== undefined
      ? [exists(`cidrgroup:io.cilium.policy.cidrgroupname/${cidrGroupRef}`)]
      : conditionsOf(cidrGroupSelector, 'cidrgroup');
  return peer(`${textOf(conditions)} except ${[...except].sort().join()}`, (party) => {
    // The labels of all groups around an address count together.
    const valuesOf = (key: string): string[] => party.groups.flatMap((labels) => labels.get(key) ?? []);
    const isInGroup = conditions.every((condition) => isMet(condition, valuesOf(condition.key)));
    return isSeen(party, seen) && isInGroup && !except.some((hole: string) => isAnyInside(party, hole));
  });
}

/** A service with a selector stands for its pods, one without for the addresses listed for it. */
function servicePeers({ k8sService, k8sServiceSelector }: Document, world: World): Peer[] {
  const { namespace } = k8sService ?? k8sServiceSelector;
  const services = ofKind(world, 'Service').filter(({ metadata }) => {
    if (namespace !== undefined && namespace !== metadata.namespace) return false;
    if (k8sService !== undefined) return metadata.name === k8sService.serviceName;
    const labels = new Map(Object.entries<string>(metadata.labels ?? {}).map(([key, value]) => [`k8s:${key}`, value]));
    return allHold(conditionsOf(k8sServiceSelector.selector), labels);
  });
  return services.flatMap(({ metadata, spec }) => {
    if (Object.keys(spec.selector ?? {}).length > 0) {
      const conditions = [
        ...conditionsOf({ matchLabels: spec.selector }),
        isOneOf(`k8s:${NAMESPACE}`, metadata.namespace),
      ];
      return [endpoints(ofThisCluster(conditions, world.options))];
    }
    return ofKind(world, 'EndpointSlice')
      .filter((slice) => slice.metadata.namespace === metadata.namespace)
      .filter((slice) => slice.metadata.labels['kubernetes.io/service-name'] === metadata.name)
      .flatMap((slice) => slice.endpoints.flatMap((endpoint: Document) => endpoint.addresses))
      .map((ip: string) => cidrPeer({ cidr: ip }, world.options['policy-cidr-match-mode']));
  });
}

// --- names

function fqdnPeer(selector: Document, world: World): Peer {
  const pattern = namePattern(selector);
  const learnt = Object.entries(world.names).flatMap(([name, ips]) => (pattern.test(name) ? ips : []));
  return peer(`fqdn ${pattern.source}`, ({ kind, addresses: [ip] }) => kind === 'outside' && learnt.includes(ip));
}

/** A `matchName` or `matchPattern` as a pattern for whole lower-case names without the final dot; facts 1.6. */
export function namePattern({ matchName, matchPattern }: Document): RegExp {
  const text = (matchName ?? matchPattern).toLowerCase().replace(/\.$/, '');
  if (matchName === undefined && /^\*+$/.test(text)) return /^.*$/;
  const escape = (literal: string): string => literal.replace(/[.]/g, '\\.');
  if (matchName !== undefined) return new RegExp(`^${escape(text)}$`);
  const [, labels, rest] = /^(\*\*+\.)?(.*)$/.exec(text)!;
  const body = rest.split(/\*+/).map(escape).join('[-a-z0-9_]*');
  return new RegExp(`^${labels === undefined ? '' : '(?:[-a-z0-9_]+\\.)+'}${body}$`);
}
