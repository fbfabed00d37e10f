/** Processes named so that a reused pid is not mistaken for the one that was meant. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

const KILL_TRIES = 300; // of 10 ms each

/** A pid with the moment it started, in clock ticks since boot. */
export interface ProcessId {
  readonly pid: number;
  readonly startTime: string;
}

/** Field 22 of /proc/PID/stat: with the pid it names one process for ever. '' when there is none, or only a zombie. */
export function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

/** The processes whose arguments are as wanted. */
export function findProcesses(isWanted: (argv: readonly string[]) => boolean): ProcessId[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const wanted = pids.filter((pid) => isWanted(argumentsOf(pid))).map(Number);
  return wanted.map((pid) => ({ pid, startTime: startTimeOf(pid) })).filter(isAlive);
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

/** Whether this very process still runs. */
export function isAlive(target: ProcessId): boolean {
  return target.startTime !== '' && startTimeOf(target.pid) === target.startTime;
}

/** Kills the process with SIGKILL and waits, at most 3 s, until it is gone. */
export async function kill(target: ProcessId): Promise<void> {
  for (let tries = 0; isAlive(target) && tries < KILL_TRIES; tries++) {
    if (tries % 100 === 0) signal(target.pid);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has just gone by itself
  }
}
