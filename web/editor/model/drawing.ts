/**
 * What is drawn of a policy: whom it is about, and for each direction the entries with their peers, ports and requests, each with its
 * path in the document, so that an edit knows what it is about. Fields that are not drawn are named in `kept`; they stay in the text.
 *
 * The drawing is of the text alone, which may hold anything: what has not the shape that it should have counts as not there, and is
 * kept. Which direction is closed follows `semantics: cilium` (docs/policy.md, "Which rule wins").
 */
import { fieldOf, type Fields, fieldsOf, isFields, itemsOf, type Path, textOf, valueAt } from './values.ts';
import { type Group, groupOf, MEMBERS, type Peer, peerOfCilium, peerOfKubernetes, type Selector } from './peers.ts';
import { ANNOTATIONS } from '../../../policy/document/annotations.ts';

export const KINDS = ['NetworkPolicy', 'CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'] as const;
export type Kind = (typeof KINDS)[number];

export const DIRECTIONS = ['ingress', 'egress'] as const;
export type Direction = (typeof DIRECTIONS)[number];

export interface Drawing {
  readonly kind: Kind;
  readonly name: string;
  /** '' for a clusterwide policy. */
  readonly namespace: string;
  readonly isAudited: boolean;
  /** One for a NetworkPolicy. */
  readonly rules: readonly DrawnRule[];
  /** Paths of fields that are not drawn. */
  readonly kept: readonly string[];
}

export interface DrawnRule {
  /** `spec`, or one of `specs`. */
  readonly path: Path;
  readonly isOfNodes: boolean;
  readonly selector: Selector;
  readonly description: string;
  readonly ingress: DrawnSide;
  readonly egress: DrawnSide;
}

export interface DrawnSide {
  /** What no entry allows is dropped. */
  readonly isClosed: boolean;
  readonly entries: readonly DrawnEntry[];
}

export interface DrawnEntry {
  readonly path: Path;
  readonly isDeny: boolean;
  /** None: nobody. */
  readonly peers: readonly DrawnPeer[];
  /** None, and no ICMP: every port and protocol. */
  readonly ports: readonly DrawnPorts[];
  readonly icmps: readonly DrawnIcmp[];
}

export interface DrawnPeer {
  readonly peer: Peer;
  readonly group: Group;
  /** Of the item; of the entry when nobody is named. */
  readonly path: Path;
}

/** Ports that share requests and server names; the ports of a NetworkPolicy's entry. */
export interface DrawnPorts {
  readonly path: Path;
  readonly ports: readonly (Port & { readonly path: Path })[];
  readonly serverNames: readonly string[];
  readonly parser: Parser | undefined;
  readonly requests: readonly { readonly path: Path; readonly fields: Fields }[];
}

export interface Port {
  /** A number or a name; '' = every port. */
  readonly port: string;
  readonly endPort: number | undefined;
  readonly protocol: string;
}

export const PARSERS = ['http', 'dns', 'kafka'] as const;
export type Parser = (typeof PARSERS)[number];

export interface DrawnIcmp {
  readonly path: Path;
  readonly family: string;
  readonly type: string;
}

export function kindOf(value: unknown): Kind | undefined {
  const kind = fieldOf(value, 'kind');
  const group = textOf(fieldOf(value, 'apiVersion')).split('/')[0];
  if (kind === 'NetworkPolicy') return group === 'networking.k8s.io' || group === 'extensions' ? kind : undefined;
  return group === 'cilium.io' ? KINDS.find((one) => one === kind) : undefined;
}

/** Undefined when the value is no policy that is drawn. */
export function drawingOf(value: unknown): Drawing | undefined {
  const kind = kindOf(value);
  if (kind === undefined) return undefined;
  const kept = new Set<string>();
  const metadata = fieldOf(value, 'metadata');
  const namespace =
    kind === 'CiliumClusterwideNetworkPolicy' ? '' : textOf(fieldOf(metadata, 'namespace')) || 'default';
  const reading = { kind, namespace, kept };
  const rules = rulePaths(value).map((path) =>
    kind === 'NetworkPolicy' ? kubernetesRule(value, path, reading) : ciliumRule(value, path, reading),
  );
  keepOthers(
    value,
    [],
    ['apiVersion', 'kind', 'metadata', 'spec', ...(kind === 'NetworkPolicy' ? [] : ['specs'])],
    kept,
  );
  keepOthers(metadata, ['metadata'], ['name', 'namespace', 'annotations'], kept);
  const annotations = fieldOf(metadata, 'annotations');
  keepOthers(annotations, ['metadata', 'annotations'], [ANNOTATIONS.audit], kept);
  const isAudited = fieldOf(annotations, ANNOTATIONS.audit) === 'true';
  return { kind, name: textOf(fieldOf(metadata, 'name')), namespace, isAudited, rules, kept: [...kept] };
}

