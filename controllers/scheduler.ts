/**
 * The scheduler of one node: a pod that names no node gets this one when it may run here. What must hold, in the words of Kubernetes'
 * own scheduler (each is a reason in the event when it does not): the node takes pods (`kubectl cordon`), has room for one more, has the
 * labels that the pod wants, has no taint that the pod does not tolerate, and no required affinity to other pods forbids it. What a
 * pod would like only, and what it asks of processors and memory, is not looked at.
 */
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import { keyOf, type KubeObject, type StoredEvent } from '../apiserver/storage/kube-object.ts';
import { boundTo } from '../apiserver/resources/binding.ts';
import { withCondition } from '../apiserver/resources/conditions.ts';
import { NODE_LABEL } from '../policy/egress-table.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { PODS } from './pod-room.ts';
import { hasEnded, isGoing, podSpec, podStatus } from './pod-state.ts';
import { holds, hasLabels, type LabelSelector, selects } from './selector.ts';

export const NODE_OBJECTS = 'nodes';
const NAME = 'default-scheduler';

type Labels = Readonly<Record<string, string>>;

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

interface NodeTerm {
  readonly matchExpressions?: readonly Parameters<typeof holds>[0][];
  readonly matchFields?: readonly Parameters<typeof holds>[0][];
}

interface PodTerm {
  readonly labelSelector?: LabelSelector;
  readonly namespaces?: readonly string[];
  readonly namespaceSelector?: LabelSelector;
}

interface Wishes {
  readonly schedulerName?: string;
  readonly schedulingGates?: readonly object[];
  readonly nodeSelector?: Labels;
  readonly tolerations?: readonly Toleration[];
  readonly affinity?: {
    readonly nodeAffinity?: {
      readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms?: readonly NodeTerm[] };
    };
    readonly podAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodTerm[] };
    readonly podAntiAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodTerm[] };
  };
}

const wishesOf = (pod: KubeObject): Wishes => (pod['spec'] ?? {}) as Wishes;

export function scheduler(surroundings: Surroundings): Controller {
  const { storage, clock } = surroundings;
  const worker = new Scheduler(surroundings, new EventRecorder(storage, { component: NAME, clock }));
  return {
    name: NAME,
    watches: {
      [PODS]: (event) => (event.type === 'ADDED' ? ownKey(event) : worker.afterPod(event)),
      [NODE_OBJECTS]: () => worker.waiting(),
    },
    work: (key) => worker.work(key),
  };
}

/** Whether a pod of a DaemonSet may run on a node: its labels and taints say. */
export function mayRun(node: KubeObject, spec: object): boolean {
  const pod = { spec } as unknown as KubeObject;
  return hasWantedLabels(node, pod) && intolerable(node, pod).length === 0;
}

class Scheduler {
  readonly #surroundings: Surroundings;
  readonly #recorder: EventRecorder;
  /** Pods that found no place. */
  readonly #waiting = new Set<string>();

  constructor(surroundings: Surroundings, recorder: EventRecorder) {
    this.#surroundings = surroundings;
    this.#recorder = recorder;
  }

  waiting(): string[] {
    return [...this.#waiting];
  }

  /** What has changed in one pod may make room for others. */
  afterPod(event: StoredEvent): string[] {
    const { object, type } = event;
    if (podSpec(object).nodeName === undefined) return ownKey(event);
    return type === 'DELETED' || hasEnded(object) ? this.waiting() : [];
  }

  work(key: string): undefined {
    const { storage } = this.#surroundings;
    const [namespace, name] = partsOf(key);
    const pod = storage.get(PODS, namespace, name);
    this.#waiting.delete(key);
    if (pod === undefined || storage.isMirrored(PODS, namespace, name)) return;
    const { nodeName = '', schedulerName = NAME } = wishesOf(pod) as { nodeName?: string; schedulerName?: string };
    if (nodeName !== '' || isGoing(pod) || hasEnded(pod) || schedulerName !== NAME) return;
    const gates = wishesOf(pod).schedulingGates ?? [];
    if (gates.length > 0) {
      this.#refuse(pod, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
      return;
    }
    const why = this.#whyNot(pod);
    if (why === undefined) this.#bind(pod);
    else {
      this.#waiting.add(key);
      const message = `0/1 nodes are available: ${why}.`;
      if (this.#refuse(pod, 'Unschedulable', message))
        this.#recorder.record(pod, { type: 'Warning', reason: 'FailedScheduling', message });
    }
  }

  #bind(pod: KubeObject): void {
    const { storage, nodeName, clock } = this.#surroundings;
    const { namespace = '', name } = pod.metadata;
    storage.update(PODS, namespace, name, (one) => boundTo(one, nodeName, clock.nowMs()));
    const message = `Successfully assigned ${keyOf(namespace, name)} to ${nodeName}`;
    this.#recorder.record(pod, { type: 'Normal', reason: 'Scheduled', message });
  }

  /** @returns whether that is new */
  #refuse(pod: KubeObject, reason: string, message: string): boolean {
    const { storage, clock } = this.#surroundings;
    const { namespace = '', name } = pod.metadata;
    const status = podStatus(pod);
    const condition = { type: 'PodScheduled', status: 'False', reason, message };
    const conditions = withCondition(status.conditions ?? [], condition, clock.nowMs());
    if (conditions === status.conditions) return false;
    const change = (one: KubeObject): KubeObject => ({
      ...one,
      status: { phase: 'Pending', ...podStatus(one), conditions },
    });
    storage.update(PODS, namespace, name, change, { isStatus: true });
    return true;
  }

