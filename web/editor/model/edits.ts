/**
 * What a person does to the drawing, as changes of the document's value; writing.ts puts them into the text.
 *
 * Nothing becomes wider by taking something away:
 *   1. The last peer takes its entry with it, for an entry that names nobody is about everyone.
 *   2. The last port, the last request and the last ICMP type stay: that every port or request is allowed is said by an edit of its own.
 *   3. A direction whose last entry goes stays as closed as it was.
 *
 * What the kind of the policy cannot say is refused with a sentence.
 */
import { ANNOTATIONS } from '../../../policy/document/annotations.ts';
import { type Direction, isClosedByCilium, isClosedByKubernetes, kindOf, type Parser, type Port } from './drawing.ts';
import { ciliumPeer, kubernetesPeer, MEMBERS, type Peer, type Selector } from './peers.ts';
import { fieldOf, type Fields, fieldsOf, isSame, itemsOf, type Path, valueAt, withValueAt, without } from './values.ts';

export type Edit =
  | { readonly do: 'name' | 'namespace'; readonly text: string }
  | { readonly do: 'audit'; readonly isOn: boolean }
  | { readonly do: 'select'; readonly rule: Path; readonly selector: Selector }
  | { readonly do: 'default-deny'; readonly rule: Path; readonly direction: Direction; readonly isOn: boolean }
  | {
      readonly do: 'add-entry';
      readonly rule: Path;
      readonly direction: Direction;
      readonly isDeny: boolean;
      readonly peer: Peer;
      readonly ports: readonly Port[];
    }
  | { readonly do: 'remove-entry' | 'turn-entry' | 'every-port'; readonly entry: Path }
  | { readonly do: 'add-peer'; readonly entry: Path; readonly peer: Peer }
  | { readonly do: 'set-peer'; readonly entry: Path; readonly path: Path; readonly peer: Peer }
  | { readonly do: 'remove-peer'; readonly entry: Path; readonly path: Path }
  /** @property ports with which it shares requests; none = ports of their own */
  | { readonly do: 'add-port'; readonly entry: Path; readonly ports: Path | undefined; readonly port: Port }
  | { readonly do: 'set-port'; readonly path: Path; readonly port: Port }
  | { readonly do: 'remove-port'; readonly path: Path }
  | { readonly do: 'add-request'; readonly ports: Path; readonly parser: Parser; readonly fields: Fields }
  | { readonly do: 'set-request'; readonly path: Path; readonly fields: Fields }
  | { readonly do: 'remove-request'; readonly path: Path }
  | { readonly do: 'every-request'; readonly ports: Path }
  | { readonly do: 'server-names'; readonly ports: Path; readonly names: readonly string[] }
  | { readonly do: 'add-icmp'; readonly entry: Path; readonly family: string; readonly type: string }
  | { readonly do: 'remove-icmp'; readonly path: Path };

/** Why an edit cannot be made, as a sentence for a person. */
export class Unsayable extends Error {}

/** @throws Unsayable */
export function edited(value: unknown, edit: Edit): unknown {
  const isKubernetes = kindOf(value) === 'NetworkPolicy';
  switch (edit.do) {
    case 'name':
    case 'namespace':
      return withValueAt(value, ['metadata', edit.do], () => (edit.text === '' ? undefined : edit.text));
    case 'audit':
      return audited(value, edit.isOn);
    case 'select':
      return selecting(value, edit.rule, edit.selector);
    case 'default-deny':
      return isKubernetes
        ? kubernetesDefault(value, edit.rule, edit.direction, edit.isOn)
        : ciliumDefault(value, edit.rule, edit.direction, edit.isOn);
    case 'add-entry':
      return withEntry(value, edit);
    case 'remove-entry':
      return withoutEntry(value, edit.entry);
    case 'turn-entry':
      return turned(value, edit.entry);
    case 'every-port':
      return withValueAt(value, edit.entry, (entry) => without(fieldsOf(entry), 'ports', 'toPorts', 'icmps'));
    case 'add-peer':
      return withPeer(value, edit.entry, edit.peer);
    case 'set-peer':
      return isSamePlace(value, edit.path, edit.peer)
        ? withValueAt(value, edit.path, () => written(value, edit.peer, edit.path))
        : withoutPeer(withPeer(value, edit.entry, edit.peer), edit.entry, edit.path);
    case 'remove-peer':
      return withoutPeer(value, edit.entry, edit.path);
    case 'add-port':
      return withPort(value, edit.entry, edit.ports, edit.port);
    case 'set-port':
      return withValueAt(value, edit.path, (old) => ({
        ...without(fieldsOf(old), 'port', 'endPort', 'protocol'),
        ...portFields(edit.port, isKubernetes),
      }));
    case 'remove-port':
      return withoutPort(value, edit.path);
    case 'add-request':
      return withRequest(value, edit.ports, edit.parser, edit.fields);
    case 'set-request':
      return withValueAt(value, edit.path, () => edit.fields);
    case 'remove-request':
      return withoutLast(value, edit.path, 'the last request stays, or every request would pass: let every one pass');
    case 'every-request':
      return withValueAt(value, edit.ports, (ports) => without(fieldsOf(ports), 'rules'));
    case 'server-names':
      return withValueAt(value, [...edit.ports, 'serverNames'], () =>
        edit.names.length === 0 ? undefined : edit.names,
      );
    case 'add-icmp':
      return withIcmp(value, edit.entry, edit.family, edit.type);
    case 'remove-icmp':
      return withoutLast(
        value,
        edit.path,
        'the last ICMP type stays, or every port would be meant: take the entry away',
      );
  }
}

