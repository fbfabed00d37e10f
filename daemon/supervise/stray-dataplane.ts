/**
 * A dataplane that nobody knows of: its agent was killed after it had started it and before it had noted it. It writes the
 * maps, which have one writer, so no other can begin while it lives.
 */
import { join } from 'node:path';
import { findProcesses, isSameFolder, kill, type ProcessId } from '../../linux/process-id.ts';
import { StateFile } from '../../linux/state-file.ts';

/**
 * Ends the dataplanes of a run directory that are not the noted one. Call with the lock of the directory held, before its
 * maps are opened.
 * @returns their pids
 */
export async function endStrayDataplanes(runDir: string): Promise<number[]> {
  const noted = new StateFile<ProcessId | null>(join(runDir, 'state/dataplane.json'), 1).load(null);
  const isOurs = (argv: readonly string[]) =>
    argv.some((word) => word.endsWith('/sluice-dataplane.js')) && argv[argv.indexOf('--run-dir') + 1] === runDir;
  const others = findProcesses(isOurs).filter(({ pid }) => pid !== noted?.pid);
  const strays = others.filter(({ pid }) => isSameFolder(pid, runDir));
  for (const stray of strays) await kill(stray);
  return strays.map(({ pid }) => pid);
}
