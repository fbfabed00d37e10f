/** Where the daemon listens, below its run directory, and where it says how to get in. */
import { join } from 'node:path';

/** Of the API (docs/api.md). */
export function agentSocket(runDir: string): string {
  return join(runDir, 'sluice.sock');
}

/** Of flows (docs/observability.md). */
export function hubbleSocket(runDir: string): string {
  return join(runDir, 'hubble.sock');
}

/** What kubectl needs (docs/kubernetes.md). */
export function kubeconfigPath(runDir: string): string {
  return join(runDir, 'kubeconfig');
}
