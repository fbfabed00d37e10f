import { ApiError } from '../../api/error.ts';

/**
 * How a command ends: the exit codes, and the error that carries one.
 *
 * 0 done · 1 the command failed or found something invalid · 2 wrong usage · 3 the daemon cannot be reached ·
 * `exec` passes the code of the program on (126 not executable, 127 not found, 128+n ended by signal n).
 */
export const EXIT = { OK: 0, FAILED: 1, USAGE: 2, UNREACHABLE: 3, NOT_EXECUTABLE: 126, NOT_FOUND: 127 } as const;

/** Signals added to this give the exit code of a program that a signal ended (POSIX shells). */
export const EXIT_SIGNAL_BASE = 128;

/** An error meant for the user: one sentence with the action, what was found, what is wanted and what to do. */
export class Failure extends Error {
  readonly exitCode: number;

  /**
   * @param message one sentence, no stack is shown
   * @param exitCode one of EXIT; 1 unless told
   */
  constructor(message: string, exitCode: number = EXIT.FAILED, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.exitCode = exitCode;
  }
}

/**
 * What is printed for an error of any kind: a Failure's sentence; a system error as `syscall path: CODE: meaning`;
 * for anything unforeseen the stack, since that is a defect to report.
 */
export function sentenceOf(error: unknown): string {
  if (error instanceof Failure || error instanceof ApiError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (typeof (error as NodeJS.ErrnoException).code === 'string') return error.message;
  return error.stack ?? error.message;
}

/** The exit code for an error of any kind. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ApiError && error.isUnreachable) return EXIT.UNREACHABLE;
  return error instanceof Failure ? error.exitCode : EXIT.FAILED;
}
