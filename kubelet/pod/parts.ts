/** What every pod's worker is given. */
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import type { StandIns } from '../images/image-table.ts';
import type { Pod } from '../pod-spec.ts';
import type { PodmanImages } from '../podman/podman-images.ts';
import type { PodRuntime } from '../runtime/pod-runtime.ts';

/** A pod as the agent has attached it. */
export interface PodEndpoint {
  /** `ready` once its network is there. */
  readonly state: string;
  /** Why it is not, one sentence; '' when nothing is wrong. */
  readonly problem: string;
  /** Name or path. */
  readonly netns: string;
  readonly addresses: readonly string[];
}

export interface PodNetwork {
  endpoint(namespace: string, name: string): PodEndpoint | undefined;
  /** @param listener called when that of a pod may be another. @returns ends it */
  onChange(listener: () => void): () => void;
}

export interface Happening {
  readonly type: 'Normal' | 'Warning';
  /** One word. */
  readonly reason: string;
  readonly message: string;
}

/** Tells people what happened to a pod (the recorder of apiserver/events). */
export interface EventSink {
  record(object: KubeObject, happening: Happening & { readonly fieldPath?: string }): void;
}

export interface KubeletParts {
  readonly storage: Storage;
  readonly runtime: PodRuntime;
  readonly network: PodNetwork;
  readonly events: EventSink;
  readonly nodeName: string;
  /** Of the agent: who wrote the files of a network namespace. */
  readonly runDir: string;
  /** Where images are; undefined: none is fetched, and every one has something in its place. */
  readonly images: PodmanImages | undefined;
  readonly standIns: () => StandIns;
  /** Addresses of this machine. */
  readonly hostIps: () => readonly string[];
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
}

export const POD_RESOURCE = 'pods';

/** The network of a pod; undefined while the agent has not told of it. */
export function endpointOf({ network }: KubeletParts, { metadata }: Pod): PodEndpoint | undefined {
  return network.endpoint(metadata.namespace ?? '', metadata.name);
}

/** Tells of a container. */
export function tellOf(
  { events }: KubeletParts,
  pod: Pod,
  container: { readonly role: string; readonly name: string },
  happening: Happening,
): void {
  const list = { init: 'initContainers', app: 'containers', ephemeral: 'ephemeralContainers' }[container.role];
  events.record(pod, { ...happening, fieldPath: `spec.${list ?? 'containers'}{${container.name}}` });
}
