/** Kubernetes' objects as they are stored and served: plain values of JSON, deeply frozen, with metadata that is complete. */

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMeta;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the kinds differ too much; readers cast to what they know
  readonly [key: string]: any;
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

export interface KubeMeta {
  readonly name: string;
  /** Of namespaced kinds only. */
  readonly namespace?: string;
  readonly uid: string;
  /** A decimal number; one counter for all resources. */
  readonly resourceVersion: string;
  readonly generation?: number;
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly unknown[];
  readonly generateName?: string;
  readonly selfLink?: string;
}

/** What a writer gives: the rest of the metadata is the storage's to fill in. */
export interface NewObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: Partial<KubeMeta>;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as KubeObject
  readonly [key: string]: any;
}

/** The resource in the plural and its group: `pods`, `deployments.apps`, `ciliumnetworkpolicies.cilium.io`. */
export type ResourceName = string;

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** A write, as it is told to watchers. */
export interface StoredEvent extends WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: ResourceName;
  /** The object before the write; a watcher with a selector tells by it what has left its view. */
  readonly previous?: KubeObject;
}

/** Freezes an object and all that is in it; what is frozen already is not looked into. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}

/** The time as Kubernetes writes it. @param ms since the epoch */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `namespace/name`, or `name` of what belongs to no namespace; unique within a resource. */
export function keyOf(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** @param object with its name, and its namespace when it has one */
export function keyOfObject({
  metadata,
}: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string {
  return keyOf(metadata.namespace ?? '', metadata.name);
}
