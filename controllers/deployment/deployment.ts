/**
 * Deployments: pods that change over from one template to the next. Each template has a ReplicaSet (sets.ts), which makes the pods;
 * what is done here is to make these grow and shrink (rollout.ts), and to tell how far that is (progress.ts).
 *
 * A look does one step: it grows the new ReplicaSet or shrinks old ones, then tells the status. The change that follows in the
 * ReplicaSets is the reason for the next look.
 */
import { conditionOf, withCondition } from '../../apiserver/resources/conditions.ts';
import { EventRecorder } from '../../apiserver/events/event-recorder.ts';
import type { KubeObject, StoredEvent } from '../../apiserver/storage/kube-object.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from '../controller.ts';
import { claim, controllerOf, keysOfControllers } from '../ownership.ts';
import { PODS } from '../pod-room.ts';
import { hasEnded, isGoing } from '../pod-state.ts';
import { isEmpty, selects } from '../selector.ts';
import { REVISION, revisionOf } from './annotations.ts';
import {
  countedStatus,
  deadlineMs,
  isComplete,
  progressing,
  REASONS,
  type Rollout,
  rolloutStatus,
} from './progress.ts';
import { isScaling, newSize, rescale, shrinkOld } from './rollout.ts';
import { currentSet, DEPLOYMENTS, REPLICA_SETS, Sets } from './sets.ts';
import { deadlineSec, type DeploymentStatus, isRolling, sizeOf, specOf, statusOf } from './spec.ts';

export function deployments(surroundings: Surroundings): Controller {
  const recorder = new EventRecorder(surroundings.storage, {
    component: 'deployment-controller',
    clock: surroundings.clock,
  });
  const worker = new Deployments(surroundings, new Sets(surroundings.storage, recorder), recorder);
  return {
    name: 'deployment-controller',
    watches: {
      [DEPLOYMENTS]: ownKey,
      [REPLICA_SETS]: (event) => worker.deploymentsOfSet(event),
      // Recreate waits for pods to end.
      [PODS]: (event) => (event.type === 'ADDED' ? [] : worker.deploymentsOfPod(event)),
    },
    work: (key) => worker.work(key),
  };
}

class Deployments {
  readonly #surroundings: Surroundings;
  readonly #sets: Sets;
  readonly #recorder: EventRecorder;

  constructor(surroundings: Surroundings, sets: Sets, recorder: EventRecorder) {
    this.#surroundings = surroundings;
    this.#sets = sets;
    this.#recorder = recorder;
  }

  deploymentsOfSet(event: StoredEvent): string[] {
    const { object, type } = event;
    const { namespace = '', labels } = object.metadata;
    const own = keysOfControllers('Deployment')(event);
    if (controllerOf(object) !== undefined || type === 'DELETED') return own;
    const adopters = this.#surroundings.storage
      .list(DEPLOYMENTS, { namespace })
      .filter((one) => selects(specOf(one).selector, labels));
    return [...own, ...adopters.map(({ metadata }) => `${namespace}/${metadata.name}`)];
  }

  deploymentsOfPod({ object }: StoredEvent): string[] {
    const { namespace = '' } = object.metadata;
    const owner = controllerOf(object);
    if (owner?.kind !== 'ReplicaSet') return [];
    const set = this.#surroundings.storage.get(REPLICA_SETS, namespace, owner.name);
    const above = set === undefined ? undefined : controllerOf(set);
    if (above?.kind !== 'Deployment') return [];
    const deployment = this.#surroundings.storage.get(DEPLOYMENTS, namespace, above.name);
    return deployment === undefined || isRolling(specOf(deployment)) ? [] : [`${namespace}/${above.name}`];
  }

  work(key: string): number | undefined {
    const { storage, clock } = this.#surroundings;
    const [namespace, name] = partsOf(key);
    const deployment = storage.get(DEPLOYMENTS, namespace, name);
    if (deployment === undefined || storage.isMirrored(DEPLOYMENTS, namespace, name)) return undefined;
    const { selector, paused = false } = specOf(deployment);
    if (selector === undefined || isEmpty(selector)) {
      const message = 'This deployment is selecting all pods. A non-empty selector is required.';
      this.#recorder.record(deployment, { type: 'Warning', reason: 'SelectingAll', message });
      return undefined;
    }
    const sets = claim(storage, REPLICA_SETS, deployment, selector);
    if (isGoing(deployment)) {
      this.#tellCounts(deployment, sets);
      return undefined;
    }
    const told = this.#tellPaused(deployment);
    if (paused || isScaling(told, sets)) {
      this.#rescale(told, sets);
      return undefined;
    }
    this.#step(told, sets);
    const after = storage.get(DEPLOYMENTS, namespace, name);
    const endMs = after === undefined ? undefined : deadlineMs(after);
    return endMs === undefined ? undefined : Math.max(1000, endMs - clock.nowMs());
  }

