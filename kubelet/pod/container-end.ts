/**
 * Ends one container: its preStop hook, SIGTERM or what its image says, and SIGKILL when its grace period is over.
 *
 * A first process that neither catches nor blocks SIGTERM cannot take it: the kernel keeps it from the first process of a namespace. Where
 * Kubernetes waits out the grace period of such a one (30 s of `sleep`), it is killed at once.
 */
import { readFileSync } from 'node:fs';
import { isAlive } from '../../linux/process-id.ts';
import { DEFAULT_STOP_SIGNAL } from '../runtime/image-note.ts';
import type { ContainerLife } from './container-life.ts';
import type { Wakeup } from './wakeup.ts';

const PATIENCE_MS = 1000;
/** How long the kernel may take to end what was killed, before it is looked again. */
const KILL_MS = 50;

export interface EndOptions {
  /** What is left of the grace period; it may shrink meanwhile. */
  readonly leftMs: () => number;
  /** Run before SIGTERM. */
  readonly preStop: (leftMs: number) => Promise<unknown>;
  /** Rung when a container of the pod has ended, or the grace period is another. */
  readonly wakeup: Wakeup;
  readonly collect: () => void;
}

/** Returns when it has ended. */
export async function endContainer(
  life: ContainerLife,
  { leftMs, preStop, wakeup, collect }: EndOptions,
): Promise<void> {
  collect();
  if (life.isRunning && leftMs() > 0) await preStop(leftMs());
  const { processes, image } = life;
  if (processes === undefined) return;
  const stopSignal = image?.stopSignal ?? DEFAULT_STOP_SIGNAL;
  if (isAlive(processes.first) && leftMs() > 0 && minds(processes.first.pid, stopSignal)) {
    signal(processes.first.pid, stopSignal);
    while (leftMs() > 0 && life.isRunning) {
      await wakeup.wait(Math.min(leftMs(), PATIENCE_MS));
      collect();
    }
  }
  while (life.isRunning) {
    if (isAlive(processes.first)) signal(processes.first.pid, 'SIGKILL');
    await wakeup.wait(KILL_MS);
    collect();
  }
}

/** Whether a process does anything about a signal. */
function minds(pid: number, number: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const masks = [...status.matchAll(/^Sig(?:Cgt|Blk):\t([0-9a-f]+)$/gm)].map(([, mask]) => BigInt(`0x${mask}`));
    return masks.some((mask) => (mask & (1n << BigInt(number - 1))) !== 0n);
  } catch {
    return false;
  }
}

function signal(pid: number, which: NodeJS.Signals | number): void {
  try {
    process.kill(pid, which);
  } catch {
    // it has just ended
  }
}
