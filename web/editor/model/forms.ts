/** The forms by which a person makes edits: their fields, filled from what is drawn, and the edit that their values stand for. */
import { ENTITIES } from '../../../policy/rule/entities.ts';
import type { Direction, DrawnEntry, Parser } from './drawing.ts';
import { type Edit, Unsayable } from './edits.ts';
import type { Group, Peer, Scope } from './peers.ts';
import { parsePorts, parseSelector, selectorText } from './selector-text.ts';
import { type Fields, fieldOf, itemsOf, type Path, textOf, without } from './values.ts';

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  /** Chosen from these. */
  readonly options?: readonly string[];
  readonly hint?: string;
  /** Shown only while another field has one of these values. */
  readonly when?: { readonly field: string; readonly is: readonly string[] };
}

export type Values = Readonly<Record<string, string>>;

export interface Form {
  readonly title: string;
  readonly fields: readonly Field[];
  /** @throws Unsayable with what is wrong with the values */
  readonly edit: (values: Values) => Edit;
}

/** Whether a field is to be filled in, as the others are. */
export function isShown({ when }: Field, values: Values): boolean {
  return when === undefined || when.is.includes(values[when.field] ?? '');
}

const LABELS = 'app=web, tier in (a, b), !old; empty for all';
const PODS = 'pods of the namespace';
const PODS_ELSEWHERE = 'pods of another namespace';
const PODS_ANYWHERE = 'pods of any namespace';
const PODS_LABELLED = 'pods of namespaces by label';
const NODES = 'nodes';
const SERVICE = 'a Service';
const ENTITY = 'a part of the cluster';
const CIDR = 'addresses';
const CIDR_GROUP = 'addresses of a CiliumCIDRGroup';
const NAME = 'a DNS name';
const PATTERN = 'DNS names by pattern';
const WORLD = 'everyone outside';
const ANYONE = 'anyone';

const CHOICES: Readonly<Record<Group, readonly string[]>> = {
  anyone: [ANYONE],
  namespace: [PODS, SERVICE],
  cluster: [PODS_ELSEWHERE, PODS_ANYWHERE, PODS_LABELLED, NODES, SERVICE, ENTITY],
  outside: [CIDR, NAME, PATTERN, CIDR_GROUP, WORLD],
};

/** Fields for a peer of a group; those of `peer` when there is one already. */
function peerFields(group: Group, namespace: string, peer?: Peer): Field[] {
  const all = Object.values(CHOICES).flat();
  const kinds = peer === undefined ? CHOICES[group] : [...new Set([kindOf(peer), ...CHOICES[group], ...all])];
  const when = (...is: string[]): Pick<Field, 'when'> => ({ when: { field: 'kind', is } });
  const known = valuesOf(peer, group === 'namespace' ? namespace : '');
  const field = (name: string, label: string, more: Partial<Field> = {}): Field => ({
    name,
    label,
    value: known[name] ?? '',
    ...more,
  });
  return [
    { name: 'kind', label: 'Who', value: peer === undefined ? kinds[0] : kindOf(peer), options: kinds },
    field('namespace', 'Namespace', when(PODS_ELSEWHERE, SERVICE)),
    field('namespaces', 'Labels of namespaces', { hint: LABELS, ...when(PODS_LABELLED) }),
    field('labels', 'Labels', { hint: LABELS, ...when(PODS, PODS_ELSEWHERE, PODS_ANYWHERE, PODS_LABELLED, NODES) }),
    field('name', 'Name', when(NAME, SERVICE, CIDR_GROUP)),
    field('pattern', 'Pattern', { hint: '*.example.com', ...when(PATTERN) }),
    field('cidr', 'Prefix', { hint: '192.0.2.0/24', ...when(CIDR) }),
    field('except', 'Except', { hint: 'prefixes inside of it, with commas', ...when(CIDR, CIDR_GROUP) }),
    { ...field('entity', 'Which', { options: ENTITIES, ...when(ENTITY) }), value: known['entity'] ?? 'cluster' },
  ];
}

function kindOf(peer: Peer): string {
  const scopes = { own: PODS, named: PODS_ELSEWHERE, any: PODS_ANYWHERE, labelled: PODS_LABELLED };
  const kinds = { nodes: NODES, cidr: CIDR, 'cidr-group': CIDR_GROUP, name: NAME, pattern: PATTERN, service: SERVICE };
  if (peer.kind === 'pods') return scopes[peer.scope.of];
  if (peer.kind === 'entity') return peer.entity === 'world' ? WORLD : peer.entity === 'all' ? ANYONE : ENTITY;
  return peer.kind === 'anyone' || peer.kind === 'other' ? ANYONE : kinds[peer.kind];
}