  #whyNot(pod: KubeObject): string | undefined {
    const { storage, nodeName, room } = this.#surroundings;
    const node = storage.get(NODE_OBJECTS, '', nodeName);
    if (node === undefined) return `node "${nodeName}" is not known yet`;
    const { unschedulable } = (node['spec'] ?? {}) as { unschedulable?: boolean };
    if (unschedulable === true && !toleratesCordon(pod)) return '1 node(s) were unschedulable';
    if (!hasWantedLabels(node, pod)) return "1 node(s) didn't match Pod's node affinity/selector";
    const [taint] = intolerable(node, pod);
    if (taint !== undefined) return `1 node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
    const others = storage
      .list(PODS)
      .filter((one) => podSpec(one).nodeName === nodeName && !hasEnded(one) && one.metadata.uid !== pod.metadata.uid);
    const own = others.filter(({ metadata }) => !storage.isMirrored(PODS, metadata.namespace ?? '', metadata.name));
    if (own.length >= room.maxPods) return '1 Too many pods';
    return this.#whyNotBeside(pod, others);
  }

  #whyNotBeside(pod: KubeObject, others: readonly KubeObject[]): string | undefined {
    const { affinity = {} } = wishesOf(pod);
    const isMeant = (term: PodTerm, from: KubeObject) => (other: KubeObject) => this.#isMeant(term, from, other);
    const forbidden = affinity.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    if (forbidden.some((term) => others.some(isMeant(term, pod))))
      return "1 node(s) didn't match pod anti-affinity rules";
    const isUnwanted = others.some((other) =>
      (wishesOf(other).affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some((term) =>
        this.#isMeant(term, other, pod),
      ),
    );
    if (isUnwanted) return "1 node(s) didn't satisfy existing pods anti-affinity rules";
    const wanted = affinity.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    // The first of a group that wants to be together has nobody to be with.
    const isLone = wanted.every((term) => this.#isMeant(term, pod, pod) && !others.some(isMeant(term, pod)));
    const hasAll = wanted.every((term) => others.some(isMeant(term, pod)));
    return wanted.length === 0 || hasAll || isLone ? undefined : "1 node(s) didn't match pod affinity rules";
  }

  #isMeant({ labelSelector, namespaces, namespaceSelector }: PodTerm, from: KubeObject, other: KubeObject): boolean {
    const { namespace = '' } = other.metadata;
    const space = this.#surroundings.storage.get('namespaces', '', namespace);
    const isListed = (namespaces ?? []).includes(namespace);
    const isSelected = namespaceSelector !== undefined && selects(namespaceSelector, space?.metadata.labels);
    const isOwn =
      (namespaces ?? []).length === 0 && namespaceSelector === undefined && namespace === from.metadata.namespace;
    return (isListed || isSelected || isOwn) && selects(labelSelector, other.metadata.labels);
  }
}

function hasWantedLabels(node: KubeObject, pod: KubeObject): boolean {
  const { nodeSelector = {}, affinity } = wishesOf(pod);
  const labels = { [NODE_LABEL]: node.metadata.name, ...node.metadata.labels };
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!hasLabels(nodeSelector, labels)) return false;
  return terms === undefined || terms.some((term) => isNodeOf(term, labels, node.metadata.name));
}

/** A term that says nothing is no node's. */
function isNodeOf({ matchExpressions = [], matchFields = [] }: NodeTerm, labels: Labels, name: string): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { 'metadata.name': name };
  return matchExpressions.every((one) => holds(one, labels)) && matchFields.every((one) => holds(one, fields));
}

const KEEPS_AWAY: ReadonlySet<string> = new Set(['NoSchedule', 'NoExecute']);
const CORDON: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

function toleratesCordon(pod: KubeObject): boolean {
  return (wishesOf(pod).tolerations ?? []).some((one) => tolerates(one, CORDON));
}

function intolerable(node: KubeObject, pod: KubeObject): Taint[] {
  const { taints = [] } = (node['spec'] ?? {}) as { taints?: readonly Taint[] };
  const { tolerations = [] } = wishesOf(pod);
  return taints.filter((taint) => KEEPS_AWAY.has(taint.effect) && !tolerations.some((one) => tolerates(one, taint)));
}

function tolerates({ key = '', operator = 'Equal', value = '', effect = '' }: Toleration, taint: Taint): boolean {
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  return operator === 'Exists' || (key !== '' && value === (taint.value ?? ''));
}
