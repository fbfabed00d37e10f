/** Kubernetes objects as plain values, and the pods that a workload stands for. */

/** A Kubernetes object as it was read. */
export interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: ObjectMeta;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

export interface ObjectMeta {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}

const NETNS = 'sluice.io/netns';
const SINGLE = new Set(['DaemonSet', 'Job']);
const WORKLOADS = new Set(['Deployment', 'ReplicaSet', 'StatefulSet', ...SINGLE]);
const CLUSTER_SCOPED = new Set(['Namespace', 'Node', 'CiliumClusterwideNetworkPolicy', 'CiliumCIDRGroup']);

/** `Kind/namespace/name`, or `Kind/name` where there are no namespaces. */
export function referenceOf({ kind = '', metadata = {} }: Manifest): string {
  const { namespace = 'default', name = '' } = metadata;
  return CLUSTER_SCOPED.has(kind) ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

/** The objects of a `List`, or the one itself. */
export function flattenList(document: Manifest): readonly Manifest[] {
  const isList = document.kind?.endsWith('List') === true && Array.isArray(document['items']);
  return isList ? (document['items'] as Manifest[]) : [document];
}

/**
 * The pods of an object, exactly as the daemon has them: a Pod itself; of a workload `NAME-0` to `NAME-(replicas-1)` with the
 * labels and annotations of its template, a network namespace that those name getting the number appended when there are
 * several; none of anything else.
 */
export function podsOf(object: Manifest): readonly Manifest[] {
  const { kind = '', metadata = {}, spec = {} } = object;
  if (kind === 'Pod') return [object];
  if (!WORKLOADS.has(kind)) return [];
  const template = (spec['template'] ?? {}) as Manifest;
  const count = SINGLE.has(kind) ? 1 : ((spec['replicas'] as number | undefined) ?? 1);
  const { labels = {}, annotations = {} } = template.metadata ?? {};
  return Array.from({ length: count }, (_, at) => {
    const netns = annotations[NETNS] === undefined || count === 1 ? {} : { [NETNS]: `${annotations[NETNS]}-${at}` };
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${metadata.name ?? ''}-${at}`,
        namespace: metadata.namespace ?? 'default',
        labels,
        annotations: { ...annotations, ...netns },
      },
      spec: template.spec ?? {},
    };
  });
}
