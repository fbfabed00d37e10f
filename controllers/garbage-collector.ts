/**
 * The garbage collector: an object whose owners are all gone goes too. How an owner is deleted says what becomes of what it owns:
 *
 *   Background   the owner goes at once, then this notes that its objects have nobody
 *   Foreground   the owner waits (finalizer `foregroundDeletion`) until those that block its deletion are gone
 *   Orphan       the owner waits (finalizer `orphan`) until its objects no longer name it
 *
 * It is known by uid who is there. The objects of the agent's other sources count as owners; they are owned by nobody.
 */
import {
  keyOf,
  type KubeObject,
  type OwnerReference,
  type ResourceName,
  type StoredEvent,
} from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import type { Controller, Surroundings } from './controller.ts';
import { changeOwners } from './ownership.ts';
import { isGoing } from './pod-state.ts';

const FOREGROUND = 'foregroundDeletion';
const ORPHAN = 'orphan';

interface Place {
  readonly resource: ResourceName;
  readonly namespace: string;
  readonly name: string;
}

export function garbageCollector({ storage }: Surroundings): Controller {
  const collector = new GarbageCollector(storage);
  return {
    name: 'garbage-collector',
    // What there is already the collector has taken: it has to know all before it judges any.
    watches: { '*': (event) => collector.note(event) },
    work: (key) => collector.work(key),
    start: () => collector.all(),
  };
}

class GarbageCollector {
  readonly #storage: Storage;
  readonly #placeOf = new Map<string, Place>();
  /** Owner -> those that name it. */
  readonly #owned = new Map<string, Set<string>>();
  readonly #ownersOf = new Map<string, readonly string[]>();

  constructor(storage: Storage) {
    this.#storage = storage;
    for (const resource of storage.resources()) {
      for (const object of storage.list(resource)) this.#know({ type: 'ADDED', resource, object });
    }
  }

