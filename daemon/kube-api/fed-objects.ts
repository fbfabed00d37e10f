/** Which objects of the Kubernetes API the agent gets, and what of them: what they want, not what has become of it. */
import type { KubeObject, ResourceName } from '../../apiserver/storage/kube-object.ts';
import { MANAGED_BY, MANAGER, OF_ENDPOINTS } from '../../controllers/endpoints/endpoints.ts';
import type { Manifest } from '../../policy/document/manifest.ts';
import type { FedObject } from './messages.ts';

/** Resource -> whether the agent gets one of its objects. Workloads are not among them: their controllers make pods;
 * and no endpoints that controllers made of what the agent has itself. */
const FED: Readonly<Record<ResourceName, (object: KubeObject) => boolean>> = {
  namespaces: () => true,
  // One that is on no node is nobody's to attach.
  pods: ({ spec }) => ((spec as { nodeName?: string } | undefined)?.nodeName ?? '') !== '',
  services: () => true,
  'endpointslices.discovery.k8s.io': ({ metadata }) => metadata.labels?.[MANAGED_BY] !== MANAGER,
  endpoints: ({ metadata }) => metadata.labels?.[OF_ENDPOINTS] === undefined,
  secrets: () => true,
  nodes: () => true,
  'networkpolicies.networking.k8s.io': () => true,
  'ciliumnetworkpolicies.cilium.io': () => true,
  'ciliumclusterwidenetworkpolicies.cilium.io': () => true,
  'ciliumcidrgroups.cilium.io': () => true,
  'ciliumegressgatewaypolicies.cilium.io': () => true,
};

export const FED_RESOURCES: readonly ResourceName[] = Object.keys(FED);

export function isFed(resource: ResourceName): boolean {
  return Object.hasOwn(FED, resource);
}

/** Whether the agent gets this object. */
export function isWanted(resource: ResourceName, object: KubeObject): boolean {
  return isFed(resource) && FED[resource](object);
}

/** An object as the agent takes it. */
export function fedObject(object: KubeObject): FedObject {
  const { creationTimestamp, managedFields = [] } = object.metadata;
  const createdMs = Date.parse(creationTimestamp);
  const times = (managedFields as ManagedField[]).map((one) =>
    one.subresource ? Number.NaN : Date.parse(one.time ?? ''),
  );
  return {
    object: fedManifest(object),
    atMs: Math.max(createdMs, ...times.filter((ms) => !Number.isNaN(ms))),
    createdMs,
  };
}

interface ManagedField {
  readonly time?: string;
  readonly subresource?: string;
}

/** What of an object makes a difference to the agent. */
export function fedManifest(object: KubeObject): Manifest {
  const { name, namespace, uid, labels, annotations, creationTimestamp, deletionTimestamp, ownerReferences } =
    object.metadata;
  const metadata = {
    ...{ name, uid, creationTimestamp },
    ...(namespace !== undefined && { namespace }),
    ...(labels && { labels }),
    ...(annotations && { annotations: withoutNotes(annotations) }),
    ...(ownerReferences && { ownerReferences }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
  const { status, ...rest } = object;
  if (object.kind === 'Pod') return { ...rest, metadata, status: podStatus((status ?? {}) as PodStatus) };
  if (object.kind === 'Node') return { ...rest, metadata, status: { addresses: addressesOf(status) } };
  return { ...rest, metadata };
}

/** kubectl's own note of what was applied is as large as the object, and nothing to the agent. */
function withoutNotes(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const kept = { ...annotations };
  delete kept['kubectl.kubernetes.io/last-applied-configuration'];
  return kept;
}

interface PodStatus {
  readonly phase?: string;
  readonly conditions?: readonly { readonly type?: string; readonly status?: string }[];
}

/** A pod is no backend before the kubelet has found it ready. */
function podStatus({ phase = '', conditions = [] }: PodStatus): object {
  const isReady = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  const hasEnded = phase === 'Succeeded' || phase === 'Failed';
  return { ...(hasEnded && { phase }), conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] };
}

function addressesOf(status: unknown): unknown {
  return (status as { addresses?: unknown } | undefined)?.addresses ?? [];
}
