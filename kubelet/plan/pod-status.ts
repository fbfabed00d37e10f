/** The status of a pod, from what is known of its containers, as Kubernetes says it. Pure. */
import { timestamp } from '../../apiserver/storage/kube-object.ts';
import type { Condition, ContainerStatus, PlacedContainer, Pod, PodStatus } from '../pod-spec.ts';
import { parseQuantity } from './quantity.ts';

/** A container and how it is. */
export interface PlacedStatus {
  readonly placed: PlacedContainer;
  readonly status: ContainerStatus;
}

/** What a status is made from. */
export interface PodFacts {
  readonly containers: readonly PlacedStatus[];
  /** Whether its network namespace and its first process are there. */
  readonly hasSandbox: boolean;
  readonly addresses: readonly string[];
  readonly hostIps: readonly string[];
  readonly nowMs: number;
  /** A pod that ends for another cause than its containers: `DeadlineExceeded`. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
}

const isDone = ({ status }: PlacedStatus): boolean => status.state.terminated?.exitCode === 0;

/** Whether all init containers have done their work, or serve beside the others. */
export function isInitialized(containers: readonly PlacedStatus[]): boolean {
  return containers
    .filter(({ placed }) => placed.role === 'init')
    .every((one) => (one.placed.isSidecar ? one.status.started : isDone(one)));
}

/** @returns the phase that the containers of a pod make */
function phaseOf(pod: Pod, containers: readonly PlacedStatus[]): string {
  const policy = pod.spec?.restartPolicy ?? 'Always';
  const init = containers.filter(({ placed }) => placed.role === 'init' && !placed.isSidecar);
  const apps = containers.filter(({ placed }) => placed.role === 'app');
  if (policy === 'Never' && init.some(({ status }) => (status.state.terminated?.exitCode ?? 0) !== 0)) return 'Failed';
  if (!isInitialized(containers) && apps.every(({ status }) => status.state.running === undefined && !hasRun(status)))
    return 'Pending';
  const isWaiting = ({ status }: PlacedStatus): boolean => status.state.waiting !== undefined && !hasRun(status);
  if (apps.some(isWaiting)) return 'Pending';
  if (apps.some(({ status }) => status.state.running !== undefined)) return 'Running';
  if (policy === 'Always' || apps.some(({ status }) => status.state.waiting !== undefined)) return 'Running';
  if (apps.every(isDone)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function hasRun({ lastState }: ContainerStatus): boolean {
  return lastState.terminated !== undefined;
}

/** @param before the status that was written last, whose times stay where nothing changed */
export function statusOf(pod: Pod, facts: PodFacts, before: PodStatus = {}): PodStatus {
  const { containers, addresses, hostIps, nowMs, failure } = facts;
  const isFinal = before.phase === 'Succeeded' || before.phase === 'Failed';
  const phase = failure === undefined ? phaseOf(pod, containers) : 'Failed';
  const of = (role: PlacedContainer['role']): ContainerStatus[] =>
    containers.filter(({ placed }) => placed.role === role).map(({ status }) => status);
  const lists = {
    ...(of('init').length > 0 && { initContainerStatuses: of('init') }),
    containerStatuses: of('app'),
    ...(of('ephemeral').length > 0 && { ephemeralContainerStatuses: of('ephemeral') }),
  };
  return {
    ...before,
    phase: isFinal ? before.phase : phase,
    ...(failure && !isFinal && failure),
    conditions: mergeConditions(before.conditions ?? [], conditionsOf(pod, facts, phase), timestamp(nowMs)),
    ...(hostIps.length > 0 && { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(addresses.length > 0 && { podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) }),
    startTime: before.startTime ?? timestamp(nowMs),
    ...lists,
    qosClass: before.qosClass ?? qosOf(pod),
  };
}

function conditionsOf(pod: Pod, { containers, hasSandbox }: PodFacts, phase: string): Condition[] {
  const serving = containers.filter(({ placed }) => placed.role === 'app' || placed.isSidecar);
  const unready = serving.filter(({ status }) => !status.ready).map(({ placed }) => placed.name);
  const pending = containers.filter((one) => one.placed.role === 'init' && !isInitialized([one]));
  const isOver = phase === 'Succeeded' || phase === 'Failed';
  const initialized = isTrue('Initialized', pending.length === 0 || phase === 'Succeeded', {
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: [${pending.map(({ placed }) => placed.name).join(' ')}]`,
  });
  const why = isOver
    ? { reason: phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed', message: '' }
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const areReady = unready.length === 0 && !isOver;
  const gates = (pod.spec?.readinessGates ?? []).map(({ conditionType }) => conditionType);
  const has = (type: string): boolean =>
    pod.status?.conditions?.some((one) => one.type === type && one.status === 'True') === true;
  const closed = gates.filter((type) => !has(type));
  const gateWhy = {
    reason: 'ReadinessGatesNotReady',
    message: closed.map((type) => `corresponding condition of pod readiness gate "${type}" does not exist.`).join(' '),
  };
  return [
    isTrue('PodReadyToStartContainers', hasSandbox),
    initialized,
    isTrue('Ready', areReady && closed.length === 0, areReady ? gateWhy : why),
    isTrue('ContainersReady', areReady, why),
    isTrue('PodScheduled', true),
  ];
}

function isTrue(type: string, holds: boolean, why: { reason?: string; message?: string } = {}): Condition {
  const { reason, message } = why;
  return {
    type,
    status: holds ? 'True' : 'False',
    ...(!holds && reason && { reason }),
    ...(!holds && message && { message }),
  };
}

/** Conditions of others stay; a time changes when a status does. */
function mergeConditions(before: readonly Condition[], now: readonly Condition[], at: string): Condition[] {
  const old = new Map(before.map((one) => [one.type, one]));
  const own = now.map((one) => {
    const last = old.get(one.type);
    const lastTransitionTime = last?.status === one.status ? last.lastTransitionTime : at;
    return { ...one, lastProbeTime: null, lastTransitionTime: lastTransitionTime ?? at };
  });
  return [...own, ...before.filter(({ type }) => now.every((one) => one.type !== type))];
}

/** How a pod would fare when the node is short of something. */
function qosOf({ spec = {} }: Pod): string {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const amount = (list: Readonly<Record<string, string | number>> | undefined, name: string): number =>
    parseQuantity(list?.[name]) ?? 0;
  const names = ['cpu', 'memory'];
  const any = all.some(({ resources }) =>
    names.some((name) => amount(resources?.limits, name) > 0 || amount(resources?.requests, name) > 0),
  );
  if (!any) return 'BestEffort';
  const isWhole = all.every(({ resources }) =>
    names.every((name) => {
      const limit = amount(resources?.limits, name);
      return limit > 0 && (resources?.requests?.[name] === undefined || amount(resources.requests, name) === limit);
    }),
  );
  return isWhole ? 'Guaranteed' : 'Burstable';
}
