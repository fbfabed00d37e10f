/**
 * Names for numbers, from the tables of the agent to the observatory: what changes of identities, endpoints, addresses,
 * services, learnt names, policies and cookies is told as it changes, before it is published. So a record of the dataplane is never read
 * before what it speaks of is known. Whoever begins to listen gets all of it first (`snapshot`).
 */
import type { EndpointEntry, PodEntry } from '../../hubble/decode/directory.ts';
import type { NetworkInterface, Service, Workload } from '../../hubble/flow.ts';
import type { Changes, EndpointChange } from '../../policy/cluster.ts';
import { RESERVED_IDENTITIES } from '../../policy/identity/identity.ts';
import type { Origin } from '../../policy/rule/rule.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import { podKey } from '../../policy/rule/spec.ts';
import type { ServicePod } from '../../services/pod-index.ts';
import type { StoreChanges } from '../source/store.ts';
import {
  type DirectoryDelta,
  type PolicyFacts,
  policyName,
  type RuleRef,
  toldTo,
} from '../../hubble/decode/directory-delta.ts';
import { factsOf } from './policy-facts.ts';

/** What else there is to be told, and where it is kept. */
export interface FeedSources {
  readonly pods: ReadonlyMap<string, LocalPod>;
  /** Rules of cookies that are known. */
  readonly cookies: () => Iterable<readonly [cookie: number, origins: readonly Origin[]]>;
  readonly services: {
    /** Services by address and port, and by frontend: those that are others than at the last call, or all. */
    takeNamed(): ServiceNames;
    named(): ServiceNames;
  };
  readonly names: {
    /** What an endpoint was told itself for an address, a prefix of full length. */
    namesOf(endpoint: number, prefix: string): readonly string[];
    /** Everything that was told to anybody. */
    told(): Iterable<NamePlace>;
  };
}

export interface ServiceNames {
  /** By `serviceAt`. */
  readonly places: readonly (readonly [place: string, service: Service | undefined])[];
  readonly frontends: readonly (readonly [id: number, service: Service | undefined])[];
}

/** Where names were learnt: by an endpoint, for an address as a prefix of full length. */
export interface NamePlace {
  readonly endpoint: number;
  readonly prefix: string;
}

interface RemotePod {
  readonly pod: Pick<ServicePod, 'namespace' | 'name' | 'ips'>;
  readonly workloads: readonly Workload[];
}

interface Present {
  readonly endpoints: ReadonlyMap<number, EndpointEntry>;
  readonly addresses: ReadonlyMap<string, PodEntry>;
  readonly interfaces: ReadonlyMap<number, NetworkInterface>;
}

export class DirectoryFeed {
  readonly #sources: FeedSources;
  readonly #listeners = new Set<(delta: DirectoryDelta) => void>();
  #present: Present = { endpoints: new Map(), addresses: new Map(), interfaces: new Map() };
  /** Pods of other nodes, with their addresses. */
  readonly #remote = new Map<string, RemotePod>();
  readonly #policies = new Map<string, PolicyFacts>();
  #nodeLabels: readonly string[] = [];
  readonly #labels = new Map(RESERVED_IDENTITIES.map(({ id, labels }) => [id, labels]));
  /** What was last published, by endpoint id. */
  readonly published = new Map<number, EndpointChange>();

  /** @param tell takes each delta; what nobody listens to is lost, and in the next snapshot */
  constructor(sources: FeedSources, tell: (delta: DirectoryDelta) => void) {
    this.#sources = sources;
    this.#listeners.add(tell);
  }

  /** Also tells somebody else what changes from now on. @returns ends it */
  listen(tell: (delta: DirectoryDelta) => void): () => void {
    this.#listeners.add(tell);
    return () => void this.#listeners.delete(tell);
  }

