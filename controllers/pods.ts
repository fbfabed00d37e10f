/** Pods that controllers make and take away, each told as an event of the object whose pod it is. */
import type { EventRecorder } from '../apiserver/events/event-recorder.ts';
import type { KubeMeta, KubeObject } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { StatusError } from '../apiserver/storage/status-error.ts';
import { controllerReference } from './ownership.ts';
import { type PodRoom, PODS } from './pod-room.ts';
import type { PodSpec } from './pod-state.ts';

export interface PodTemplate {
  readonly metadata?: Partial<KubeMeta>;
  readonly spec?: PodSpec;
}

/** What a pod has besides what its template says. */
export interface PodExtras {
  /** Instead of one made up. */
  readonly name?: string;
  /** What one made up begins with; the owner's name unless told. */
  readonly generateName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly spec?: PodSpec;
}

export class Pods {
  readonly #storage: Storage;
  readonly #room: PodRoom;
  readonly #recorder: EventRecorder;

  constructor(storage: Storage, room: PodRoom, recorder: EventRecorder) {
    this.#storage = storage;
    this.#room = room;
    this.#recorder = recorder;
  }

  /** @throws NoRoom, StatusError; told already */
  make(owner: KubeObject, template: PodTemplate, extras: PodExtras = {}): KubeObject {
    try {
      this.#room.check();
      const pod = this.#storage.create(PODS, podOf(owner, template, extras));
      this.#recorder.record(owner, {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${pod.metadata.name}`,
      });
      return pod;
    } catch (error) {
      const message = `Error creating: ${error instanceof Error ? error.message : String(error)}`;
      this.#recorder.record(owner, { type: 'Warning', reason: 'FailedCreate', message });
      throw error;
    }
  }

  /** Begins to take a pod away; one that is gone is no failure. */
  remove(owner: KubeObject, pod: KubeObject): void {
    const { namespace = '', name, uid } = pod.metadata;
    try {
      this.#storage.delete(PODS, namespace, name, { preconditions: { uid } });
    } catch (error) {
      if (error instanceof StatusError && (error.code === 404 || error.code === 409)) return;
      throw error;
    }
    this.#recorder.record(owner, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` });
  }
}

function podOf(owner: KubeObject, { metadata = {}, spec = {} }: PodTemplate, extras: PodExtras): Partial<KubeObject> {
  const { namespace = '', name } = owner.metadata;
  const finalizers = [...(metadata.finalizers ?? []), ...(extras.finalizers ?? [])];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...(extras.name === undefined ? { generateName: extras.generateName ?? `${name}-` } : { name: extras.name }),
      namespace,
      labels: { ...metadata.labels, ...extras.labels },
      ...((metadata.annotations ?? extras.annotations) !== undefined && {
        annotations: { ...metadata.annotations, ...extras.annotations },
      }),
      ...(finalizers.length > 0 && { finalizers }),
      ownerReferences: [controllerReference(owner)],
    } as unknown as KubeMeta,
    spec: { serviceAccountName: 'default', ...spec, ...extras.spec },
    status: { phase: 'Pending' },
  };
}
