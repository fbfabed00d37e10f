/** Policies as documents -> rules as lists of grants and denials, one for each peer and each range of ports. */
import { type Condition, conditionsOf, exists, isOneOf, type LabelSelector } from './labels.ts';
import { type Document, ofKind, type World } from './parties.ts';
import {
  blockPeer,
  cidrPeer,
  endpointConditions,
  endpoints,
  EVERYONE,
  ofThisCluster,
  type Peer,
  peersOf,
  type Scope,
} from './peers.ts';
import { ALL_PACKETS, icmpRange, type PortRange, rangesOf } from './ports.ts';

/** One peer, one range of ports. */
export interface Grant {
  readonly isDeny: boolean;
  readonly peer: Peer;
  readonly range: PortRange;
  /** What requests must be like; undefined = packets pass unseen. */
  readonly requests: { readonly parser: 'http' | 'dns' | 'kafka'; readonly list: readonly Document[] } | undefined;
  /** TLS names; undefined = any, and no TLS needed. */
  readonly serverNames: readonly string[] | undefined;
  readonly authentication: 'disabled' | 'required' | 'test-always-fail' | undefined;
}

/** What a rule says about one direction. */
export interface DirectionRules {
  readonly isDefaultDeny: boolean;
  readonly grants: readonly Grant[];
  /** Conditions (`fromRequires`) on every endpoint that some rule allows; the second for denials. */
  readonly requirements: readonly Condition[];
  readonly denyRequirements: readonly Condition[];
}

export interface Rule {
  /** Of hosts (`nodeSelector`) rather than of pods. */
  readonly isForHosts: boolean;
  readonly subject: readonly Condition[];
  /** The policy is on trial. */
  readonly isAudited: boolean;
  /** undefined = the rule says nothing about the direction. */
  readonly ingress: DirectionRules | undefined;
  readonly egress: DirectionRules | undefined;
}

export function rulesOf(world: World): Rule[] {
  return [
    ...ofKind(world, 'CiliumNetworkPolicy').flatMap((policy) => ciliumRules(policy, world)),
    ...ofKind(world, 'CiliumClusterwideNetworkPolicy').flatMap((policy) => ciliumRules(policy, world)),
    ...ofKind(world, 'NetworkPolicy').map((policy) => networkPolicyRule(policy, world)),
  ];
}

const isAudited = ({ metadata }: Document): boolean => metadata.annotations?.['sluice.io/audit'] === 'true';

// --- Cilium

function ciliumRules(policy: Document, world: World): Rule[] {
  const specs: Document[] = [...(policy.spec === undefined ? [] : [policy.spec]), ...(policy.specs ?? [])];
  const { namespace = '' } = policy.metadata;
  return specs.map((spec) => {
    const selector = spec.endpointSelector ?? spec.nodeSelector;
    const subject = conditionsOf(selector);
    const isAboutInit = subject.some(({ key }) => key === 'reserved:init');
    const scope = { world, namespace, isAboutInit };
    return {
      isForHosts: spec.nodeSelector !== undefined,
      subject: namespace === '' ? subject : inNamespace(selector, namespace),
      isAudited: isAudited(policy),
      ingress: ciliumDirection(spec, 'ingress', scope),
      egress: ciliumDirection(spec, 'egress', scope),
    };
  });
}

/** A policy is about its own namespace; a label with the source `k8s` that says otherwise is overruled, an expression not. */
function inNamespace(selector: LabelSelector, namespace: string, source?: string): Condition[] {
  const key = 'k8s:io.kubernetes.pod.namespace';
  const labels = Object.entries(selector.matchLabels ?? {}).filter(([name]) => name !== key);
  const own = { ...selector, matchLabels: Object.fromEntries(labels) };
  return [...conditionsOf(own, source), isOneOf(key, namespace)];
}

function ciliumDirection(spec: Document, direction: 'ingress' | 'egress', scope: Scope): DirectionRules | undefined {
  const allowed: Document[] = spec[direction] ?? [];
  const denied: Document[] = spec[`${direction}Deny`] ?? [];
  if (allowed.length + denied.length === 0) return undefined;
  const way = direction === 'ingress' ? 'from' : 'to';
  const canOptOut = scope.world.options['enable-non-default-deny-policies'];
  const requirementsOf = (elements: Document[]): Condition[] =>
    elements.flatMap((element) =>
      (element[`${way}Requires`] ?? []).flatMap((selector: Document) => endpointConditions(selector, scope)),
    );
  return {
    isDefaultDeny: !canOptOut || (spec.enableDefaultDeny?.[direction] ?? true),
    grants: [
      ...allowed.flatMap((element) => elementGrants(element, { way, scope, isDeny: false })),
      ...denied.flatMap((element) => elementGrants(element, { way, scope, isDeny: true })),
    ],
    requirements: requirementsOf(allowed),
    denyRequirements: requirementsOf(denied),
  };
}

