/**
 * Workloads -> pods. There is no controller here: a Deployment, ReplicaSet or StatefulSet stands for pods named `NAME-0` to
 * `NAME-(replicas-1)`, a DaemonSet or Job for one pod on this node. Each has the labels and annotations of the template and an
 * owner reference. A template that names a network namespace gets the number appended when there are several pods.
 *
 * A new kind of workload is one row of WORKLOADS (and one of KINDS in document.ts, with its shape).
 */
import { ANNOTATIONS } from './annotations.ts';
import type { Document } from './document.ts';
import type { Manifest } from './manifest.ts';

type Spec = NonNullable<Manifest['spec']>;

interface WorkloadKind {
  /** How many pods it stands for. */
  readonly count: (spec: Spec) => number;
  /** What they are made from. */
  readonly template: (spec: Spec) => Manifest;
}

const template = (spec: Spec): Manifest => (spec['template'] ?? {}) as Manifest;
const REPLICATED: WorkloadKind = { count: (spec) => (spec['replicas'] as number | undefined) ?? 1, template };
const SINGLE: WorkloadKind = { count: () => 1, template };

const WORKLOADS: Readonly<Record<string, WorkloadKind>> = {
  Deployment: REPLICATED,
  ReplicaSet: REPLICATED,
  StatefulSet: REPLICATED,
  DaemonSet: SINGLE,
  Job: SINGLE,
};

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
  return Array.from({ length: count }, (_, number) => podOf(object, workload.template(spec), { number, count }));
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
  { apiVersion = '', kind = '', metadata = {} }: Manifest,
  { metadata: { labels = {}, annotations = {} } = {}, spec = {} }: Manifest,
  { number, count }: { number: number; count: number },
): Manifest {
  const { name = '', namespace = 'default' } = metadata;
  const netns = annotations[ANNOTATIONS.netns];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${number}`,
      namespace,
      labels,
      annotations:
        netns === undefined || count === 1
          ? annotations
          : { ...annotations, [ANNOTATIONS.netns]: `${netns}-${number}` },
      ownerReferences: [{ apiVersion, kind, name, controller: true }],
    },
    spec,
  };
}