  /** One step of a change-over, or nothing when there is none to be made. */
  #step(deployment: KubeObject, sets: readonly KubeObject[]): void {
    const isRecreate = !isRolling(specOf(deployment));
    const found = currentSet(deployment, sets);
    const old = sets.filter((set) => set !== found);
    if (isRecreate && this.#stopOld(deployment, old)) {
      this.#tellRollout({ deployment, sets, current: found });
      return;
    }
    const current = this.#currentOrNew(deployment, sets, found);
    if (current === undefined) return;
    const wanted = newSize(deployment, [current, ...old], current);
    const { set, hasChanged } = this.#sets.scale(deployment, current, wanted);
    const hasShrunk = !hasChanged && !isRecreate && shrinkOld(this.#sets, deployment, { current: set, old });
    const now = this.#again(deployment);
    const rollout = { deployment: now, sets: this.#setsOf(now), current: set };
    if (!hasChanged && !hasShrunk && isComplete(now, statusOf(now))) this.#sets.prune(now, old);
    this.#tellRollout(rollout);
  }

  /** Of Recreate. @returns whether old pods are there still */
  #stopOld(deployment: KubeObject, old: readonly KubeObject[]): boolean {
    const { storage } = this.#surroundings;
    const { namespace = '' } = deployment.metadata;
    const changes = old.filter((set) => sizeOf(set) > 0).map((set) => this.#sets.scale(deployment, set, 0));
    if (changes.length > 0) return true;
    const uids = new Set(old.map(({ metadata }) => metadata.uid));
    return storage.list(PODS, { namespace }).some((pod) => uids.has(controllerOf(pod)?.uid ?? '') && !hasEnded(pod));
  }

  #currentOrNew(
    deployment: KubeObject,
    sets: readonly KubeObject[],
    found: KubeObject | undefined,
  ): KubeObject | undefined {
    const old = sets.filter((set) => set !== found);
    const revision = Math.max(0, ...old.map(revisionOf)) + 1;
    const replicas = newSize(deployment, sets, undefined);
    const current =
      found === undefined
        ? this.#sets.make(deployment, { replicas, revision })
        : this.#sets.renew(deployment, found, revision);
    if (current === undefined) return undefined;
    this.#note(deployment, current, found === undefined);
    return current;
  }

  /** The Deployment has the revision of its ReplicaSet, and tells that it has begun. */
  #note(deployment: KubeObject, current: KubeObject, isNew: boolean): void {
    const { storage, clock } = this.#surroundings;
    const { namespace = '', name } = deployment.metadata;
    const revision = String(revisionOf(current));
    const isTold = !isNew && conditionOf(deployment, 'Progressing') !== undefined;
    const [reason, words] = isNew ? [REASONS.created, 'Created new'] : [REASONS.found, 'Found new'];
    const condition = progressing('True', reason, `${words} replica set "${current.metadata.name}"`);
    storage.update(DEPLOYMENTS, namespace, name, (one) => ({
      ...one,
      metadata: { ...one.metadata, annotations: { ...one.metadata.annotations, [REVISION]: revision } },
      ...(!isTold &&
        deadlineSec(specOf(one)) !== undefined && {
          status: {
            ...statusOf(one),
            conditions: withCondition(statusOf(one).conditions ?? [], condition, clock.nowMs(), true),
          },
        }),
    }));
  }

  #rescale(deployment: KubeObject, sets: readonly KubeObject[]): void {
    const current = currentSet(deployment, sets);
    const old = sets.filter((set) => set !== current);
    rescale(this.#sets, deployment, { current, old });
    if (specOf(deployment).paused === true) this.#sets.prune(deployment, old);
    this.#tellCounts(deployment, this.#setsOf(deployment));
  }

  /** One that is paused makes no progress, and that is no failure. */
  #tellPaused(deployment: KubeObject): KubeObject {
    const spec = specOf(deployment);
    const reason = conditionOf(deployment, 'Progressing')?.reason;
    if (deadlineSec(spec) === undefined || reason === REASONS.timedOut) return deployment;
    const isTold = reason === REASONS.paused;
    if ((spec.paused ?? false) === isTold) return deployment;
    const condition = isTold
      ? progressing('Unknown', REASONS.resumed, 'Deployment is resumed')
      : progressing('Unknown', REASONS.paused, 'Deployment is paused');
    const before = statusOf(deployment);
    const conditions = withCondition(before.conditions ?? [], condition, this.#surroundings.clock.nowMs(), true);
    return this.#writeStatus(deployment, { ...before, conditions });
  }

  #tellCounts(deployment: KubeObject, sets: readonly KubeObject[]): void {
    const current = currentSet(deployment, sets);
    this.#writeStatus(deployment, countedStatus({ deployment, sets, current }, this.#surroundings.clock.nowMs()));
  }

  #tellRollout(rollout: Rollout): void {
    const deployment = this.#again(rollout.deployment);
    this.#writeStatus(deployment, rolloutStatus({ ...rollout, deployment }, this.#surroundings.clock.nowMs()));
  }

  #writeStatus(deployment: KubeObject, status: DeploymentStatus): KubeObject {
    const { namespace = '', name } = deployment.metadata;
    const change = (one: KubeObject): KubeObject => ({ ...one, status });
    return this.#surroundings.storage.update(DEPLOYMENTS, namespace, name, change, { isStatus: true });
  }

  #again(deployment: KubeObject): KubeObject {
    const { namespace = '', name } = deployment.metadata;
    return this.#surroundings.storage.get(DEPLOYMENTS, namespace, name) ?? deployment;
  }

  #setsOf(deployment: KubeObject): KubeObject[] {
    return claim(this.#surroundings.storage, REPLICA_SETS, deployment, specOf(deployment).selector);
  }
}
