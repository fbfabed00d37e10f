/**
 * Jobs: pods that run to their end, `completions` of them, `parallelism` at a time. One that ends badly is made again, later each time, until there
 * were more than `backoffLimit`. A Job is over when it is Complete or Failed and none of its pods is left running; `ttlSecondsAfterFinished`
 * later it goes. Of `completionMode: Indexed` each pod has a number of its own, in its name, an annotation and its environment.
 *
 * Not done: success and failure policies by exit code, back-off by index.
 */
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import { type Condition, conditionOf, withCondition } from '../apiserver/resources/conditions.ts';
import { type KubeObject, timestamp } from '../apiserver/storage/kube-object.ts';
import { withoutZeros } from './counts.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import {
  INDEX_ANNOTATION,
  indexOf,
  isIndexed,
  type JobSpec,
  type JobStatus,
  readIndexes,
  specOf,
  statusOf,
} from './job-spec.ts';
import { endsOf, isTracked, tally, TRACKED, untrack } from './job-tally.ts';
import { claim, controllerOf, keysOfControllers } from './ownership.ts';
import { PODS } from './pod-room.ts';
import { type Container, hasEnded, isActive, isGoing, isReady, podSpec, podStatus } from './pod-state.ts';
import { type PodExtras, Pods } from './pods.ts';

export const JOBS = 'jobs.batch';
const UID_LABEL = 'batch.kubernetes.io/controller-uid';
const NAME_LABEL = 'batch.kubernetes.io/job-name';
/** As they were called before. */
const OLD_LABELS = { uid: 'controller-uid', name: 'job-name' };
const DEFAULT_BACKOFF_LIMIT = 6;
const FIRST_RETRY_MS = 10_000;
const LAST_RETRY_MS = 6 * 60_000;

export function jobs(surroundings: Surroundings): Controller {
  const { storage, room, clock } = surroundings;
  const recorder = new EventRecorder(storage, { component: 'job-controller', clock });
  const worker = new Jobs(surroundings, new Pods(storage, room, recorder), recorder);
  return {
    name: 'job-controller',
    watches: {
      [JOBS]: ownKey,
      [PODS]: keysOfControllers('Job'),
    },
    work: (key) => worker.work(key),
  };
}

/** Why a Job comes to its end: the condition that says so, before its pods are gone and after. */
interface End {
  readonly isSuccess: boolean;
  readonly reason: string;
  readonly message: string;
}

class Jobs {
  readonly #surroundings: Surroundings;
  readonly #pods: Pods;
  readonly #recorder: EventRecorder;

  constructor(surroundings: Surroundings, pods: Pods, recorder: EventRecorder) {
    this.#surroundings = surroundings;
    this.#pods = pods;
    this.#recorder = recorder;
  }

  work(key: string): number | undefined {
    const { storage } = this.#surroundings;
    const [namespace, name] = partsOf(key);
    const found = storage.get(JOBS, namespace, name);
    this.#letGoOf(namespace, name, found);
    if (found === undefined || storage.isMirrored(JOBS, namespace, name)) return undefined;
    const job = storage.update(JOBS, namespace, name, completed);
    const pods = claim(storage, PODS, job, specOf(job).selector);
    if (isOver(job)) return this.#expire(job);
    if (isGoing(job)) {
      // It counts no more: its pods need not wait for it.
      for (const pod of pods) if (isTracked(pod)) untrack(storage, pod);
      return undefined;
    }
    return this.#look(job, pods);
  }

