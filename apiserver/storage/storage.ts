/**
 * All objects that the API serves, in memory; what was written through it is on disk too (write-log.ts).
 *
 *     create, update, delete --> log --> memory --> watchers, one after the other, before the call returns
 *     mirror, unmirror ----------------> memory --> watchers
 *
 * An object is known by resource, namespace and name. What is read is frozen and never changes: a write makes another, with the next
 * resourceVersion of one counter for all resources. The counter never tells a number twice, not even after a kill -9: it is reserved on disk
 * RESERVED at a time, and a start goes on behind what was reserved. The window of events (event-window.ts) begins with the start, so
 * that who watched before lists anew.
 *
 * Mirrored objects are those that the agent has of other sources. They are not on disk, nobody writes them but the agent, and an object that
 * was written through the API hides the mirrored one of the same name until it goes.
 *
 * An object with a deletionTimestamp goes when its last finalizer is taken away; a pod not before its grace period is 0.
 *
 * Not done here: who may write, what a kind must look like, defaults (apiserver/http asks others for these).
 */
import { isDeepStrictEqual } from 'node:util';
import { checkPreconditions, deletionOf, type DeleteOptions, isDone } from './deletion.ts';
import { generatedName } from './generated-name.ts';
import {
  deepFreeze,
  keyOf,
  keyOfObject,
  type KubeObject,
  type NewObject,
  type ResourceName,
  type StoredEvent,
} from './kube-object.ts';
import { begun, begunMirror, merged, whyMirrored } from './metadata.ts';
import { Shelf } from './shelf.ts';
import { StatusError } from './status-error.ts';
import { type Listener, Watchers } from './watchers.ts';
import { type LogLine, WriteLog } from './write-log.ts';

/** Objects in all. */
const OBJECTS_LIMIT = 200_000;
/** Bytes of JSON in all, of what is on disk. */
const BYTES_LIMIT = 512 * 1024 * 1024;
/** Numbers reserved at a time. */
const RESERVED = 1000;

const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

export interface StorageOptions {
  /** Where the objects are kept; nowhere unless told. */
  readonly path?: string;
  /** What was answered must be there after a boot. */
  readonly isSynced?: boolean;
  /** ms since the epoch; the clock unless told. */
  readonly nowMs?: () => number;
}

export interface WriteOptions {
  /** All is checked, and nothing is written; the answer is what it would be. */
  readonly isDryRun?: boolean;
}

export interface UpdateOptions extends WriteOptions {
  /** Only the status (and the managed fields) of what `change` answers counts. */
  readonly isStatus?: boolean;
  /** What the object must be at; 409 else. */
  readonly resourceVersion?: string | undefined;
}

export class Storage {
  readonly #nowMs: () => number;
  readonly #log: WriteLog | undefined;
  readonly #shelves = new Map<ResourceName, Shelf>();
  readonly #watchers = new Watchers();
  #version = 1;
  #reserved = 1;
  /** A resource that is first asked for later has had no writes since. */
  #startVersion = 1;
  #count = 0;
  #bytes = 0;

  constructor({ path, isSynced = false, nowMs = Date.now }: StorageOptions = {}) {
    this.#nowMs = nowMs;
    if (path !== undefined) this.#log = new WriteLog(path, { isSynced, live: () => this.#live() });
  }