  /** Call when pods have come, gone or changed. @param ports index and interface of each port */
  refresh(ports: Iterable<readonly [number, NetworkInterface]>): void {
    const now = { ...this.#look(), interfaces: new Map(ports) };
    const { endpoints, addresses, interfaces } = this.#present;
    this.#present = now;
    this.#send({
      endpoints: changesOf(endpoints, now.endpoints),
      addresses: changesOf(addresses, now.addresses),
      interfaces: changesOf(interfaces, now.interfaces),
    });
  }

  /** Takes pods of other nodes; those of this one come by `refresh`. */
  setPod(pod: ServicePod, workloads: readonly Workload[]): void {
    if (pod.isLocal) return;
    const key = podKey(pod);
    const before = this.#remote.get(key)?.pod.ips ?? [];
    const now = { pod, workloads };
    this.#remote.set(key, now);
    const gone = before.filter((ip) => !pod.ips.includes(ip));
    this.#tellAddresses([...gone.map((ip) => [ip, undefined] as const), ...placesOf(now)]);
  }

  removePod(pod: { readonly namespace: string; readonly name: string }): void {
    const ips = this.#remote.get(podKey(pod))?.pod.ips ?? [];
    this.#remote.delete(podKey(pod));
    this.#tellAddresses(ips.map((ip) => [ip, undefined]));
  }

  /**
   * Takes what has changed of documents, before it is published.
   * @param revision of the publication that follows @param nodeLabels of this node, by key
   */
  learnDocuments({ put, removed }: StoreChanges, revision: number, nodeLabels: Readonly<Record<string, string>>): void {
    const policies: (readonly [string, PolicyFacts | undefined])[] = [];
    for (const one of removed) if (this.#policies.delete(policyName(one))) policies.push([policyName(one), undefined]);
    for (const document of put) {
      if (document.policy !== undefined) policies.push([policyName(document), factsOf(document, revision)]);
    }
    for (const [name, facts] of policies) if (facts !== undefined) this.#policies.set(name, facts);
    const labels = Object.entries(nodeLabels)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
    const isNew = String(labels) !== String(this.#nodeLabels);
    this.#nodeLabels = labels;
    this.#send({ policies, ...(isNew && { nodeLabels: labels }) });
  }

  /** Takes the compiler's results, before they are published. */
  learn({ identities, endpoints, removedEndpoints, cookies, removedCookies }: Changes): void {
    for (const { id, labels } of identities.added) this.#labels.set(id, labels);
    for (const id of identities.removed) this.#labels.delete(id);
    for (const [id, change] of endpoints) this.published.set(id, change);
    for (const id of removedEndpoints) this.published.delete(id);
    this.#send({
      // A number that was given up and given out again between two looks is in both: its new owner comes last.
      identities: [...gone(identities.removed), ...identities.added.map(({ id, labels }) => [id, labels] as const)],
      denies: [...gone(removedEndpoints), ...[...endpoints].map(([id, change]) => [id, deniesOf(change)] as const)],
      cookies: [
        ...gone(removedCookies),
        ...[...cookies].map(([cookie, origins]) => [cookie, rulesOf(origins)] as const),
      ],
    });
  }

  /** Call when services may be others than before. */
  learnServices(): void {
    this.#send(this.#sources.services.takeNamed());
  }

  /** Call when names were learnt or forgotten. */
  learnNames(places: Iterable<NamePlace>): void {
    this.#send({ names: this.#namesOf(places) });
  }

  /** Everything that there is to know now. */
  snapshot(): DirectoryDelta {
    const { services, names, cookies } = this.#sources;
    return {
      ...services.named(),
      identities: [...this.#labels],
      endpoints: [...this.#present.endpoints],
      addresses: [...[...this.#remote.values()].flatMap(placesOf), ...this.#present.addresses],
      interfaces: [...this.#present.interfaces],
      policies: [...this.#policies],
      nodeLabels: this.#nodeLabels,
      denies: [...this.published].map(([id, change]) => [id, deniesOf(change)]),
      cookies: [...cookies()].map(([cookie, origins]) => [cookie, rulesOf(origins)]),
      names: this.#namesOf(names.told()),
    };
  }

  /** Identities in use, with their labels. */
  identities(): IterableIterator<[number, readonly string[]]> {
    return this.#labels.entries();
  }

  /** A local endpoint by its id. */
  endpoint(id: number): EndpointEntry | undefined {
    return this.#present.endpoints.get(id);
  }

  #look(): Omit<Present, 'interfaces'> {
    const now = { endpoints: new Map<number, EndpointEntry>(), addresses: new Map<string, PodEntry>() };
    for (const pod of this.#sources.pods.values()) {
      const { endpointId, addresses } = pod.numbers;
      const change = this.published.get(endpointId);
      if (change !== undefined) {
        now.endpoints.set(endpointId, { ...podEntry(pod), labels: change.labels, identity: change.identity });
      }
      if (pod.plan.place !== 'external') for (const { text } of addresses) now.addresses.set(text, podEntry(pod));
    }
    return now;
  }

  #namesOf(places: Iterable<NamePlace>): [string, readonly string[] | undefined][] {
    const { names } = this.#sources;
    const all = new Map<string, readonly string[] | undefined>();
    for (const { endpoint, prefix } of places) {
      const told = names.namesOf(endpoint, prefix);
      all.set(toldTo(endpoint, prefix.slice(0, prefix.indexOf('/'))), told.length === 0 ? undefined : told);
    }
    return [...all];
  }

  /** An address that a pod of this node has is its own, whatever documents say of others. */
  #tellAddresses(places: readonly (readonly [string, PodEntry | undefined])[]): void {
    this.#send({ addresses: places.filter(([ip]) => !this.#present.addresses.has(ip)) });
  }

  #send(delta: DirectoryDelta): void {
    if (!Object.values(delta).some((list: readonly unknown[]) => list.length > 0)) return;
    for (const tell of this.#listeners) tell(delta);
  }
}

function placesOf({ pod: { namespace, name, ips }, workloads }: RemotePod): (readonly [string, PodEntry])[] {
  const entry = { namespace, podName: name, ...(workloads.length > 0 && { workloads }) };
  return ips.map((ip) => [ip, entry] as const);
}

function podEntry({ plan }: LocalPod): PodEntry {
  return { namespace: plan.namespace, podName: plan.name, workloads: plan.workloads };
}

function deniesOf({ ingress, egress }: EndpointChange): { ingress: number; egress: number } {
  return { ingress: ingress.defaultDenyCookie ?? 0, egress: egress.defaultDenyCookie ?? 0 };
}

function rulesOf(origins: readonly Origin[]): RuleRef[] {
  return origins.map(({ kind, namespace, name, log }) => ({
    kind,
    namespace,
    name,
    ...(log !== undefined && { log }),
  }));
}

function gone<K>(keys: readonly K[]): (readonly [K, undefined])[] {
  return keys.map((key) => [key, undefined] as const);
}

/** Entries that are new or others than before, and keys that have gone. */
function changesOf<K, V>(before: ReadonlyMap<K, V>, now: ReadonlyMap<K, V>): (readonly [K, V | undefined])[] {
  const changed = [...now].filter(([key, value]) => JSON.stringify(before.get(key)) !== JSON.stringify(value));
  return [...changed, ...gone([...before.keys()].filter((key) => !now.has(key)))];
}
