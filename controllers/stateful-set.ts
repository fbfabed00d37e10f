/**
 * StatefulSets: pods with a name and a number each. They are made in order, each when the one before is ready, and go in the opposite one
 * (`podManagementPolicy: Parallel`: all at once). A new template is taken over by one pod after the other, the last one first, down to
 * `partition`. Claims for volumes are answered with an emptyDir, which goes with its pod: an event says so.
 */
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import { ofStatefulSet } from '../policy/document/workload.ts';
import { withoutZeros } from './counts.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { claim, keysOfControllers } from './ownership.ts';
import { PODS } from './pod-room.ts';
import { availableInMs, hasEnded, isGoing, isReady } from './pod-state.ts';
import { Pods, type PodTemplate } from './pods.ts';
import { currentRevision, pruneRevisions, REVISION_LABEL, revisionsOf, templateOf } from './revisions.ts';
import { RestartGate } from './restart-gate.ts';
import { isEmpty, type LabelSelector } from './selector.ts';

const STATEFUL_SETS = 'statefulsets.apps';

interface StatefulSetSpec {
  readonly replicas?: number;
  readonly selector?: LabelSelector;
  readonly template?: PodTemplate;
  readonly serviceName?: string;
  readonly podManagementPolicy?: string;
  readonly minReadySeconds?: number;
  readonly ordinals?: { readonly start?: number };
  readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } };
  readonly volumeClaimTemplates?: readonly { readonly metadata?: { readonly name?: string } }[];
}

interface StatefulSetStatus {
  readonly currentRevision?: string;
}

const specOf = (set: KubeObject): StatefulSetSpec => (set['spec'] ?? {}) as StatefulSetSpec;

export function statefulSets(surroundings: Surroundings): Controller {
  const { storage, room, clock } = surroundings;
  const recorder = new EventRecorder(storage, { component: 'statefulset-controller', clock });
  const worker = new StatefulSets(surroundings, new Pods(storage, room, recorder), recorder);
  return {
    name: 'statefulset-controller',
    watches: {
      [STATEFUL_SETS]: ownKey,
      [PODS]: keysOfControllers('StatefulSet'),
    },
    work: (key) => worker.work(key),
  };
}

/** A look at one StatefulSet. */
interface Look {
  readonly set: KubeObject;
  readonly spec: StatefulSetSpec;
  /** Its pods by number. */
  readonly pods: ReadonlyMap<number, KubeObject>;
  /** The revision of the template as it stands, and the one that pods below the partition keep. */
  readonly update: KubeObject;
  readonly current: KubeObject;
}

class StatefulSets {
  readonly #surroundings: Surroundings;
  readonly #pods: Pods;
  readonly #recorder: EventRecorder;
  readonly #gate = new RestartGate();

  constructor(surroundings: Surroundings, pods: Pods, recorder: EventRecorder) {
    this.#surroundings = surroundings;
    this.#pods = pods;
    this.#recorder = recorder;
  }