function audited(value: unknown, isOn: boolean): unknown {
  const annotations = fieldsOf(valueAt(value, ['metadata', 'annotations']));
  const rest = without(annotations, ANNOTATIONS.audit);
  const next = isOn ? { ...annotations, [ANNOTATIONS.audit]: 'true' } : rest;
  return withValueAt(value, ['metadata', 'annotations'], () => (Object.keys(next).length === 0 ? undefined : next));
}

function selecting(value: unknown, rule: Path, selector: Selector): unknown {
  const spec = fieldsOf(valueAt(value, rule));
  const field =
    kindOf(value) === 'NetworkPolicy' ? 'podSelector' : 'nodeSelector' in spec ? 'nodeSelector' : 'endpointSelector';
  return withValueAt(value, [...rule, field], () => selector);
}

function kubernetesDefault(value: unknown, rule: Path, direction: Direction, isOn: boolean): unknown {
  const spec = valueAt(value, rule);
  if (isClosedByKubernetes(spec, direction) === isOn) return value;
  if (!isOn && itemsOf(fieldOf(spec, direction)).length > 0)
    throw new Unsayable(
      'a NetworkPolicy closes a direction that it has entries for: take them away, or make it a CiliumNetworkPolicy',
    );
  const closed = (['ingress', 'egress'] as const).filter((one) =>
    one === direction ? isOn : isClosedByKubernetes(spec, one),
  );
  if (closed.length === 0) throw new Unsayable('a NetworkPolicy that closes no direction closes ingress');
  return withTypes(value, rule, closed);
}

const TYPES = { ingress: 'Ingress', egress: 'Egress' } as const;

function withTypes(value: unknown, rule: Path, closed: readonly Direction[]): unknown {
  return withValueAt(value, [...rule, 'policyTypes'], () => closed.map((one) => TYPES[one]));
}

/** An entry that says nothing: it closes its direction, and allows nobody. */
function isPlaceholder(entry: unknown): boolean {
  return isSame(entry, {});
}

function ciliumDefault(value: unknown, rule: Path, direction: Direction, isOn: boolean): unknown {
  const spec = fieldsOf(valueAt(value, rule));
  if (isClosedByCilium(spec, direction) === isOn) return value;
  const deny = itemsOf(spec[`${direction}Deny`]);
  const entries = itemsOf(spec[direction]);
  if (isOn) {
    const placed = withValueAt(value, [...rule, direction], (old) => (entries.length + deny.length === 0 ? [{}] : old));
    return withoutFlag(placed, rule, direction);
  }
  const isAlone = entries.every((entry) => isPlaceholder(entry)) && deny.length === 0;
  const others = direction === 'ingress' ? ['egress', 'egressDeny'] : ['ingress', 'ingressDeny'];
  if (isAlone && others.some((list) => itemsOf(spec[list]).length > 0))
    return withValueAt(value, [...rule, direction], () => undefined);
  return withValueAt(value, [...rule, 'enableDefaultDeny', direction], () => false);
}

