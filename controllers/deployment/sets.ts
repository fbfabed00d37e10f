/** The ReplicaSets of a Deployment: which has the template as it stands, making it, scaling them, and which are kept. */
import { isDeepStrictEqual } from 'node:util';
import type { EventRecorder } from '../../apiserver/events/event-recorder.ts';
import type { KubeObject, NewObject } from '../../apiserver/storage/kube-object.ts';
import { StatusError } from '../../apiserver/storage/status-error.ts';
import type { Storage } from '../../apiserver/storage/storage.ts';
import { controllerReference, isControlledBy } from '../ownership.ts';
import { isGoing } from '../pod-state.ts';
import type { PodTemplate } from '../pods.ts';
import { DEFAULT_HISTORY, templateHash } from '../template-hash.ts';
import { newSetAnnotations, revisionOf, sizesOf, withSizes } from './annotations.ts';
import { byAge, roomOf, setSpec, setStatus, sizeOf, specOf, statusOf } from './spec.ts';

export const REPLICA_SETS = 'replicasets.apps';
export const DEPLOYMENTS = 'deployments.apps';
const HASH_LABEL = 'pod-template-hash';

/** The ReplicaSet that has the template as it stands; the oldest, should there be several. */
export function currentSet(deployment: KubeObject, sets: readonly KubeObject[]): KubeObject | undefined {
  const wanted = unhashed(specOf(deployment).template ?? {});
  return byAge(sets).find((set) => isDeepStrictEqual(unhashed(setSpec(set).template ?? {}), wanted));
}

/** The template without the label that tells the pods of one ReplicaSet from those of the others. */
function unhashed(template: PodTemplate): unknown {
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: undefined };
  return plain({ ...template, metadata: { ...template.metadata, labels } });
}

/** What JSON has of it: a field that is undefined is no field. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

export class Sets {
  readonly #storage: Storage;
  readonly #recorder: EventRecorder;

  constructor(storage: Storage, recorder: EventRecorder) {
    this.#storage = storage;
    this.#recorder = recorder;
  }

  /** Gives the ReplicaSet of the template as it stands its number and annotations. @returns it */
  renew(deployment: KubeObject, current: KubeObject, revision: number): KubeObject {
    const { minReadySeconds = 0 } = specOf(deployment);
    return this.#update(current, (set) => ({
      ...set,
      metadata: {
        ...set.metadata,
        annotations: newSetAnnotations(deployment, set.metadata.annotations ?? {}, revision),
      },
      spec: { ...setSpec(set), ...(setSpec(set).minReadySeconds !== minReadySeconds && { minReadySeconds }) },
    }));
  }

  /**
   * Makes the ReplicaSet of the template as it stands.
   * @returns undefined when its name is another's: the Deployment has noted that, and tries the next name
   */
  make(deployment: KubeObject, { replicas, revision }: { replicas: number; revision: number }): KubeObject | undefined {
    const { collisionCount = 0 } = statusOf(deployment);
    const object = newSet(
      deployment,
      templateHash(specOf(deployment).template ?? {}, collisionCount),
      replicas,
      revision,
    );
    try {
      const made = this.#storage.create(REPLICA_SETS, object);
      this.#tellScaled(deployment, made, 0, replicas);
      return made;
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
      const { namespace = '', name } = deployment.metadata;
      const found = this.#storage.get(REPLICA_SETS, namespace, object.metadata?.name ?? '');
      if (found !== undefined && isControlledBy(found, deployment) && currentSet(deployment, [found]) !== undefined)
        return found;
      const change = (one: KubeObject): KubeObject => ({
        ...one,
        status: { ...statusOf(one), collisionCount: collisionCount + 1 },
      });
      this.#storage.update(DEPLOYMENTS, namespace, name, change, { isStatus: true });
      return undefined;
    }
  }

  /** @returns the ReplicaSet as it is now, and whether its size has changed */
  scale(
    deployment: KubeObject,
    set: KubeObject,
    replicas: number,
  ): { readonly set: KubeObject; readonly hasChanged: boolean } {
    const sizes = sizesNow(deployment);
    const before = sizeOf(set);
    const known = sizesOf(set);
    const hasChanged = before !== replicas;
    if (!hasChanged && known.desired === sizes.desired && known.most === sizes.most) return { set, hasChanged };
    const after = this.#update(set, (one) => ({
      ...one,
      metadata: { ...one.metadata, annotations: withSizes(one.metadata.annotations ?? {}, sizes) },
      spec: { ...setSpec(one), replicas },
    }));
    if (hasChanged) this.#tellScaled(deployment, set, before, replicas);
    return { set: after, hasChanged };
  }

  /** Takes old ReplicaSets without pods away that are more than history is wanted of. */
  prune(deployment: KubeObject, old: readonly KubeObject[]): void {
    const { revisionHistoryLimit = DEFAULT_HISTORY } = specOf(deployment);
    const idle = old.filter((set) => !isGoing(set) && sizeOf(set) === 0 && (setStatus(set).replicas ?? 0) === 0);
    const ordered = idle.sort((a, b) => revisionOf(a) - revisionOf(b));
    for (const set of ordered.slice(0, Math.max(0, old.length - revisionHistoryLimit))) {
      const { namespace = '', name } = set.metadata;
      if ((setStatus(set).observedGeneration ?? 0) >= (set.metadata.generation ?? 0))
        this.#storage.delete(REPLICA_SETS, namespace, name);
    }
  }

  #update({ metadata: { namespace = '', name } }: KubeObject, change: (set: KubeObject) => KubeObject): KubeObject {
    return this.#storage.update(REPLICA_SETS, namespace, name, change);
  }

  #tellScaled(deployment: KubeObject, set: KubeObject, from: number, to: number): void {
    if (from === to) return;
    const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${set.metadata.name} from ${from} to ${to}`;
    this.#recorder.record(deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message });
  }
}

function sizesNow(deployment: KubeObject): { readonly desired: number; readonly most: number } {
  const spec = specOf(deployment);
  const desired = spec.replicas ?? 1;
  return { desired, most: desired + roomOf(spec).maxSurge };
}

function newSet(deployment: KubeObject, hash: string, replicas: number, revision: number): NewObject {
  const { namespace = '', name } = deployment.metadata;
  const { template = {}, selector = {}, minReadySeconds = 0 } = specOf(deployment);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  const annotations = newSetAnnotations(deployment, {}, revision);
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: withSizes(annotations, sizesNow(deployment)),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds !== 0 && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
    status: { replicas: 0 },
  };
}