  /** @returns uids to look at */
  note(event: StoredEvent): string[] {
    const { uid } = event.object.metadata;
    const before = this.#ownersOf.get(uid) ?? [];
    this.#know(event);
    if (event.type === 'DELETED') return [...(this.#owned.get(uid) ?? []), ...before];
    const now = this.#ownersOf.get(uid) ?? [];
    const isCollected = now.length > 0 || isGoing(event.object);
    const isLetGo = (owner: string): boolean =>
      !now.includes(owner) || (keeps(event.previous, owner) && !keeps(event.object, owner));
    return [...(isCollected ? [uid] : []), ...before.filter(isLetGo)];
  }

  /** All that have to be looked at when it begins. */
  all(): string[] {
    return [...this.#ownersOf.keys(), ...this.#owned.keys()];
  }

  work(uid: string): undefined {
    const place = this.#placeOf.get(uid);
    if (place === undefined) return;
    const { resource, namespace, name } = place;
    const object = this.#storage.get(resource, namespace, name);
    if (object === undefined || object.metadata.uid !== uid || this.#storage.isMirrored(resource, namespace, name))
      return;
    if (isGoing(object)) this.#endOwner(place, object);
    else this.#judge(place, object);
  }

  #know({ type, resource, object }: StoredEvent): void {
    const { uid, namespace = '', name, ownerReferences = [] } = object.metadata;
    for (const owner of this.#ownersOf.get(uid) ?? []) this.#unlink(owner, uid);
    this.#ownersOf.delete(uid);
    if (type === 'DELETED') {
      this.#placeOf.delete(uid);
      return;
    }
    this.#placeOf.set(uid, { resource, namespace, name });
    if (ownerReferences.length === 0) return;
    const owners = ownerReferences.map((owner) => owner.uid);
    this.#ownersOf.set(uid, owners);
    for (const owner of owners) {
      const owned = this.#owned.get(owner) ?? new Set();
      this.#owned.set(owner, owned.add(uid));
    }
  }

  #unlink(owner: string, uid: string): void {
    const owned = this.#owned.get(owner);
    owned?.delete(uid);
    if (owned?.size === 0) this.#owned.delete(owner);
  }

  /** Of an owned object: whether any of its owners is there. */
  #judge({ resource, namespace, name }: Place, object: KubeObject): void {
    const { ownerReferences = [], uid } = object.metadata;
    if (ownerReferences.length === 0) return;
    const there = ownerReferences.filter((owner) => this.#isThere(owner, namespace));
    const ending = there.filter((owner) => this.#isEnding(owner.uid));
    if (there.length > ending.length) {
      // Others own it still: it only forgets those that are gone.
      if (there.length < ownerReferences.length) changeOwners(this.#storage, resource, object, () => there);
      return;
    }
    // Who waits for this one waits for what it owns as well; of a ring, each for the next, so one has to stop keeping its owners.
    const owned = [...(this.#owned.get(uid) ?? [])];
    if (ending.length > 0 && owned.some((one) => this.#isEnding(one)))
      changeOwners(this.#storage, resource, object, (owners) =>
        owners.map((owner) => ({ ...owner, blockOwnerDeletion: false })),
      );
    const propagationPolicy = ending.length > 0 && owned.length > 0 ? 'Foreground' : 'Background';
    this.#delete(resource, namespace, name, { propagationPolicy, preconditions: { uid } });
  }

  /** An owner is one only in its own namespace, or in none. */
  #isThere({ uid, kind, name }: OwnerReference, namespace: string): boolean {
    const place = this.#placeOf.get(uid);
    if (place?.name !== name || (place.namespace !== '' && place.namespace !== namespace)) return false;
    return this.#storage.get(place.resource, place.namespace, name)?.kind === kind;
  }

  /** Whether an owner waits for what it owns. */
  #isEnding(uid: string): boolean {
    const owner = this.#objectOf(uid);
    return owner !== undefined && isGoing(owner) && (owner.metadata.finalizers ?? []).includes(FOREGROUND);
  }

  #objectOf(uid: string): KubeObject | undefined {
    const place = this.#placeOf.get(uid);
    return place === undefined ? undefined : this.#storage.get(place.resource, place.namespace, place.name);
  }

  #endOwner(place: Place, owner: KubeObject): void {
    const { finalizers = [], uid } = owner.metadata;
    const owned = [...(this.#owned.get(uid) ?? [])].flatMap((one) => this.#objectOf(one) ?? []);
    if (finalizers.includes(ORPHAN)) {
      for (const object of owned) this.#letGo(object, uid);
      this.#finish(place, ORPHAN);
    } else if (finalizers.includes(FOREGROUND)) {
      for (const object of owned) if (!isGoing(object)) this.work(object.metadata.uid);
      const now = owned.flatMap((object) => this.#objectOf(object.metadata.uid) ?? []);
      if (!now.some((object) => this.#blocks(object, uid))) this.#finish(place, FOREGROUND);
    }
  }

  #blocks({ metadata }: KubeObject, owner: string): boolean {
    if (metadata.uid === owner || !this.#placeOf.has(metadata.uid)) return false;
    return keeps({ metadata }, owner);
  }

  #letGo(object: KubeObject, owner: string): void {
    const place = this.#placeOf.get(object.metadata.uid);
    if (place === undefined || this.#storage.isMirrored(place.resource, place.namespace, place.name)) return;
    changeOwners(this.#storage, place.resource, object, (owners) => owners.filter(({ uid }) => uid !== owner));
  }

  #finish({ resource, namespace, name }: Place, finalizer: string): void {
    this.#storage.update(resource, namespace, name, (object) => {
      const { finalizers = [], ...metadata } = object.metadata;
      const kept = finalizers.filter((one) => one !== finalizer);
      return { ...object, metadata: { ...metadata, ...(kept.length > 0 && { finalizers: kept }) } };
    });
  }

  #delete(resource: ResourceName, namespace: string, name: string, options: Parameters<Storage['delete']>[3]): void {
    try {
      this.#storage.delete(resource, namespace, name, options);
    } catch (error) {
      // Another was faster, or the name is another's by now.
      if (error instanceof StatusError && (error.code === 404 || error.code === 409)) return;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`deleting ${resource} ${keyOf(namespace, name)}: ${why}`, { cause: error });
    }
  }
}

/** Whether an owner that is deleted in the foreground has to wait for it. */
function keeps(object: Pick<KubeObject, 'metadata'> | undefined, owner: string): boolean {
  return object?.metadata.ownerReferences?.some((one) => one.uid === owner && one.blockOwnerDeletion === true) ?? false;
}
