/**
 * Processes remembered across runs. A process id alone may by then belong to another program, so the start time
 * (/proc/PID/stat, field 22) is kept with it, and a signal is sent only when both still agree.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface ProcessRecord {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process. */
  readonly startTicks: number;
}

/** How long a process may take to end by itself before it is killed. */
const TERM_MS = 2000;
/** How long the kernel may take to end one that was killed. */
const KILL_MS = 10_000;
const STEP_MS = 20;

/** The record of a running process; undefined when there is none. */
export function recordProcess(pid: number): ProcessRecord | undefined {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? undefined : { pid, startTicks };
}

/** Records of the processes whose arguments are as wanted. */
export function findProcesses(isWanted: (argv: readonly string[]) => boolean): ProcessRecord[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.map((pid) => (isWanted(argumentsOf(pid)) ? recordProcess(Number(pid)) : undefined));
  return found.filter((record) => record !== undefined);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Whether a path means the same folder to a process as to us: one in a container may have another `/`. */
export function isSameFolder(pid: number, path: string): boolean {
  const ours = folderId(path);
  return ours !== '' && folderId(`/proc/${pid}/root${path}`) === ours;
}

function folderId(path: string): string {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return '';
  }
}

/** Whether the very process of the record still runs (a zombie does not). */
export function isRunning(record: ProcessRecord): boolean {
  const startTicks = startTicksOf(record.pid);
  return startTicks !== undefined && startTicks === record.startTicks; // a record cut short has none
}

/**
 * Ends the process groups that these processes lead, and waits for their end: SIGTERM, and SIGKILL for those left after
 * two seconds.
 * @returns how many were running
 */
export async function endGroups(records: readonly ProcessRecord[]): Promise<number> {
  const running = records.filter(isRunning);
  for (const { pid } of running) signalGroup(pid, 'SIGTERM');
  await untilEnded(running, TERM_MS);
  for (const record of running) if (isRunning(record)) signalGroup(record.pid, 'SIGKILL');
  await untilEnded(running, KILL_MS);
  return running.length;
}

async function untilEnded(records: readonly ProcessRecord[], patienceMs: number): Promise<void> {
  for (let waited = 0; waited < patienceMs && records.some(isRunning); waited += STEP_MS) await pause(STEP_MS);
}

/** The group that the process leads, or the process alone when it leads none. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name, in brackets, may hold blanks and brackets itself: fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
