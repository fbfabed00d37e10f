/** Where the daemon listens, below its run directory. */
import { join } from 'node:path';

/** Of the API (docs/api.md). */
export function agentSocket(runDir: string): string {
  return join(runDir, 'sluice.sock');
}

/** Of flows (docs/observability.md). */
export function hubbleSocket(runDir: string): string {
  return join(runDir, 'hubble.sock');
}
