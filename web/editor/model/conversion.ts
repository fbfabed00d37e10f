/**
 * A policy as one of another kind that means the same. What the other kind cannot say is refused by name: a policy is never made wider
 * or narrower by a change of its kind.
 *
 *   NetworkPolicy -> CiliumNetworkPolicy            labels get their source, each kind of peer an entry of its own
 *   CiliumNetworkPolicy -> clusterwide              what meant the own namespace names it
 *   clusterwide -> CiliumNetworkPolicy              only when subject and peers name a namespace, the subject the policy's
 *   CiliumNetworkPolicy -> NetworkPolicy            only what a NetworkPolicy can say
 */
import { POD_NAMESPACE } from '../../../policy/rule/labels.ts';
import {
  DIRECTIONS,
  type Direction,
  type Drawing,
  drawingOf,
  type DrawnEntry,
  type DrawnRule,
  type Kind,
  type Port,
} from './drawing.ts';
import { Unsayable } from './edits.ts';
import { ciliumPeer, kubernetesPeer, type Peer, podsOfCilium, type Scope, type Selector } from './peers.ts';
import { fieldOf, type Fields, fieldsOf, itemsOf, textOf, without, withValueAt } from './values.ts';

const API = {
  NetworkPolicy: 'networking.k8s.io/v1',
  CiliumNetworkPolicy: 'cilium.io/v2',
  CiliumClusterwideNetworkPolicy: 'cilium.io/v2',
} as const;

/** @throws Unsayable */
export function converted(value: unknown, kind: Kind): unknown {
  const drawing = drawingOf(value);
  if (drawing === undefined) throw new Unsayable('this is no policy that is drawn');
  if (drawing.kind === kind) return value;
  const named = { ...fieldsOf(value), apiVersion: API[kind], kind };
  if (drawing.kind === 'NetworkPolicy') {
    const cilium = { ...named, kind: 'CiliumNetworkPolicy', spec: ciliumSpec(drawing) };
    return kind === 'CiliumNetworkPolicy' ? cilium : converted(cilium, kind);
  }
  if (kind === 'NetworkPolicy') return { ...without(named, 'specs'), spec: kubernetesSpec(drawing) };
  return kind === 'CiliumNetworkPolicy' ? inNamespace(named, drawing) : clusterwide(named, drawing);
}

function ciliumSpec(drawing: Drawing): Fields {
  refuseKept(drawing, (path) => path.startsWith('spec'));
  const [rule] = drawing.rules;
  const spec: Record<string, unknown> = { endpointSelector: sourced(rule.selector) };
  for (const direction of DIRECTIONS) {
    const { isClosed, entries } = rule[direction];
    if (isClosed)
      spec[direction] = entries.length === 0 ? [{}] : entries.flatMap((one) => ciliumEntries(one, direction));
  }
  return spec;
}

/** A NetworkPolicy's labels are those that Kubernetes gave. */
function sourced(selector: Selector): Selector {
  const labels = Object.entries(fieldsOf(selector['matchLabels']));
  const expressions = itemsOf(selector['matchExpressions']);
  return {
    ...(labels.length > 0 && { matchLabels: Object.fromEntries(labels.map(([key, one]) => [`k8s:${key}`, one])) }),
    ...(expressions.length > 0 && {
      matchExpressions: expressions.map((one) => ({ ...fieldsOf(one), key: `k8s:${textOf(fieldOf(one, 'key'))}` })),
    }),
  };
}

/** Each kind of peer has an entry of its own. */
function ciliumEntries({ peers, ports }: DrawnEntry, direction: Direction): Fields[] {
  const prefix = direction === 'ingress' ? 'from' : 'to';
  const lists = new Map<string, unknown[]>();
  for (const { peer } of peers) {
    const written = ciliumPeer(peer.kind === 'pods' ? { ...peer, selector: sourced(peer.selector) } : peer);
    if (written === undefined) throw new Unsayable('a peer is none that is known');
    lists.set(written.member, [...(lists.get(written.member) ?? []), written.value]);
  }
  const toPorts = ports.map((one) => ({ ports: one.ports.map(ciliumPort) }));
  return [...lists].map(([member, values]) => ({
    [prefix + member]: values,
    ...(toPorts.length > 0 && { toPorts }),
  }));
}

