/**
 * What all controllers are: each watches resources, tells by an event which keys to look at, and brings what it finds closer to what
 * is wanted, however it got there. It starts with what there is, as if it had just been written, so that it does not matter what
 * happened while nobody looked.
 */
import type { Clock } from '../apiserver/clock.ts';
import { keyOf, type KubeObject, type ResourceName, type StoredEvent } from '../apiserver/storage/kube-object.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { NoRoom, type PodRoom } from './pod-room.ts';
import { type Work, WorkQueue } from './work-queue.ts';

/** What a controller works with. */
export interface Surroundings {
  readonly storage: Storage;
  readonly clock: Clock;
  /** Of this machine. */
  readonly nodeName: string;
  readonly room: PodRoom;
}

export interface Controller {
  readonly name: string;
  /** Which keys an event of a resource is about. */
  readonly watches: Readonly<Record<ResourceName, (event: StoredEvent) => Iterable<string>>>;
  readonly work: Work;
  /** What to look at when it starts, besides what it watches. */
  readonly start?: () => Iterable<string>;
}

export interface RunningController {
  readonly name: string;
  readonly counts: WorkQueue['counts'];
  stop(): void;
}

export function run(
  { name, watches, work, start }: Controller,
  { storage, clock, room }: Surroundings,
): RunningController {
  const queue: WorkQueue = new WorkQueue((key) => {
    try {
      return withoutRaces(work, key);
    } catch (error) {
      if (error instanceof NoRoom) room.whenFree(`${name} ${key}`, () => queue.add(key));
      throw error;
    }
  }, clock);
  const ends = Object.entries(watches).map(([resource, keysOf]) => {
    const take = (event: StoredEvent): void => {
      for (const key of keysOf(event)) queue.add(key);
    };
    for (const object of storage.list(resource)) take({ type: 'ADDED', resource, object });
    return storage.watch(resource, take);
  });
  for (const key of start?.() ?? []) queue.add(key);
  return {
    name,
    get counts() {
      return queue.counts;
    },
    stop: () => {
      for (const end of ends) end();
      queue.stop();
    },
  };
}

/** What another has changed or taken away meanwhile comes again with its own event: it is no failure. */
function withoutRaces(work: Work, key: string): number | undefined {
  try {
    return work(key);
  } catch (error) {
    if (error instanceof StatusError && error.code === 404) return undefined;
    throw error;
  }
}

/** The key of an object itself. */
export function ownKey({ object: { metadata } }: { readonly object: KubeObject }): string[] {
  return [keyOf(metadata.namespace ?? '', metadata.name)];
}

/** Namespace and name of a key. */
export function partsOf(key: string): readonly [namespace: string, name: string] {
  const slash = key.indexOf('/');
  return slash < 0 ? ['', key] : [key.slice(0, slash), key.slice(slash + 1)];
}
