/**
 * The columns of pods. STATUS is one word for the state of the whole pod: that of the first init container which has not
 * ended well (`Init:0/2`, `Init:CrashLoopBackOff`), else that of the first container which waits or has ended
 * (`CrashLoopBackOff`, `Completed`, `Error`), else the phase; `Terminating` stands above these as long as the pod has not
 * ended.
 */
import type { KubeObject } from '../storage/kube-object.ts';
import { age } from './age.ts';
import { AGE, type Column, fieldsOf, NAME, text, wide } from './column.ts';

interface Terminated {
  readonly exitCode?: number;
  readonly signal?: number;
  readonly reason?: string;
  readonly finishedAt?: string;
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string };
    readonly running?: object;
    readonly terminated?: Terminated;
  };
  readonly lastState?: { readonly terminated?: Terminated };
}

interface Condition {
  readonly type: string;
  readonly status?: string;
  readonly reason?: string;
}

interface PodStatus {
  readonly phase: string;
  readonly reason: string;
  readonly conditions: readonly Condition[];
  readonly initContainerStatuses: readonly ContainerStatus[];
  readonly containerStatuses: readonly ContainerStatus[];
  readonly podIPs: readonly { readonly ip?: string }[];
  readonly nominatedNodeName: string;
}

interface PodSpec {
  readonly containers: readonly object[];
  readonly initContainers: readonly { readonly name: string; readonly restartPolicy?: string }[];
  readonly nodeName: string;
  readonly readinessGates: readonly { readonly conditionType: string }[];
}

/** What the containers of a pod come to. */
interface Summary {
  readonly word: string;
  readonly ready: number;
  readonly wanted: number;
  readonly restarts: number;
  /** Milliseconds since the epoch; 0 = never. */
  readonly lastRestartMs: number;
}

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  text('Ready', (pod) => readyText(summaryOf(pod)), 'Containers that are ready, of all.'),
  text('Status', (pod) => summaryOf(pod).word, 'The state of the containers in one word.'),
  text('Restarts', (pod, nowMs) => restartText(summaryOf(pod), nowMs), 'How often containers were started again.'),
  AGE,
  ...wide(
    text(
      'IP',
      (pod) => fieldsOf<PodStatus>(pod, 'status').podIPs?.[0]?.ip || '<none>',
      'The first address of the pod.',
    ),
    text('Node', (pod) => fieldsOf<PodSpec>(pod, 'spec').nodeName || '<none>', 'Where the pod runs.'),
    text(
      'Nominated Node',
      (pod) => fieldsOf<PodStatus>(pod, 'status').nominatedNodeName || '<none>',
      'Where the pod is to run once there is room.',
    ),
    text('Readiness Gates', gateText, 'Conditions of its own that the pod waits for.'),
  ),
];

function readyText({ ready, wanted }: Summary): string {
  return `${ready}/${wanted}`;
}

function restartText({ restarts, lastRestartMs }: Summary, nowMs: number): string {
  return restarts === 0 || lastRestartMs === 0 ? String(restarts) : `${restarts} (${age(nowMs - lastRestartMs)} ago)`;
}

function gateText(pod: KubeObject): string {
  const { readinessGates = [] } = fieldsOf<PodSpec>(pod, 'spec');
  const { conditions = [] } = fieldsOf<PodStatus>(pod, 'status');
  if (readinessGates.length === 0) return '<none>';
  const open = readinessGates.filter(
    ({ conditionType }) => conditions.find(({ type }) => type === conditionType)?.status === 'True',
  );
  return `${open.length}/${readinessGates.length}`;
}

const isTrue = (conditions: readonly Condition[], type: string): boolean =>
  conditions.some((one) => one.type === type && one.status === 'True');

function summaryOf(pod: KubeObject): Summary {
  const { phase = '', reason = '', conditions = [] } = fieldsOf<PodStatus>(pod, 'status');
  const isGated = conditions.some((one) => one.type === 'PodScheduled' && one.reason === 'SchedulingGated');
  const start = isGated ? 'SchedulingGated' : reason || phase;
  const init = afterInit(pod, start);
  const summary = init.isInitializing && !isTrue(conditions, 'Initialized') ? init : afterContainers(pod, init);
  return { ...summary, word: deletionWord(pod) ?? summary.word };
}

