/**
 * The status of a Deployment: counts, and the two conditions that `kubectl rollout status` waits for. Available says whether enough
 * pods have been ready for long enough; Progressing whether the change-over goes on (ReplicaSetUpdated), has come to its end
 * (NewReplicaSetAvailable), or has got nowhere for `progressDeadlineSeconds` (ProgressDeadlineExceeded).
 */
import { type Condition, conditionOf, withCondition, withoutCondition } from '../../apiserver/resources/conditions.ts';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';

import { withoutZeros } from '../counts.ts';
import {
  availableOf,
  deadlineSec,
  type DeploymentStatus,
  roomOf,
  setStatus,
  sizeOf,
  specOf,
  statusOf,
  sumOf,
} from './spec.ts';

export const REASONS = {
  available: 'NewReplicaSetAvailable',
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  updated: 'ReplicaSetUpdated',
  failed: 'ReplicaSetCreateError',
  timedOut: 'ProgressDeadlineExceeded',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
} as const;

export function progressing(status: string, reason: string, message: string): Condition {
  return { type: 'Progressing', status, reason, message };
}

/** What a change-over is about. */
export interface Rollout {
  readonly deployment: KubeObject;
  /** All of its ReplicaSets. */
  readonly sets: readonly KubeObject[];
  /** The one with the template as it stands. */
  readonly current: KubeObject | undefined;
}

/** Counts, and whether enough pods are available. */
export function countedStatus({ deployment, sets, current }: Rollout, nowMs: number): DeploymentStatus {
  const spec = specOf(deployment);
  const before = statusOf(deployment);
  const { replicas = 1 } = spec;
  const total = sumOf(sets, (set) => setStatus(set).replicas ?? 0);
  const available = sumOf(sets, availableOf);
  const isAvailable = available >= replicas - roomOf(spec).maxUnavailable;
  const { generation } = deployment.metadata;
  const counts = withoutZeros({
    replicas: total,
    updatedReplicas: current === undefined ? 0 : (setStatus(current).replicas ?? 0),
    readyReplicas: sumOf(sets, (set) => setStatus(set).readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sumOf(sets, sizeOf) - available),
  });
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    ...counts,
    ...(before.collisionCount !== undefined && { collisionCount: before.collisionCount }),
    conditions: withCondition(
      before.conditions ?? [],
      {
        type: 'Available',
        status: isAvailable ? 'True' : 'False',
        reason: isAvailable ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        message: `Deployment ${isAvailable ? 'has' : 'does not have'} minimum availability.`,
      },
      nowMs,
      true,
    ),
  };
}

/** Whether all pods are of the template as it stands, and available. */
export function isComplete(deployment: KubeObject, status: DeploymentStatus): boolean {
  const { replicas = 1 } = specOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** Whether the change-over has got any further since. */
function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: DeploymentStatus): number => replicas - updatedReplicas;
  const more = (field: 'updatedReplicas' | 'readyReplicas' | 'availableReplicas'): boolean =>
    (after[field] ?? 0) > (before[field] ?? 0);
  return more('updatedReplicas') || more('readyReplicas') || more('availableReplicas') || old(after) < old(before);
}

/** When a change-over that gets nowhere will have taken too long, ms since the epoch. */
export function deadlineMs(deployment: KubeObject): number | undefined {
  const seconds = deadlineSec(specOf(deployment));
  const condition = conditionOf(deployment, 'Progressing');
  if (seconds === undefined || condition === undefined) return undefined;
  if (condition.reason === REASONS.available || condition.reason === REASONS.timedOut) return undefined;
  return Date.parse(condition.lastUpdateTime ?? '') + seconds * 1000;
}

/** The status with the Progressing condition as it is now, and what ReplicaSets could not do. */
export function rolloutStatus(rollout: Rollout, nowMs: number): DeploymentStatus {
  const { deployment, sets, current } = rollout;
  const status = countedStatus(rollout, nowMs);
  const before = conditionOf(deployment, 'Progressing');
  const conditions = withFailure(progressConditions(rollout, status, nowMs), current, sets, nowMs);
  const isOver = status.replicas === status.updatedReplicas && before?.reason === REASONS.available;
  if (deadlineSec(specOf(deployment)) === undefined)
    return { ...status, conditions: withoutCondition(conditions, 'Progressing') };
  if (isOver) return { ...status, conditions: withFailure(status.conditions ?? [], current, sets, nowMs) };
  return { ...status, conditions };
}

function progressConditions(
  { deployment, current }: Rollout,
  status: DeploymentStatus,
  nowMs: number,
): readonly Condition[] {
  const conditions = status.conditions ?? [];
  const what =
    current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`;
  const told = (isWell: boolean, reason: string, words: string): readonly Condition[] =>
    withCondition(conditions, progressing(isWell ? 'True' : 'False', reason, `${what} ${words}.`), nowMs, true);
  if (isComplete(deployment, status)) return told(true, REASONS.available, 'has successfully progressed');
  if (hasProgressed(statusOf(deployment), status)) {
    // Its time is what the deadline counts from: it is new each time.
    return withCondition(
      withoutCondition(conditions, 'Progressing'),
      { ...progressing('True', REASONS.updated, `${what} is progressing.`), ...transitionOf(conditions) },
      nowMs,
      true,
    );
  }
  const endMs = deadlineMs(deployment);
  return endMs !== undefined && nowMs >= endMs
    ? told(false, REASONS.timedOut, 'has timed out progressing')
    : conditions;
}

/** A condition that goes on being true keeps the time at which it became so. */
function transitionOf(conditions: readonly Condition[]): Partial<Condition> {
  const before = conditions.find(({ type, status }) => type === 'Progressing' && status === 'True');
  return before?.lastTransitionTime === undefined ? {} : { lastTransitionTime: before.lastTransitionTime };
}

function withFailure(
  conditions: readonly Condition[],
  current: KubeObject | undefined,
  sets: readonly KubeObject[],
  nowMs: number,
): readonly Condition[] {
  const all = current === undefined ? sets : [current, ...sets];
  const failure = all.flatMap((set) => conditionOf(set, 'ReplicaFailure') ?? [])[0];
  if (failure === undefined) return withoutCondition(conditions, 'ReplicaFailure');
  const { type, status, reason = '', message = '' } = failure;
  return withCondition(conditions, { type, status, reason, message }, nowMs, true);
}