  /** Pods of a Job that is gone wait for nobody. */
  #letGoOf(namespace: string, name: string, job: KubeObject | undefined): void {
    const { storage } = this.#surroundings;
    for (const pod of storage.list(PODS, { namespace })) {
      const owner = controllerOf(pod);
      if (owner?.kind === 'Job' && owner.name === name && owner.uid !== job?.metadata.uid && isTracked(pod))
        untrack(storage, pod);
    }
  }

  #look(job: KubeObject, pods: readonly KubeObject[]): number | undefined {
    const { storage, clock } = this.#surroundings;
    const nowMs = clock.nowMs();
    const spec = specOf(job);
    const isSuspended = spec.suspend === true;
    const counted = started(tally(job, pods), isSuspended, nowMs);
    const end = endOf(job, spec, counted, pods, nowMs);
    const active = pods.filter(isActive);
    let status = this.#tell(job, { ...counted, ...this.#suspension(job, counted, isSuspended, nowMs) });
    for (const pod of pods) if (isTracked(pod) && (hasEnded(pod) || isGoing(pod))) untrack(storage, pod);
    let waitMs: number | undefined;
    try {
      if (end !== undefined || isSuspended) for (const pod of active) this.#remove(job, pod);
      else waitMs = this.#fill(job, status, active, pods);
    } finally {
      status = this.#tell(job, this.#withPods(job, status));
    }
    if (end !== undefined) this.#end(job, status, end);
    const deadlineMs = leftMs(spec, status, nowMs);
    const waits = [waitMs, deadlineMs].filter((ms) => ms !== undefined);
    return waits.length === 0 || end !== undefined ? undefined : Math.max(1, Math.min(...waits));
  }

  /** Makes the pods that are missing, or takes away those too many. @returns how long to wait before more are made */
  #fill(
    job: KubeObject,
    status: JobStatus,
    active: readonly KubeObject[],
    pods: readonly KubeObject[],
  ): number | undefined {
    const spec = specOf(job);
    const { succeeded } = endsOf(status);
    const wanted = wantedPods(spec, succeeded, active.length);
    for (const pod of active.slice(wanted)) this.#remove(job, pod);
    // One more than there is ever room for is enough to be told that there is none.
    const missing = Math.min(wanted - active.length, this.#surroundings.room.maxPods + 1);
    if (missing <= 0) return undefined;
    const waitMs = retryMs(pods, endsOf(status), this.#surroundings.clock.nowMs());
    if (waitMs > 0) return waitMs;
    const indexes = isIndexed(spec) ? freeIndexes(spec, status, active, missing) : [];
    for (let i = 0; i < missing; i++) {
      if (isIndexed(spec) && indexes[i] === undefined) break;
      this.#pods.make(job, templateOf(job, indexes[i]), extrasOf(job, indexes[i]));
    }
    return undefined;
  }

  /** One that the Job itself takes away is no failure of the pod. */
  #remove(job: KubeObject, pod: KubeObject): void {
    untrack(this.#surroundings.storage, pod);
    this.#pods.remove(job, pod);
  }

  #withPods(job: KubeObject, status: JobStatus): JobStatus {
    const pods = claim(this.#surroundings.storage, PODS, job, specOf(job).selector);
    const active = pods.filter(isActive);
    const terminating = pods.filter((pod) => isGoing(pod) && !hasEnded(pod)).length;
    return { ...status, active: active.length, ready: active.filter(isReady).length, terminating };
  }

  #suspension(job: KubeObject, status: JobStatus, isSuspended: boolean, nowMs: number): Partial<JobStatus> {
    const isTold = conditionOf(job, 'Suspended')?.status === 'True';
    if (isTold === isSuspended) return {};
    const word = isSuspended ? 'Suspended' : 'Resumed';
    const condition = {
      type: 'Suspended',
      status: isSuspended ? 'True' : 'False',
      reason: `Job${word}`,
      message: `Job ${word.toLowerCase()}`,
    };
    this.#recorder.record(job, { type: 'Normal', reason: word, message: condition.message });
    return { conditions: withCondition(status.conditions ?? [], condition, nowMs) };
  }

  /** Says that it comes to its end, and that it has when no pod of it is left. */
  #end(job: KubeObject, status: JobStatus, { isSuccess, reason, message }: End): void {
    const nowMs = this.#surroundings.clock.nowMs();
    const told = (conditions: readonly Condition[], type: string): readonly Condition[] =>
      withCondition(conditions, { type, status: 'True', reason, message }, nowMs);
    const conditions = told(status.conditions ?? [], isSuccess ? 'SuccessCriteriaMet' : 'FailureTarget');
    const named = status.uncountedTerminatedPods ?? {};
    const isCounted = (named.succeeded ?? []).length + (named.failed ?? []).length === 0;
    if (!isCounted || (status.active ?? 0) + (status.terminating ?? 0) > 0) {
      this.#tell(job, { ...status, conditions });
      return;
    }
    this.#tell(job, {
      ...status,
      conditions: told(conditions, isSuccess ? 'Complete' : 'Failed'),
      ...(isSuccess && { completionTime: timestamp(nowMs) }),
    });
    if (isSuccess) this.#recorder.record(job, { type: 'Normal', reason: 'Completed', message: 'Job completed' });
    else this.#recorder.record(job, { type: 'Warning', reason, message });
  }

  /** One that is over goes when its time has come. @returns in how many milliseconds that is */
  #expire(job: KubeObject): number | undefined {
    const { storage, clock } = this.#surroundings;
    const { ttlSecondsAfterFinished } = specOf(job);
    if (ttlSecondsAfterFinished === undefined || isGoing(job)) return undefined;
    const ends = ['Complete', 'Failed'].flatMap((type) => conditionOf(job, type)?.lastTransitionTime ?? []);
    const leftMs = Date.parse(ends[0] ?? '') + ttlSecondsAfterFinished * 1000 - clock.nowMs();
    if (leftMs > 0) return leftMs;
    storage.delete(JOBS, job.metadata.namespace ?? '', job.metadata.name, { propagationPolicy: 'Background' });
    return undefined;
  }

  #tell({ metadata: { namespace = '', name } }: KubeObject, status: JobStatus): JobStatus {
    const { active = 0, succeeded = 0, failed = 0, ...others } = status;
    const counts = withoutZeros({ active, succeeded, failed });
    const change = (one: KubeObject): KubeObject => ({ ...one, status: { ...others, ...counts } });
    return statusOf(this.#surroundings.storage.update(JOBS, namespace, name, change, { isStatus: true }));
  }
}