/** Where the rules of a policy stand. */
function rulePaths(value: unknown): Path[] {
  const specs = kindOf(value) === 'NetworkPolicy' ? [] : itemsOf(fieldOf(value, 'specs'));
  const own = isFields(fieldOf(value, 'spec')) || specs.length === 0 ? [['spec']] : [];
  return [...own, ...specs.map((_, i) => ['specs', i])];
}

interface Reading {
  readonly kind: Kind;
  readonly namespace: string;
  readonly kept: Set<string>;
}

/** A path as the validator writes it. */
function pathText(path: Path): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? step : `.${step}`)).join('');
}

function keepOthers(value: unknown, path: Path, known: readonly string[], kept: Set<string>): void {
  for (const key of Object.keys(fieldsOf(value))) if (!known.includes(key)) kept.add(pathText([...path, key]));
}

function kubernetesRule(root: unknown, path: Path, reading: Reading): DrawnRule {
  const spec = valueAt(root, path);
  keepOthers(spec, path, ['podSelector', 'policyTypes', 'ingress', 'egress'], reading.kept);
  const side = (direction: Direction): DrawnSide => ({
    isClosed: isClosedByKubernetes(spec, direction),
    entries: itemsOf(fieldOf(spec, direction)).map((entry, i) =>
      kubernetesEntry(entry, [...path, direction, i], direction, reading),
    ),
  });
  const selector = fieldsOf(fieldOf(spec, 'podSelector'));
  return { path, isOfNodes: false, selector, description: '', ingress: side('ingress'), egress: side('egress') };
}

/** Without types ingress is closed always, egress when it has entries. */
export function isClosedByKubernetes(spec: unknown, direction: Direction): boolean {
  const types = itemsOf(fieldOf(spec, 'policyTypes'));
  if (itemsOf(fieldOf(spec, direction)).length > 0) return true;
  return direction === 'ingress' ? types.includes('Ingress') || !types.includes('Egress') : types.includes('Egress');
}

function kubernetesEntry(entry: unknown, path: Path, direction: Direction, reading: Reading): DrawnEntry {
  const member = direction === 'ingress' ? 'from' : 'to';
  keepOthers(entry, path, [member, 'ports'], reading.kept);
  const named = itemsOf(fieldOf(entry, member)).map((value, i): DrawnPeer => {
    const peer = peerOfKubernetes(value);
    return { peer, group: groupOf(peer, reading.namespace), path: [...path, member, i] };
  });
  const ports = itemsOf(fieldOf(entry, 'ports')).map((port, i) => portOf(port, [...path, 'ports', i], reading));
  const shared = { serverNames: [], parser: undefined, requests: [] };
  return {
    path,
    isDeny: false,
    peers: named.length > 0 ? named : [anyone(path)],
    ports: ports.length === 0 ? [] : [{ path: [...path, 'ports'], ports, ...shared }],
    icmps: [],
  };
}

function anyone(path: Path): DrawnPeer {
  return { peer: { kind: 'anyone' }, group: 'anyone', path };
}

function portOf(value: unknown, path: Path, { kind, kept }: Reading): Port & { path: Path } {
  keepOthers(value, path, ['port', 'endPort', 'protocol'], kept);
  const endPort = fieldOf(value, 'endPort');
  const port = textOf(fieldOf(value, 'port'));
  return {
    path,
    port: port === '0' ? '' : port,
    endPort: typeof endPort === 'number' ? endPort : undefined,
    protocol: textOf(fieldOf(value, 'protocol')) || (kind === 'NetworkPolicy' ? 'TCP' : 'ANY'),
  };
}