function ciliumPort({ port, endPort, protocol }: Port): Fields {
  return { port: port === '' ? '0' : port, ...(endPort !== undefined && { endPort }), protocol };
}

function refuseKept({ kept, kind }: Drawing, isAbout: (path: string) => boolean): void {
  const found = kept.find(isAbout);
  if (found !== undefined) throw new Unsayable(`${found} of this ${kind} has no like in the other kind`);
}

function kubernetesSpec(drawing: Drawing): Fields {
  refuseKept(drawing, (path) => path.startsWith('spec'));
  if (drawing.rules.length !== 1) throw new Unsayable('a NetworkPolicy has one rule, this policy several');
  const [rule] = drawing.rules;
  if (rule.isOfNodes) throw new Unsayable('a NetworkPolicy is about pods, this policy about nodes');
  if (drawing.kind === 'CiliumClusterwideNetworkPolicy')
    throw new Unsayable(
      'a NetworkPolicy is of one namespace, this policy of none: make it a CiliumNetworkPolicy first',
    );
  const spec: Record<string, unknown> = { podSelector: unsourced(rule.selector, drawing.namespace) };
  const closed = DIRECTIONS.filter((direction) => rule[direction].isClosed);
  if (closed.length === 0) throw new Unsayable('a NetworkPolicy closes one direction at least');
  spec['policyTypes'] = closed.map((one) => (one === 'ingress' ? 'Ingress' : 'Egress'));
  for (const direction of DIRECTIONS) {
    const { entries, isClosed } = rule[direction];
    if (entries.length > 0 && !isClosed)
      throw new Unsayable('a NetworkPolicy closes a direction that it has entries for');
    const written = entries.filter(({ peers }) => peers.length > 0).map((entry) => kubernetesEntry(entry, direction));
    if (written.length > 0) spec[direction] = written;
  }
  return spec;
}

function kubernetesEntry({ isDeny, peers, ports, icmps }: DrawnEntry, direction: Direction): Fields {
  if (isDeny) throw new Unsayable('a NetworkPolicy cannot deny');
  if (icmps.length > 0) throw new Unsayable('a NetworkPolicy has no ICMP types');
  if (ports.some(({ parser, serverNames }) => parser !== undefined || serverNames.length > 0))
    throw new Unsayable('a NetworkPolicy has no application rules');
  const all = ports.flatMap((one) => one.ports.flatMap(kubernetesPorts));
  if (ports.length > 0 && all.length === 0) throw new Unsayable('a NetworkPolicy cannot name no port at all');
  const isAnyone = peers.some(
    ({ peer }) => peer.kind === 'anyone' || (peer.kind === 'entity' && peer.entity === 'all'),
  );
  const named = isAnyone ? [] : peers.map(({ peer }) => kubernetesWritten(peer));
  return {
    ...(named.length > 0 && { [direction === 'ingress' ? 'from' : 'to']: named }),
    ...(all.length > 0 && { ports: all }),
  };
}

function kubernetesWritten(peer: Peer): Fields {
  const plain: Peer = peer.kind === 'pods' ? { ...peer, selector: unsourced(peer.selector, '') } : peer;
  const written = kubernetesPeer(plain);
  if (written === undefined)
    throw new Unsayable(`a NetworkPolicy knows pods and prefixes, this policy has another peer`);
  return written;
}

function kubernetesPorts({ port, endPort, protocol }: Port): Fields[] {
  const number = /^\d+$/.test(port) ? Number(port) : port;
  const protocols = protocol === 'ANY' ? ['TCP', 'UDP', 'SCTP'] : [protocol];
  if (!protocols.every((one) => ['TCP', 'UDP', 'SCTP'].includes(one)))
    throw new Unsayable(`a NetworkPolicy knows TCP, UDP and SCTP, not ${protocol}`);
  return protocols.map((one) => ({
    protocol: one,
    ...(port !== '' && { port: number }),
    ...(endPort !== undefined && { endPort }),
  }));
}