function valuesOf(peer: Peer | undefined, namespace: string): Values {
  switch (peer?.kind) {
    case 'pods': {
      const { scope } = peer;
      return {
        labels: selectorText(peer.selector),
        ...(scope.of === 'named' && { namespace: scope.name }),
        ...(scope.of === 'labelled' && { namespaces: selectorText(scope.selector) }),
      };
    }
    case 'nodes':
      return { labels: selectorText(peer.selector) };
    case 'cidr':
      return { cidr: peer.cidr, except: peer.except.join(', ') };
    case 'cidr-group':
      return { name: peer.name, except: peer.except.join(', ') };
    case 'name':
      return { name: peer.name };
    case 'pattern':
      return { pattern: peer.pattern };
    case 'entity':
      return { entity: peer.entity };
    case 'service':
      return { name: peer.name, namespace: peer.namespace };
    default:
      return { namespace };
  }
}

function peerOf(values: Values): Peer {
  const said = (name: string, label: string): string => {
    const value = (values[name] ?? '').trim();
    if (value === '') throw new Unsayable(`${label} is missing`);
    return value;
  };
  const labels = (): Fields => parseSelector(values['labels'] ?? '');
  const pods = (scope: Scope): Peer => ({ kind: 'pods', scope, selector: labels() });
  const except = wordsOf(values['except'] ?? '');
  switch (values['kind']) {
    case PODS:
      return pods({ of: 'own' });
    case PODS_ELSEWHERE:
      return pods({ of: 'named', name: said('namespace', 'the namespace') });
    case PODS_ANYWHERE:
      return pods({ of: 'any' });
    case PODS_LABELLED:
      return pods({ of: 'labelled', selector: parseSelector(said('namespaces', 'the label of namespaces')) });
    case NODES:
      return { kind: 'nodes', selector: labels() };
    case SERVICE:
      return { kind: 'service', name: said('name', 'the name'), namespace: said('namespace', 'the namespace') };
    case CIDR:
      return { kind: 'cidr', cidr: said('cidr', 'the prefix'), except };
    case CIDR_GROUP:
      return { kind: 'cidr-group', name: said('name', 'the name'), except };
    case NAME:
      return { kind: 'name', name: said('name', 'the name') };
    case PATTERN:
      return { kind: 'pattern', pattern: said('pattern', 'the pattern') };
    case WORLD:
      return { kind: 'entity', entity: 'world' };
    case ENTITY:
      return { kind: 'entity', entity: said('entity', 'the part') };
    default:
      return { kind: 'anyone' };
  }
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

const PORTS: Field = {
  name: 'ports',
  label: 'Ports',
  value: '',
  hint: '80, 8000-8080/TCP, http, 53/ANY; empty for every port',
};

interface Where {
  readonly rule: Path;
  readonly direction: Direction;
  readonly group: Group;
  readonly namespace: string;
}

export function entryForm({ rule, direction, group, namespace }: Where): Form {
  const what: Field = { name: 'what', label: 'What', value: 'allow', options: ['allow', 'deny'] };
  return {
    title: direction === 'ingress' ? 'Who may come in' : 'Whom they may reach',
    fields: [...peerFields(group, namespace), PORTS, what],
    edit: (values) => ({
      do: 'add-entry',
      rule,
      direction,
      isDeny: values['what'] === 'deny',
      peer: peerOf(values),
      ports: parsePorts(values['ports'] ?? ''),
    }),
  };
}

/** @param at of the peer that is changed; undefined for one more */
export function peerForm(
  entry: Path,
  { group, namespace }: Pick<Where, 'group' | 'namespace'>,
  at?: { readonly path: Path; readonly peer: Peer },
): Form {
  return {
    title: at === undefined ? 'One more peer' : 'Change the peer',
    fields: peerFields(group, namespace, at?.peer),
    edit: (values) =>
      at === undefined
        ? { do: 'add-peer', entry, peer: peerOf(values) }
        : { do: 'set-peer', entry, path: at.path, peer: peerOf(values) },
  };
}

export function subjectForm(rule: Path, selector: Fields): Form {
  return {
    title: 'The pods that the policy is about',
    fields: [{ name: 'labels', label: 'Labels', value: selectorText(selector), hint: LABELS }],
    edit: (values) => ({ do: 'select', rule, selector: parseSelector(values['labels'] ?? '') }),
  };
}

/** @param ports with which it shares its requests; undefined for a port of its own */
export function portForm(entry: Path, ports: Path | undefined): Form {
  return {
    title: 'One more port',
    fields: [{ ...PORTS, label: 'Port', hint: '80, 8000-8080/TCP, http, 53/ANY' }],
    edit: (values) => {
      const [port, ...others] = parsePorts(values['ports'] ?? '');
      if ((port as typeof port | undefined) === undefined || others.length > 0)
        throw new Unsayable('one port is wanted');
      return { do: 'add-port', entry, ports, port };
    },
  };
}

export function icmpForm({ path }: Pick<DrawnEntry, 'path'>): Form {
  return {
    title: 'A type of ICMP',
    fields: [
      { name: 'family', label: 'Family', value: 'IPv4', options: ['IPv4', 'IPv6'] },
      { name: 'type', label: 'Type', value: 'EchoRequest', hint: 'EchoRequest, or a number' },
    ],
    edit: ({ family, type }) => {
      if ((type ?? '').trim() === '') throw new Unsayable('the type is missing');
      return { do: 'add-icmp', entry: path, family: family ?? 'IPv4', type: (type ?? '').trim() };
    },
  };
}

export function serverNamesForm(ports: Path, names: readonly string[]): Form {
  return {
    title: 'Names of the TLS hello',
    fields: [
      { name: 'names', label: 'Names', value: names.join(', '), hint: '*.example.com, with commas; empty for any' },
    ],
    edit: (values) => ({ do: 'server-names', ports, names: wordsOf(values['names'] ?? '') }),
  };
}

const REQUEST_FIELDS: Readonly<Record<Parser, readonly Omit<Field, 'value'>[]>> = {
  http: [
    { name: 'method', label: 'Method', hint: 'a pattern: GET|HEAD; empty for any' },
    { name: 'path', label: 'Path', hint: 'a pattern for the whole path: /public(/.*)?' },
    { name: 'host', label: 'Host', hint: 'a pattern' },
    { name: 'headers', label: 'Headers', hint: 'X-Key: value; a line each, or with | between two' },
  ],
  dns: [
    { name: 'matchName', label: 'Name', hint: 'example.com' },
    { name: 'matchPattern', label: 'or pattern', hint: '*.example.com; * for every name' },
  ],
  kafka: [
    { name: 'role', label: 'Role', options: ['', 'produce', 'consume'] },
    { name: 'topic', label: 'Topic' },
    { name: 'clientID', label: 'Client' },
    { name: 'apiKey', label: 'API key', hint: 'instead of a role' },
    { name: 'apiVersion', label: 'API version' },
  ],
};

/** @param at of the request that is changed; undefined for one more */
export function requestForm(ports: Path, parser: Parser, at?: { readonly path: Path; readonly fields: Fields }): Form {
  const known = at?.fields ?? {};
  const fields = REQUEST_FIELDS[parser].map((field) => ({ ...field, value: knownText(known, field.name) }));
  return {
    title: at === undefined ? 'Requests that pass' : 'Change the request',
    fields,
    edit: (values) => {
      // What the form does not know stays as it is.
      const others = without(known, ...REQUEST_FIELDS[parser].map(({ name }) => name));
      const said = fields
        .map(({ name }) => [name, (values[name] ?? '').trim()] as const)
        .filter(([, one]) => one !== '');
      const request = { ...Object.fromEntries(said.map(([name, text]) => [name, written(name, text)])), ...others };
      if (parser === 'dns' && said.length !== 1) throw new Unsayable('a name or a pattern is wanted, one of the two');
      return at === undefined
        ? { do: 'add-request', ports, parser, fields: request }
        : { do: 'set-request', path: at.path, fields: request };
    },
  };
}

function knownText(known: Fields, name: string): string {
  const value = fieldOf(known, name);
  return Array.isArray(value) ? itemsOf(value).map(textOf).join(' | ') : textOf(value);
}

function written(name: string, text: string): unknown {
  return name === 'headers' ? text.split(/\s*[|\n]\s*/).filter((one) => one !== '') : text;
}
