/** Where the containers of a pod run: its network namespace, which the agent makes, and its first process with the volumes. */
import type { ProcessId } from '../../linux/process-id.ts';
import { ContainerProblem } from '../plan/environment.ts';
import { containersOf, type Pod } from '../pod-spec.ts';
import type { Waiting } from './container-life.ts';
import { hostNameOf, podRefusal, type PodSite } from './container-start.ts';
import { endpointOf, type Happening, type KubeletParts } from './parts.ts';
import { sourcesOf } from './pod-sources.ts';
import { planVolumes, scratchOf, writeVolumes } from './pod-volumes.ts';
import { safeSysctls } from './sysctls.ts';

/** What a pod waits for. */
export interface PodWait {
  readonly waiting: Waiting;
  /** What people are told; undefined when it is nobody's fault. */
  readonly event: Happening | undefined;
  /** Whether to try again soon: nobody tells when it has gone. */
  readonly isRetried: boolean;
}

export class PodPlace {
  readonly #parts: KubeletParts;
  readonly #uid: string;
  readonly #onNew: () => Promise<void>;
  /** What was told last: a fault that stays is told once. */
  #told = '';

  /** @param onNew called before the pod's first process is made */
  constructor(parts: KubeletParts, uid: string, onNew: () => Promise<void>) {
    this.#parts = parts;
    this.#uid = uid;
    this.#onNew = onNew;
  }

  /** Makes what is missing, and writes volumes that are to be others. */
  async prepare(pod: Pod): Promise<PodSite | PodWait> {
    const refusal = podRefusal(pod) || safeSysctls(pod).problem;
    if (refusal !== '') return wait('CreateContainerConfigError', refusal, 'Failed', false);
    const endpoint = endpointOf(this.#parts, pod);
    const found = this.#parts.runtime.sandbox(this.#uid);
    if (found === undefined && (endpoint === undefined || endpoint.state !== 'ready'))
      return wait('ContainerCreating', endpoint?.problem ?? '', 'FailedCreatePodSandBox', false);
    const netns = netnsPath(endpoint?.netns ?? '');
    try {
      const hostName = hostNameOf(this.#parts, pod, netns);
      return { sandbox: await this.#sandbox(pod, found, { netns, hostName }), netns, hostName };
    } catch (error) {
      const { message } = error as Error;
      const reason = error instanceof ContainerProblem ? error.reason : 'FailedCreatePodSandBox';
      return wait('ContainerCreating', message, reason, true);
    }
  }

  /** Tells people of a fault, once for as long as it stays. */
  tell(pod: Pod, { event }: PodWait): void {
    const text = event === undefined ? '' : `${event.reason} ${event.message}`;
    if (event !== undefined && text !== this.#told) this.#parts.events.record(pod, event);
    this.#told = text;
  }

  async #sandbox(
    pod: Pod,
    found: ProcessId | undefined,
    { netns, hostName }: { readonly netns: string; readonly hostName: string },
  ): Promise<ProcessId> {
    const { runtime, events } = this.#parts;
    const plans = planVolumes(pod, sourcesOf(pod, this.#parts));
    let sandbox = found;
    if (sandbox === undefined) {
      await this.#onNew();
      const { lines: sysctls } = safeSysctls(pod);
      sandbox = await runtime.startSandbox(this.#uid, { netns, hostName, scratch: scratchOf(pod, plans), sysctls });
      const isLimited = containersOf(pod).some(({ spec }) => Object.keys(spec.resources?.limits ?? {}).length > 0);
      const message = 'resources: limits of cpu and memory are noted, and not enforced';
      if (isLimited) events.record(pod, { type: 'Normal', reason: 'LimitsNoted', message });
    }
    writeVolumes(pod, plans, { runtime, sandbox });
    return sandbox;
  }
}

function wait(reason: string, message: string, event: string, isRetried: boolean): PodWait {
  const isFault = message !== '';
  return {
    waiting: { reason, ...(isFault && { message }) },
    event: isFault ? { type: 'Warning', reason: event, message } : undefined,
    isRetried,
  };
}

/** Of a name among those of `ip netns`. */
export function netnsPath(netns: string): string {
  return netns.includes('/') || netns === '' ? netns : `/run/netns/${netns}`;
}
