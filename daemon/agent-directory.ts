/** Names for numbers: what the flow decoder asks about identities, endpoints, addresses and cookies. */
import type { Directory, EndpointEntry, PodEntry } from '../hubble/directory.ts';
import type { NetworkInterface, PolicyRef, Service } from '../hubble/flow.ts';
import type { Cluster, EndpointChange } from '../policy/cluster.ts';
import type { LocalPod } from './pod-reconciler.ts';

export class AgentDirectory implements Directory {
  readonly #cluster: Cluster;
  readonly #pods: ReadonlyMap<string, LocalPod>;
  readonly #byEndpoint = new Map<number, LocalPod>();
  readonly #byAddress = new Map<string, LocalPod>();
  readonly #byPort = new Map<number, string>();
  readonly #labels = new Map<number, readonly string[]>();
  /** What was last published, by endpoint id. */
  readonly published = new Map<number, EndpointChange>();

  constructor(cluster: Cluster, pods: ReadonlyMap<string, LocalPod>) {
    this.#cluster = cluster;
    this.#pods = pods;
  }

  /** Call when pods have come, gone or changed. */
  refresh(ports: Iterable<readonly [number, string]>): void {
    this.#byEndpoint.clear();
    this.#byAddress.clear();
    this.#byPort.clear();
    for (const pod of this.#pods.values()) {
      if (pod.numbers.endpointId !== 0) this.#byEndpoint.set(pod.numbers.endpointId, pod);
      for (const { text } of pod.numbers.addresses) this.#byAddress.set(text, pod);
    }
    for (const [index, name] of ports) this.#byPort.set(index, name);
  }

  /** Labels of identities in use; they stay known for events that are still to be read. */
  learnIdentity(id: number, labels: readonly string[]): void {
    this.#labels.set(id, labels);
  }

  identities(): IterableIterator<[number, readonly string[]]> {
    return this.#labels.entries();
  }

  forgetIdentity(id: number): void {
    this.#labels.delete(id);
  }

  /** The rules that closed a direction of an endpoint, as a cookie; 0 when none did. */
  defaultDeny(endpoint: number, isEgress: boolean): number {
    const change = this.published.get(endpoint);
    return (isEgress ? change?.egress : change?.ingress)?.defaultDenyCookie ?? 0;
  }

  identityLabels(identity: number): readonly string[] | undefined {
    return this.#labels.get(identity);
  }

  endpoint(id: number): EndpointEntry | undefined {
    const pod = this.#byEndpoint.get(id);
    const change = this.published.get(id);
    if (pod === undefined || change === undefined) return undefined;
    return { ...podEntry(pod), labels: change.labels, identity: change.identity };
  }

  pod(ip: string): PodEntry | undefined {
    const pod = this.#byAddress.get(ip);
    return pod === undefined || pod.plan.place === 'external' ? undefined : podEntry(pod);
  }

  names(): readonly string[] {
    return [];
  }

  service(): Service | undefined {
    return undefined;
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
