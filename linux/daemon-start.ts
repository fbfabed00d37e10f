/** Whether an agent is on its way: then a socket that is not there yet is one to wait for. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { runningAgent } from './lock.ts';
import { findProcesses } from './process-id.ts';

/** What an agent is configured by when nothing is said, if it is there. */
export const DEFAULT_CONFIG = '/etc/sluice/sluice.yaml';

/** An agent that was started longer ago serves by now, or serves another run directory. */
const START_SEC = 10;
/** Clock ticks a second in /proc, on every Linux. */
const TICKS = 100;

/** Whether the agent of a run directory lives, or some agent was started within the last ten seconds. */
export function isAgentStarting(runDir: string): boolean {
  if (runningAgent(runDir) !== undefined) return true;
  const upSec = Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]);
  return findProcesses(isAgent).some(({ startTime }) => upSec - Number(startTime) / TICKS < START_SEC);
}

/** `sluiced ...`, `sluice daemon ...`, with node and its flags before it or not. */
function isAgent(argv: readonly string[]): boolean {
  const names = argv.slice(0, 4).map((word) => basename(word).replace(/\.cjs$/, ''));
  return names.includes('sluiced') || names.some((name, at) => name === 'sluice' && names[at + 1] === 'daemon');
}
