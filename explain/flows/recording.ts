/**
 * Recorded flows as connections: who talked to whom, to which port, with which requests, and whether policies let them.
 *
 * A connection was *passed* when it was seen to pass its last judge, and *dropped* when one was seen to drop it. Between two pods there are
 * two judges, and both write a flow: egress of the source lets it out, then ingress of the destination drops it. So
 *
 *  1. what was let in has passed, whatever else was seen of it (policies change while flows are recorded);
 *  2. what was let out, and not seen to be dropped at the other end, has passed;
 *  3. all other connections were dropped.
 *
 * The order in which flows come makes no difference.
 */
import type { Endpoint } from '../../hubble/flow.ts';
import { NAMESPACE_LABELS, NAMESPACE_NAME, parseLabel } from '../../policy/rule/labels.ts';
import type { FlowQuery } from '../query.ts';
import type { Party } from './party.ts';
import {
  EGRESS_PASSED,
  INGRESS_DROPPED,
  INGRESS_PASSED,
  isName,
  type Request,
  type Silence,
  type SightedFlow,
  type Sighting,
  sightingOf,
} from './sighting.ts';

export interface Connection {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: number;
  /** Port of the destination, or the type of an ICMP message. */
  readonly port: number;
  readonly request: Request | undefined;
  /** How many flows tell of it. */
  flows: number;
  /** Bits of what was seen (explain/flows/sighting.ts). */
  seen: number;
  isAudited: boolean;
  isFromLocal: boolean;
  isToLocal: boolean;
  readonly names: Set<string>;
}

const MOST_CONNECTIONS = 262_144;
const MOST_NAMES = 65_536;
/** Of one name, as the agent keeps them. */
const MOST_ADDRESSES = 1000;

export class Recording {
  /** Flows that were read. */
  flows = 0;
  readonly #silent = new Map<Silence, number>();
  /** Addresses by DNS name, as flows tell them. */
  readonly names = new Map<string, Set<string>>();
  /** Labels by namespace. */
  readonly namespaces = new Map<string, Map<string, string>>();
  readonly #connections = new Map<string, Connection>();
  /** By key, under the first of the names that flows have for them. */
  readonly #parties = new Map<string, Party>();
  /** Ends whose labels were read: flows share them. */
  readonly #learnt = new WeakSet<Endpoint>();
  readonly #most: number;

  /** @param most connections that are told apart */
  constructor(most = MOST_CONNECTIONS) {
    this.#most = most;
  }

