/**
 * Services with what stands behind them, kept up to date: pods, services, slices and addresses of the node go in one by one;
 * `flush()` says which services are others than before.
 *
 *     ServiceTable (services, slices) --touch--+
 *     setPod, removePod -----------------------+--> dirty services --flush--> endpoints -> frontends -> changes
 *     setNodeAddresses ------------------------+
 *
 * A change costs the services that it is about: a slice its one service, a pod those that select it, whatever else there is.
 * `steps` counts what was looked at.
 *
 * An address, port and protocol leads to one service. What was given out here (cluster addresses, node ports) comes before what a
 * document names (load balancer addresses, then externalIPs), or a Service could take another's calls by naming its address. Of
 * equals the one that had it first keeps it. The others are told, and the next of them has it as soon as it is free.
 *
 * Pure: no clock, no I/O. Who has which address and node port is asked of `assign`.
 */
import { MultiMap } from '../policy/rule/multi-map.ts';
import { PROTO_SCTP, PROTO_TCP, PROTO_UDP } from '../wire/protocols.ts';
import type { ServiceTable } from '../policy/service-table.ts';
import type { ServiceSpec } from '../policy/rule/service-spec.ts';
import { endpointsOf, type ServiceEndpoint } from './endpoints.ts';
import { type Assignment, type Frontend, type FrontendKind, frontendsOf } from './frontends.ts';
import { PodIndex, type ServicePod } from './pod-index.ts';

const PROTOCOLS = [PROTO_TCP, PROTO_UDP, PROTO_SCTP];

/** Who has more right to an address and port. */
const RANKS: Readonly<Record<FrontendKind, number>> = { ClusterIP: 2, NodePort: 2, LoadBalancer: 1, ExternalIPs: 0 };

/** A service as it is served. */
export interface ServiceState {
  readonly spec: ServiceSpec;
  readonly assignment: Assignment;
  readonly endpoints: readonly ServiceEndpoint[];
  readonly frontends: readonly Frontend[];
  /** Why it has fewer frontends than it asks for, one sentence each. */
  readonly problems: readonly string[];
}

/** A service that is another than before. */
export interface ServiceChange {
  readonly key: string;
  readonly before: ServiceState | undefined;
  readonly after: ServiceState | undefined;
}

export class ServiceBook {
  readonly #table: ServiceTable;
  readonly #nodeName: string;
  readonly #pods = new PodIndex();
  readonly #states = new Map<string, ServiceState>();
  readonly #dirty = new Set<string>();
  readonly #withNodePorts = new Set<string>();
  /** Who has a frontend, and who would have it. */
  readonly #owners = new Map<string, string>();
  readonly #waiting = new MultiMap<string, string>();
  readonly #waitsFor = new MultiMap<string, string>();
  #nodeAddresses: readonly string[] = [];
  #steps = 0;

  /** @param table the one place of services and slices; it is told of them before this book is flushed */
  constructor(table: ServiceTable, nodeName: string) {
    this.#table = table;
    this.#nodeName = nodeName;
  }

  /** Pods, endpoints and frontends looked at so far. */
  get steps(): number {
    return this.#steps + this.#pods.steps;
  }

  get size(): number {
    return this.#states.size;
  }

