/**
 * Runs another program in the foreground as if it were us: it has our terminal, signals are handed on to it, and its exit code
 * becomes ours.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Host } from './host.ts';
import { EXIT, EXIT_SIGNAL_BASE, Failure } from './failure.ts';

const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'] as const;
/** A terminal sends these to the program as well, which is in the same group; without one they are handed on. */
const FROM_TERMINAL = ['SIGINT', 'SIGQUIT'] as const;

/**
 * @param argv program and arguments @param env that of this process unless told
 * @returns its exit code, 128+n when signal n ended it
 * @throws Failure 127 when it cannot be started
 */
export async function runForeground(argv: readonly string[], env: Host['env'] = process.env): Promise<number> {
  const [program, ...args] = argv;
  const child = spawn(program, args, { stdio: 'inherit', env });
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  const stay = (): void => undefined;
  const onInterrupt = process.stdin.isTTY ? stay : forward;
  for (const signal of FORWARDED) process.on(signal, forward);
  for (const signal of FROM_TERMINAL) process.on(signal, onInterrupt);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('error', (cause) => reject(new Failure(`run ${program}: ${cause.message}`, EXIT.NOT_FOUND, { cause })));
      child.on('exit', (code, signal) => {
        resolve(signal === null ? (code ?? EXIT.FAILED) : EXIT_SIGNAL_BASE + constants.signals[signal]);
      });
    });
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
    for (const signal of FROM_TERMINAL) process.off(signal, onInterrupt);
  }
}
