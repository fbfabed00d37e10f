/** What controllers ask of a pod. */
import { type Condition, conditionOf } from '../apiserver/resources/conditions.ts';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';

export interface PodSpec {
  readonly nodeName?: string;
  readonly containers?: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly restartPolicy?: string;
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly [key: string]: unknown;
}

export interface Container {
  readonly name?: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly { readonly name?: string; readonly containerPort?: number; readonly protocol?: string }[];
  readonly env?: readonly object[];
  readonly [key: string]: unknown;
}

export interface PodStatus {
  readonly phase?: string;
  readonly conditions?: readonly Condition[];
  readonly containerStatuses?: readonly { readonly restartCount?: number }[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip?: string }[];
}

export function podSpec(pod: KubeObject): PodSpec {
  return (pod['spec'] ?? {}) as PodSpec;
}

export function podStatus(pod: KubeObject): PodStatus {
  return (pod['status'] ?? {}) as PodStatus;
}

export function hasEnded(pod: KubeObject): boolean {
  const { phase } = podStatus(pod);
  return phase === 'Succeeded' || phase === 'Failed';
}

export function isGoing({ metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined;
}

/** Whether it counts among those wanted: it runs, or will. */
export function isActive(pod: KubeObject): boolean {
  return !hasEnded(pod) && !isGoing(pod);
}

export function isReady(pod: KubeObject): boolean {
  return conditionOf(pod, 'Ready')?.status === 'True';
}

/** In how many milliseconds a pod will have been ready for long enough; 0 = now, Infinity = it is not ready. */
export function availableInMs(pod: KubeObject, minReadySeconds: number, nowMs: number): number {
  const ready = conditionOf(pod, 'Ready');
  if (ready?.status !== 'True') return Number.POSITIVE_INFINITY;
  if (minReadySeconds <= 0) return 0;
  const sinceMs = Date.parse(ready.lastTransitionTime ?? '');
  return Number.isNaN(sinceMs) ? Number.POSITIVE_INFINITY : Math.max(0, sinceMs + minReadySeconds * 1000 - nowMs);
}

export function addressesOf(pod: KubeObject): string[] {
  const { podIP, podIPs } = podStatus(pod);
  const all = (podIPs ?? []).flatMap(({ ip }) => ip ?? []);
  return all.length === 0 && podIP !== undefined && podIP !== '' ? [podIP] : all;
}
