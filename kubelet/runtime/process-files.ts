/** What the launcher and the minders have written: which processes are a pod's, and how a container has ended. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from '../../linux/process-id.ts';

/** How a container has ended. */
export interface Ending {
  readonly exitCode: number;
  /** 0 when none ended it. */
  readonly signal: number;
  readonly atMs: number;
}

/** The processes of one attempt. */
export interface ContainerProcesses {
  readonly minder: ProcessId;
  readonly first: ProcessId;
  readonly startedMs: number;
}

/** The first process of a pod; undefined when none was made. */
export function sandboxOf(folder: string): ProcessId | undefined {
  return processesIn(join(folder, 'pids'))[0];
}

/** linux/sched.h */
const PF_EXITING = 0x4;

/** Whether a process is on its way out. The first one of a pid namespace first waits for all others to end: it seems to live, and nothing can be started beside it. */
export function isExiting(pid: number): boolean {
  const stat = textOf(`/proc/${pid}/stat`);
  const flags = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[6];
  return (Number(flags ?? 0) & PF_EXITING) !== 0;
}

/** @returns undefined when that attempt was not started */
export function processesOf(folder: string, attempt: number): ContainerProcesses | undefined {
  const path = join(folder, `${attempt}.pids`);
  const [minder, first] = processesIn(path);
  if (minder === undefined || first === undefined) return undefined;
  return { minder, first, startedMs: Math.floor(statSync(path).mtimeMs) };
}

/** The newest attempt that was started in a container's folder; -1 for none. */
export function lastAttempt(folder: string): number {
  try {
    const names = readdirSync(folder).map((name) => /^(\d{1,9})\.pids$/.exec(name)?.[1]);
    return Math.max(-1, ...names.filter((name) => name !== undefined).map(Number));
  } catch {
    return -1;
  }
}

/** Name of the file, in the folder of endings, that tells the end of an attempt. */
export function endingName(uid: string, folder: string, attempt: number): string {
  return `${uid}_${folder}_${attempt}`;
}

/** @returns undefined while it runs, or when nobody wrote how it ended */
export function endingIn(exitsFolder: string, name: string): Ending | undefined {
  const text = textOf(join(exitsFolder, name));
  const numbers = /^(\d+) (\d+) (\d+)\n$/.exec(text);
  if (numbers === null) return undefined;
  const [exitCode, signal, atMs] = numbers.slice(1).map(Number);
  return { exitCode, signal, atMs };
}

function processesIn(path: string): ProcessId[] {
  const lines = textOf(path).split('\n');
  return lines.flatMap((line) => {
    const parts = /^(\d+) (\d+)$/.exec(line);
    return parts === null ? [] : [{ pid: Number(parts[1]), startTime: parts[2] }];
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
