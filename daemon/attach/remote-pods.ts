/**
 * Pods of other nodes that have documents of their own. There may be fifty thousand, and of what happens to them nothing depends on other pods: each is told on as
 * it comes, and a change of one costs what that one costs.
 */
import type { Cluster } from '../../policy/cluster.ts';
import type { Document } from '../../policy/document/document.ts';
import { type PodPlan, workloadsOfPod } from '../source/pod-plan.ts';
import { podKey } from '../../policy/rule/spec.ts';
import { servicePod } from '../../services/service-pod.ts';
import type { ServicePod } from '../../services/pod-index.ts';

/** Who is told of pods besides the compiler: what stands behind services, and names. */
export interface PodListener {
  /** @param workloads that it is of, as Hubble shows them */
  setPod(pod: ServicePod, workloads: PodPlan['workloads']): void;
  removePod(pod: { readonly namespace: string; readonly name: string }): void;
}

interface RemoteOptions {
  readonly cluster: Pick<Cluster, 'apply' | 'removePod'>;
  readonly listeners: readonly PodListener[];
}

export class RemotePods {
  readonly #options: RemoteOptions;
  /** By `namespace/name`. */
  readonly #documents = new Map<string, Document>();

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  get(key: string): Document | undefined {
    return this.#documents.get(key);
  }

  documents(): IterableIterator<Document> {
    return this.#documents.values();
  }

  put(document: Document): void {
    const workloads = workloadsOfPod(document);
    this.#documents.set(podKey(document), document);
    this.#options.cluster.apply(document);
    const pod = servicePod(document, { isLocal: false, isAttached: true, nodeName: '', nodeAddresses: [] });
    for (const listener of this.#options.listeners) listener.setPod(pod, workloads);
  }

  /** Nothing happens when it is not there. */
  remove(key: string): void {
    const document = this.#documents.get(key);
    if (document === undefined) return;
    this.#documents.delete(key);
    this.#options.cluster.removePod(document.namespace, document.name);
    for (const listener of this.#options.listeners) listener.removePod(document);
  }
}
