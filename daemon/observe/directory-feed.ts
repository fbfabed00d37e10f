/**
 * Names for numbers, from the tables of the agent to the observatory: what changes of identities, endpoints, addresses,
 * services, learnt names and cookies is told as it changes, before it is published. So a record of the dataplane is never read
 * before what it speaks of is known. Whoever begins to listen gets all of it first (`snapshot`).
 */
import type { EndpointEntry, PodEntry } from '../../hubble/decode/directory.ts';
import type { Service } from '../../hubble/flow.ts';
import type { Changes, EndpointChange } from '../../policy/cluster.ts';
import { RESERVED_IDENTITIES } from '../../policy/identity/identity.ts';
import type { Origin } from '../../policy/rule/rule.ts';
import type { LocalPod } from '../attach/pod-reconciler.ts';
import { type DirectoryDelta, type RuleRef, toldTo } from './directory-delta.ts';

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

interface Present {
  readonly endpoints: ReadonlyMap<number, EndpointEntry>;
  readonly addresses: ReadonlyMap<string, PodEntry>;
}

export class DirectoryFeed {
  readonly #sources: FeedSources;
  readonly #tell: (delta: DirectoryDelta) => void;
  #present: Present = { endpoints: new Map(), addresses: new Map() };
  #interfaces: readonly (readonly [number, string])[] = [];
  readonly #labels = new Map(RESERVED_IDENTITIES.map(({ id, labels }) => [id, labels]));
  /** What was last published, by endpoint id. */
  readonly published = new Map<number, EndpointChange>();

  /** @param tell sends a delta; what nobody listens to is lost, and in the next snapshot */
  constructor(sources: FeedSources, tell: (delta: DirectoryDelta) => void) {
    this.#sources = sources;
    this.#tell = tell;
  }

  /** Call when pods have come, gone or changed. @param ports index and interface of each port */
  refresh(ports: Iterable<readonly [number, string]>): void {
    const now = this.#look();
    const { endpoints, addresses } = this.#present;
    this.#present = now;
    const interfaces = [...ports];
    const delta: DirectoryDelta = {
      endpoints: changesOf(endpoints, now.endpoints),
      addresses: changesOf(addresses, now.addresses),
      ...(String(interfaces) !== String(this.#interfaces) && { interfaces }),
    };
    this.#interfaces = interfaces;
    this.#send(delta);
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
      addresses: [...this.#present.addresses],
      interfaces: this.#interfaces,
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

  #look(): Present {
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

  #send(delta: DirectoryDelta): void {
    if (Object.values(delta).some((list: readonly unknown[]) => list.length > 0)) this.#tell(delta);
  }
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