  /** Flows that say nothing of the policies of this cluster, by the reason. */
  get silent(): ReadonlyMap<string, number> {
    const cluster = this.clusterName();
    const others = [...this.#connections.values()].filter((one) => !isOf(cluster, one));
    const flows = others.reduce((sum, one) => sum + one.flows, 0);
    return flows === 0
      ? this.#silent
      : new Map<string, number>([...this.#silent, ['with a pod of another cluster', flows]]);
  }

  /**
   * In an order, and under names, that do not depend on the order of the flows. Those with pods of other clusters are left out: policies mean
   * pods of their own cluster, and these are not known to be the same elsewhere.
   */
  connections(): Connection[] {
    const cluster = this.clusterName();
    const own = [...this.#connections].filter(([, one]) => isOf(cluster, one));
    const sorted = own.sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, one]) => ({ ...one, from: this.#named(one.from), to: this.#named(one.to) }));
  }

  /** The cluster that most connections are of; '' when flows name none. */
  clusterName(): string {
    const counts = new Map<string, number>();
    for (const { from, to } of this.#connections.values()) {
      for (const party of [from, to])
        if (party.kind === 'pod') counts.set(party.cluster, (counts.get(party.cluster) ?? 0) + 1);
    }
    const [[name] = ['']] = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
    return name;
  }

  #named(party: Party): Party {
    return this.#parties.get(party.key) ?? party;
  }

  /** @param count how many flows there are that say the same */
  add(flow: SightedFlow, count = 1): void {
    this.flows += count;
    this.#learn(flow);
    const sighting = sightingOf(flow);
    if (typeof sighting === 'string') this.skip(sighting, count);
    else this.#note(sighting, count);
  }

  /** Counts flows that say nothing, without reading them. */
  skip(silence: Silence, count: number): void {
    this.#silent.set(silence, (this.#silent.get(silence) ?? 0) + count);
  }

  /** What flows say of names and namespaces, whatever became of them. */
  #learn(flow: SightedFlow): void {
    const { source, destination, source_names: from = [], destination_names: to = [], IP, l7 } = flow;
    for (const name of from) this.#learnName(name, IP?.source);
    for (const name of to) this.#learnName(name, IP?.destination);
    for (const ip of l7?.dns?.ips ?? []) this.#learnName(l7?.dns?.query ?? '', ip);
    this.#learnNamespace(source);
    this.#learnNamespace(destination);
  }

  #learnName(text: string, address: string | undefined): void {
    if (address === undefined || !isName(text)) return;
    const name = text.toLowerCase().replace(/\.$/, '');
    const known = this.names.get(name);
    if (known === undefined) {
      if (this.names.size < MOST_NAMES) this.names.set(name, new Set([address]));
    } else if (known.size < MOST_ADDRESSES) known.add(address);
  }

  #learnNamespace(end: Endpoint): void {
    if (this.#learnt.has(end)) return;
    this.#learnt.add(end);
    const { labels: texts = [] } = end;
    const prefix = `k8s:${NAMESPACE_LABELS}`;
    const name = texts.find((text) => text.startsWith(`${prefix}${NAMESPACE_NAME}=`))?.split('=')[1];
    if (name === undefined) return;
    const known = this.namespaces.get(name) ?? new Map<string, string>();
    this.namespaces.set(name, known);
    for (const text of texts) {
      if (!text.startsWith(prefix)) continue;
      const { key, value } = parseLabel(text, 'k8s');
      known.set(key.slice(NAMESPACE_LABELS.length), value);
    }
  }

  #note(sighting: Sighting, count: number): void {
    const { from, to, protocol, port, request } = sighting;
    const key = `${from.key} > ${to.key} ${protocol}/${port} ${request === undefined ? '' : JSON.stringify(request)}`;
    let known = this.#connections.get(key);
    if (known === undefined) {
      if (this.#connections.size === this.#most) {
        this.skip('of more connections than are told apart', count);
        return;
      }
      const fresh = { flows: 0, seen: 0, isAudited: false, isFromLocal: false, isToLocal: false };
      known = { from, to, protocol, port, request, ...fresh, names: new Set() };
      this.#connections.set(key, known);
    }
    for (const party of [from, to]) this.#noteParty(party);
    known.flows += count;
    known.seen |= sighting.seen;
    known.isAudited ||= sighting.isAudited;
    known.isFromLocal ||= sighting.isFromLocal;
    known.isToLocal ||= sighting.isToLocal;
    for (const name of sighting.names) known.names.add(name.toLowerCase().replace(/\.$/, ''));
  }

  #noteParty(party: Party): void {
    const known = this.#parties.get(party.key);
    if (known === party) return;
    if (known === undefined || nameOf(party) < nameOf(known)) this.#parties.set(party.key, party);
  }
}

function isOf(cluster: string, { from, to }: Connection): boolean {
  return [from, to].every((party) => party.kind !== 'pod' || party.cluster === cluster);
}

function nameOf({ text, workload, title }: Party): string {
  return `${workload} ${title} ${text}`;
}

/** Was the connection let through, by all that was seen of it? */
export function hasPassed({ seen }: Connection): boolean {
  if ((seen & INGRESS_PASSED) !== 0) return true;
  return (seen & EGRESS_PASSED) !== 0 && (seen & INGRESS_DROPPED) === 0;
}

/** The question that a judge is asked about a connection. */
export function queryOf({ from, to, protocol, port, request }: Connection): FlowQuery {
  return { id: null, from: from.end, to: to.end, protocol, port, ...request };
}
