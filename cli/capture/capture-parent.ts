/**
 * Starts the recording process and waits for it. It is a process of its own because the package `cap` aborts when an
 * interface that it listens on goes away: what was recorded until then is in the file, and the user is told.
 */
import { spawn } from 'node:child_process';
import { programPath } from '../../linux/programs.ts';
import type { CaptureOptions, CaptureResult } from './capture.ts';
import type { CaptureTarget } from './capture-targets.ts';
import type { WorkerMessage, WorkerResult } from './capture-worker.ts';
import { Failure } from '../terminal/failure.ts';

/**
 * Records until the count, the duration or a signal.
 * @param onBegun every interface is listened on
 * @throws Failure when it cannot begin, or an interface went away
 */
export async function captureInWorker(
  targets: readonly CaptureTarget[],
  options: CaptureOptions,
  onBegun: () => void,
): Promise<CaptureResult> {
  const argv = [...process.execArgv, programPath('capture-worker'), JSON.stringify({ targets, options })];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
  let noise = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    noise += chunk.toString();
  });
  let message: WorkerResult | undefined;
  child.on('message', (value) => {
    const said = value as WorkerMessage;
    if ('hasBegun' in said) onBegun();
    else message = said;
  });
  // Ctrl-C reaches the worker as well; a signal to us alone is handed on. Either way it finishes the file.
  const forward = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward);
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_, ended) => resolve(ended)));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, forward);
  if (message !== undefined && 'frames' in message) return message;
  if (message !== undefined) throw new Failure(message.error);
  if (signal === 'SIGABRT') {
    throw new Failure(`capture: an interface went away: what was recorded until then is in ${options.write}`);
  }
  throw new Failure(`capture: the recording process ended (${signal ?? 'no signal'}): ${noise.trim()}`);
}
