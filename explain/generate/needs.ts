/** What each group of pods needs: connections that passed, seen from the pods whose policies are made. */
import { type Direction, EGRESS, INGRESS } from '../../wire/direction.ts';
import type { PolicyOptions } from '../../policy/rule/options.ts';
import { type Connection, hasPassed } from '../flows/recording.ts';
import type { Party } from '../flows/party.ts';
import type { Group, Groups, PodParty } from './groups.ts';
import { chosenNames } from './names.ts';
import { ANY_NAME, type L7Mode } from './requests.ts';
import type { Need, Peer } from './rules.ts';

/** How the outside is named: by DNS names where they are known, by addresses, or not at all. */
export type Outside = 'names' | 'addresses' | 'world';

export interface NeedOptions {
  readonly outside: Outside;
  readonly directions: readonly Direction[];
  /** Namespaces whose pods get policies; empty = all. */
  readonly namespaces: readonly string[];
  /** Connections that were dropped are wanted too. */
  readonly includeDenied: boolean;
  readonly l7: L7Mode;
}

export interface Subject {
  readonly group: Group;
  /** By direction. */
  readonly needs: ReadonlyMap<Direction, readonly Need[]>;
  readonly notes: readonly string[];
  /** As flows call them. */
  readonly texts: readonly string[];
}

export interface Needs {
  readonly subjects: readonly Subject[];
  /** What was left out, and how many flows that are, by the reason. */
  readonly left: ReadonlyMap<string, number>;
}

const DNS_PORT = 53;

interface Draft {
  readonly group: Group;
  readonly texts: Set<string>;
  readonly notes: Set<string>;
  readonly sides: Map<Direction, Connection[]>;
}

export class NeedFinder {
  readonly #groups: Groups;
  readonly #policy: PolicyOptions;
  readonly #options: NeedOptions;
  readonly #left = new Map<string, number>();
  readonly #drafts = new Map<string, Draft>();

  constructor(groups: Groups, policy: PolicyOptions, options: NeedOptions) {
    this.#groups = groups;
    this.#policy = policy;
    this.#options = options;
  }

