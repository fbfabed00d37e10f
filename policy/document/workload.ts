/**
 * Workloads -> pods. There is no controller here: a Deployment, ReplicaSet, ReplicationController or StatefulSet stands for pods
 * named `NAME-0` to `NAME-(replicas-1)`, a DaemonSet for one pod on this node, a Job for as many as may run at once, a CronJob for
 * those of one of its jobs. Each has the labels and annotations of the template and an
 * owner reference. Those of a StatefulSet have their name as `hostname`, and its `serviceName` as `subdomain`.
 * A template that names a network namespace gets the number appended when there are several pods.
 *
 * A new kind of workload is one row of WORKLOADS (and one of KINDS in document.ts, with its shape).
 */
import { ANNOTATIONS } from './annotations.ts';
import type { Document } from './document.ts';
import type { Manifest } from './manifest.ts';

type Spec = NonNullable<Manifest['spec']>;

interface WorkloadKind {
  /** Where the template lies. */
  readonly path: readonly string[];
  /** How many pods it stands for. */
  readonly count: (spec: Spec) => number;
  /** What they are made from. */
  readonly template: (spec: Spec) => Manifest;
  /** What each has besides, by its name and number. */
  readonly own?: (spec: Spec, name: string, number: number) => Own;
}

interface Own {
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Spec;
}

const template = (spec: Spec): Manifest => (spec['template'] ?? {}) as Manifest;
const path = ['spec', 'template'];
const REPLICATED: WorkloadKind = { path, count: (spec) => (spec['replicas'] as number | undefined) ?? 1, template };
const STATEFUL: WorkloadKind = { ...REPLICATED, own: ofStatefulSet };
const SINGLE: WorkloadKind = { path, count: () => 1, template };
const jobCount = (spec: Spec): number =>
  spec['suspend'] === true ? 0 : ((spec['parallelism'] as number | undefined) ?? 1);
const JOB: WorkloadKind = { path, count: jobCount, template };
const jobOf = (spec: Spec): Spec => (spec['jobTemplate'] as { spec?: Spec } | undefined)?.spec ?? {};

const WORKLOADS: Readonly<Record<string, WorkloadKind>> = {
  Deployment: REPLICATED,
  ReplicaSet: REPLICATED,
  StatefulSet: STATEFUL,
  ReplicationController: REPLICATED,
  DaemonSet: SINGLE,
  Job: JOB,
  CronJob: {
    path: ['spec', 'jobTemplate', 'spec', 'template'],
    count: (spec) => (spec['suspend'] === true ? 0 : jobCount(jobOf(spec))),
    template: (spec) => template(jobOf(spec)),
  },
};

/** What a pod of a StatefulSet has besides its template. @param name of the pod */
export function ofStatefulSet({ serviceName }: Spec, name: string, number: number): Own {
  return {
    labels: { 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(number) },
    spec: { hostname: name, ...(typeof serviceName === 'string' && { subdomain: serviceName }) },
  };
}

/** Where in a workload its pods are described: `spec`, `template`. */
export function templatePath(kind: string): readonly string[] {
  return isWorkload(kind) ? WORKLOADS[kind].path : [];
}

/** Whether objects of this kind stand for pods. */
export function isWorkload(kind: string): boolean {
  return Object.hasOwn(WORKLOADS, kind);
}

/** The pods of an object: a Pod itself, those that a workload stands for (none for `replicas: 0`), none of anything else. */
export function podsOf(object: Manifest): readonly Manifest[] {
  const { kind = '', spec = {} } = object;
  if (kind === 'Pod') return [object];
  if (!isWorkload(kind)) return [];
  const workload = WORKLOADS[kind];
  const count = workload.count(spec);
  return Array.from({ length: count }, (_, number) => podOf(object, workload, { number, count }));
}

/** As `podsOf`, of a document: the pods have its file and line. */
export function expandWorkload(workload: Document): Document[] {
  const { file, line } = workload;
  return podsOf(workload.object as Manifest).map((object) => {
    const { name = '', namespace = '', labels = {}, annotations = {} } = object.metadata ?? {};
    return { kind: 'Pod', apiVersion: 'v1', namespace, name, labels, annotations, file, line, object: { ...object } };
  });
}

function podOf(
  { apiVersion = '', kind = '', metadata = {}, spec: given = {} }: Manifest,
  workload: WorkloadKind,
  { number, count }: { number: number; count: number },
): Manifest {
  const { name = '', namespace = 'default' } = metadata;
  const { metadata: { labels = {}, annotations = {} } = {}, spec = {} } = workload.template(given);
  const own = workload.own?.(given, `${name}-${number}`, number);
  const netns = annotations[ANNOTATIONS.netns];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${number}`,
      namespace,
      labels: { ...labels, ...own?.labels },
      annotations:
        netns === undefined || count === 1
          ? annotations
          : { ...annotations, [ANNOTATIONS.netns]: `${netns}-${number}` },
      ownerReferences: [{ apiVersion, kind, name, controller: true }],
    },
    spec: { ...spec, ...own?.spec },
  };
}
