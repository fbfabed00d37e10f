/**
 * Processes of a run directory that outlive the agent: the dataplane and the name server. Each is noted by the agent under
 * `<runDir>/state`; one that nobody has noted is a stray, whose agent was killed after it had started it and before it
 * had noted it. Both have files of which there is one writer, so no other can begin while one lives.
 */
import { join } from 'node:path';
import { findProcesses, isSameFolder, type ProcessId } from './process-id.ts';
import type { Program } from './programs.ts';
import { StateFile } from './state-file.ts';

/** Where the agent notes its dataplane; null when it has none. */
export function dataplaneNote(runDir: string): StateFile<ProcessId | null> {
  return new StateFile(join(runDir, 'state/dataplane.json'), 1);
}

/** A name server that runs. */
export interface NotedNameServer extends ProcessId {
  /** Identity of the network namespace that its sockets are in; '' = it has none yet. */
  readonly netns: string;
}

/** Where the agent notes its name server; null when it has none. */
export function nameServerNote(runDir: string): StateFile<NotedNameServer | null> {
  return new StateFile(join(runDir, 'state/name-server.json'), 1);
}

/** The dataplanes of a run directory that run and are not the noted one. */
export function strayDataplanes(runDir: string, noted: ProcessId | null): ProcessId[] {
  return strays('sluice-dataplane', runDir, noted);
}

/** The same of name servers. */
export function strayNameServers(runDir: string, noted: ProcessId | null): ProcessId[] {
  return strays('sluice-dns', runDir, noted);
}

function strays(program: Program, runDir: string, noted: ProcessId | null): ProcessId[] {
  const isOurs = (argv: readonly string[]) =>
    argv.some((word) => word.endsWith(`/${program}.cjs`)) && argv[argv.indexOf('--run-dir') + 1] === runDir;
  return findProcesses(isOurs).filter(({ pid }) => pid !== noted?.pid && isSameFolder(pid, runDir));
}
