/** Processes named so that a reused pid is not mistaken for the one that was meant. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** A pid with the moment it started, in clock ticks since boot. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: string;
}

/**
 * Field 22 of /proc/PID/stat: with the pid it names one process for ever. '' when there is none, or only what is left of
 * one: a zombie, or one that the kernel is just taking away (state X).
 */
export function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name, in brackets, may hold blanks and brackets itself: fields are counted from the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** The process that has this pid now; undefined when there is none. */
export function processWithPid(pid: number): ProcessId | undefined {
  const found = { pid, startTime: startTimeOf(pid) };
  return isAlive(found) ? found : undefined;
}

/** The processes whose arguments are as wanted. */
export function findProcesses(isWanted: (argv: readonly string[]) => boolean): ProcessId[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const wanted = pids.filter((pid) => isWanted(argumentsOf(pid)));
  return wanted.map((pid) => processWithPid(Number(pid))).filter((found) => found !== undefined);
}

function argumentsOf(pid: string): string[] {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    // A program that has given itself another title has one argument, and zeros.
    return argv.slice(1).every((word) => word === '') ? argv[0].split(' ') : argv;
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

/** Whether this very process still runs. */
export function isAlive({ pid, startTime }: ProcessId): boolean {
  // A record that was cut short has no start time, which no process has either.
  return Boolean(startTime) && startTimeOf(pid) === startTime;
}