function deletionWord(pod: KubeObject): string | undefined {
  if (pod.metadata.deletionTimestamp === undefined) return undefined;
  const { phase, reason } = fieldsOf<PodStatus>(pod, 'status');
  if (reason === 'NodeLost') return 'Unknown';
  return phase === 'Failed' || phase === 'Succeeded' ? undefined : 'Terminating';
}

interface InitSummary extends Summary {
  readonly isInitializing: boolean;
  /** Restarts of the init containers that go on beside the others. */
  readonly besides: { readonly restarts: number; readonly lastRestartMs: number };
}

function afterInit(pod: KubeObject, start: string): InitSummary {
  const { containers = [], initContainers = [] } = fieldsOf<PodSpec>(pod, 'spec');
  const { initContainerStatuses = [] } = fieldsOf<PodStatus>(pod, 'status');
  const sidecars = new Set(initContainers.filter((one) => one.restartPolicy === 'Always').map(({ name }) => name));
  const wanted = containers.length + sidecars.size;
  let ready = 0;
  const [all, besides] = [new RestartCount(), new RestartCount()];
  for (const [i, status] of initContainerStatuses.entries()) {
    const isSidecar = sidecars.has(status.name);
    all.add(status);
    if (isSidecar) besides.add(status);
    if (status.state?.terminated?.exitCode === 0) continue;
    if (isSidecar && status.started === true) {
      if (status.ready === true) ready++;
      continue;
    }
    const word = initWord(status, `${i}/${initContainers.length}`);
    return { word, ready, wanted, ...all.total, besides: besides.total, isInitializing: true };
  }
  return { word: start, ready, wanted, ...all.total, besides: besides.total, isInitializing: false };
}

function initWord({ state = {} }: ContainerStatus, position: string): string {
  const { terminated, waiting } = state;
  if (terminated !== undefined) return `Init:${endWord(terminated)}`;
  const reason = waiting?.reason ?? '';
  return `Init:${reason !== '' && reason !== 'PodInitializing' ? reason : position}`;
}

function endWord({ reason = '', signal = 0, exitCode = 0 }: Terminated): string {
  return reason || (signal === 0 ? `ExitCode:${exitCode}` : `Signal:${signal}`);
}

/** The first container that has something to say gives the word, whatever the others say. */
function afterContainers(pod: KubeObject, init: InitSummary): Summary {
  const { containerStatuses = [], conditions = [] } = fieldsOf<PodStatus>(pod, 'status');
  const restarts = new RestartCount(init.besides);
  let { word, ready } = init;
  let error = '';
  let hasRunning = false;
  for (const status of [...containerStatuses].reverse()) {
    restarts.add(status);
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason) word = waiting.reason;
    else if (terminated !== undefined) {
      word = endWord(terminated);
      if ((terminated.exitCode ?? 0) !== 0) error = word;
    } else if (status.ready === true && running !== undefined) {
      hasRunning = true;
      ready++;
    }
  }
  if (word === 'Completed') word = completedWord({ hasRunning, error, isReady: isTrue(conditions, 'Ready') });
  return { word, ready, wanted: init.wanted, ...restarts.total };
}

/** One of the containers has ended well: the others may run still, or have failed. */
function completedWord({
  hasRunning,
  error,
  isReady,
}: {
  hasRunning: boolean;
  error: string;
  isReady: boolean;
}): string {
  if (hasRunning && isReady) return 'Running';
  return error || (hasRunning ? 'NotReady' : 'Completed');
}

class RestartCount {
  #restarts: number;
  #lastRestartMs: number;

  constructor({ restarts, lastRestartMs } = { restarts: 0, lastRestartMs: 0 }) {
    this.#restarts = restarts;
    this.#lastRestartMs = lastRestartMs;
  }

  add({ restartCount = 0, lastState }: ContainerStatus): void {
    this.#restarts += restartCount;
    const ms = Date.parse(lastState?.terminated?.finishedAt ?? '');
    if (ms > this.#lastRestartMs) this.#lastRestartMs = ms;
  }

  get total(): { restarts: number; lastRestartMs: number } {
    return { restarts: this.#restarts, lastRestartMs: this.#lastRestartMs };
  }
}
