/** The columns of what makes pods. */
import type { KubeObject } from '../storage/kube-object.ts';
import { age, ageOf } from './age.ts';
import { AGE, type Column, count, fieldsOf, NAME, text, wide } from './column.ts';
import { labelText, selectorText } from './label-text.ts';

interface Template {
  readonly spec?: {
    readonly containers?: readonly { readonly name?: string; readonly image?: string }[];
    readonly nodeSelector?: object;
  };
}

interface WorkloadSpec {
  readonly replicas: number;
  readonly selector: object;
  readonly template: Template;
  readonly completions: number | null;
  readonly parallelism: number;
  readonly schedule: string;
  readonly timeZone: string;
  readonly suspend: boolean;
  readonly jobTemplate: { readonly spec?: { readonly template?: Template; readonly selector?: object } };
}

interface WorkloadStatus {
  readonly replicas: number;
  readonly readyReplicas: number;
  readonly updatedReplicas: number;
  readonly availableReplicas: number;
  readonly desiredNumberScheduled: number;
  readonly currentNumberScheduled: number;
  readonly numberReady: number;
  readonly updatedNumberScheduled: number;
  readonly numberAvailable: number;
  readonly succeeded: number;
  readonly startTime: string;
  readonly completionTime: string;
  readonly conditions: readonly { readonly type: string; readonly status?: string }[];
  readonly active: readonly object[];
  readonly lastScheduleTime: string;
}

const specOf = (object: KubeObject) => fieldsOf<WorkloadSpec>(object, 'spec');
const statusOf = (object: KubeObject) => fieldsOf<WorkloadStatus>(object, 'status');

const jobSpec = (object: KubeObject) => specOf(object).jobTemplate?.spec;
const templateOf = (object: KubeObject): Template => specOf(object).template ?? jobSpec(object)?.template ?? {};
const containersOf = (object: KubeObject) => templateOf(object).spec?.containers ?? [];

/** `ready/wanted`; an object that names no number wants one. */
const readyText = (object: KubeObject): string =>
  `${statusOf(object).readyReplicas ?? 0}/${specOf(object).replicas ?? 1}`;

const READY = text('Ready', readyText, 'Pods that are ready, of those wanted.');
const DESIRED = count('Desired', (object) => specOf(object).replicas ?? 1, 'Pods wanted.');
const CURRENT = count('Current', (object) => statusOf(object).replicas, 'Pods that there are.');
const READY_COUNT = count('Ready', (object) => statusOf(object).readyReplicas, 'Pods that are ready.');
const CONTAINERS = wide(
  text(
    'Containers',
    (object) =>
      containersOf(object)
        .map(({ name = '' }) => name)
        .join(','),
    'Names in the template.',
  ),
  text(
    'Images',
    (object) =>
      containersOf(object)
        .map(({ image = '' }) => image)
        .join(','),
    'Images in the template.',
  ),
);
const SELECTOR = wide(
  text('Selector', (object) => selectorText(specOf(object).selector, '<none>'), 'Pods that count.'),
);

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  READY,
  text('Up-to-date', (object) => statusOf(object).updatedReplicas ?? 0, 'Pods of the template as it stands.'),
  text('Available', (object) => statusOf(object).availableReplicas ?? 0, 'Pods that have been ready for long enough.'),
  AGE,
  ...CONTAINERS,
  ...wide(text('Selector', (object) => selectorText(specOf(object).selector, ''), 'Pods that count.')),
];

export const REPLICA_SET_COLUMNS: readonly Column[] = [
  NAME,
  DESIRED,
  CURRENT,
  READY_COUNT,
  AGE,
  ...CONTAINERS,
  ...SELECTOR,
];

export const REPLICATION_CONTROLLER_COLUMNS: readonly Column[] = [
  NAME,
  DESIRED,
  CURRENT,
  READY_COUNT,
  AGE,
  ...CONTAINERS,
  ...wide(text('Selector', (object) => labelText(specOf(object).selector), 'Pods that count.')),
];

