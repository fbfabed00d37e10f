/** Keeps the events of a storage few: each for an hour after it was last seen, and EVENTS_LIMIT in all. */
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import { keyOf, type KubeObject } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';
import { EVENTS } from './event-recorder.ts';

const LIFETIME_MS = 60 * 60_000;
const EVENTS_LIMIT = 2000;

interface Known {
  readonly namespace: string;
  readonly name: string;
  readonly seenMs: number;
}

/** @returns a function that ends it */
export function limitEvents(storage: Storage, clock: Clock = SYSTEM_CLOCK): () => void {
  const limit = new EventLimit(storage, clock);
  return () => limit.stop();
}

class EventLimit {
  readonly #storage: Storage;
  readonly #clock: Clock;
  /** In the order in which they were last seen, as far as they were told here. */
  readonly #known = new Map<string, Known>();
  readonly #endWatch: () => void;
  #cancel: (() => void) | undefined;
  /** Its timer waits for nothing. */
  #isSoon = false;

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage;
    this.#clock = clock;
    const nowMs = clock.nowMs();
    const found = storage.list(EVENTS).sort((a, b) => seenMs(a, nowMs) - seenMs(b, nowMs));
    for (const event of found) this.#note(event);
    this.#endWatch = storage.watch(EVENTS, ({ type, object }) => {
      if (type === 'DELETED') this.#known.delete(idOf(object));
      else this.#note(object);
      this.#plan();
    });
    this.#plan();
  }

  stop(): void {
    this.#endWatch();
    this.#cancel?.();
  }

  #note(event: KubeObject): void {
    const { namespace = '', name } = event.metadata;
    const id = idOf(event);
    this.#known.delete(id);
    this.#known.set(id, { namespace, name, seenMs: seenMs(event, this.#clock.nowMs()) });
  }

  /** One timer at a time, for the event that is to go first. */
  #plan(): void {
    const isFull = this.#known.size > EVENTS_LIMIT;
    if (this.#known.size === 0 || (this.#cancel !== undefined && (!isFull || this.#isSoon))) return;
    this.#cancel?.();
    const [oldest] = this.#known.values();
    const waitMs = isFull ? 0 : oldest.seenMs + LIFETIME_MS - this.#clock.nowMs();
    this.#isSoon = waitMs <= 0;
    this.#cancel = this.#clock.after(Math.max(0, waitMs), () => {
      this.#cancel = undefined;
      this.#sweep();
      this.#plan();
    });
  }

  #sweep(): void {
    const endMs = this.#clock.nowMs() - LIFETIME_MS;
    for (const [id, { namespace, name, seenMs: atMs }] of this.#known) {
      if (this.#known.size <= EVENTS_LIMIT && atMs > endMs) return;
      this.#known.delete(id);
      try {
        this.#storage.delete(EVENTS, namespace, name);
      } catch {
        // Gone already, or the disk refuses it: the next start finds it again.
      }
    }
  }
}

function idOf({ metadata: { namespace = '', name } }: KubeObject): string {
  return keyOf(namespace, name);
}

/** A time that is none, or lies ahead, is not believed. */
function seenMs(event: KubeObject, nowMs: number): number {
  const { series, lastTimestamp, eventTime } = event as Partial<Record<string, unknown>>;
  const times = [(series as { lastObservedTime?: unknown } | undefined)?.lastObservedTime, lastTimestamp, eventTime];
  const told = times.map((time) => (typeof time === 'string' ? Date.parse(time) : Number.NaN));
  const ms = told.find((one) => !Number.isNaN(one)) ?? Date.parse(event.metadata.creationTimestamp);
  return Math.min(ms, nowMs);
}
