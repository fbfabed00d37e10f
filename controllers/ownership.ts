/**
 * Who controls what. A workload has those pods (or sets) that its selector selects and that name it as their controller. One
 * that is selected and has no controller is adopted; one of its own that is no longer selected is let go.
 */
import type { KubeObject, OwnerReference, ResourceName, StoredEvent } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { isGoing } from './pod-state.ts';
import { type LabelSelector, selects } from './selector.ts';

export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export function isControlledBy(object: KubeObject, { metadata }: KubeObject): boolean {
  return controllerOf(object)?.uid === metadata.uid;
}

/** Of an event: the keys of those of a kind that control its object, or did before it changed. */
export function keysOfControllers(kind: string): (event: StoredEvent) => string[] {
  return ({ object, previous }) => {
    const owners = [object, previous].flatMap((one) => (one === undefined ? [] : (controllerOf(one) ?? [])));
    const own = owners.filter((owner) => owner.kind === kind);
    return own.map(({ name }) => `${object.metadata.namespace ?? ''}/${name}`);
  };
}

/** That `owner` controls an object. */
export function controllerReference({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** The objects of `owner`, after adopting and letting go. Those of the agent's other sources are nobody's. */
export function claim(
  storage: Storage,
  resource: ResourceName,
  owner: KubeObject,
  selector: LabelSelector | null | undefined,
): KubeObject[] {
  const { namespace = '' } = owner.metadata;
  return storage.list(resource, { namespace }).flatMap((object) => {
    const isSelected = selects(selector, object.metadata.labels);
    if (isControlledBy(object, owner)) {
      if (isSelected || isGoing(owner) || isGoing(object)) return object;
      letGo(storage, resource, object, owner);
      return [];
    }
    const isFree = controllerOf(object) === undefined && !isGoing(object) && !isGoing(owner);
    if (!isSelected || !isFree || storage.isMirrored(resource, namespace, object.metadata.name)) return [];
    return adopt(storage, resource, object, owner);
  });
}

function adopt(storage: Storage, resource: ResourceName, object: KubeObject, owner: KubeObject): KubeObject {
  return changeOwners(storage, resource, object, (owners) => [...owners, controllerReference(owner)]);
}

function letGo(storage: Storage, resource: ResourceName, object: KubeObject, owner: KubeObject): void {
  changeOwners(storage, resource, object, (owners) => owners.filter(({ uid }) => uid !== owner.metadata.uid));
}

export function changeOwners(
  storage: Storage,
  resource: ResourceName,
  { metadata: { namespace = '', name } }: KubeObject,
  change: (owners: readonly OwnerReference[]) => readonly OwnerReference[],
): KubeObject {
  return storage.update(resource, namespace, name, (object) => {
    const { ownerReferences = [], ...metadata } = object.metadata;
    const owners = change(ownerReferences);
    return { ...object, metadata: { ...metadata, ...(owners.length > 0 && { ownerReferences: owners }) } };
  });
}