const DRAWN_OF_RULE = [
  'endpointSelector', 'nodeSelector', 'ingress', 'ingressDeny', 'egress', 'egressDeny', 'enableDefaultDeny', 'description',
]; // biome-ignore format: one list

function ciliumRule(root: unknown, path: Path, reading: Reading): DrawnRule {
  const rule = valueAt(root, path);
  keepOthers(rule, path, DRAWN_OF_RULE, reading.kept);
  const side = (direction: Direction): DrawnSide => ({
    isClosed: isClosedByCilium(rule, direction),
    entries: [direction, `${direction}Deny`].flatMap((list) =>
      itemsOf(fieldOf(rule, list)).map((entry, i) => ciliumEntry(entry, [...path, list, i], direction, reading)),
    ),
  });
  const isOfNodes = isFields(fieldOf(rule, 'nodeSelector'));
  const selector = fieldsOf(fieldOf(rule, isOfNodes ? 'nodeSelector' : 'endpointSelector'));
  const description = textOf(fieldOf(rule, 'description'));
  return { path, isOfNodes, selector, description, ingress: side('ingress'), egress: side('egress') };
}

/** A rule closes a direction that it speaks about, unless it says that it does not. */
export function isClosedByCilium(rule: unknown, direction: Direction): boolean {
  const speaks = itemsOf(fieldOf(rule, direction)).length + itemsOf(fieldOf(rule, `${direction}Deny`)).length > 0;
  return speaks && fieldOf(fieldOf(rule, 'enableDefaultDeny'), direction) !== false;
}

function ciliumEntry(entry: unknown, path: Path, direction: Direction, reading: Reading): DrawnEntry {
  const prefix = direction === 'ingress' ? 'from' : 'to';
  const lists = MEMBERS.map((member) => ({ member, key: prefix + member })).filter(({ key }) =>
    Array.isArray(fieldOf(entry, key)),
  );
  keepOthers(entry, path, [...lists.map(({ key }) => key), 'toPorts', 'icmps'], reading.kept);
  const named = lists.flatMap(({ member, key }) =>
    itemsOf(fieldOf(entry, key)).map((value, i): DrawnPeer => {
      const peer = peerOfCilium(member, value);
      return { peer, group: groupOf(peer, reading.namespace), path: [...path, key, i] };
    }),
  );
  const ports = itemsOf(fieldOf(entry, 'toPorts')).map((one, i) => portsOf(one, [...path, 'toPorts', i], reading));
  const icmps = itemsOf(fieldOf(entry, 'icmps')).flatMap((one, i) => icmpsOf(one, [...path, 'icmps', i, 'fields']));
  const isAnyone = lists.length === 0 && ports.length + icmps.length > 0;
  return {
    path,
    isDeny: String(path[path.length - 2]).endsWith('Deny'),
    peers: isAnyone ? [anyone(path)] : named,
    ports,
    icmps,
  };
}

function portsOf(value: unknown, path: Path, reading: Reading): DrawnPorts {
  keepOthers(value, path, ['ports', 'serverNames', 'rules'], reading.kept);
  const rules = fieldOf(value, 'rules');
  keepOthers(rules, [...path, 'rules'], PARSERS, reading.kept);
  const parser = PARSERS.find((one) => itemsOf(fieldOf(rules, one)).length > 0);
  const requests = parser === undefined ? [] : itemsOf(fieldOf(rules, parser));
  return {
    path,
    ports: itemsOf(fieldOf(value, 'ports')).map((port, i) => portOf(port, [...path, 'ports', i], reading)),
    serverNames: itemsOf(fieldOf(value, 'serverNames')).map(textOf),
    parser,
    requests: requests.map((fields, i) => ({
      path: [...path, 'rules', parser as Parser, i],
      fields: fieldsOf(fields),
    })),
  };
}

function icmpsOf(value: unknown, path: Path): DrawnIcmp[] {
  return itemsOf(fieldOf(value, 'fields')).map((field, i) => ({
    path: [...path, i],
    family: textOf(fieldOf(field, 'family')) || 'IPv4',
    type: textOf(fieldOf(field, 'type')),
  }));
}
