/**
 * CronJobs: a Job each time that the schedule has it. A time that was missed is made good when it is not older than
 * `startingDeadlineSeconds`, the last one only. `concurrencyPolicy` says what becomes of a time at which the Job before still runs.
 */
import type { Clock } from '../apiserver/clock.ts';
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import { conditionOf } from '../apiserver/resources/conditions.ts';
import { type KubeMeta, type KubeObject, timestamp } from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { CronSchedule } from './cron-schedule.ts';
import { JOBS } from './job.ts';
import { controllerReference, isControlledBy, keysOfControllers } from './ownership.ts';
import { isGoing } from './pod-state.ts';

const CRON_JOBS = 'cronjobs.batch';
const MINUTE_MS = 60_000;
/** Times missed that are looked at one by one. */
const MOST_MISSED = 100;
const SCHEDULED_AT = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

interface CronJobSpec {
  readonly schedule?: string;
  readonly timeZone?: string;
  readonly suspend?: boolean;
  readonly concurrencyPolicy?: string;
  readonly startingDeadlineSeconds?: number;
  readonly successfulJobsHistoryLimit?: number;
  readonly failedJobsHistoryLimit?: number;
  readonly jobTemplate?: { readonly metadata?: Partial<KubeMeta>; readonly spec?: object };
}

interface CronJobStatus {
  readonly lastScheduleTime?: string;
  readonly lastSuccessfulTime?: string;
  readonly active?: readonly object[];
}

const specOf = (object: KubeObject): CronJobSpec => (object['spec'] ?? {}) as CronJobSpec;

export function cronJobs({ storage, clock }: Surroundings): Controller {
  const worker = new CronJobs(storage, clock, new EventRecorder(storage, { component: 'cronjob-controller', clock }));
  return {
    name: 'cronjob-controller',
    watches: {
      [CRON_JOBS]: ownKey,
      [JOBS]: keysOfControllers('CronJob'),
    },
    work: (key) => worker.work(key),
  };
}

class CronJobs {
  readonly #storage: Storage;
  readonly #clock: Clock;
  readonly #recorder: EventRecorder;

  constructor(storage: Storage, clock: Clock, recorder: EventRecorder) {
    this.#storage = storage;
    this.#clock = clock;
    this.#recorder = recorder;
  }

  work(key: string): number | undefined {
    const [namespace, name] = partsOf(key);
    const cronJob = this.#storage.get(CRON_JOBS, namespace, name);
    if (cronJob === undefined || this.#storage.isMirrored(CRON_JOBS, namespace, name)) return undefined;
    const jobs = this.#jobsOf(cronJob);
    this.#prune(cronJob, jobs);
    const { schedule: text = '', timeZone = '', suspend = false } = specOf(cronJob);
    if (suspend || isGoing(cronJob)) {
      this.#tellStatus(cronJob, {});
      return undefined;
    }
    const schedule = this.#read(cronJob, text, timeZone);
    if (schedule === undefined) return undefined;
    const due = this.#due(cronJob, schedule);
    this.#tellStatus(cronJob, due === undefined ? {} : this.#start(cronJob, due));
    const nowMs = this.#clock.nowMs();
    const next = schedule.next(nowMs);
    return next === undefined ? undefined : next - nowMs;
  }

  #read(cronJob: KubeObject, text: string, timeZone: string): CronSchedule | undefined {
    try {
      return new CronSchedule(text, timeZone);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
      this.#recorder.record(cronJob, { type: 'Warning', reason: 'UnparseableSchedule', message: error.message });
      return undefined;
    }
  }