  setPod(pod: ServicePod): void {
    for (const key of this.#pods.setPod(pod)) this.#dirty.add(key);
  }

  removePod(pod: { readonly namespace: string; readonly name: string }): void {
    for (const key of this.#pods.removePod(pod)) this.#dirty.add(key);
  }

  /** Addresses of this node, on which node ports are served. */
  setNodeAddresses(addresses: readonly string[]): void {
    if (addresses.join() === this.#nodeAddresses.join()) return;
    this.#nodeAddresses = addresses;
    for (const key of this.#withNodePorts) this.#dirty.add(key);
  }

  get nodeAddresses(): readonly string[] {
    return this.#nodeAddresses;
  }

  /** The service as it was at the last flush. */
  get(key: string): ServiceState | undefined {
    return this.#states.get(key);
  }

  /** Who has an address and port, of the protocol that comes first. */
  ownerOf(address: string, port: number): ServiceState | undefined {
    for (const protocol of PROTOCOLS) {
      const owner = this.#owners.get(claimOf({ address, port, protocol }));
      if (owner !== undefined) return this.#states.get(owner);
    }
    return undefined;
  }

  entries(): IterableIterator<[key: string, state: ServiceState]> {
    return this.#states.entries();
  }

  /** Keys of services to be looked at by the next flush; services that are gone among them. */
  takeTouched(): readonly string[] {
    for (const key of this.#table.takeTouched()) {
      const spec = this.#table.get(key);
      if (spec === undefined) this.#pods.removeService(key);
      else this.#pods.setService(spec);
      this.#dirty.add(key);
    }
    return [...this.#dirty];
  }

  /**
   * Looks at what was touched.
   * @param assign what the service has been given
   */
  flush(assign: (spec: ServiceSpec) => Assignment): ServiceChange[] {
    this.takeTouched();
    const before = new Map<string, ServiceState | undefined>();
    // A service that gives a frontend up makes the one that waits for it dirty: it comes last, and perhaps again.
    for (const key of this.#dirty) {
      this.#dirty.delete(key);
      if (!before.has(key)) before.set(key, this.#states.get(key));
      this.#refresh(key, this.#table.get(key), assign);
    }
    return [...before].flatMap(([key, was]) => {
      const after = this.#states.get(key);
      return was === undefined && after === undefined ? [] : [{ key, before: was, after }];
    });
  }

  #refresh(key: string, spec: ServiceSpec | undefined, assign: (spec: ServiceSpec) => Assignment): void {
    if (spec === undefined) {
      this.#claim(key, []);
      this.#states.delete(key);
      this.#withNodePorts.delete(key);
      return;
    }
    const assignment = assign(spec);
    const pods = this.#pods.podsOf(spec);
    const endpoints = endpointsOf(spec, { pods, slices: this.#table.slicesOf(key), nodeName: this.#nodeName });
    const wanted = frontendsOf(spec, { assignment, endpoints, nodeAddresses: this.#nodeAddresses });
    this.#steps += 1 + endpoints.length + wanted.reduce((sum, { backends }) => sum + backends.length, wanted.length);
    if (assignment.nodePorts.some((port) => port !== 0)) this.#withNodePorts.add(key);
    else this.#withNodePorts.delete(key);
    const refused = this.#claim(key, wanted);
    const frontends = wanted.filter((frontend) => !refused.has(claimOf(frontend)));
    const problems = [...refused].map(([claim, owner]) => `found ${claim}, which ${owner} has`);
    this.#states.set(key, { spec, assignment, endpoints, frontends, problems });
  }

  /** Takes the frontends, and gives up those that are not among them. @returns those that others have, with their owners */
  #claim(key: string, wanted: readonly Frontend[]): Map<string, string> {
    const claims = ranksOf(wanted);
    for (const claim of (this.#states.get(key)?.frontends ?? []).map(claimOf)) {
      if (!claims.has(claim) && this.#owners.get(claim) === key) this.#giveUp(claim);
    }
    for (const claim of [...this.#waitsFor.get(key)]) this.#waitNoMore(key, claim);
    const refused = new Map<string, string>();
    for (const [claim, rank] of claims) {
      const owner = this.#owners.get(claim) ?? key;
      const isMine = owner === key || this.#rankOf(owner, claim) < rank;
      if (isMine) this.#take(claim, key);
      if (isMine) continue;
      refused.set(claim, owner);
      this.#waiting.add(claim, key);
      this.#waitsFor.add(key, claim);
    }
    return refused;
  }

  #take(claim: string, key: string): void {
    const before = this.#owners.get(claim) ?? key;
    this.#owners.set(claim, key);
    if (before === key) return;
    for (const told of [before, ...this.#waiting.get(claim)]) this.#dirty.add(told);
  }

  #rankOf(owner: string, claim: string): number {
    return ranksOf(this.#states.get(owner)?.frontends ?? []).get(claim) ?? 0;
  }

  #giveUp(claim: string): void {
    this.#owners.delete(claim);
    for (const next of this.#waiting.get(claim)) this.#dirty.add(next);
  }

  #waitNoMore(key: string, claim: string): void {
    this.#waitsFor.remove(key, claim);
    this.#waiting.remove(claim, key);
  }
}

/** The claims of frontends, each with the best right to it. */
function ranksOf(frontends: readonly Frontend[]): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const frontend of frontends) {
    const claim = claimOf(frontend);
    ranks.set(claim, Math.max(ranks.get(claim) ?? 0, RANKS[frontend.kind]));
  }
  return ranks;
}

/** What one service alone may have. */
function claimOf({ address, port, protocol }: Pick<Frontend, 'address' | 'port' | 'protocol'>): string {
  return `${address} port ${port} (protocol ${protocol})`;
}
