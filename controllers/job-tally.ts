/**
 * How many pods of a Job have ended well, and badly. A pod is counted once, also when it is taken away at once and when this program is
 * killed in between: it has a finalizer until it is counted.
 *
 *   1. the status names the pods that have ended (uncountedTerminatedPods)
 *   2. their finalizers go
 *   3. the next look counts those whose finalizer is gone, and names them no longer
 */
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { indexOf, isIndexed, type JobStatus, readIndexes, specOf, statusOf, writeIndexes } from './job-spec.ts';
import { PODS } from './pod-room.ts';
import { hasEnded, isGoing, podStatus } from './pod-state.ts';

export const TRACKED = 'batch.kubernetes.io/job-tracking';

export function isTracked({ metadata }: KubeObject): boolean {
  return (metadata.finalizers ?? []).includes(TRACKED);
}

/** Takes a pod's finalizer away. */
export function untrack(storage: Storage, { metadata: { namespace = '', name } }: KubeObject): void {
  if (storage.get(PODS, namespace, name) === undefined) return;
  storage.update(PODS, namespace, name, (pod) => {
    const finalizers = (pod.metadata.finalizers ?? []).filter((one) => one !== TRACKED);
    return { ...pod, metadata: { ...pod.metadata, finalizers } };
  });
}

/** The counts of the status, with the pods that have ended since. @param pods of the Job, also those that are going */
export function tally(job: KubeObject, pods: readonly KubeObject[]): JobStatus {
  const before = statusOf(job);
  const tracked = new Set(pods.filter(isTracked).map(({ metadata }) => metadata.uid));
  const named = before.uncountedTerminatedPods ?? {};
  const counted = (uids: readonly string[] = []): number => uids.filter((uid) => !tracked.has(uid)).length;
  const isKnown = new Set([...(named.succeeded ?? []), ...(named.failed ?? [])]);
  const ended = pods.filter((pod) => tracked.has(pod.metadata.uid) && (hasEnded(pod) || isGoing(pod)));
  const well = (pod: KubeObject): boolean => podStatus(pod).phase === 'Succeeded';
  const uids = (known: readonly string[] = [], isWell: boolean): string[] => [
    ...known.filter((uid) => tracked.has(uid)),
    ...ended
      .filter((pod) => well(pod) === isWell && !isKnown.has(pod.metadata.uid))
      .map(({ metadata }) => metadata.uid),
  ];
  const [succeeded, failed] = [uids(named.succeeded, true), uids(named.failed, false)];
  const indexes = readIndexes(before.completedIndexes ?? '');
  for (const pod of ended.filter(well)) indexes.add(indexOf(pod) ?? 0);
  return {
    ...before,
    ...(isIndexed(specOf(job)) && { completedIndexes: writeIndexes(indexes) }),
    succeeded: (before.succeeded ?? 0) + counted(named.succeeded),
    failed: (before.failed ?? 0) + counted(named.failed),
    uncountedTerminatedPods: { ...(succeeded.length > 0 && { succeeded }), ...(failed.length > 0 && { failed }) },
  };
}

/** Of a status: all that have ended, counted or named. */
export function endsOf({ succeeded = 0, failed = 0, uncountedTerminatedPods: named = {} }: JobStatus): {
  readonly succeeded: number;
  readonly failed: number;
} {
  return { succeeded: succeeded + (named.succeeded ?? []).length, failed: failed + (named.failed ?? []).length };
}
