/** What a Job wants and tells, and the indexes of one whose pods are numbered. */
import type { Condition } from '../apiserver/resources/conditions.ts';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import type { PodTemplate } from './pods.ts';
import type { LabelSelector } from './selector.ts';

export interface JobSpec {
  readonly parallelism?: number;
  readonly completions?: number | null;
  readonly completionMode?: string;
  readonly backoffLimit?: number;
  readonly activeDeadlineSeconds?: number;
  readonly ttlSecondsAfterFinished?: number;
  readonly suspend?: boolean;
  readonly manualSelector?: boolean;
  readonly selector?: LabelSelector;
  readonly template?: PodTemplate;
}

export interface JobStatus {
  readonly active?: number;
  readonly ready?: number;
  readonly terminating?: number;
  readonly succeeded?: number;
  readonly failed?: number;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly completedIndexes?: string;
  readonly uncountedTerminatedPods?: { readonly succeeded?: readonly string[]; readonly failed?: readonly string[] };
  readonly conditions?: readonly Condition[];
}

export const INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';

export const specOf = (job: KubeObject): JobSpec => (job['spec'] ?? {}) as JobSpec;
export const statusOf = (job: KubeObject): JobStatus => (job['status'] ?? {}) as JobStatus;
export const isIndexed = ({ completionMode }: JobSpec): boolean => completionMode === 'Indexed';

export function indexOf(pod: KubeObject): number | undefined {
  const text = pod.metadata.annotations?.[INDEX_ANNOTATION] ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** `0-3,7` */
export function readIndexes(text: string): Set<number> {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    if (match === null) continue;
    for (let index = Number(match[1]); index <= Number(match[2] ?? match[1]); index++) found.add(index);
  }
  return found;
}

export function writeIndexes(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; i++) {
    const first = sorted[i];
    while (sorted[i + 1] === sorted[i] + 1) i++;
    parts.push(first === sorted[i] ? String(first) : `${first}-${sorted[i]}`);
  }
  return parts.join(',');
}
