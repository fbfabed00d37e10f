/** DaemonSets: one pod on each node that may run it; there is one node, and it makes no difference whether it is cordoned. */
import { EventRecorder } from '../apiserver/events/event-recorder.ts';
import type { KubeObject } from '../apiserver/storage/kube-object.ts';
import { withoutZeros } from './counts.ts';
import { type Controller, ownKey, partsOf, type Surroundings } from './controller.ts';
import { claim, keysOfControllers } from './ownership.ts';
import { PODS } from './pod-room.ts';
import { availableInMs, hasEnded, isGoing, isReady, type PodSpec, podSpec } from './pod-state.ts';
import { Pods, type PodTemplate } from './pods.ts';
import { currentRevision, pruneRevisions, REVISION_LABEL } from './revisions.ts';
import { RestartGate } from './restart-gate.ts';
import { mayRun, NODE_OBJECTS } from './scheduler.ts';
import { isEmpty, type LabelSelector } from './selector.ts';

const DAEMON_SETS = 'daemonsets.apps';

interface DaemonSetSpec {
  readonly selector?: LabelSelector;
  readonly template?: PodTemplate;
  readonly minReadySeconds?: number;
  readonly updateStrategy?: { readonly type?: string };
}

const specOf = (set: KubeObject): DaemonSetSpec => (set['spec'] ?? {}) as DaemonSetSpec;

/** What Kubernetes lets pods of DaemonSets bear, so that they run where others may not. */
const TOLERATIONS = [
  ...['not-ready', 'unreachable'].map((key) => ({ key: `node.kubernetes.io/${key}`, effect: 'NoExecute' })),
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map((key) => ({
    key: `node.kubernetes.io/${key}`,
    effect: 'NoSchedule',
  })),
].map((toleration) => ({ ...toleration, operator: 'Exists' }));

export function daemonSets(surroundings: Surroundings): Controller {
  const { storage, room, clock } = surroundings;
  const recorder = new EventRecorder(storage, { component: 'daemonset-controller', clock });
  const pods = new Pods(storage, room, recorder);
  const gate = new RestartGate();
  return {
    name: 'daemonset-controller',
    watches: {
      [DAEMON_SETS]: ownKey,
      [NODE_OBJECTS]: () => storage.list(DAEMON_SETS).flatMap((object) => ownKey({ object })),
      [PODS]: keysOfControllers('DaemonSet'),
    },
    work: (key) => work(key, surroundings, { pods, gate }),
  };
}

/** What it makes pods with. */
interface Tools {
  readonly pods: Pods;
  readonly gate: RestartGate;
}

function work(key: string, surroundings: Surroundings, tools: Tools): number | undefined {
  const { storage, nodeName, clock } = surroundings;
  const [namespace, name] = partsOf(key);
  const set = storage.get(DAEMON_SETS, namespace, name);
  const node = storage.get(NODE_OBJECTS, '', nodeName);
  if (set === undefined) tools.gate.forget(key);
  if (set === undefined || node === undefined || storage.isMirrored(DAEMON_SETS, namespace, name)) return undefined;
  const { selector, template = {}, minReadySeconds = 0 } = specOf(set);
  if (selector === undefined || isEmpty(selector)) return undefined;
  const revision = currentRevision(storage, set);
  const spec = withTolerations(template);
  const isWanted = mayRun(node, spec);
  let waitMs = Number.POSITIVE_INFINITY;
  try {
    if (!isGoing(set)) waitMs = step({ set, revision, spec, isWanted }, surroundings, { key, ...tools });
  } finally {
    tellStatus({ set, revision, spec, isWanted }, surroundings);
    pruneRevisions(storage, set, new Set([revision.metadata.name]));
  }
  const waits = claim(storage, PODS, set, selector).map((pod) => availableInMs(pod, minReadySeconds, clock.nowMs()));
  const next = Math.min(waitMs, ...waits.filter((ms) => ms > 0));
  return Number.isFinite(next) ? next : undefined;
}

interface Look {
  readonly set: KubeObject;
  readonly revision: KubeObject;
  /** Of its pods. */
  readonly spec: PodSpec;
  /** Whether its pod may run here. */
  readonly isWanted: boolean;
}

function hashOf({ metadata }: KubeObject): string {
  return metadata.labels?.[REVISION_LABEL] ?? '';
}

/** @returns in how many milliseconds to go on; Infinity when a change will tell */
function step(
  { set, revision, spec, isWanted }: Look,
  { storage, nodeName, clock }: Surroundings,
  { key, pods, gate }: Tools & { readonly key: string },
): number {
  const nowMs = clock.nowMs();
  const { selector, template = {}, updateStrategy } = specOf(set);
  const own = claim(storage, PODS, set, selector).filter((pod) => podSpec(pod).nodeName === nodeName);
  const isOld = ({ metadata }: KubeObject): boolean => metadata.labels?.[REVISION_LABEL] !== hashOf(revision);
  const isReplaced = updateStrategy?.type !== 'OnDelete';
  const kept = own.filter((pod) => !hasEnded(pod) && !isGoing(pod) && isWanted && !(isReplaced && isOld(pod)));
  const [first] = kept;
  for (const pod of own) {
    if (pod === first || isGoing(pod)) continue;
    if (hasEnded(pod)) gate.note(key, nowMs);
    pods.remove(set, pod);
  }
  // The one before has to have gone: it may hold a port of the node.
  if (first !== undefined || !isWanted || own.length > 0) return Number.POSITIVE_INFINITY;
  const waitMs = gate.waitMs(key, nowMs);
  if (waitMs > 0) return waitMs;
  pods.make(set, { ...template, spec }, { labels: { [REVISION_LABEL]: hashOf(revision) }, spec: { nodeName } });
  return Number.POSITIVE_INFINITY;
}

function withTolerations({ spec = {} }: PodTemplate): PodSpec {
  const own = (spec['tolerations'] as readonly object[] | undefined) ?? [];
  return { ...spec, tolerations: [...own, ...TOLERATIONS] };
}

function tellStatus({ set, revision, isWanted }: Look, { storage, nodeName, clock }: Surroundings): void {
  const { namespace = '', name, generation } = set.metadata;
  const { selector, minReadySeconds = 0 } = specOf(set);
  const own = claim(storage, PODS, set, selector).filter((pod) => podSpec(pod).nodeName === nodeName && !hasEnded(pod));
  const there = own.filter((pod) => !isGoing(pod));
  const has = (test: (pod: KubeObject) => boolean): number => (isWanted && there.some(test) ? 1 : 0);
  const available = has((pod) => availableInMs(pod, minReadySeconds, clock.nowMs()) === 0);
  const wanted = isWanted ? 1 : 0;
  const status = {
    ...(generation !== undefined && { observedGeneration: generation }),
    currentNumberScheduled: isWanted && own.length > 0 ? 1 : 0,
    numberMisscheduled: !isWanted && own.length > 0 ? 1 : 0,
    desiredNumberScheduled: wanted,
    numberReady: has(isReady),
    ...withoutZeros({
      updatedNumberScheduled: has(({ metadata }) => metadata.labels?.[REVISION_LABEL] === hashOf(revision)),
      numberAvailable: available,
      numberUnavailable: wanted - available,
    }),
  };
  storage.update(DAEMON_SETS, namespace, name, (one) => ({ ...one, status }), { isStatus: true });
}