  work(key: string): number | undefined {
    const { storage } = this.#surroundings;
    const [namespace, name] = partsOf(key);
    const set = storage.get(STATEFUL_SETS, namespace, name);
    if (set === undefined) this.#gate.forget(key);
    if (set === undefined || storage.isMirrored(STATEFUL_SETS, namespace, name)) return undefined;
    const spec = specOf(set);
    if (spec.selector === undefined || isEmpty(spec.selector)) return undefined;
    const update = currentRevision(storage, set);
    const known = ((set['status'] ?? {}) as StatefulSetStatus).currentRevision;
    const current = revisionsOf(storage, set).find(({ metadata }) => metadata.name === known) ?? update;
    const look = (): Look => ({ set, spec, pods: this.#podsOf(set, spec), update, current });
    try {
      if (!isGoing(set)) this.#step(look());
    } finally {
      this.#tellStatus(look());
    }
    return this.#nextMs(look());
  }

  #podsOf(set: KubeObject, { selector }: StatefulSetSpec): Map<number, KubeObject> {
    const found = claim(this.#surroundings.storage, PODS, set, selector);
    const numbered = found.map((pod) => [numberOf(set, pod), pod] as const).filter(([number]) => number >= 0);
    return new Map(numbered.sort(([a], [b]) => a - b));
  }

  /** What comes next: a pod that is missing, one that is too many, one of an old template. */
  #step(look: Look): void {
    const { spec, pods, set } = look;
    const [first, end] = rangeOf(spec);
    const isOrdered = spec.podManagementPolicy !== 'Parallel';
    for (let number = first; number < end; number++) {
      const isSettled = this.#ensure(look, number);
      if (isOrdered && !isSettled) return;
    }
    const surplus = [...pods].filter(([number]) => number < first || number >= end).reverse();
    for (const [, pod] of surplus) {
      if (!isGoing(pod)) this.#pods.remove(set, pod);
      if (isOrdered) return;
    }
    if (spec.updateStrategy?.type !== 'OnDelete') this.#replaceOne(look);
  }

  /** @returns whether the pod of that number is there, and available */
  #ensure({ set, spec, pods, update, current }: Look, number: number): boolean {
    const pod = pods.get(number);
    if (pod !== undefined && (isGoing(pod) || !hasEnded(pod))) return !isGoing(pod) && this.#isAvailable(pod, spec);
    if (pod !== undefined) {
      // It has ended: another look makes it anew.
      this.#gate.note(keyOf(set), this.#surroundings.clock.nowMs());
      this.#pods.remove(set, pod);
      return false;
    }
    if (this.#gateMs(set) > 0) return false;
    const isKept = number < rangeOf(spec)[0] + (spec.updateStrategy?.rollingUpdate?.partition ?? 0);
    this.#make(set, spec, number, isKept ? current : update);
    return false;
  }

  #make(set: KubeObject, spec: StatefulSetSpec, number: number, revision: KubeObject): void {
    const name = `${set.metadata.name}-${number}`;
    const template = templateOf(revision);
    const own = ofStatefulSet(spec as Record<string, unknown>, name, number);
    const claims = (spec.volumeClaimTemplates ?? []).flatMap(({ metadata }) => metadata?.name ?? []);
    const volumes = [
      ...((template.spec?.['volumes'] as readonly object[] | undefined) ?? []),
      ...claims.map((volume) => ({ name: volume, emptyDir: {} })),
    ];
    if (claims.length > 0) {
      const message = `There are no persistent volumes here: ${claims.join(', ')} is empty, and goes with its pod`;
      this.#recorder.record(set, { type: 'Warning', reason: 'VolumeClaimIsEmptyDir', message });
    }
    this.#pods.make(set, template, {
      name,
      labels: { ...own.labels, [REVISION_LABEL]: hashOf(revision) },
      spec: { ...own.spec, ...(volumes.length > 0 && { volumes }) },
    });
  }

  /** The last pod that is of an old template goes, when all after it are available. */
  #replaceOne({ set, spec, pods, update }: Look): void {
    const [first, end] = rangeOf(spec);
    const last = first + (spec.updateStrategy?.rollingUpdate?.partition ?? 0);
    for (let number = end - 1; number >= last; number--) {
      const pod = pods.get(number);
      if (pod === undefined || isGoing(pod)) return;
      if (pod.metadata.labels?.[REVISION_LABEL] !== hashOf(update)) {
        this.#pods.remove(set, pod);
        return;
      }
      if (!this.#isAvailable(pod, spec)) return;
    }
  }

  #isAvailable(pod: KubeObject, { minReadySeconds = 0 }: StatefulSetSpec): boolean {
    return availableInMs(pod, minReadySeconds, this.#surroundings.clock.nowMs()) === 0;
  }

  #tellStatus({ set, spec, pods, update, current }: Look): void {
    const { storage } = this.#surroundings;
    const { namespace = '', name, generation } = set.metadata;
    const all = [...pods.values()].filter((pod) => !hasEnded(pod));
    const there = all.filter((pod) => !isGoing(pod));
    const ofRevision = (revision: KubeObject): number =>
      there.filter(({ metadata }) => metadata.labels?.[REVISION_LABEL] === hashOf(revision)).length;
    const updated = ofRevision(update);
    const ready = there.filter(isReady).length;
    const isOver = updated === all.length && ready === all.length && all.length === (spec.replicas ?? 1);
    const now = isOver ? update : current;
    const status = {
      ...(generation !== undefined && { observedGeneration: generation }),
      replicas: all.length,
      ...withoutZeros({ readyReplicas: ready, currentReplicas: ofRevision(now), updatedReplicas: updated }),
      availableReplicas: there.filter((pod) => this.#isAvailable(pod, spec)).length,
      currentRevision: now.metadata.name,
      updateRevision: update.metadata.name,
      collisionCount: 0,
    };
    storage.update(STATEFUL_SETS, namespace, name, (one) => ({ ...one, status }), { isStatus: true });
    pruneRevisions(storage, set, new Set([update.metadata.name, now.metadata.name]));
  }

  /** How long pods that ended at once are not made again. */
  #gateMs(set: KubeObject): number {
    return this.#gate.waitMs(keyOf(set), this.#surroundings.clock.nowMs());
  }

  #nextMs({ set, spec, pods }: Look): number | undefined {
    const nowMs = this.#surroundings.clock.nowMs();
    const waits = [...pods.values()].map((pod) => availableInMs(pod, spec.minReadySeconds ?? 0, nowMs));
    const gateMs = this.#gateMs(set);
    const next = Math.min(...[...waits, gateMs].filter((ms) => ms > 0));
    return Number.isFinite(next) ? next : undefined;
  }
}

/** The first number, and the one behind the last. */
function rangeOf({ replicas = 1, ordinals }: StatefulSetSpec): readonly [first: number, end: number] {
  const first = ordinals?.start ?? 0;
  return [first, first + replicas];
}

function numberOf(set: KubeObject, pod: KubeObject): number {
  const prefix = `${set.metadata.name}-`;
  const { name } = pod.metadata;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^\d{1,9}$/.test(digits) ? Number(digits) : -1;
}

function keyOf(set: KubeObject): string {
  return ownKey({ object: set })[0];
}

function hashOf({ metadata }: KubeObject): string {
  return metadata.labels?.[REVISION_LABEL] ?? '';
}
