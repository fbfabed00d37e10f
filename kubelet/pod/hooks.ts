/** `postStart` and `preStop` of a container. */
import type { Pod } from '../pod-spec.ts';
import type { ContainerLife } from './container-life.ts';
import { runHandler } from './handler.ts';
import { endpointOf, type KubeletParts, tellOf } from './parts.ts';

const EVENTS = { postStart: 'FailedPostStartHook', preStop: 'FailedPreStopHook' } as const;

export interface HookSite {
  readonly parts: KubeletParts;
  readonly pod: Pod;
  readonly life: ContainerLife;
  readonly netns: string;
}

/** @returns whether it went well, or there is none */
export async function runHook(
  { parts, pod, life, netns }: HookSite,
  name: keyof typeof EVENTS,
  timeoutMs: number,
): Promise<boolean> {
  const { placed } = life;
  const handler = placed.spec.lifecycle?.[name];
  if (handler === undefined) return true;
  const why = await runHandler(handler, {
    spec: placed.spec,
    stateDir: parts.runtime.containerFolder(pod.metadata.uid, placed.folder),
    netns,
    address: endpointOf(parts, pod)?.addresses[0] ?? '',
    timeoutMs,
  });
  if (why !== '') {
    const message = `${name} hook failed: ${why}`;
    tellOf(parts, pod, placed, { type: 'Warning', reason: EVENTS[name], message });
  }
  return why === '';
}
