/** What the API serves of one kind, in one version: the names it goes by, and what may be done with it. */
import type { ResourceName } from '../storage/kube-object.ts';

export interface Subresource {
  /** `status`, `scale`, `exec`. */
  readonly name: string;
  /** Of what is sent and answered. */
  readonly kind: string;
  /** Of that kind, when it is another's. */
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

export interface Resource {
  /** Under which its objects are stored, whatever the version: `deployments.apps`. */
  readonly name: ResourceName;
  /** '' of the core. */
  readonly group: string;
  /** Served; the first is preferred, and the one of stored objects. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly isNamespaced: boolean;
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Kept as it is written, and nothing acts on it: writers are told so. */
  readonly isInert: boolean;
  /** Of a CustomResourceDefinition, or one of the built-in ones. */
  readonly isCustom: boolean;
}

/** Of what is stored. */
export const ALL_VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;
export const READ_VERBS = ['get', 'list', 'watch'] as const;
/** Of what is asked, and kept nowhere. */
export const CREATE_ONLY = ['create'] as const;

/** `pods`, `deployments.apps`. */
export function resourceName(group: string, plural: string): ResourceName {
  return group === '' ? plural : `${plural}.${group}`;
}

/** `apps/v1`, `v1`. @param version the preferred one unless told */
export function apiVersionOf({ group, versions }: Pick<Resource, 'group' | 'versions'>, version = versions[0]): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `Deployment.apps`, `Pod`; as Invalid names it. */
export function kindName({ kind, group }: Pick<Resource, 'kind' | 'group'>): string {
  return group === '' ? kind : `${kind}.${group}`;
}

/** `deployments.apps`, as the path has it; events of either group by their own name. */
export function pathName({ group, plural }: Pick<Resource, 'group' | 'plural'>): string {
  return resourceName(group, plural);
}
