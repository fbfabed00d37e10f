/** Whether a container that has ended begins again. Pure. */
import type { Pod, PlacedContainer, TerminatedState } from '../pod-spec.ts';

/**
 * 1. Ephemeral containers never; none when the pod has failed for another cause.
 * 2. A sidecar always.
 * 3. An init container until it has done its work, unless the pod is never to be restarted.
 * 4. Others as `restartPolicy` says.
 */
export function mayRestart(
  pod: Pod,
  placed: PlacedContainer,
  terminated: TerminatedState | undefined,
  hasFailed: boolean,
): boolean {
  if (terminated === undefined) return true;
  if (placed.role === 'ephemeral' || hasFailed) return false;
  if (placed.isSidecar) return true;
  const policy = pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  return terminated.exitCode !== 0 || (policy === 'Always' && placed.role === 'app');
}
