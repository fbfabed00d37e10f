/** What deleting makes of an object: gone at once, or marked until its finalizers and its grace period have ended. */
import { type KubeObject, type ResourceName, timestamp } from './kube-object.ts';
import { StatusError } from './status-error.ts';

export interface DeleteOptions {
  /** What becomes of the objects that it owns; Background unless told. */
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  /** Of pods; terminationGracePeriodSeconds of the pod unless told, 0 for at once. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

/** Of a pod that names none. */
export const DEFAULT_GRACE_SEC = 30;
/** Waits for the garbage collector, which takes it away when the owned objects are gone, or are let go. */
const FINALIZER_OF: Readonly<Record<string, string | undefined>> = {
  Foreground: 'foregroundDeletion',
  Orphan: 'orphan',
};
const PROPAGATION_FINALIZERS: readonly unknown[] = Object.values(FINALIZER_OF);

/** The object as deleting leaves it; `isDone` says whether it goes. */
export function deletionOf(
  resource: ResourceName,
  object: KubeObject,
  { propagationPolicy, gracePeriodSeconds }: DeleteOptions,
  nowMs: number,
): KubeObject {
  const { metadata } = object;
  const graceSec = graceOf(resource, object, gracePeriodSeconds);
  const finalizers = finalizersOf(metadata.finalizers ?? [], propagationPolicy);
  // A second request may only shorten what the first one gave.
  const isShorter = metadata.deletionTimestamp === undefined || graceSec < (metadata.deletionGracePeriodSeconds ?? 0);
  return {
    ...object,
    metadata: {
      ...metadata,
      ...((finalizers.length > 0 || metadata.finalizers !== undefined) && { finalizers }),
      ...(isShorter && {
        deletionTimestamp: timestamp(nowMs + graceSec * 1000),
        deletionGracePeriodSeconds: graceSec,
      }),
    },
  };
}

/** @throws StatusError 409 when an object is not the one that was meant */
export function checkPreconditions(resource: ResourceName, { metadata }: KubeObject, wanted: DeleteOptions): void {
  const { uid, resourceVersion } = wanted.preconditions ?? {};
  const refuse = (why: string): never => {
    throw StatusError.conflict(resource, metadata.name, `Precondition failed: ${why}`);
  };
  if (uid !== undefined && uid !== metadata.uid)
    refuse(`UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`);
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)
    refuse(`ResourceVersion in precondition: ${resourceVersion}, in object meta: ${metadata.resourceVersion}`);
}

/** Whether nothing keeps an object any more that is to be deleted. */
export function isDone({ kind, metadata, spec }: KubeObject): boolean {
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
  const { finalizers = [] } =
    ((kind === 'Namespace' ? spec : undefined) as { finalizers?: unknown[] } | undefined) ?? {};
  return finalizers.length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

/** Seconds. A pod that runs nowhere, or has ended, has nothing to end. */
function graceOf(resource: ResourceName, { spec, status }: KubeObject, wanted: number | undefined): number {
  if (resource !== 'pods') return 0;
  const { nodeName = '', terminationGracePeriodSeconds = DEFAULT_GRACE_SEC } = (spec ?? {}) as {
    nodeName?: string;
    terminationGracePeriodSeconds?: number;
  };
  const { phase } = (status ?? {}) as { phase?: string };
  if (nodeName === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
  const graceSec = wanted ?? terminationGracePeriodSeconds;
  // Kubernetes makes one second of what is negative.
  return graceSec < 0 ? 1 : graceSec;
}

function finalizersOf(found: readonly string[], policy: string | undefined): readonly string[] {
  if (policy === undefined) return found;
  const kept = found.filter((one) => !PROPAGATION_FINALIZERS.includes(one));
  const wanted = FINALIZER_OF[policy];
  return wanted === undefined ? kept : [...kept, wanted];
}
