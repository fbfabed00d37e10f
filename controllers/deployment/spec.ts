/** What a Deployment wants, with the numbers that follow from it, and what its ReplicaSets have. */
import { type Condition } from '../../apiserver/resources/conditions.ts';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import type { PodTemplate } from '../pods.ts';
import type { ReplicaSetSpec, ReplicaSetStatus } from '../replica-set.ts';
import type { LabelSelector } from '../selector.ts';

export interface DeploymentSpec {
  readonly replicas?: number;
  readonly selector?: LabelSelector;
  readonly template?: PodTemplate;
  readonly strategy?: {
    readonly type?: string;
    readonly rollingUpdate?: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string };
  };
  readonly minReadySeconds?: number;
  readonly revisionHistoryLimit?: number;
  readonly paused?: boolean;
  readonly progressDeadlineSeconds?: number;
}

export interface DeploymentStatus {
  readonly observedGeneration?: number;
  readonly replicas?: number;
  readonly updatedReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly unavailableReplicas?: number;
  readonly collisionCount?: number;
  readonly conditions?: readonly Condition[];
}

/** Of Kubernetes, for who says nothing. */
const DEFAULT_PART = '25%';
/** Seconds that stand for no deadline. */
const NO_DEADLINE = 2_147_483_647;

export const specOf = (deployment: KubeObject): DeploymentSpec => (deployment['spec'] ?? {}) as DeploymentSpec;
export const statusOf = (deployment: KubeObject): DeploymentStatus => (deployment['status'] ?? {}) as DeploymentStatus;

export const isRolling = ({ strategy }: DeploymentSpec): boolean => strategy?.type !== 'Recreate';

/** A number of pods that is given as such, or as a part of all. */
function partOf(value: number | string, of: number, round: (parts: number) => number): number {
  if (typeof value === 'number') return Math.max(0, value);
  const percent = /^(\d{1,9})%$/.exec(value)?.[1];
  return percent === undefined ? 0 : round((Number(percent) * of) / 100);
}

/** How many pods more there may be, and how many fewer that are available, while it changes over. */
export function roomOf(spec: DeploymentSpec): { readonly maxSurge: number; readonly maxUnavailable: number } {
  const { replicas = 1, strategy } = spec;
  if (!isRolling(spec)) return { maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = DEFAULT_PART, maxUnavailable = DEFAULT_PART } = strategy?.rollingUpdate ?? {};
  const surge = partOf(maxSurge, replicas, Math.ceil);
  const unavailable = partOf(maxUnavailable, replicas, Math.floor);
  // With neither it could never change over.
  const least = surge === 0 && unavailable === 0 ? 1 : unavailable;
  return { maxSurge: surge, maxUnavailable: Math.min(least, replicas) };
}

export function deadlineSec({ progressDeadlineSeconds }: DeploymentSpec): number | undefined {
  return progressDeadlineSeconds === undefined || progressDeadlineSeconds >= NO_DEADLINE
    ? undefined
    : progressDeadlineSeconds;
}

export const setSpec = (set: KubeObject): ReplicaSetSpec => (set['spec'] ?? {}) as ReplicaSetSpec;
export const setStatus = (set: KubeObject): ReplicaSetStatus => (set['status'] ?? {}) as ReplicaSetStatus;

/** Pods that a ReplicaSet is to have. */
export const sizeOf = (set: KubeObject): number => setSpec(set).replicas ?? 1;
/** Pods that it has, or is to have: one that was told to shrink a moment ago has them still. */
export const heldBy = (set: KubeObject): number => Math.max(sizeOf(set), setStatus(set).replicas ?? 0);
export const availableOf = (set: KubeObject): number => setStatus(set).availableReplicas ?? 0;

export function sumOf(sets: readonly KubeObject[], count: (set: KubeObject) => number): number {
  return sets.reduce((sum, set) => sum + count(set), 0);
}

/** The oldest first. */
export function byAge(sets: readonly KubeObject[]): KubeObject[] {
  return [...sets].sort(
    (a, b) =>
      Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp) ||
      (a.metadata.name < b.metadata.name ? -1 : 1),
  );
}
