/**
 * Who holds the pen of a map, in one word: pid and ten bits of the process's start time, so that one compare-and-swap
 * takes it and a pid that was given to another process later is seen (but for one case in 1024, where the map stays
 * refused until that process ends).
 */
import { readFileSync } from 'node:fs';

const PID_BITS = 22; // PID_MAX_LIMIT is 2^22 (include/linux/threads.h)
const PID_MASK = (1 << PID_BITS) - 1;

/** pid and ten bits of the start time in one word, so that one compare-and-swap takes the pen; 0 for a dead process. */
export function ownerWord(pid: number): number {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return 0;
  }
  // proc(5): the command name is in parentheses and may hold anything; the state is the next field, start time the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return 0;
  return (Number(fields[19]) << PID_BITS) | pid;
}

/** Whether the process that an owner word names still runs. */
export function isAlive(owner: number): boolean {
  return ownerWord(owner & PID_MASK) === owner;
}

/** The pid in an owner word. */
export function ownerPid(owner: number): number {
  return owner & PID_MASK;
}