function withoutFlag(value: unknown, rule: Path, direction: Direction): unknown {
  const flags = fieldsOf(valueAt(value, [...rule, 'enableDefaultDeny']));
  if (!(direction in flags)) return value;
  const rest = without(flags, direction);
  return withValueAt(value, [...rule, 'enableDefaultDeny'], () => (Object.keys(rest).length === 0 ? undefined : rest));
}

function withEntry(value: unknown, edit: Extract<Edit, { do: 'add-entry' }>): unknown {
  const { rule, direction, isDeny, peer, ports } = edit;
  const isKubernetes = kindOf(value) === 'NetworkPolicy';
  if (isDeny && isKubernetes) throw new Unsayable('a NetworkPolicy cannot deny: make it a CiliumNetworkPolicy');
  const entry = isKubernetes ? kubernetesEntry(direction, peer, ports) : ciliumEntry(direction, peer, ports);
  if (isDeny) refuseNamesInDenial(direction, entry);
  const list = isDeny ? `${direction}Deny` : direction;
  const isClosed = isKubernetes
    ? isClosedByKubernetes(valueAt(value, rule), 'ingress')
    : isClosedByCilium(valueAt(value, rule), direction);
  const added = withValueAt(value, [...rule, list], (old) => [
    ...itemsOf(old).filter((one) => isKubernetes || !isPlaceholder(one)),
    entry,
  ]);
  return isKubernetes ? typesKept(added, rule, direction, isClosed) : added;
}

/** Types that were left to be inferred are said before an entry would change them. */
function typesKept(value: unknown, rule: Path, direction: Direction, wasIngressClosed: boolean): unknown {
  const types = itemsOf(valueAt(value, [...rule, 'policyTypes']));
  const type = TYPES[direction];
  if (types.includes(type) || (types.length === 0 && (direction === 'ingress' || wasIngressClosed))) return value;
  return withValueAt(value, [...rule, 'policyTypes'], () => [...types, type]);
}

function kubernetesEntry(direction: Direction, peer: Peer, ports: readonly Port[]): Fields {
  return {
    ...(peer.kind !== 'anyone' && { [direction === 'ingress' ? 'from' : 'to']: [kubernetesWritten(peer)] }),
    ...(ports.length > 0 && { ports: ports.map((port) => portFields(port, true)) }),
  };
}

function kubernetesWritten(peer: Peer): Fields {
  const written = kubernetesPeer(peer);
  if (written === undefined)
    throw new Unsayable('a NetworkPolicy knows pods and prefixes only: make it a CiliumNetworkPolicy');
  return written;
}

function ciliumEntry(direction: Direction, peer: Peer, ports: readonly Port[]): Fields {
  const { member, value } = ciliumWritten(peer, direction);
  const toPorts = [{ ports: ports.map((port) => portFields(port, false)) }];
  return { [prefixOf(direction) + member]: [value], ...(ports.length > 0 && { toPorts }) };
}

function prefixOf(direction: Direction): 'from' | 'to' {
  return direction === 'ingress' ? 'from' : 'to';
}

function ciliumWritten(peer: Peer, direction: Direction): NonNullable<ReturnType<typeof ciliumPeer>> {
  const written = ciliumPeer(peer);
  if (written === undefined) throw new Unsayable('this peer can be changed in the text only');
  const isOutwards = written.member === 'FQDNs' || written.member === 'Services';
  if (isOutwards && direction === 'ingress')
    throw new Unsayable(
      'DNS names and Services are destinations only: a source is known by pods, entities or prefixes',
    );
  return written;
}

function refuseNamesInDenial(direction: Direction, entry: unknown): void {
  if (direction === 'egress' && fieldOf(entry, 'toFQDNs') !== undefined)
    throw new Unsayable('DNS names cannot be denied');
}

/** The list that an entry stands in, and its rule. */
function placeOfEntry(entry: Path): { rule: Path; list: string; direction: Direction; index: number } {
  const list = String(entry[entry.length - 2]);
  const direction = list.startsWith('ingress') ? 'ingress' : 'egress';
  return { rule: entry.slice(0, -2), list, direction, index: Number(entry[entry.length - 1]) };
}

