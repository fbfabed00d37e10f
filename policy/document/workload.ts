/**
 * Workloads -> pods. There is no controller here: a Deployment, ReplicaSet or StatefulSet stands for pods named `NAME-0` to
 * `NAME-(replicas-1)`, a DaemonSet for one pod on this node, each with the labels and annotations of the template and an owner
 * reference. A template that names a network namespace gets the number appended when there are several pods.
 */
import type { Document } from './document.ts';

/** What is read of a workload; readDocuments() has checked the shape. */
interface WorkloadObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: {
      readonly metadata?: {
        readonly labels?: Readonly<Record<string, string>>;
        readonly annotations?: Readonly<Record<string, string>>;
      };
      readonly spec?: unknown;
    };
  };
}

const SINGLE = new Set(['DaemonSet', 'Job']);
const WORKLOADS = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job']);
const NETNS = 'sluice.io/netns';

/** Whether documents of this kind stand for pods. */
export function isWorkload(kind: string): boolean {
  return WORKLOADS.has(kind);
}

/** The pods that a workload stands for; none for `replicas: 0`. */
export function expandWorkload(workload: Document): Document[] {
  const { spec = {} } = workload.object as WorkloadObject;
  const replicas = SINGLE.has(workload.kind) ? 1 : (spec.replicas ?? 1);
  return Array.from({ length: replicas }, (_, index) => podOf(workload, index, replicas));
}

function podOf(workload: Document, index: number, replicas: number): Document {
  const { template = {} } = (workload.object as WorkloadObject).spec ?? {};
  const labels = template.metadata?.labels ?? {};
  const annotations = annotationsOf(template.metadata?.annotations ?? {}, index, replicas);
  const { namespace, kind, apiVersion, file, line } = workload;
  const name = `${workload.name}-${index}`;
  const ownerReferences = [{ apiVersion, kind, name: workload.name, controller: true }];
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels, annotations, ownerReferences },
    spec: template.spec ?? {},
  };
  return { kind: 'Pod', apiVersion: 'v1', namespace, name, labels, annotations, file, line, object };
}

function annotationsOf(
  template: Readonly<Record<string, string>>,
  index: number,
  replicas: number,
): Readonly<Record<string, string>> {
  const netns = template[NETNS];
  return netns === undefined || replicas === 1 ? template : { ...template, [NETNS]: `${netns}-${index}` };
}
