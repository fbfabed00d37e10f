/**
 * ReplicaSets and ReplicationControllers: as many pods of one template as are wanted, no matter which. Pods that are of least use go
 * first: those that run nowhere, are not ready, cost little (`controller.kubernetes.io/pod-deletion-cost`), became ready last, were
 * started again most often, are newest.
 */
import { type Condition, conditionOf, withCondition, withoutCondition } from '../apiserver/resources/conditions.ts';
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import type { KubeObject, StoredEvent } from '../apiserver/storage/kube-object.ts';
import type { Storage } from '../apiserver/storage/storage.ts';
import { withoutZeros } from './counts.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { claim, controllerOf, keysOfControllers } from './ownership.ts';
import { PODS } from './pod-room.ts';
import { availableInMs, isActive, isGoing, isReady, podSpec, podStatus } from './pod-state.ts';
import { Pods, type PodTemplate } from './pods.ts';
import { hasLabels, isEmpty, type LabelSelector, selects } from './selector.ts';

export interface ReplicaSetSpec {
  readonly replicas?: number;
  readonly selector?: LabelSelector;
  readonly template?: PodTemplate;
  readonly minReadySeconds?: number;
}

export interface ReplicaSetStatus {
  readonly replicas?: number;
  readonly fullyLabeledReplicas?: number;
  readonly readyReplicas?: number;
  readonly availableReplicas?: number;
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/** What the two kinds differ in. */
interface ReplicaKind {
  readonly resource: string;
  readonly kind: string;
  readonly component: string;
  readonly selectorOf: (spec: ReplicaSetSpec) => LabelSelector | undefined;
}

const REPLICA_SET: ReplicaKind = {
  resource: 'replicasets.apps',
  kind: 'ReplicaSet',
  component: 'replicaset-controller',
  selectorOf: ({ selector }) => selector,
};
const REPLICATION_CONTROLLER: ReplicaKind = {
  resource: 'replicationcontrollers',
  kind: 'ReplicationController',
  component: 'replication-controller',
  selectorOf: ({ selector, template }) => {
    const labels = (selector ?? template?.metadata?.labels) as Readonly<Record<string, string>> | undefined;
    return labels === undefined ? undefined : { matchLabels: labels };
  },
};

export function replicaSets(surroundings: Surroundings): Controller {
  return controllerOfKind(REPLICA_SET, surroundings);
}

export function replicationControllers(surroundings: Surroundings): Controller {
  return controllerOfKind(REPLICATION_CONTROLLER, surroundings);
}

function controllerOfKind(kind: ReplicaKind, surroundings: Surroundings): Controller {
  const { storage, room, clock } = surroundings;
  const recorder = new EventRecorder(storage, { component: kind.component, clock });
  const sets = new ReplicaSets(kind, surroundings, new Pods(storage, room, recorder));
  return {
    name: kind.component,
    watches: { [kind.resource]: ownKey, [PODS]: (event) => setsOfPod(storage, kind, event) },
    work: (key) => sets.work(key),
  };
}

/** The one that controls a pod; of one that nobody controls, those that might adopt it. */
function setsOfPod(storage: Storage, { resource, kind, selectorOf }: ReplicaKind, event: StoredEvent): string[] {
  const { namespace = '', labels } = event.object.metadata;
  const own = keysOfControllers(kind)(event);
  if (controllerOf(event.object) !== undefined || event.type === 'DELETED') return own;
  const adopters = storage
    .list(resource, { namespace })
    .filter((set) => selects(selectorOf(specOf(set)), labels))
    .map(({ metadata }) => `${namespace}/${metadata.name}`);
  return [...own, ...adopters];
}

function specOf(set: KubeObject): ReplicaSetSpec {
  return (set['spec'] ?? {}) as ReplicaSetSpec;
}

class ReplicaSets {
  readonly #kind: ReplicaKind;
  readonly #surroundings: Surroundings;
  readonly #pods: Pods;

  constructor(kind: ReplicaKind, surroundings: Surroundings, pods: Pods) {
    this.#kind = kind;
    this.#surroundings = surroundings;
    this.#pods = pods;
  }