  find(connections: readonly Connection[]): Needs {
    const locals = this.#localGroups(connections);
    const isLocal = (party: Party): boolean => party.kind === 'pod' && locals.has(this.#groups.of(party).key);
    for (const connection of connections) {
      if (!this.#options.includeDenied && !hasPassed(connection)) {
        this.#leave('dropped by policy', connection.flows);
        continue;
      }
      this.#take(connection, { end: connection.from, isLocal: isLocal(connection.from), direction: EGRESS });
      this.#take(connection, { end: connection.to, isLocal: isLocal(connection.to), direction: INGRESS });
    }
    const subjects = [...this.#drafts.values()].sort((a, b) => (a.group.key < b.group.key ? -1 : 1));
    return { subjects: subjects.map((draft) => this.#finished(draft)), left: this.#left };
  }

  /** Groups of which a pod is here, so that its own policy saw its traffic. A policy is for all pods of its group. */
  #localGroups(connections: readonly Connection[]): Set<string> {
    const locals = new Set<string>();
    for (const { from, to, isFromLocal, isToLocal } of connections) {
      if (isFromLocal && from.kind === 'pod') locals.add(this.#groups.of(from).key);
      if (isToLocal && to.kind === 'pod') locals.add(this.#groups.of(to).key);
    }
    return locals;
  }

  #leave(reason: string, flows: number): void {
    this.#left.set(reason, (this.#left.get(reason) ?? 0) + flows);
  }

  /** Notes the connection with one of its ends, if that end gets a policy. */
  #take(connection: Connection, side: { end: Party; isLocal: boolean; direction: Direction }): void {
    const { end, isLocal, direction } = side;
    const { namespaces, directions } = this.#options;
    if (end.kind !== 'pod') return;
    if (namespaces.length > 0 && !namespaces.includes(end.namespace)) return;
    // Of a pod that is elsewhere only this half of its traffic was seen.
    if (!isLocal) {
      this.#leave(`of pods elsewhere, such as ${end.text}, which get no policy`, connection.flows);
      return;
    }
    const draft = this.#draft(end);
    if (directions.includes(direction)) draft.sides.get(direction)?.push(connection);
  }

  #draft(end: PodParty): Draft {
    const group = this.#groups.of(end);
    let draft = this.#drafts.get(group.key);
    if (draft === undefined) {
      const sides = new Map(this.#options.directions.map((direction) => [direction, [] as Connection[]]));
      draft = { group, texts: new Set(), notes: new Set(), sides };
      this.#drafts.set(group.key, draft);
    }
    draft.texts.add(end.text);
    return draft;
  }

  #finished({ group, texts, notes, sides }: Draft): Subject {
    const needs = new Map<Direction, readonly Need[]>();
    for (const [direction, connections] of sides) {
      const found = new Map<string, Need>();
      const names = direction === EGRESS ? this.#namesFor(connections, notes) : new Map<string, string>();
      for (const connection of connections) {
        const remote = direction === EGRESS ? connection.to : connection.from;
        const peer = this.#peerOf(remote, direction, { names, notes });
        if (peer !== undefined) addNeed(found, peer, connection);
      }
      if (names.size > 0) this.#letAsk([...found.values()], new Set(names.values()), notes);
      needs.set(direction, withoutKubeApiserver(found, notes));
    }
    if (group.left.length > 0 && Object.keys(group.selector).length === 0)
      notes.add('pods without labels of their own: every pod of the namespace, those to come among them');
    return { group, needs, notes: [...notes].sort(), texts: [...texts].sort() };
  }

  #peerOf(
    remote: Party,
    direction: Direction,
    { names, notes }: { names: ReadonlyMap<string, string>; notes: Set<string> },
  ): Peer | undefined {
    if (remote.kind === 'pod') {
      const { namespace, selector } = this.#groups.of(remote);
      return { kind: 'pods', namespace, selector };
    }
    if (remote.kind === 'entity') {
      const isOpen = direction === INGRESS && remote.entity === 'host' && this.#policy['allow-localhost'] !== 'policy';
      if (isOpen) notes.add('the local host reaches its pods without a rule');
      return isOpen ? undefined : { kind: 'entity', entity: remote.entity };
    }
    if (this.#options.outside === 'world') {
      notes.add('the whole outside world, not the addresses that were seen');
      return { kind: 'entity', entity: 'world' };
    }
    const name = names.get(remote.address);
    if (name === undefined)
      return { kind: 'cidr', cidr: `${remote.address}/${remote.address.includes(':') ? 128 : 32}` };
    notes.add('names of the outside stand for every address that they lead to');
    return { kind: 'fqdn', name };
  }

  /** A name for each address outside. Names are learnt from DNS, so there must be somebody to ask. */
  #namesFor(connections: readonly Connection[], notes: Set<string>): ReadonlyMap<string, string> {
    if (this.#options.outside !== 'names') return new Map();
    const namesOf = new Map<string, Set<string>>();
    const asked = new Set<string>();
    let canAsk = false;
    for (const { to, names, port, request } of connections) {
      canAsk ||= isDns({ port, requests: request === undefined ? [] : [request] });
      if (request?.dns !== undefined) asked.add(request.dns.query);
      if (to.kind !== 'address' || names.size === 0) continue;
      const known = namesOf.get(to.address) ?? new Set<string>();
      namesOf.set(to.address, known);
      for (const name of names) known.add(name);
    }
    if (canAsk || namesOf.size === 0) return canAsk ? chosenNames(namesOf, asked) : new Map();
    notes.add(
      'names of the outside are known and cannot be used, since no DNS server was asked: addresses stand in their place',
    );
    return new Map();
  }

  /** Names that rules are about must be asked for, and the answer be read: of the DNS servers that were asked, one does. */
  #letAsk(needs: readonly Need[], names: ReadonlySet<string>, notes: Set<string>): void {
    const servers = needs.filter(isDns).sort((a, b) => b.protocol - a.protocol);
    const asking = servers.find(({ requests }) => requests.length > 0) ?? servers.at(0);
    if (asking === undefined) return;
    const asked = new Set(servers.flatMap(({ requests }) => requests.flatMap(({ dns }) => dns?.query ?? [])));
    if (asked.size === 0 || this.#options.l7 === 'off') {
      notes.add('every DNS name may be asked for');
      asking.requests.push({ dns: { query: ANY_NAME } });
      return;
    }
    const unasked = [...names].filter((name) => !asked.has(name)).sort();
    if (unasked.length > 0) notes.add('names of the outside that were known before the recording may be asked for');
    for (const query of unasked) asking.requests.push({ dns: { query } });
  }
}

/** Was a DNS server talked to? */
function isDns({ port, requests }: Pick<Need, 'port' | 'requests'>): boolean {
  return port === DNS_PORT || requests.some(({ dns }) => dns !== undefined);
}

/** The API server is a remote node too, so that what is allowed to remote nodes is allowed to it. */
function withoutKubeApiserver(found: ReadonlyMap<string, Need>, notes: Set<string>): Need[] {
  const keyOf = (entity: string, { protocol, port }: Need): string =>
    needKey({ kind: 'entity', entity }, protocol, port);
  const isOf = ({ peer }: Need, entity: string): boolean => peer.kind === 'entity' && peer.entity === entity;
  const needs = [...found.values()];
  if (needs.some((need) => isOf(need, 'remote-node'))) notes.add('every other node, and the API server with them');
  return needs.filter((need) => {
    const wider = isOf(need, 'kube-apiserver') ? found.get(keyOf('remote-node', need)) : undefined;
    wider?.requests.push(...need.requests);
    return wider === undefined;
  });
}

function needKey(peer: Peer, protocol: number, port: number): string {
  return `${JSON.stringify(peer)} ${protocol}/${port}`;
}

function addNeed(found: Map<string, Need>, peer: Peer, { protocol, port, request, flows }: Connection): void {
  const key = needKey(peer, protocol, port);
  let need = found.get(key);
  if (need === undefined) {
    need = { peer, protocol, port, requests: [], flows: 0 };
    found.set(key, need);
  }
  need.flows += flows;
  if (request !== undefined) need.requests.push(request);
}
