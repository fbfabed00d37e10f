/** How a rig does: its pods, its programs, and those that have ended. */
import { isAlive } from '../../linux/process-id.ts';
import type { RigState } from './rig-state.ts';

export interface RigSummary {
  readonly name: string;
  readonly pods: number;
  readonly programs: number;
  /** `namespace/pod container` of each program that has ended. */
  readonly ended: readonly string[];
}

export function rigSummary({ name, pods, processes }: RigState): RigSummary {
  const ended = processes.filter((one) => !isAlive(one));
  return {
    name,
    pods: pods.length,
    programs: processes.length,
    ended: ended.map(({ namespace, pod, container }) => `${namespace}/${pod} ${container}`),
  };
}
