/** The kubelet in the thread of the Kubernetes API: what it is told of pods' networks, where its lines and events go, and connections into pods. */
import type { EndpointDocument } from '../../api/shapes.ts';
import { EventRecorder } from '../../apiserver/events/event-recorder.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import type { StandIns } from '../../kubelet/images/image-table.ts';
import { Kubelet } from '../../kubelet/kubelet.ts';
import type { PodEndpoint, PodNetwork } from '../../kubelet/pod/parts.ts';
import { PodStreams } from '../../kubelet/streams/pod-streams.ts';
import type { LogLine } from '../supervise/supervised-thread.ts';
import type { KubeApiData, ToKubeApi } from './messages.ts';

/** Pods as the agent has attached them. */
class AttachedPods implements PodNetwork {
  readonly #endpoints = new Map<string, PodEndpoint>();
  readonly #listeners = new Set<() => void>();

  endpoint(namespace: string, name: string): PodEndpoint | undefined {
    return this.#endpoints.get(`${namespace}/${name}`);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  take({ put, removed }: NonNullable<ToKubeApi['endpoints']>): void {
    for (const key of removed) this.#endpoints.delete(key);
    for (const one of put) this.#endpoints.set(`${one.namespace}/${one.pod}`, endpointOf(one));
    for (const listener of this.#listeners) listener();
  }
}

function endpointOf({ state, problem = '', netns, ipv4, ipv6 }: EndpointDocument): PodEndpoint {
  return { state, problem, netns, addresses: [ipv4, ipv6].filter((address) => address !== undefined) };
}

export class Containers {
  /** exec, attach, port-forward and logs. */
  readonly connections: PodStreams;
  readonly #kubelet: Kubelet;
  readonly #attached = new AttachedPods();
  #standIns: StandIns = {};
  #hostIps: readonly string[] = [];
  #isStarted = false;

  constructor(
    storage: Storage,
    { nodeName, runDir, containerRuntime }: KubeApiData,
    tell: (message: { readonly log: LogLine }) => void,
  ) {
    const events = new EventRecorder(storage, { component: 'kubelet', host: nodeName });
    this.#kubelet = new Kubelet({
      ...{ storage, nodeName, runDir, containerRuntime },
      network: this.#attached,
      events,
      standIns: () => this.#standIns,
      hostIps: () => this.#hostIps,
      log: (level, text) => tell({ log: { level, text, fields: {} } }),
    });
    this.connections = new PodStreams({ storage, kubelet: this.#kubelet, network: this.#attached, runDir });
  }

  /** The first message begins it: before it, nobody knows which pods are attached. */
  take({ endpoints, node, standIns }: ToKubeApi): void {
    if (node !== undefined) this.#hostIps = node.addresses;
    if (standIns !== undefined) this.#standIns = standIns;
    if (endpoints !== undefined) this.#attached.take(endpoints);
    if (!this.#isStarted) this.#kubelet.start();
    else if (standIns !== undefined) this.#kubelet.standInsChanged();
    this.#isStarted = true;
  }

  /** @param isClean containers end; else they run on */
  async stop(isClean: boolean): Promise<void> {
    await this.connections.stop();
    if (this.#isStarted) await this.#kubelet.stop(isClean);
  }
}
