/**
 * Names for numbers: what the flow decoder asks about identities, endpoints, addresses and cookies.
 *
 * Flows are decoded when somebody looks, which may be long after the event. So who has gone is remembered for a while:
 * the last DEPARTED identities, endpoints and addresses, the ones asked for longest ago forgotten first. A number or
 * address that is given out anew means its new owner from then on.
 */
import { type Direction, EGRESS } from '../../wire/direction.ts';
import { LRUCache } from 'lru-cache';
import type { Directory, EndpointEntry, PodEntry } from '../../hubble/decode/directory.ts';
import type { NetworkInterface, PolicyRef, Service } from '../../hubble/flow.ts';
import type { Changes, Cluster, EndpointChange } from '../../policy/cluster.ts';
import { RESERVED_IDENTITIES } from '../../policy/identity/identity.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';

const DEPARTED = 1024;

interface Present {
  readonly endpoints: ReadonlyMap<number, EndpointEntry>;
  readonly addresses: ReadonlyMap<string, PodEntry>;
}

/** Services by what stands in frames and records. */
interface ServiceNames {
  /** The service of an address and port. */
  at(ip: string, port: number): Service | undefined;
  /** The service of a frontend's id. */
  ofFrontend(id: number): Service | undefined;
}

/** DNS names that an endpoint was told for an address, a prefix of full length. */
type NamesOf = (endpoint: number, prefix: string) => readonly string[];

export class AgentDirectory implements Directory {
  readonly #cluster: Cluster;
  readonly #pods: ReadonlyMap<string, LocalPod>;
  readonly #services: ServiceNames;
  readonly #namesOf: NamesOf;
  #present: Present = { endpoints: new Map(), addresses: new Map() };
  #byPort: ReadonlyMap<number, string> = new Map();
  readonly #labels = new Map(RESERVED_IDENTITIES.map(({ id, labels }) => [id, labels]));
  readonly #goneLabels = new LRUCache<number, readonly string[]>({ max: DEPARTED });
  readonly #goneEndpoints = new LRUCache<number, EndpointEntry>({ max: DEPARTED });
  readonly #goneAddresses = new LRUCache<string, PodEntry>({ max: DEPARTED });
  /** What was last published, by endpoint id. */
  readonly published = new Map<number, EndpointChange>();

  constructor(cluster: Cluster, pods: ReadonlyMap<string, LocalPod>, services: ServiceNames, namesOf: NamesOf) {
    this.#services = services;
    this.#namesOf = namesOf;
    this.#cluster = cluster;
    this.#pods = pods;
  }

  /** Call when pods have come, gone or changed. @param ports index and interface of each port */
  refresh(ports: Iterable<readonly [number, string]>): void {
    const { endpoints, addresses } = this.#present;
    const now = { endpoints: new Map<number, EndpointEntry>(), addresses: new Map<string, PodEntry>() };
    for (const pod of this.#pods.values()) {
      const { endpointId, addresses: own } = pod.numbers;
      const change = this.published.get(endpointId);
      if (change !== undefined) {
        now.endpoints.set(endpointId, { ...podEntry(pod), labels: change.labels, identity: change.identity });
      }
      if (pod.plan.place !== 'external') for (const { text } of own) now.addresses.set(text, podEntry(pod));
    }
    for (const [id, entry] of endpoints) if (!now.endpoints.has(id)) this.#goneEndpoints.set(id, entry);
    for (const [text, entry] of addresses) if (!now.addresses.has(text)) this.#goneAddresses.set(text, entry);
    this.#present = now;
    this.#byPort = new Map(ports);
  }

  /** Takes the compiler's results: identities that came and went, endpoints as they are published from now on. */
  learn({ identities, endpoints, removedEndpoints }: Changes): void {
    for (const { id, labels } of identities.added) this.#labels.set(id, labels);
    for (const id of identities.removed) {
      const labels = this.#labels.get(id);
      if (labels !== undefined) this.#goneLabels.set(id, labels);
      this.#labels.delete(id);
    }
    for (const [id, change] of endpoints) this.published.set(id, change);
    for (const id of removedEndpoints) this.published.delete(id);
  }

  /** Identities in use, with their labels. */
  identities(): IterableIterator<[number, readonly string[]]> {
    return this.#labels.entries();
  }

  /** The rules that closed a direction of an endpoint, as a cookie; 0 when none did. */
  defaultDeny(endpoint: number, direction: Direction): number {
    const change = this.published.get(endpoint);
    return (direction === EGRESS ? change?.egress : change?.ingress)?.defaultDenyCookie ?? 0;
  }

  identityLabels(identity: number): readonly string[] | undefined {
    return this.#labels.get(identity) ?? this.#goneLabels.get(identity);
  }

  endpoint(id: number): EndpointEntry | undefined {
    return this.#present.endpoints.get(id) ?? this.#goneEndpoints.get(id);
  }

  pod(ip: string): PodEntry | undefined {
    return this.#present.addresses.get(ip) ?? this.#goneAddresses.get(ip);
  }

  names(ip: string, endpointId: number): readonly string[] {
    return this.#namesOf(endpointId, `${ip}/${ip.includes(':') ? 128 : 32}`);
  }

  service(ip: string, port: number): Service | undefined {
    return this.#services.at(ip, port);
  }

  frontend(id: number): Service | undefined {
    return this.#services.ofFrontend(id);
  }

  interface(port: number): NetworkInterface | undefined {
    const name = this.#byPort.get(port);
    return name === undefined ? undefined : { index: port, name };
  }

  policies(cookie: number): readonly PolicyRef[] {
    return this.#cluster.origins(cookie).map(({ kind, namespace, name }) => ({ kind, namespace, name, labels: [] }));
  }

  policyLog(cookie: number): readonly string[] {
    return this.#cluster.origins(cookie).flatMap(({ log }) => (log === undefined ? [] : [log]));
  }
}

function podEntry({ plan }: LocalPod): PodEntry {
  return { namespace: plan.namespace, podName: plan.name, workloads: plan.workloads };
}