function withoutEntry(value: unknown, entry: Path): unknown {
  const { rule, list, direction } = placeOfEntry(entry);
  const before = valueAt(value, rule);
  const removed = withValueAt(value, entry, () => undefined);
  if (itemsOf(valueAt(removed, [...rule, list])).length > 0) return removed;
  const emptied = withValueAt(removed, [...rule, list], () => undefined);
  if (kindOf(value) === 'NetworkPolicy') {
    const closed = (['ingress', 'egress'] as const).filter((one) => isClosedByKubernetes(before, one));
    const same = closed.every((one) => isClosedByKubernetes(valueAt(emptied, rule), one));
    return same ? emptied : withTypes(emptied, rule, closed);
  }
  const left = fieldsOf(valueAt(emptied, rule));
  const rest = itemsOf(left[direction]).length + itemsOf(left[`${direction}Deny`]).length;
  return rest > 0 ? emptied : withValueAt(emptied, [...rule, direction], () => [{}]);
}

const OF_REQUESTS = ['rules', 'serverNames', 'terminatingTLS', 'originatingTLS', 'listener'];

function turned(value: unknown, path: Path): unknown {
  if (kindOf(value) === 'NetworkPolicy')
    throw new Unsayable('a NetworkPolicy cannot deny: make it a CiliumNetworkPolicy');
  const { rule, list, direction } = placeOfEntry(path);
  const entry = fieldsOf(valueAt(value, path));
  const isDeny = list.endsWith('Deny');
  const ports = itemsOf(entry['toPorts']);
  if (
    !isDeny &&
    (entry['authentication'] !== undefined || ports.some((one) => OF_REQUESTS.some((key) => key in fieldsOf(one))))
  )
    throw new Unsayable(
      'a denial is of ports: let every request pass first, and take server names and authentication away',
    );
  if (!isDeny) refuseNamesInDenial(direction, entry);
  const other = isDeny ? direction : `${direction}Deny`;
  const moved = withValueAt(value, [...rule, other], (old) => [
    ...itemsOf(old).filter((one) => !isPlaceholder(one)),
    entry,
  ]);
  const removed = withValueAt(moved, path, () => undefined);
  return itemsOf(valueAt(removed, [...rule, list])).length > 0
    ? removed
    : withValueAt(removed, [...rule, list], () => undefined);
}

/** What stands at the path of a peer for it. */
function written(value: unknown, peer: Peer, path: Path): unknown {
  if (kindOf(value) === 'NetworkPolicy') return kubernetesWritten(peer);
  return ciliumWritten(peer, placeOfEntry(path.slice(0, -2)).direction).value;
}

/** Whether a peer can stand where another does; a path without a list is that of an entry that names nobody. */
function isSamePlace(value: unknown, path: Path, peer: Peer): boolean {
  if (typeof path[path.length - 2] !== 'string' || peer.kind === 'anyone') return false;
  const list = String(path[path.length - 2]);
  if (kindOf(value) === 'NetworkPolicy') return list === 'from' || list === 'to';
  const member = ciliumPeer(peer)?.member;
  return member !== undefined && list.replace(/^(from|to)/, '') === member;
}

/** In the same entry where its kind allows, else in one of its own with the same ports. */
function withPeer(value: unknown, path: Path, peer: Peer): unknown {
  const { direction, list } = placeOfEntry(path);
  const entry = fieldsOf(valueAt(value, path));
  if (kindOf(value) === 'NetworkPolicy') {
    const member = prefixOf(direction);
    if (peer.kind === 'anyone') return afterEntry(value, path, without(entry, member));
    const one = kubernetesWritten(peer);
    return itemsOf(entry[member]).length > 0
      ? withValueAt(value, [...path, member], (old) => [...itemsOf(old), one])
      : afterEntry(value, path, { [member]: [one], ...without(entry, member) });
  }
  const { member, value: one } = ciliumWritten(peer, direction);
  const key = prefixOf(direction) + member;
  if (Array.isArray(entry[key])) return withValueAt(value, [...path, key], (old) => [...itemsOf(old), one]);
  const lists = MEMBERS.map((name) => prefixOf(direction) + name);
  const fresh = { [key]: [one], ...without(entry, ...lists) };
  if (list.endsWith('Deny')) refuseNamesInDenial(direction, fresh);
  return afterEntry(value, path, fresh);
}

function afterEntry(value: unknown, path: Path, entry: unknown): unknown {
  const at = Number(path[path.length - 1]);
  return withValueAt(value, path.slice(0, -1), (old) => itemsOf(old).toSpliced(at + 1, 0, entry));
}

