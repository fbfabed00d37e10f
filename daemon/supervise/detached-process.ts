/** Starts processes that outlive this one: in a session of their own, with their output in a log. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { closeFd, unixListen } from '../../dataplane/native/index.ts';

/** Bytes of a log after which the next start begins it anew. */
const LOG_LIMIT = 4 * 1024 * 1024;

/**
 * Opens a log to be gone on with; one that is long is begun anew.
 * @param flags `a+` to read it too
 */
export function openLog(path: string, flags: 'a' | 'a+', mode: number): number {
  const log = openSync(path, flags, mode);
  if (fstatSync(log).size > LOG_LIMIT) ftruncateSync(log);
  return log;
}

interface ProcessOptions {
  readonly command: readonly string[];
  readonly socketPath: string;
  readonly logPath: string;
  readonly stdin: 'ignore' | 'pipe';
}

/**
 * Starts a process with a listening socket as descriptor 3.
 * @throws Error when there is no room for the socket or the log; nothing is left open then
 */
export function startProcess({ command, socketPath, logPath, stdin }: ProcessOptions): ChildProcess {
  const log = openLog(logPath, 'a', 0o600);
  let listenFd = -1;
  try {
    rmSync(socketPath, { force: true });
    listenFd = unixListen(socketPath);
    const [program, ...args] = command;
    return spawn(program, args, { detached: true, stdio: [stdin, log, log, listenFd] });
  } finally {
    closeSync(log);
    if (listenFd >= 0) closeFd(listenFd); // the child's from now on
  }
}
