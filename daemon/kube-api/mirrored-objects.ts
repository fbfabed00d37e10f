/**
 * What the agent has of other sources, shown by the Kubernetes API: objects as they are written, pods with the state of their endpoint, workloads
 * with how many of their pods are ready, and a Namespace where there is none and something is in it.
 */
import type { Resources } from '../../apiserver/resources/resources.ts';
import { apiVersionOf, type Resource } from '../../apiserver/resources/resource.ts';
import type { KubeObject } from '../../apiserver/storage/kube-object.ts';
import { SOURCE_ANNOTATION } from '../../apiserver/storage/metadata.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import type { EndpointDocument } from '../../api/shapes.ts';
import { type Reference, referenceOf } from '../source/text.ts';
import { manifestName, type MirroredObject, type ToKubeApi } from './messages.ts';
import { podStatus, workloadStatus } from './mirrored-status.ts';

interface Kept {
  readonly mirrored: MirroredObject;
  readonly resource: Resource;
}

export class MirroredObjects {
  readonly #storage: Storage;
  readonly #resources: Resources;
  readonly #nodeName: string;
  readonly #kept = new Map<string, Kept>();
  /** By `namespace/name`. */
  readonly #endpoints = new Map<string, EndpointDocument>();
  /** Workload -> its pods. */
  readonly #podsOf = new Map<string, Set<string>>();
  /** Namespace -> mirrored objects in it. */
  readonly #inside = new Map<string, number>();

  constructor(storage: Storage, resources: Resources, nodeName: string) {
    this.#storage = storage;
    this.#resources = resources;
    this.#nodeName = nodeName;
  }

  take({ put, removed, isAll = false }: NonNullable<ToKubeApi['mirror']>): void {
    const present = new Set(put.map(({ object }) => referenceOf(manifestName(object))));
    const gone = isAll ? [...this.#kept.keys()].filter((key) => !present.has(key)) : removed.map(referenceOf);
    for (const key of gone) this.#remove(key);
    // Owners first: a pod names the uid of its own.
    const ordered = [...put].sort((a, b) => Number(a.owner !== undefined) - Number(b.owner !== undefined));
    for (const one of ordered) this.#put(one);
  }

  takeEndpoints({ put, removed }: NonNullable<ToKubeApi['endpoints']>): void {
    for (const key of removed) this.#endpoints.delete(key);
    for (const one of put) this.#endpoints.set(`${one.namespace}/${one.pod}`, one);
    for (const key of [...removed, ...put.map(({ namespace, pod }) => `${namespace}/${pod}`)]) this.#show(`Pod/${key}`);
  }

  #put(mirrored: MirroredObject): void {
    const { object, owner } = mirrored;
    const { apiVersion = '', kind = '' } = object;
    const name = manifestName(object);
    const resource = this.#resources.ofKind(apiVersion, kind);
    if (resource === undefined) return;
    const key = referenceOf(name);
    if (!this.#kept.has(key)) this.#count(name.namespace, 1);
    this.#kept.set(key, { mirrored, resource });
    if (owner !== undefined) {
      const pods = this.#podsOf.get(referenceOf(owner)) ?? new Set();
      this.#podsOf.set(referenceOf(owner), pods.add(key));
    }
    this.#show(key);
  }

  #remove(key: string): void {
    const found = this.#kept.get(key);
    if (found === undefined) return;
    this.#kept.delete(key);
    const { owner, object } = found.mirrored;
    if (owner !== undefined) this.#podsOf.get(referenceOf(owner))?.delete(key);
    this.#podsOf.delete(key);
    const { namespace, name } = manifestName(object);
    this.#storage.unmirror(found.resource.name, namespace, name);
    this.#count(namespace, -1);
    if (owner !== undefined) this.#show(referenceOf(owner));
    if (object.kind === 'Namespace') this.#imply(name);
  }

  /** Writes what is known of an object now. */
  #show(key: string): void {
    const found = this.#kept.get(key);
    if (found === undefined) return;
    const { mirrored, resource } = found;
    const { object, source, owner, createdMs } = mirrored;
    const { name, namespace } = manifestName(object);
    const { annotations, ...metadata } = object.metadata ?? {};
    const status = this.#statusOf(key, object);
    const owners = owner && this.#ownerOf(owner);
    this.#storage.mirror(
      resource.name,
      {
        ...object,
        ...(status !== undefined && { status }),
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        ...(object.kind === 'Pod' && { spec: { ...object.spec, nodeName: this.#nodeNameOf(object) } }),
        metadata: {
          ...(metadata as Partial<KubeObject['metadata']>),
          name,
          ...(resource.isNamespaced && { namespace }),
          annotations: { ...annotations, [SOURCE_ANNOTATION]: source },
          ...(owners !== undefined && { ownerReferences: owners }),
        },
      },
      createdMs,
    );
    if (owner !== undefined) this.#show(referenceOf(owner));
  }

  #nodeNameOf({ spec }: MirroredObject['object']): string {
    return ((spec as { nodeName?: string } | undefined)?.nodeName ?? '') || this.#nodeName;
  }

  #statusOf(key: string, object: MirroredObject['object']): object | undefined {
    const { namespace, name } = manifestName(object);
    if (object.kind === 'Pod') return podStatus(object, this.#endpoints.get(`${namespace}/${name}`));
    if (object.kind === 'Namespace') return { phase: 'Active' };
    const pods = this.#podsOf.get(key);
    if (pods === undefined) return undefined;
    const ready = [...pods].filter((pod) => this.#endpoints.get(pod.slice('Pod/'.length))?.state === 'ready').length;
    return workloadStatus(object, pods.size, ready);
  }

  #ownerOf(owner: Reference): KubeObject['metadata']['ownerReferences'] {
    const kept = this.#kept.get(referenceOf(owner));
    const found = kept && this.#storage.get(kept.resource.name, owner.namespace, owner.name);
    if (found === undefined) return undefined;
    const { apiVersion, kind, metadata } = found;
    return [{ apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }];
  }

  #count(namespace: string, more: number): void {
    if (namespace === '') return;
    const count = (this.#inside.get(namespace) ?? 0) + more;
    if (count > 0) this.#inside.set(namespace, count);
    else this.#inside.delete(namespace);
    this.#imply(namespace);
  }

  /** A namespace that only its objects make is there too. */
  #imply(namespace: string): void {
    if (this.#kept.has(`Namespace/${namespace}`)) return;
    if (!this.#inside.has(namespace)) {
      this.#storage.unmirror('namespaces', '', namespace);
      return;
    }
    const labels = { 'kubernetes.io/metadata.name': namespace };
    const annotations = { [SOURCE_ANNOTATION]: 'the objects that are in it' };
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels, annotations } };
    this.#storage.mirror('namespaces', { ...object, spec: {}, status: { phase: 'Active' } }, Date.now());
  }
}