function withoutPeer(value: unknown, entry: Path, path: Path): unknown {
  const peers = fieldsOf(valueAt(value, entry));
  const lists = ['from', 'to', ...MEMBERS.flatMap((member) => [`from${member}`, `to${member}`])];
  const count = lists.reduce((sum, list) => sum + itemsOf(peers[list]).length, 0);
  if (count <= 1 || isSame(entry, path)) return withoutEntry(value, entry);
  const list = path.slice(0, -1);
  const removed = withValueAt(value, path, () => undefined);
  return itemsOf(valueAt(removed, list)).length > 0 ? removed : withValueAt(removed, list, () => undefined);
}

/** @param isKubernetes numbers are numbers there, and text in a Cilium policy */
function portFields({ port, endPort, protocol }: Port, isKubernetes: boolean): Fields {
  const isNumber = /^\d+$/.test(port);
  if (isKubernetes && !['TCP', 'UDP', 'SCTP'].includes(protocol))
    throw new Unsayable(`a NetworkPolicy knows TCP, UDP and SCTP, not ${protocol}`);
  const end = endPort !== undefined && isNumber && { endPort };
  if (isKubernetes) return { protocol, ...(port !== '' && { port: isNumber ? Number(port) : port }), ...end };
  return { port: port === '' ? '0' : port, ...end, protocol };
}

function withPort(value: unknown, entry: Path, ports: Path | undefined, port: Port): unknown {
  const isKubernetes = kindOf(value) === 'NetworkPolicy';
  const fields = portFields(port, isKubernetes);
  const add = (old: unknown): unknown => [...itemsOf(old), fields];
  if (isKubernetes) return withValueAt(value, [...entry, 'ports'], add);
  if (itemsOf(valueAt(value, [...entry, 'icmps'])).length > 0)
    throw new Unsayable('an entry has ports or ICMP types: make another entry for the port');
  if (ports !== undefined) return withValueAt(value, [...ports, 'ports'], add);
  return withValueAt(value, [...entry, 'toPorts'], (old) => [...itemsOf(old), { ports: [fields] }]);
}

const LAST_PORT = 'the last port stays, or every port would be meant: allow every port, or take the entry away';

function withoutPort(value: unknown, path: Path): unknown {
  const list = path.slice(0, -1);
  if (itemsOf(valueAt(value, list)).length > 1) return withValueAt(value, path, () => undefined);
  // toPorts, n, ports, i: the ports of one rule of several go with it.
  const rule = path.slice(0, -2);
  const isOneOfSeveral = rule[rule.length - 2] === 'toPorts' && itemsOf(valueAt(value, rule.slice(0, -1))).length > 1;
  if (isOneOfSeveral) return withValueAt(value, rule, () => undefined);
  throw new Unsayable(LAST_PORT);
}

function withoutLast(value: unknown, path: Path, sentence: string): unknown {
  if (itemsOf(valueAt(value, path.slice(0, -1))).length <= 1) throw new Unsayable(sentence);
  return withValueAt(value, path, () => undefined);
}

function withRequest(value: unknown, ports: Path, parser: Parser, fields: Fields): unknown {
  if (kindOf(value) === 'NetworkPolicy')
    throw new Unsayable('a NetworkPolicy has no application rules: make it a CiliumNetworkPolicy');
  const { list } = placeOfEntry(ports.slice(0, -2));
  if (list.endsWith('Deny')) throw new Unsayable('a denial is of ports: it has no application rules');
  const others = Object.keys(fieldsOf(valueAt(value, [...ports, 'rules']))).filter((key) => key !== parser);
  if (others.length > 0)
    throw new Unsayable(`these ports have ${others[0]} rules already: ports have one kind of them`);
  return withValueAt(value, [...ports, 'rules', parser], (old) => [...itemsOf(old), fields]);
}

function withIcmp(value: unknown, entry: Path, family: string, type: string): unknown {
  if (kindOf(value) === 'NetworkPolicy')
    throw new Unsayable('a NetworkPolicy has no ICMP: make it a CiliumNetworkPolicy');
  if (itemsOf(valueAt(value, [...entry, 'toPorts'])).length > 0)
    throw new Unsayable('an entry has ports or ICMP types: make another entry for ICMP');
  const field = { family, type: /^\d+$/.test(type) ? Number(type) : type };
  return itemsOf(valueAt(value, [...entry, 'icmps'])).length > 0
    ? withValueAt(value, [...entry, 'icmps', 0, 'fields'], (old) => [...itemsOf(old), field])
    : withValueAt(value, [...entry, 'icmps'], () => [{ fields: [field] }]);
}