  work(key: string): number | undefined {
    const { storage } = this.#surroundings;
    const { resource, selectorOf } = this.#kind;
    const [namespace, name] = partsOf(key);
    const set = storage.get(resource, namespace, name);
    if (set === undefined || storage.isMirrored(resource, namespace, name)) return undefined;
    const spec = specOf(set);
    const selector = selectorOf(spec);
    if (selector === undefined || isEmpty(selector)) return undefined;
    const pods = claim(storage, PODS, set, selector);
    const failure = isGoing(set) ? undefined : this.#scale(set, spec, pods);
    const againMs = this.#tellStatus(set, spec, failure);
    if (failure !== undefined) throw failure;
    return againMs;
  }

  /** Makes pods, or takes some away. @returns why it could not */
  #scale(
    set: KubeObject,
    { replicas = 1, template = {} }: ReplicaSetSpec,
    pods: readonly KubeObject[],
  ): Error | undefined {
    const active = pods.filter(isActive);
    try {
      for (let i = active.length; i < replicas; i++) this.#pods.make(set, template);
      const surplus = Math.max(0, active.length - replicas);
      for (const pod of leastUseful(active).slice(0, surplus)) this.#pods.remove(set, pod);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #tellStatus(set: KubeObject, spec: ReplicaSetSpec, failure: Error | undefined): number | undefined {
    const { storage, clock } = this.#surroundings;
    const { resource, selectorOf } = this.#kind;
    const { namespace = '', name, generation } = set.metadata;
    const nowMs = clock.nowMs();
    const { minReadySeconds = 0, template } = spec;
    const pods = claim(storage, PODS, set, selectorOf(spec)).filter(isActive);
    const waits = pods.map((pod) => availableInMs(pod, minReadySeconds, nowMs));
    const labels = template?.metadata?.labels ?? {};
    const conditions = failureConditions(set, failure, nowMs);
    const status: ReplicaSetStatus = {
      replicas: pods.length,
      ...withoutZeros({
        fullyLabeledReplicas: pods.filter(({ metadata }) => hasLabels(labels, metadata.labels)).length,
        readyReplicas: pods.filter(isReady).length,
        availableReplicas: waits.filter((ms) => ms === 0).length,
      }),
      ...(generation !== undefined && { observedGeneration: generation }),
      ...(conditions.length > 0 && { conditions }),
    };
    storage.update(resource, namespace, name, (object) => ({ ...object, status }), { isStatus: true });
    const next = Math.min(...waits.filter((ms) => ms > 0));
    return Number.isFinite(next) ? next : undefined;
  }
}

function failureConditions(set: KubeObject, failure: Error | undefined, nowMs: number): readonly Condition[] {
  const before = (set['status'] as ReplicaSetStatus | undefined)?.conditions ?? [];
  if (failure === undefined) return withoutCondition(before, 'ReplicaFailure');
  const condition = { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure.message };
  return withCondition(before, condition, nowMs);
}

const PHASE_RANKS: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Pods in the order in which they go. */
function leastUseful(pods: readonly KubeObject[]): KubeObject[] {
  const ranked = pods.map((pod) => ({ pod, rank: rankOf(pod) }));
  ranked.sort((a, b) => {
    const at = a.rank.findIndex((value, i) => value !== b.rank[i]);
    return at < 0 ? 0 : a.rank[at] - b.rank[at];
  });
  return ranked.map(({ pod }) => pod);
}

/** Smaller goes first. */
function rankOf(pod: KubeObject): readonly number[] {
  const { nodeName = '' } = podSpec(pod);
  const { phase = '', containerStatuses = [] } = podStatus(pod);
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? 0);
  const restarts = containerStatuses.map(({ restartCount = 0 }) => restartCount);
  return [
    nodeName === '' ? 0 : 1,
    PHASE_RANKS[phase] ?? 0,
    isReady(pod) ? 1 : 0,
    Number.isNaN(cost) ? 0 : cost,
    -(Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '') || 0),
    -Math.max(0, ...restarts),
    -Date.parse(pod.metadata.creationTimestamp),
  ];
}