/** Labels of any source and of Kubernetes become plain ones. */
function unsourced(selector: Selector, namespace: string): Selector {
  const plain = (key: string): string => {
    const bare = key.replace(/^(k8s|any):/, '');
    if (bare.includes(':') || bare.startsWith('$')) throw new Unsayable(`a NetworkPolicy has no label ${key}`);
    if (bare.startsWith('io.kubernetes.') || bare.startsWith('io.cilium.'))
      throw new Unsayable(`a NetworkPolicy cannot select by ${bare}`);
    return bare;
  };
  const labels = Object.entries(fieldsOf(selector['matchLabels'])).filter(
    ([key, value]) => !(namespace !== '' && key.endsWith(POD_NAMESPACE) && value === namespace),
  );
  const expressions = itemsOf(selector['matchExpressions']);
  return {
    ...(labels.length > 0 && { matchLabels: Object.fromEntries(labels.map(([key, one]) => [plain(key), one])) }),
    ...(expressions.length > 0 && {
      matchExpressions: expressions.map((one) => ({ ...fieldsOf(one), key: plain(textOf(fieldOf(one, 'key'))) })),
    }),
  };
}

/** Pods that a selector without a namespace meant are named by theirs. */
function clusterwide(value: unknown, drawing: Drawing): unknown {
  const { namespace } = drawing;
  const named: Scope = { of: 'named', name: namespace };
  const own = (selector: Selector): Selector => scoped(selector, named);
  const next = drawing.rules.reduce((all, rule) => withSubject(all, rule, own), value);
  return withValueAt(withPeers(next, drawing, own), ['metadata'], (old) => without(fieldsOf(old), 'namespace'));
}

function scoped(selector: Selector, scope: Scope): Selector {
  const pods = podsOfCilium(selector);
  if (pods.kind !== 'pods' || pods.scope.of !== 'own') return selector;
  if (Object.keys(fieldsOf(selector['matchLabels'])).some((key) => key.startsWith('reserved:') || key.startsWith('$')))
    return selector;
  return { ...selector, ...ciliumOf(scope, selector) };
}

function ciliumOf(scope: Scope, selector: Selector): Selector {
  return fieldsOf(ciliumPeer({ kind: 'pods', scope, selector })?.value);
}

function withSubject(value: unknown, rule: DrawnRule, change: (selector: Selector) => Selector): unknown {
  if (rule.isOfNodes) throw new Unsayable('a policy about nodes is clusterwide');
  return withValueAt(value, [...rule.path, 'endpointSelector'], (old) => change(fieldsOf(old)));
}

function withPeers(value: unknown, { rules }: Drawing, change: (selector: Selector) => Selector): unknown {
  const pods = rules
    .flatMap((rule) => DIRECTIONS.flatMap((direction) => rule[direction].entries))
    .flatMap(({ peers }) => peers.filter(({ peer }) => peer.kind === 'pods'));
  return pods.reduce((all, { path }) => withValueAt(all, path, (old) => change(fieldsOf(old))), value);
}

/** The subject's namespace becomes the policy's. */
function inNamespace(value: unknown, drawing: Drawing): unknown {
  const names = drawing.rules.map(({ selector }) => podsOfCilium(selector));
  const [first] = names;
  const scope = first.kind === 'pods' && first.scope.of === 'named' ? first.scope.name : undefined;
  const isOne = names.every((one) => one.kind === 'pods' && one.scope.of === 'named' && one.scope.name === scope);
  if (scope === undefined || !isOne)
    throw new Unsayable('a CiliumNetworkPolicy is of one namespace: select the pods of one namespace first');
  const bare = (selector: Selector): Selector => {
    const pods = podsOfCilium(selector);
    return pods.kind === 'pods' ? pods.selector : selector;
  };
  const anyNamespace = (selector: Selector): Selector => scoped(selector, { of: 'any' });
  const next = drawing.rules.reduce((all, rule) => withSubject(all, rule, bare), value);
  return withValueAt(withPeers(next, drawing, anyNamespace), ['metadata', 'namespace'], () => scope);
}
