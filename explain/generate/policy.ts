/** A generated policy as an object, of either kind, with what is to be said of it and of its rules. */
import { type Direction, EGRESS, INGRESS } from '../../wire/direction.ts';
import { POD_NAMESPACE } from '../../policy/rule/labels.ts';
import type { Selector } from './groups.ts';
import type { Subject } from './needs.ts';
import { type Element, elementsOf, type Peer, type PortPart, type RuleModes } from './rules.ts';

export type PolicyKind = 'CiliumNetworkPolicy' | 'NetworkPolicy';

type Part = Readonly<Record<string, unknown>>;

interface Manifest {
  readonly apiVersion: string;
  readonly kind: PolicyKind;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Part;
}

export interface GeneratedPolicy {
  readonly object: Manifest;
  /** The pods, as flows call them. */
  readonly subjects: readonly string[];
  /** What it allows besides what was seen. */
  readonly notes: readonly string[];
  /** What is said of a rule, by its path: `spec.ingress[0]`. */
  readonly comments: ReadonlyMap<string, string>;
  /** What this kind of policy cannot say. */
  readonly unsaid: readonly string[];
  readonly rules: number;
}

/** Names of policies begin so, to be told from those that people write. */
const PREFIX = 'recorded-';

export function policyOf(subject: Subject, kind: PolicyKind, modes: RuleModes): GeneratedPolicy {
  const comments = new Map<string, string>();
  const notes = new Set(subject.notes);
  const unsaid = new Set<string>();
  const spec: Record<string, unknown> = {};
  let rules = 0;
  const { namespace, selector, name } = subject.group;
  if (kind === 'NetworkPolicy') spec['policyTypes'] = [...subject.needs.keys()].map((side) => TYPES[side]);
  for (const [direction, needs] of subject.needs) {
    const elements = elementsOf(needs, direction, { ...modes, ...(kind === 'NetworkPolicy' && { l7: 'off' }) });
    const list = elements.flatMap((element) => {
      const said =
        kind === 'NetworkPolicy'
          ? kubernetesRule(element, direction, namespace)
          : ciliumRule(element, direction, namespace);
      if (typeof said === 'string') unsaid.add(said);
      else for (const note of element.notes) notes.add(note);
      return typeof said === 'string' ? [] : [{ said, element }];
    });
    const field = direction === EGRESS ? 'egress' : 'ingress';
    list.forEach(({ element }, i) => comments.set(`spec.${field}[${i}]`, countText(element.flows)));
    rules += list.length;
    if (list.length > 0) spec[field] = list.map(({ said }) => said);
    // An element that says nothing closes the direction; a NetworkPolicy has its types for that.
    else if (kind === 'CiliumNetworkPolicy') spec[field] = [{}];
  }
  const subjectField = kind === 'NetworkPolicy' ? 'podSelector' : 'endpointSelector';
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2';
  const metadata = { name: PREFIX + name, namespace };
  const object = { apiVersion, kind, metadata, spec: { [subjectField]: selector, ...spec } };
  return { object, subjects: subject.texts, notes: [...notes].sort(), comments, unsaid: [...unsaid].sort(), rules };
}

const TYPES: Readonly<Record<Direction, string>> = { [EGRESS]: 'Egress', [INGRESS]: 'Ingress' };

function countText(flows: number): string {
  return flows === 1 ? '1 flow' : `${flows} flows`;
}

/** @param namespace of the policy: selectors without one mean pods there */
function ciliumRule({ peers, ports, icmps }: Element, direction: Direction, namespace: string): Part {
  const side = direction === EGRESS ? 'to' : 'from';
  const [{ kind }] = peers;
  const members: Readonly<Record<Peer['kind'], string>> = {
    pods: `${side}Endpoints`,
    cidr: `${side}CIDR`,
    fqdn: 'toFQDNs',
    entity: `${side}Entities`,
  };
  return {
    [members[kind]]: peers.map((peer) => ciliumPeer(peer, namespace)),
    ...(ports.length > 0 && { toPorts: ports.map(ciliumPorts) }),
    ...(icmps.length > 0 && { icmps: [{ fields: icmps }] }),
  };
}

function ciliumPeer(peer: Peer, namespace: string): unknown {
  if (peer.kind === 'cidr') return peer.cidr;
  if (peer.kind === 'fqdn') return { matchName: peer.name };
  if (peer.kind === 'entity') return peer.entity;
  if (peer.namespace === namespace) return peer.selector;
  const foreign = { [`k8s:${POD_NAMESPACE}`]: peer.namespace };
  return { ...peer.selector, matchLabels: { ...peer.selector.matchLabels, ...foreign } };
}

function ciliumPorts({ ports, l7 }: PortPart): Part {
  return { ports: ports.map(({ port, ...rest }) => ({ port: String(port), ...rest })), ...l7 };
}

/** The rule, or why there is none. */
function kubernetesRule({ peers, ports }: Element, direction: Direction, namespace: string): Part | string {
  const [{ kind }] = peers;
  if (ports.length === 0) return 'ICMP';
  if (kind === 'fqdn') return 'names of the outside';
  const entities = peers.flatMap((peer) => (peer.kind === 'entity' ? [peer.entity] : []));
  if (entities.some((entity) => entity !== 'world')) return `entities (${entities.join(', ')})`;
  return {
    [direction === EGRESS ? 'to' : 'from']: peers.flatMap((peer) => kubernetesPeers(peer, namespace)),
    ports: ports.flatMap((part) => part.ports).map(({ port, ...rest }) => ({ ...(port !== 0 && { port }), ...rest })),
  };
}

const BOTH_WORLDS = ['0.0.0.0/0', '::/0'];

function kubernetesPeers(peer: Peer, namespace: string): Part[] {
  if (peer.kind === 'cidr') return [{ ipBlock: { cidr: peer.cidr } }];
  if (peer.kind !== 'pods') return BOTH_WORLDS.map((cidr) => ({ ipBlock: { cidr } }));
  const { selector }: { selector: Selector } = peer;
  if (peer.namespace === namespace) return [{ podSelector: selector }];
  const matchLabels = { 'kubernetes.io/metadata.name': peer.namespace };
  return [{ namespaceSelector: { matchLabels }, podSelector: selector }];
}
