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
  /** What a list answers that finds none of its objects, and of whom it is: nobody acts on such objects, and writers are told so. */
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
