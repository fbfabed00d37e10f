/** The output of a rig's containers, from the files it is kept in. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../terminal/failure.ts';
import type { PodReference } from './pod-lookup.ts';
import { isAlive } from '../../linux/process-id.ts';
import { listRigs, type RigProcess } from './rig-state.ts';
import type { Settings } from '../terminal/settings.ts';

const POLL_MS = 100;
const CHUNK_BYTES = 65_536;

export interface LogOptions {
  readonly container?: string | undefined;
  readonly follow?: boolean | undefined;
  /** Only so many of the last lines; all when undefined. */
  readonly tail?: number | undefined;
}

/**
 * Prints the logs of a pod, one container after the other; with `follow` goes on until their programs have ended.
 * @throws Failure when no rig runs a program in that pod
 */
export async function printLogs(settings: Settings, pod: PodReference, options: LogOptions): Promise<void> {
  const programs = listRigs(settings.runDir)
    .flatMap((rig) => rig.processes)
    .filter((one) => one.namespace === pod.namespace && one.pod === pod.name)
    .filter((one) => options.container === undefined || one.container === options.container);
  if (programs.length === 0) {
    const what = options.container === undefined ? 'a container' : `container ${options.container}`;
    throw new Failure(`read logs of ${pod.namespace}/${pod.name}: no rig runs ${what} there: see \`sluice rig list\``);
  }
  for (const program of programs) settings.host.stdout.write(tailOf(readFileSync(program.log, 'utf8'), options.tail));
  if (options.follow === true) await Promise.all(programs.map((program) => follow(settings, program)));
}

/** The last lines of a text; all of it when `lines` is undefined. */
export function tailOf(text: string, lines: number | undefined): string {
  if (lines === undefined || text === '') return text;
  const all = text.endsWith('\n') ? text.slice(0, -1).split('\n') : text.split('\n');
  const kept = lines === 0 ? [] : all.slice(-lines);
  return kept.map((line) => `${line}\n`).join('');
}

async function follow(settings: Settings, program: RigProcess): Promise<void> {
  const file = openSync(program.log, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let at = readFileSync(program.log).length;
    for (;;) {
      const alive = isAlive(program);
      const bytes = readSync(file, chunk, 0, CHUNK_BYTES, at);
      at += bytes;
      if (bytes > 0) settings.host.stdout.write(Buffer.from(chunk.subarray(0, bytes)));
      else if (alive) await pause(POLL_MS);
      else return;
    }
  } finally {
    closeSync(file);
  }
}