/** A Job with the selector and labels that tell its pods from those of the others. */
function completed(job: KubeObject): KubeObject {
  const spec = specOf(job);
  if (spec.manualSelector === true || spec.selector !== undefined) return job;
  const { uid, name } = job.metadata;
  const { template = {} } = spec;
  const labels = {
    ...template.metadata?.labels,
    ...{ [OLD_LABELS.uid]: uid, [OLD_LABELS.name]: name, [UID_LABEL]: uid, [NAME_LABEL]: name },
  };
  return {
    ...job,
    spec: {
      ...spec,
      selector: { matchLabels: { [UID_LABEL]: uid } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function isOver(job: KubeObject): boolean {
  return ['Complete', 'Failed'].some((type) => conditionOf(job, type)?.status === 'True');
}

/** The clock of a Job runs while it is not suspended. */
function started(status: JobStatus, isSuspended: boolean, nowMs: number): JobStatus {
  const { startTime, ...others } = status;
  if (isSuspended) return others;
  return { ...others, startTime: startTime ?? timestamp(nowMs) };
}

function leftMs({ activeDeadlineSeconds }: JobSpec, { startTime }: JobStatus, nowMs: number): number | undefined {
  if (activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
  return Date.parse(startTime) + activeDeadlineSeconds * 1000 - nowMs;
}

/** Why it comes to its end, once that is so for good. */
function endOf(
  job: KubeObject,
  spec: JobSpec,
  status: JobStatus,
  pods: readonly KubeObject[],
  nowMs: number,
): End | undefined {
  const told = (type: string): Condition | undefined => {
    const condition = conditionOf(job, type);
    return condition?.status === 'True' ? condition : undefined;
  };
  const before = told('FailureTarget') ?? told('SuccessCriteriaMet');
  if (before !== undefined) {
    const { type, reason = '', message = '' } = before;
    return { isSuccess: type === 'SuccessCriteriaMet', reason, message };
  }
  if (spec.suspend === true) return undefined;
  const { succeeded, failed } = endsOf(status);
  const limit = spec.backoffLimit ?? DEFAULT_BACKOFF_LIMIT;
  if (failed > limit || restartsOf(spec, pods) > limit) {
    return { isSuccess: false, reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' };
  }
  if ((leftMs(spec, status, nowMs) ?? 1) <= 0) {
    return { isSuccess: false, reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' };
  }
  const active = pods.filter(isActive).length;
  const completions = spec.completions ?? undefined;
  const isDone = completions === undefined ? succeeded > 0 && active === 0 : succeeded >= completions;
  if (!isDone) return undefined;
  return { isSuccess: true, reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' };
}

/** Containers that are started again in their pod count as well. */
function restartsOf({ template }: JobSpec, pods: readonly KubeObject[]): number {
  if (template?.spec?.restartPolicy !== 'OnFailure') return 0;
  const counts = pods.filter(isActive).flatMap((pod) => podStatus(pod).containerStatuses ?? []);
  return counts.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0);
}

function wantedPods({ parallelism = 1, completions }: JobSpec, succeeded: number, active: number): number {
  // Without a number it is one pod's success that counts: nothing is begun after it.
  if (completions === undefined || completions === null)
    return succeeded > 0 ? Math.min(active, parallelism) : parallelism;
  return Math.max(0, Math.min(parallelism, completions - succeeded));
}

/** How long after the last failure the next pod is made. */
function retryMs(pods: readonly KubeObject[], { failed }: { readonly failed: number }, nowMs: number): number {
  if (failed === 0) return 0;
  const bad = pods.filter((pod) => podStatus(pod).phase === 'Failed').map(endedMs);
  if (bad.length === 0) return 0;
  const waitMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failed - 1, 30), LAST_RETRY_MS);
  return Math.max(0, Math.max(...bad) + waitMs - nowMs);
}

function endedMs(pod: KubeObject): number {
  const { containerStatuses = [] } = podStatus(pod) as {
    containerStatuses?: readonly { state?: { terminated?: { finishedAt?: string } } }[];
  };
  const times = containerStatuses.map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = times.filter((ms) => !Number.isNaN(ms));
  const ready = Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '');
  return known.length > 0
    ? Math.max(...known)
    : Number.isNaN(ready)
      ? Date.parse(pod.metadata.creationTimestamp)
      : ready;
}

function freeIndexes(spec: JobSpec, status: JobStatus, active: readonly KubeObject[], most: number): number[] {
  const taken = readIndexes(status.completedIndexes ?? '');
  for (const pod of active) taken.add(indexOf(pod) ?? -1);
  const free: number[] = [];
  for (let index = 0; index < (spec.completions ?? 0) && free.length < most; index++)
    if (!taken.has(index)) free.push(index);
  return free;
}

/** The template of a pod, which knows its index. */
function templateOf(job: KubeObject, index: number | undefined): NonNullable<JobSpec['template']> {
  const { template = {} } = specOf(job);
  if (index === undefined) return template;
  const env = { name: 'JOB_COMPLETION_INDEX', value: String(index) };
  const withIndex = (containers: readonly Container[] = []): Container[] =>
    containers.map((container) => ({ ...container, env: [...(container.env ?? []), env] }));
  const { spec = {} } = template;
  const { containers, initContainers } = podSpec({ spec } as unknown as KubeObject);
  return {
    ...template,
    spec: {
      ...spec,
      containers: withIndex(containers),
      ...(initContainers !== undefined && { initContainers: withIndex(initContainers) }),
    },
  };
}

function extrasOf(job: KubeObject, index: number | undefined): PodExtras {
  if (index === undefined) return { finalizers: [TRACKED] };
  const numbered = { [INDEX_ANNOTATION]: String(index) };
  const name = `${job.metadata.name}-${index}`;
  return {
    generateName: `${name}-`,
    finalizers: [TRACKED],
    annotations: numbered,
    labels: numbered,
    spec: { hostname: name },
  };
}