export const STATEFUL_SET_COLUMNS: readonly Column[] = [NAME, READY, AGE, ...CONTAINERS];

export const DAEMON_SET_COLUMNS: readonly Column[] = [
  NAME,
  count('Desired', (object) => statusOf(object).desiredNumberScheduled, 'Nodes that are to run its pod.'),
  count('Current', (object) => statusOf(object).currentNumberScheduled, 'Nodes that run its pod.'),
  count('Ready', (object) => statusOf(object).numberReady, 'Nodes on which its pod is ready.'),
  count('Up-to-date', (object) => statusOf(object).updatedNumberScheduled, 'Nodes with the template as it stands.'),
  count(
    'Available',
    (object) => statusOf(object).numberAvailable,
    'Nodes where its pod has been ready for long enough.',
  ),
  text('Node Selector', (object) => labelText(templateOf(object).spec?.nodeSelector), 'Nodes that are chosen.'),
  AGE,
  ...CONTAINERS,
  ...SELECTOR,
];

export const JOB_COLUMNS: readonly Column[] = [
  NAME,
  text('Status', jobWord, 'How far it is.'),
  text('Completions', completionText, 'Pods that ended well, of those wanted.'),
  text('Duration', durationText, 'From its first pod to its end, or to now.'),
  AGE,
  ...CONTAINERS,
  ...SELECTOR,
];

export const CRON_JOB_COLUMNS: readonly Column[] = [
  NAME,
  text('Schedule', (object) => specOf(object).schedule ?? '', 'When it runs, as cron has it.'),
  text('Timezone', (object) => specOf(object).timeZone ?? '<none>', 'The time zone of the schedule.'),
  {
    name: 'Suspend',
    type: 'boolean',
    description: 'Whether it makes no jobs for now.',
    cell: (object) =>
      specOf(object).suspend === undefined ? '<unset>' : specOf(object).suspend === true ? 'True' : 'False',
  },
  count('Active', (object) => statusOf(object).active?.length, 'Jobs that run.'),
  text(
    'Last Schedule',
    (object, nowMs) => {
      const last = statusOf(object).lastScheduleTime;
      return last === undefined ? '<none>' : ageOf(last, nowMs);
    },
    'How long ago it last made a job.',
  ),
  AGE,
  ...CONTAINERS,
  ...wide(text('Selector', (object) => selectorText(jobSpec(object)?.selector, '<none>'), 'Pods that count.')),
];

export const POD_TEMPLATE_COLUMNS: readonly Column[] = [
  NAME,
  ...CONTAINERS.map((column) => ({ ...column, isWide: false })),
];

const JOB_WORDS = [
  { condition: 'Complete', word: 'Complete' },
  { condition: 'Failed', word: 'Failed' },
  { condition: '', word: 'Terminating' },
  { condition: 'Suspended', word: 'Suspended' },
  { condition: 'FailureTarget', word: 'FailureTarget' },
  { condition: 'SuccessCriteriaMet', word: 'SuccessCriteriaMet' },
] as const;

/** The first of these that holds. */
function jobWord(object: KubeObject): string {
  const { conditions = [] } = statusOf(object);
  const isGoing = object.metadata.deletionTimestamp !== undefined;
  const found = JOB_WORDS.find(({ condition }) =>
    condition === '' ? isGoing : conditions.some(({ type, status }) => type === condition && status === 'True'),
  );
  return found?.word ?? 'Running';
}

function completionText(object: KubeObject): string {
  const { completions, parallelism = 0 } = specOf(object);
  const succeeded = statusOf(object).succeeded ?? 0;
  if (completions !== undefined && completions !== null) return `${succeeded}/${completions}`;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText(object: KubeObject, nowMs: number): string {
  const { startTime, completionTime } = statusOf(object);
  if (startTime === undefined) return '';
  const endMs = completionTime === undefined ? nowMs : Date.parse(completionTime);
  return age(endMs - Date.parse(startTime));
}
