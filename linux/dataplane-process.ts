/**
 * The dataplane process of a run directory: the one that the agent noted in `<runDir>/state/dataplane.json`, and any that
 * nobody knows of, because its agent was killed after it had started it and before it had noted it. The dataplane writes
 * the maps, which have one writer, so no other can begin while one lives.
 */
import { join } from 'node:path';
import { findProcesses, isSameFolder, type ProcessId } from './process-id.ts';
import { StateFile } from './state-file.ts';

/** Where the agent notes its dataplane; null when it has none. */
export function dataplaneNote(runDir: string): StateFile<ProcessId | null> {
  return new StateFile(join(runDir, 'state/dataplane.json'), 1);
}

/** The dataplanes of a run directory that run and are not the noted one. */
export function strayDataplanes(runDir: string, noted: ProcessId | null): ProcessId[] {
  const isOurs = (argv: readonly string[]) =>
    argv.some((word) => word.endsWith('/sluice-dataplane.cjs')) && argv[argv.indexOf('--run-dir') + 1] === runDir;
  return findProcesses(isOurs).filter(({ pid }) => pid !== noted?.pid && isSameFolder(pid, runDir));
}