function elementGrants(
  element: Document,
  { way, scope, isDeny }: { way: 'from' | 'to'; scope: Scope; isDeny: boolean },
): Grant[] {
  const peers = peersOf(element, way, scope);
  const hasPorts = (element.toPorts ?? []).length + (element.icmps ?? []).length > 0;
  // An element that says nothing at all allows nothing at all.
  if (!hasPorts && peers.includes(EVERYONE) && element[`${way}Entities`] === undefined) return [];
  return peers.flatMap((peer) =>
    portRules(element).map((rule) => ({ ...rule, isDeny, peer, authentication: element.authentication?.mode })),
  );
}

/** A port rule without ports stands for no packet; no port rule at all for every packet. */
function portRules({ toPorts = [], icmps = [] }: Document): Pick<Grant, 'range' | 'requests' | 'serverNames'>[] {
  const nothing = { requests: undefined, serverNames: undefined };
  if (toPorts.length + icmps.length === 0) return [{ range: ALL_PACKETS, ...nothing }];
  return [
    ...toPorts.flatMap(({ ports = [], rules, serverNames = [] }: Document) =>
      ports.flatMap(rangesOf).map((range: PortRange) => ({
        range,
        requests: requestsOf(rules),
        serverNames: serverNames.length === 0 ? undefined : serverNames,
      })),
    ),
    ...icmps.flatMap(({ fields = [] }: Document) =>
      fields.map((field: Document) => ({ range: icmpRange(field), ...nothing })),
    ),
  ];
}

/** An empty list of rules is no list. */
function requestsOf(rules: Document = {}): Grant['requests'] {
  for (const parser of ['http', 'dns', 'kafka'] as const) {
    if (rules[parser]?.length > 0) return { parser, list: rules[parser] };
  }
  return undefined;
}

// --- Kubernetes

function networkPolicyRule(policy: Document, world: World): Rule {
  const { namespace } = policy.metadata;
  return {
    isForHosts: false,
    subject: inNamespace(policy.spec.podSelector ?? {}, namespace, 'k8s'),
    isAudited: isAudited(policy),
    ingress: networkPolicyDirection(policy, 'ingress', world),
    egress: networkPolicyDirection(policy, 'egress', world),
  };
}

function networkPolicyDirection(
  { metadata, spec }: Document,
  direction: 'ingress' | 'egress',
  world: World,
): DirectionRules | undefined {
  const elements: Document[] = spec[direction] ?? [];
  const types: string[] = spec.policyTypes ?? [];
  const isNamed = types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
  const isExclusive = world.options.semantics === 'kubernetes' && types.length > 0;
  // Cilium enforces ingress unless only egress is named, and rules that are there whatever the types say.
  const isInferred = direction === 'ingress' && !types.includes('Egress');
  if (isExclusive ? !isNamed : !isNamed && !isInferred && elements.length === 0) return undefined;
  const list = direction === 'ingress' ? 'from' : 'to';
  const grants = elements.flatMap((element) => {
    const peers: Document[] = element[list] ?? [];
    const selected =
      peers.length === 0 ? [EVERYONE] : peers.map((one) => networkPolicyPeer(one, metadata.namespace, world));
    const ports: Document[] = element.ports ?? [];
    const ranges = ports.length === 0 ? [ALL_PACKETS] : ports.flatMap((port) => rangesOf({ protocol: 'TCP', ...port }));
    return selected.flatMap((peer) => ranges.map((range) => ({ ...PLAIN, peer, range })));
  });
  return { isDefaultDeny: true, grants, requirements: [], denyRequirements: [] };
}

const PLAIN = { isDeny: false, requests: undefined, serverNames: undefined, authentication: undefined };

function networkPolicyPeer(
  { ipBlock, podSelector, namespaceSelector }: Document,
  namespace: string,
  world: World,
): Peer {
  const { options } = world;
  if (ipBlock !== undefined) {
    return options.semantics === 'kubernetes'
      ? blockPeer(ipBlock, ['nodes', 'pods'])
      : cidrPeer(ipBlock, options['policy-cidr-match-mode']);
  }
  const conditions = conditionsOf(podSelector ?? {}, 'k8s');
  if (namespaceSelector === undefined) conditions.push(isOneOf('k8s:io.kubernetes.pod.namespace', namespace));
  else conditions.push(...namespaceConditions(namespaceSelector));
  if (options.semantics === 'kubernetes') conditions.push(exists('k8s:io.kubernetes.pod.namespace'));
  return { ...endpoints(ofThisCluster(conditions, options)), takesRequirements: false };
}

function namespaceConditions(selector: Document): Condition[] {
  const conditions = conditionsOf(selector, 'k8s:io.cilium.k8s.namespace.labels').map((condition) => ({
    ...condition,
    key: condition.key.replace('namespace.labels:', 'namespace.labels.'),
  }));
  // Every pod has a namespace: said only where nothing else is (facts 2.7), which matters to what is merged.
  return conditions.length > 0 ? conditions : [exists('k8s:io.kubernetes.pod.namespace')];
}
