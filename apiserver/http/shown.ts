/** Objects as a client wants to see them: in the version of its path, whole, as rows of a table, or only their metadata. */
import { DEFINITIONS } from '../resources/custom-resource.ts';
import { apiVersionOf, type Resource } from '../resources/resource.ts';
import type { KubeObject } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import type { Call } from './call.ts';
import { eventOfGroup, EVENTS_GROUP } from './event-forms.ts';

type Shape = Pick<Call, 'path' | 'resource' | 'wanted' | 'query'>;

/** An object in the version of the path. */
export function inVersion({ path, resource }: Pick<Call, 'path' | 'resource'>, object: KubeObject): KubeObject {
  if (path.group === EVENTS_GROUP) return eventOfGroup(object);
  const apiVersion = apiVersionOf(resource, path.version);
  return object.apiVersion === apiVersion && object.kind === resource.kind
    ? object
    : { ...object, apiVersion, kind: resource.kind };
}
