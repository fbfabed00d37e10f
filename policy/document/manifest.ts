/** Kubernetes objects as plain values. */

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
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly [key: string]: unknown;
}

const CLUSTER_SCOPED = new Set([
  'Namespace',
  'Node',
  'CiliumClusterwideNetworkPolicy',
  'CiliumCIDRGroup',
  'CiliumEgressGatewayPolicy',
]);

/** Whether objects of this kind belong to no namespace. */
export function isClusterScoped(kind: string): boolean {
  return CLUSTER_SCOPED.has(kind);
}

/** `Kind/namespace/name`, or `Kind/name` where there are no namespaces. */
export function referenceOf({ kind = '', metadata = {} }: Manifest): string {
  const { namespace = 'default', name = '' } = metadata;
  return CLUSTER_SCOPED.has(kind) ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

/** The objects of a `List`, or the one itself. */
export function flattenList(document: Manifest): readonly Manifest[] {
  const { kind = '', apiVersion } = document;
  if (!kind.endsWith('List') || !Array.isArray(document['items'])) return [document];
  const items = document['items'] as Manifest[];
  const named = { kind: kind.slice(0, -'List'.length), ...(apiVersion !== undefined && { apiVersion }) };
  return kind === 'List' ? items : items.map((item) => ({ ...named, ...item }));
}

/**
 * Whether a file of a folder is a manifest by its name. Test files and the steps of examples lie beside manifests, and are
 * none: a folder is walked without them.
 */
export function isManifestName(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name) && !/\.(test|steps)\.ya?ml$/.test(name);
}
