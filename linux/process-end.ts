/** Ends processes, and waits until they are gone. A pid that belongs to another process by now is left alone. */
import { setTimeout as pause } from 'node:timers/promises';
import { isAlive, type ProcessId } from './process-id.ts';

/** How long a process may take to end by itself before it is killed. */
const TERM_MS = 2000;
/** How long the kernel may take to end one that was killed. */
const KILL_MS = 10_000;
const STEP_MS = 10;

/** Kills the process with SIGKILL and waits, at most 10 s, until it is gone. */
export async function kill(target: ProcessId): Promise<void> {
  if (isAlive(target)) signal(target.pid, 'SIGKILL');
  await untilEnded([target], KILL_MS);
}

/** Gives a process that was told to end some time for it, and kills it then. */
export async function killAfter(target: ProcessId, patienceMs: number): Promise<void> {
  await untilEnded([target], patienceMs);
  await kill(target);
}

/**
 * Ends the process groups that these processes lead, and waits for their end: SIGTERM, and SIGKILL for those left after
 * two seconds.
 * @returns how many were running
 */
export async function endGroups(leaders: readonly ProcessId[]): Promise<number> {
  const running = leaders.filter(isAlive);
  for (const { pid } of running) signalGroup(pid, 'SIGTERM');
  await untilEnded(running, TERM_MS);
  for (const leader of running) if (isAlive(leader)) signalGroup(leader.pid, 'SIGKILL');
  await untilEnded(running, KILL_MS);
  return running.length;
}

async function untilEnded(targets: readonly ProcessId[], patienceMs: number): Promise<void> {
  for (let waited = 0; waited < patienceMs && targets.some(isAlive); waited += STEP_MS) await pause(STEP_MS);
}

/** The group that the process leads, or the process alone when it leads none. */
function signalGroup(pid: number, name: NodeJS.Signals): void {
  if (!signal(-pid, name)) signal(pid, name);
}

/** @returns false when there is no such process or group: it has just gone by itself */
function signal(target: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(target, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
