/**
 * Events: what happened to an object, for people (`kubectl describe`, `kubectl get events`). Each program that tells some has a
 * recorder of its own.
 *
 * The same thing told again counts up in the event that is there. An object tells BURST things at once, then one each REFILL_MS, so
 * that a pod that fails again and again does not drown the others. An event is kept for an hour after it was last seen, and of all
 * events of all recorders the oldest go when there are more than EVENTS_LIMIT: those are a matter of EventLimit, of which a storage
 * has one. Telling never fails: what the storage refuses is not told.
 */
import { randomBytes } from 'node:crypto';
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import { type KubeObject, timestamp } from '../storage/kube-object.ts';
import type { Storage } from '../storage/storage.ts';

/** Told at once about one object. */
const BURST = 25;
/** Time for one more. */
const REFILL_MS = 5 * 60_000;
/** Objects and events that are remembered, each. */
const REMEMBERED_LIMIT = 4096;
const MESSAGE_CHARACTERS = 1024;

export const EVENTS = 'events';

export interface Happening {
  readonly type: 'Normal' | 'Warning';
  /** One word: `FailedCreate`. */
  readonly reason: string;
  /** One sentence. */
  readonly message: string;
  /** `spec.containers{app}`: the part of the object. */
  readonly fieldPath?: string;
}

export interface RecorderOptions {
  /** Who tells: `kubelet`, `deployment-controller`. */
  readonly component: string;
  /** Name of the node; '' of what belongs to none. */
  readonly host?: string;
  readonly clock?: Clock;
}

interface Allowance {
  tokens: number;
  atMs: number;
}

export class EventRecorder {
  readonly #storage: Storage;
  readonly #component: string;
  readonly #host: string;
  readonly #clock: Clock;
  /** What was told -> namespace and name of its event. */
  readonly #told = new Map<string, readonly [namespace: string, name: string]>();
  readonly #allowances = new Map<string, Allowance>();

  constructor(storage: Storage, { component, host = '', clock = SYSTEM_CLOCK }: RecorderOptions) {
    this.#storage = storage;
    this.#component = component;
    this.#host = host;
    this.#clock = clock;
  }

  /** Tells what happened to an object. */
  record(object: KubeObject, happening: Happening): void {
    if (!this.#mayTell(object.metadata.uid)) return;
    try {
      if (!this.#tellAgain(object, happening)) this.#tell(object, happening);
    } catch {
      // A disk or a storage that is full: events are the last that should get in the way.
    }
  }

  #tell(object: KubeObject, happening: Happening): void {
    const { type, reason, message, fieldPath } = happening;
    const { name, namespace = '', uid, resourceVersion } = object.metadata;
    const now = timestamp(this.#clock.nowMs());
    const source = { component: this.#component, ...(this.#host !== '' && { host: this.#host }) };
    const place = namespace === '' ? 'default' : namespace;
    const made = this.#storage.create(EVENTS, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace: place },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        ...(namespace !== '' && { namespace }),
        ...{ name, uid, resourceVersion },
        ...(fieldPath !== undefined && { fieldPath }),
      },
      ...{ type, reason, message: message.slice(0, MESSAGE_CHARACTERS), source },
      ...{ firstTimestamp: now, lastTimestamp: now, count: 1, eventTime: null },
      ...{ reportingComponent: this.#component, reportingInstance: this.#host },
    });
    remember(this.#told, toldKey(object, happening), [place, made.metadata.name]);
  }

  /** Counts an event up that is there still. @returns whether it is */
  #tellAgain(object: KubeObject, happening: Happening): boolean {
    const [namespace, name] = this.#told.get(toldKey(object, happening)) ?? [];
    if (namespace === undefined || name === undefined) return false;
    if (this.#storage.get(EVENTS, namespace, name) === undefined) return false;
    const lastTimestamp = timestamp(this.#clock.nowMs());
    this.#storage.update(EVENTS, namespace, name, (event) => ({
      ...event,
      count: ((event['count'] as number | undefined) ?? 1) + 1,
      lastTimestamp,
    }));
    return true;
  }

  #mayTell(uid: string): boolean {
    const nowMs = this.#clock.nowMs();
    const allowance = this.#allowances.get(uid) ?? { tokens: BURST, atMs: nowMs };
    const gained = Math.floor((nowMs - allowance.atMs) / REFILL_MS);
    if (gained > 0) {
      allowance.tokens = Math.min(BURST, allowance.tokens + gained);
      allowance.atMs += gained * REFILL_MS;
    }
    remember(this.#allowances, uid, allowance);
    if (allowance.tokens === 0) return false;
    allowance.tokens--;
    return true;
  }
}

function toldKey({ metadata }: KubeObject, { type, reason, message, fieldPath = '' }: Happening): string {
  return [metadata.uid, type, reason, fieldPath, message].join('\0');
}

/** The one that was used longest ago is forgotten when there are too many. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED_LIMIT) map.delete(map.keys().next().value as string);
}
