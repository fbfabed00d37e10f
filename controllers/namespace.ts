/**
 * Namespaces. Those that every cluster has are made at the start; each gets what pods count on: the ServiceAccount `default` and the
 * ConfigMap `kube-root-ca.crt`. One that is to be deleted goes when nothing is left in it: all that this API holds there is
 * deleted first, and what the agent has of other sources is not this API's to delete. Policies are the last: they hold for as long as a pod
 * takes to end.
 */
import { type Condition, withCondition } from '../apiserver/resources/conditions.ts';
import type { KubeObject, NewObject, ResourceName } from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { type Controller, ownKey, type Surroundings } from './controller.ts';
import { isGoing } from './pod-state.ts';

export const NAMESPACES = 'namespaces';
const FINALIZER = 'kubernetes';
const NAME_LABEL = 'kubernetes.io/metadata.name';
const ALWAYS_THERE = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const PODS = 'pods';
/** Whatever says who may reach a pod. */
const POLICIES: readonly ResourceName[] = ['networkpolicies.networking.k8s.io', 'ciliumnetworkpolicies.cilium.io'];
/** In how long to look again whether something still waits for its own end, ms. */
const AGAIN_MS = 1000;

interface NamespaceSpec {
  readonly finalizers?: readonly string[];
}

export function namespaces({ storage, clock }: Surroundings): Controller {
  return {
    name: 'namespace-controller',
    watches: { [NAMESPACES]: ownKey },
    work: (name) => work(storage, name, clock.nowMs()),
    start: () => ALWAYS_THERE,
  };
}

function newNamespace(name: string): NewObject {
  const labels = { [NAME_LABEL]: name };
  const spec = { finalizers: [FINALIZER] };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels }, spec, status: { phase: 'Active' } };
}

function work(storage: Storage, name: string, nowMs: number): number | undefined {
  const namespace = storage.get(NAMESPACES, '', name);
  if (namespace === undefined) {
    if (ALWAYS_THERE.includes(name)) storage.create(NAMESPACES, newNamespace(name));
    return undefined;
  }
  if (storage.isMirrored(NAMESPACES, '', name)) return undefined;
  if (!isGoing(namespace)) {
    storage.update(NAMESPACES, '', name, completed);
    return undefined;
  }
  const remaining = emptied(storage, name);
  if (remaining.length === 0) {
    storage.update(NAMESPACES, '', name, withoutFinalizer);
    return undefined;
  }
  storage.update(NAMESPACES, '', name, (one) => ending(one, remaining, nowMs), { isStatus: true });
  return AGAIN_MS;
}

/** A namespace as this controller wants it: who made it may have said little. */
function completed(namespace: KubeObject): KubeObject {
  const { metadata } = namespace;
  const { finalizers = [] } = (namespace['spec'] ?? {}) as NamespaceSpec;
  const kept = finalizers.includes(FINALIZER) ? finalizers : [...finalizers, FINALIZER];
  return {
    ...namespace,
    metadata: { ...metadata, labels: { ...metadata.labels, [NAME_LABEL]: metadata.name } },
    spec: { ...(namespace['spec'] as object | undefined), finalizers: kept },
    status: { ...(namespace['status'] as object | undefined), phase: 'Active' },
  };
}

function withoutFinalizer(namespace: KubeObject): KubeObject {
  const { finalizers = [], ...spec } = (namespace['spec'] ?? {}) as NamespaceSpec;
  const kept = finalizers.filter((one) => one !== FINALIZER);
  return { ...namespace, spec: { ...spec, ...(kept.length > 0 && { finalizers: kept }) } };
}

/** Deletes what there is, policies when no pod is left. @returns the resource of each object that is there still: it waits for its own end */
function emptied(storage: Storage, namespace: string): string[] {
  const others = storage.resources().filter((resource) => !POLICIES.includes(resource));
  const left = others.flatMap((resource) =>
    ownObjects(storage, resource, namespace).flatMap(deleted(storage, resource)),
  );
  const policies = POLICIES.flatMap((resource) => {
    const found = ownObjects(storage, resource, namespace);
    return left.includes(PODS) ? found.map(() => resource) : found.flatMap(deleted(storage, resource));
  });
  return [...left, ...policies];
}

function ownObjects(storage: Storage, resource: ResourceName, namespace: string): readonly KubeObject[] {
  return storage
    .list(resource, { namespace })
    .filter(
      ({ metadata }) => metadata.namespace === namespace && !storage.isMirrored(resource, namespace, metadata.name),
    );
}

function deleted(storage: Storage, resource: ResourceName): (object: KubeObject) => string[] {
  return (object) => {
    const { name, namespace = '' } = object.metadata;
    if (isGoing(object)) return [resource];
    try {
      const left = storage.delete(resource, namespace, name, { propagationPolicy: 'Background' });
      return left === undefined ? [] : [resource];
    } catch (error) {
      // Another was faster: its controller, or the kubelet.
      if (error instanceof StatusError && error.code === 404) return [];
      throw error;
    }
  };
}

function ending(namespace: KubeObject, remaining: readonly string[], nowMs: number): KubeObject {
  const counts = [...new Set(remaining)].map(
    (resource) => `${resource} has ${remaining.filter((one) => one === resource).length} resource instances`,
  );
  const { conditions = [] } = (namespace['status'] ?? {}) as { conditions?: readonly Condition[] };
  const condition = {
    type: 'NamespaceContentRemaining',
    status: 'True',
    reason: 'SomeResourcesRemain',
    message: `Some resources are remaining: ${counts.join(', ')}`,
  };
  return {
    ...namespace,
    status: {
      ...(namespace['status'] as object | undefined),
      phase: 'Terminating',
      conditions: withCondition(conditions, condition, nowMs),
    },
  };
}