  #jobsOf(cronJob: KubeObject): KubeObject[] {
    const { namespace = '' } = cronJob.metadata;
    return this.#storage.list(JOBS, { namespace }).filter((job) => isControlledBy(job, cronJob));
  }

  /** The last time that has come and has had no Job. */
  #due(cronJob: KubeObject, schedule: CronSchedule): number | undefined {
    const nowMs = this.#clock.nowMs();
    const { startingDeadlineSeconds } = specOf(cronJob);
    const { lastScheduleTime } = (cronJob['status'] ?? {}) as CronJobStatus;
    const deadlineMs = startingDeadlineSeconds === undefined ? 0 : nowMs - startingDeadlineSeconds * 1000;
    const sinceMs = Math.max(deadlineMs, Date.parse(lastScheduleTime ?? cronJob.metadata.creationTimestamp));
    let due: number | undefined;
    let missed = 0;
    for (let at = schedule.next(sinceMs); at !== undefined && at <= nowMs; at = schedule.next(at)) {
      due = at;
      if (++missed <= MOST_MISSED) continue;
      const message = `too many missed start times (> ${MOST_MISSED}). Set or decrease .spec.startingDeadlineSeconds or check clock skew`;
      this.#recorder.record(cronJob, { type: 'Warning', reason: 'TooManyMissedTimes', message });
      return lastBefore(schedule, due, nowMs);
    }
    return due;
  }

  /** @returns what of the status is new */
  #start(cronJob: KubeObject, due: number): CronJobStatus {
    const { concurrencyPolicy } = specOf(cronJob);
    const active = this.#jobsOf(cronJob).filter((job) => !isOver(job) && !isGoing(job));
    if (active.length > 0 && concurrencyPolicy === 'Forbid') {
      const message = 'Not starting job because prior execution is running and concurrency policy is Forbid';
      this.#recorder.record(cronJob, { type: 'Normal', reason: 'JobAlreadyActive', message });
      return { lastScheduleTime: timestamp(due) };
    }
    if (concurrencyPolicy === 'Replace') for (const job of active) this.#delete(cronJob, job);
    try {
      const job = this.#storage.create(JOBS, jobOf(cronJob, due));
      this.#recorder.record(cronJob, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created job ${job.metadata.name}`,
      });
    } catch (error) {
      // It was made, and then the status was not told.
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
    }
    return { lastScheduleTime: timestamp(due) };
  }

  #tellStatus(cronJob: KubeObject, news: CronJobStatus): void {
    const { namespace = '', name } = cronJob.metadata;
    const jobs = this.#jobsOf(cronJob);
    const active = jobs.filter((job) => !isOver(job)).map(referenceOf);
    const ends = jobs.filter((job) => conditionOf(job, 'Complete')?.status === 'True').map((job) => endOf(job));
    const last = ends.sort().at(-1);
    const change = (one: KubeObject): KubeObject => {
      const before = (one['status'] ?? {}) as CronJobStatus;
      const success = [before.lastSuccessfulTime, last].filter((time) => time !== undefined).sort();
      const lastSuccessfulTime = success.at(-1);
      const status = {
        ...before,
        active,
        ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
        ...news,
      };
      return { ...one, status };
    };
    this.#storage.update(CRON_JOBS, namespace, name, change, { isStatus: true });
  }

  /** Takes Jobs away that are over, and more than history is wanted of. */
  #prune(cronJob: KubeObject, jobs: readonly KubeObject[]): void {
    const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = specOf(cronJob);
    const over = jobs.filter((job) => isOver(job) && !isGoing(job)).sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    const hasFailed = (job: KubeObject): boolean => conditionOf(job, 'Failed')?.status === 'True';
    const oldest = (all: readonly KubeObject[], kept: number): readonly KubeObject[] =>
      all.slice(0, Math.max(0, all.length - kept));
    const surplus = [
      ...oldest(
        over.filter((job) => !hasFailed(job)),
        successfulJobsHistoryLimit,
      ),
      ...oldest(over.filter(hasFailed), failedJobsHistoryLimit),
    ];
    for (const job of surplus) this.#delete(cronJob, job);
  }

  #delete(cronJob: KubeObject, { metadata: { namespace = '', name } }: KubeObject): void {
    this.#storage.delete(JOBS, namespace, name, { propagationPolicy: 'Background' });
    this.#recorder.record(cronJob, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted job ${name}` });
  }
}

/** Steps that many times missed are skipped with: what is left is few enough to look at. */
function lastBefore(schedule: CronSchedule, from: number, nowMs: number): number {
  const next = schedule.next(from) ?? nowMs;
  const gap = Math.max(MINUTE_MS, next - from);
  let due = from;
  let at = schedule.next(Math.max(from, nowMs - MOST_MISSED * gap));
  for (let steps = 0; at !== undefined && at <= nowMs && steps <= 60 * MOST_MISSED; steps++) {
    due = at;
    at = schedule.next(at);
  }
  return due;
}

function jobOf(cronJob: KubeObject, due: number): Partial<KubeObject> {
  const { namespace = '', name } = cronJob.metadata;
  const { jobTemplate: { metadata = {}, spec = {} } = {} } = specOf(cronJob);
  const { labels, annotations } = metadata;
  const own: Partial<KubeMeta> = {
    name: `${name}-${Math.floor(due / MINUTE_MS)}`,
    namespace,
    ...(labels !== undefined && { labels }),
    annotations: { ...annotations, [SCHEDULED_AT]: timestamp(due) },
    ownerReferences: [controllerReference(cronJob)],
  };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: own as KubeMeta, spec };
}

function referenceOf({ apiVersion, kind, metadata }: KubeObject): object {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion, kind, name, namespace, uid, resourceVersion };
}

function isOver(job: KubeObject): boolean {
  return ['Complete', 'Failed'].some((type) => conditionOf(job, type)?.status === 'True');
}

const startOf = (job: KubeObject): string =>
  ((job['status'] ?? {}) as { startTime?: string }).startTime ?? job.metadata.creationTimestamp;
const endOf = (job: KubeObject): string => ((job['status'] ?? {}) as { completionTime?: string }).completionTime ?? '';
