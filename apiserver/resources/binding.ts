/** A pod gets its node: by the scheduler of this API, or by a Binding that another one posts. */
import type { KubeObject } from '../storage/kube-object.ts';
import { StatusError } from '../storage/status-error.ts';
import { type Condition, withCondition } from './conditions.ts';

interface Binding {
  readonly target?: { readonly kind?: string; readonly name?: string };
}

/**
 * The pod as a Binding leaves it.
 * @param nowMs since the epoch
 * @throws StatusError 422 for a target that is no node, 409 when it has a node already or is to be deleted
 */
export function bound(pod: KubeObject, binding: object, nowMs: number): KubeObject {
  const { kind = 'Node', name = '' } = (binding as Binding).target ?? {};
  if (kind !== 'Node' || name === '') {
    const message = `found ${JSON.stringify({ kind, name })}, wanted the name of a Node`;
    throw StatusError.invalid('Binding', pod.metadata.name, [
      { field: 'target', reason: 'FieldValueInvalid', message },
    ]);
  }
  return boundTo(pod, name, nowMs);
}

/** The pod on a node. @throws StatusError 409 as `bound` */
export function boundTo(pod: KubeObject, nodeName: string, nowMs: number): KubeObject {
  const { name, deletionTimestamp } = pod.metadata;
  const spec = (pod['spec'] ?? {}) as { nodeName?: string };
  const status = (pod['status'] ?? {}) as { conditions?: readonly Condition[] };
  if (deletionTimestamp !== undefined)
    throw StatusError.conflict('pods', name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if ((spec.nodeName ?? '') !== '')
    throw StatusError.conflict('pods', name, `pod ${name} is already assigned to node "${spec.nodeName}"`);
  const conditions = withCondition(status.conditions ?? [], { type: 'PodScheduled', status: 'True' }, nowMs);
  return { ...pod, spec: { ...spec, nodeName }, status: { phase: 'Pending', ...status, conditions } };
}