  /**
   * Reads what an earlier run kept. Call it before anything else.
   * @returns what was wrong with it, one sentence each
   * @throws Error naming the file when it cannot be read or made
   */
  load(): string[] {
    if (this.#log === undefined) return [];
    const { objects, reserved, problems } = this.#log.open();
    this.#version = Math.max(this.#version, reserved);
    this.#reserved = this.#version;
    this.#startVersion = this.#version;
    for (const { resource, object, bytes } of objects) {
      this.#shelf(resource).stored.set(keyOfObject(object), { object: deepFreeze(object), bytes });
      this.#count++;
      this.#bytes += bytes;
    }
    return problems;
  }

  /** The last version that was given, for lists. */
  get resourceVersion(): string {
    return String(this.#version);
  }

  /** Objects, and bytes of those on disk. */
  get counts(): { readonly objects: number; readonly bytes: number } {
    return { objects: this.#count, bytes: this.#bytes };
  }

  /** @param namespace '' of what belongs to none */
  get(resource: ResourceName, namespace: string, name: string): KubeObject | undefined {
    return this.#shelves.get(resource)?.get(keyOf(namespace, name));
  }

  /** In the order of their names. @param options a namespace, or all of them */
  list(resource: ResourceName, { namespace = '' }: { readonly namespace?: string | undefined } = {}): KubeObject[] {
    const shelf = this.#shelves.get(resource);
    if (shelf === undefined) return [];
    const wanted = namespace === '' ? '' : `${namespace}/`;
    const keys = wanted === '' ? shelf.keys : shelf.keys.filter((key) => key.startsWith(wanted));
    return keys.flatMap((key) => shelf.get(key) ?? []);
  }

  /** Resources that have objects. */
  resources(): ResourceName[] {
    return [...this.#shelves].filter(([, shelf]) => shelf.keys.length > 0).map(([name]) => name);
  }

  /** Whether an object is the agent's, of another source than this API. */
  isMirrored(resource: ResourceName, namespace: string, name: string): boolean {
    const key = keyOf(namespace, name);
    const shelf = this.#shelves.get(resource);
    return shelf !== undefined && shelf.mirrored.has(key) && !shelf.stored.has(key);
  }

  /**
   * Adds an object: uid, resourceVersion, times and generation are set here, and the name when there is only `generateName`.
   * @throws StatusError 409 AlreadyExists, 507 when there is no room, 500 when the disk refuses it
   */
  create(resource: ResourceName, object: NewObject, { isDryRun = false }: WriteOptions = {}): KubeObject {
    const made = this.#prepared(resource, object);
    const { namespace = '', name } = made.metadata;
    const shelf = this.#shelf(resource);
    if (shelf.get(keyOf(namespace, name)) !== undefined) throw StatusError.alreadyExists(resource, name);
    this.#checkRoom();
    return isDryRun ? made : this.#put(resource, made);
  }

  /**
   * Changes an object.
   * @param change gets the object, answers what it shall be; the same one, or one that is equal, changes nothing
   * @returns what is stored now; without its last finalizer and about to be deleted, what was stored last
   * @throws StatusError 404, 409 when it is at another version, 403 when it is mirrored
   */
  update(
    resource: ResourceName,
    namespace: string,
    name: string,
    change: (object: KubeObject) => KubeObject,
    options: UpdateOptions = {},
  ): KubeObject {
    const before = this.#own(resource, namespace, name);
    const { resourceVersion = '' } = options;
    if (resourceVersion !== '' && resourceVersion !== before.metadata.resourceVersion)
      throw StatusError.conflict(resource, name, MODIFIED);
    const after = merged(before, change(before), options.isStatus === true);
    if (after === before || options.isDryRun === true) return after;
    return isDone(after) ? this.#remove(resource, after, before) : this.#put(resource, after, before);
  }

  /**
   * Deletes an object, or begins to: with finalizers, or a grace period for pods, its deletionTimestamp is set.
   * @returns the object as long as it is there, undefined once it is gone
   * @throws StatusError 404, 409 when a precondition does not hold, 403 when it is mirrored
   */
  delete(
    resource: ResourceName,
    namespace: string,
    name: string,
    options: DeleteOptions & WriteOptions = {},
  ): KubeObject | undefined {
    const before = this.#own(resource, namespace, name);
    checkPreconditions(resource, before, options);
    const after = deletionOf(resource, before, options, this.#nowMs());
    if (options.isDryRun === true) return isDone(after) ? undefined : after;
    if (isDone(after)) {
      this.#remove(resource, after, before);
      return undefined;
    }
    return isDeepStrictEqual(after, before) ? before : this.#put(resource, after, before);
  }

  /** Takes an object of another source, or what it has become. @param createdMs since the epoch */
  mirror(
    resource: ResourceName,
    object: NewObject & { readonly metadata: { readonly name: string } },
    createdMs: number,
  ): void {
    const shelf = this.#shelf(resource);
    const key = keyOfObject(object);
    const before = shelf.mirrored.get(key);
    const made = begunMirror(object, before, `${resource} ${key}`, createdMs);
    if (before !== undefined && isDeepStrictEqual(made, before)) return;
    if (before === undefined && this.#count >= OBJECTS_LIMIT) return; // it stays in force, and unseen here
    const after = this.#numbered(made);
    if (before === undefined) this.#count++;
    shelf.mirrored.set(key, after);
    shelf.forgetOrder();
    if (!shelf.stored.has(key)) this.#note(resource, after, before);
  }

  /** Another source no longer has an object. */
  unmirror(resource: ResourceName, namespace: string, name: string): void {
    const shelf = this.#shelf(resource);
    const key = keyOf(namespace, name);
    const before = shelf.mirrored.get(key);
    if (before === undefined) return;
    shelf.mirrored.delete(key);
    shelf.forgetOrder();
    this.#count--;
    if (!shelf.stored.has(key)) this.#note(resource, this.#numbered(before), before, true);
  }

  /** Every mirrored object, as `resource namespace/name`. */
  mirrored(): { readonly resource: ResourceName; readonly object: KubeObject }[] {
    return [...this.#shelves].flatMap(([resource, { mirrored }]) =>
      [...mirrored.values()].map((object) => ({ resource, object })),
    );
  }

  /**
   * Tells each write from now on, in their order, before the write returns. A watcher may write; what it wrote is told after what
   * it was told.
   * @param resource or `*` for all
   * @returns a function that ends it
   */
  watch(resource: ResourceName, onEvent: Listener): () => void {
    return this.#watchers.add(resource, onEvent);
  }

  /**
   * As `watch`, after the writes since `resourceVersion`, which are told before this returns.
   * @throws StatusError 410 when they are no longer known, 504 when there was no such version yet
   */
  watchFrom(resource: ResourceName, resourceVersion: string, onEvent: Listener): () => void {
    const version = Number(resourceVersion);
    if (!/^\d{1,15}$/.test(resourceVersion))
      throw StatusError.badRequest(`invalid resource version ${JSON.stringify(resourceVersion)}: wanted a number`);
    if (version > this.#version) throw StatusError.notYet(version, this.#version);
    const missed = this.#shelf(resource).window.since(version);
    if (missed === undefined)
      throw StatusError.expired(`too old resource version: ${version} (writes are known for a while only)`);
    missed.forEach(onEvent);
    return this.watch(resource, onEvent);
  }

  /** Whether no object of a resource was written since a version, as far as it is known. */
  isUnchangedSince(resource: ResourceName, resourceVersion: string): boolean {
    return this.#shelf(resource).window.since(Number(resourceVersion))?.length === 0;
  }

  /** Resolves when what was written is on disk, as far as it must be. */
  async synced(): Promise<void> {
    await this.#log?.synced();
  }

  close(): void {
    this.#log?.close();
  }

  #shelf(resource: ResourceName): Shelf {
    let shelf = this.#shelves.get(resource);
    if (shelf === undefined) {
      shelf = new Shelf(this.#startVersion);
      this.#shelves.set(resource, shelf);
    }
    return shelf;
  }

  /** The object, when it is this API's. */
  #own(resource: ResourceName, namespace: string, name: string): KubeObject {
    const object = this.get(resource, namespace, name);
    if (object === undefined) throw StatusError.notFound(resource, name);
    if (!this.isMirrored(resource, namespace, name)) return object;
    throw StatusError.forbidden(resource, name, whyMirrored(object));
  }

  /** What `create` stores, but for its version. @throws StatusError 422 when it has no name */
  #prepared(resource: ResourceName, object: NewObject): KubeObject {
    const { name = '', generateName = '', namespace = '' } = object.metadata ?? {};
    if (name === '' && generateName === '') throw StatusError.invalid(object.kind ?? resource, '', [NO_NAME]);
    const isTaken = (one: string) => this.get(resource, namespace, one) !== undefined;
    const made = name === '' ? generatedName(generateName, isTaken) : name;
    if (made === undefined) throw StatusError.alreadyExists(resource, generateName);
    return begun(object, made, this.#nowMs());
  }

  #checkRoom(): void {
    if (this.#count >= OBJECTS_LIMIT) throw noRoom(`${this.#count} objects, wanted fewer than ${OBJECTS_LIMIT}`);
    if (this.#bytes >= BYTES_LIMIT) throw noRoom(`${this.#bytes} bytes of them, wanted fewer than ${BYTES_LIMIT}`);
  }

  #put(resource: ResourceName, object: KubeObject, before?: KubeObject): KubeObject {
    if (before !== undefined && this.#bytes >= BYTES_LIMIT) this.#checkRoom();
    const shelf = this.#shelf(resource);
    const after = this.#numbered(object);
    const key = keyOfObject(after);
    const bytes = this.#append({ put: resource, object: after });
    const dead = shelf.stored.get(key)?.bytes ?? 0;
    if (!shelf.stored.has(key)) {
      this.#count++;
      shelf.forgetOrder();
    }
    shelf.stored.set(key, { object: after, bytes });
    this.#bytes += bytes - dead;
    this.#log?.noteDead(dead);
    this.#note(resource, after, before);
    return after;
  }

  #remove(resource: ResourceName, last: KubeObject, before: KubeObject): KubeObject {
    const shelf = this.#shelf(resource);
    const key = keyOfObject(before);
    const gone = this.#numbered(last);
    const marked = this.#append({ gone: resource, key });
    const dead = shelf.stored.get(key)?.bytes ?? 0;
    shelf.stored.delete(key);
    shelf.forgetOrder();
    this.#count--;
    this.#bytes -= dead;
    this.#log?.noteDead(dead + marked);
    const behind = shelf.mirrored.get(key);
    this.#note(resource, gone, before, true);
    if (behind !== undefined) {
      const seen = this.#numbered(behind);
      shelf.mirrored.set(key, seen);
      this.#note(resource, seen, undefined);
    }
    return gone;
  }

  #append(line: LogLine): number {
    try {
      return this.#log?.append(line) ?? 0;
    } catch (error) {
      throw StatusError.internal((error as Error).message);
    }
  }

  /** With the next version, frozen. */
  #numbered(object: KubeObject): KubeObject {
    if (this.#version >= this.#reserved) {
      const reserved = this.#version + RESERVED;
      const bytes = this.#append({ reserved });
      this.#reserved = reserved;
      this.#log?.noteDead(bytes);
    }
    const resourceVersion = String(++this.#version);
    return deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion } });
  }

  #note(resource: ResourceName, object: KubeObject, previous: KubeObject | undefined, isGone = false): void {
    const change =
      previous === undefined
        ? ({ type: 'ADDED' } as const)
        : ({ type: isGone ? 'DELETED' : 'MODIFIED', previous } as const);
    const event: StoredEvent = { ...change, resource, object };
    this.#shelf(resource).window.push(Number(object.metadata.resourceVersion), event);
    this.#watchers.tell(event);
  }

  *#live(): Iterable<LogLine> {
    yield { reserved: this.#reserved };
    for (const [put, { stored }] of this.#shelves) for (const { object } of stored.values()) yield { put, object };
  }
}

const NO_NAME = {
  field: 'metadata.name',
  reason: 'FieldValueRequired',
  message: 'Required value: name or generateName is required',
};

function noRoom(found: string): StatusError {
  return new StatusError(507, 'InsufficientStorage', `store the object: found ${found}`);
}
