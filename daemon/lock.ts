/**
 * One agent for each run directory.
 *
 * The lock is an abstract unix socket named after the directory: the kernel gives it to one process and takes it back
 * when that dies, however it dies. The pid file beside it names the holder, and also stands in where the two agents live in
 * different network namespaces (abstract names are the namespace's).
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isAlive, startTimeOf } from './process-id.ts';

/** Another agent serves the directory. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
  readonly code = 'ERR_LOCKED';
}

/** The lock as held; `release` gives it up. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a run directory, making the directory if need be.
 * @throws LockedError, which names the pid of the other agent
 */
export async function takeLock(runDir: string): Promise<Lock> {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const pidFile = join(runDir, 'sluiced.pid');
  const holder = readHolder(pidFile);
  if (holder !== undefined && isAlive(holder)) throw new LockedError(refusal(runDir, holder.pid));
  const server = await listen(`\0sluiced-${createHash('sha256').update(realpathSync(runDir)).digest('hex')}`);
  if (server === undefined) throw new LockedError(refusal(runDir, readHolder(pidFile)?.pid));
  writeFileSync(pidFile, `${process.pid} ${startTimeOf(process.pid)}\n`);
  return {
    release() {
      rmSync(pidFile, { force: true });
      removeIfEmpty(runDir);
      server.close();
    },
  };
}

/** Maps that are kept, and the state of a rig that is still up, hold the directory. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Not empty.
  }
}

function refusal(runDir: string, pid: number | undefined): string {
  return `another sluiced${pid === undefined ? '' : ` (pid ${pid})`} serves ${runDir}: stop it, or give this one another --name`;
}

function readHolder(pidFile: string): { pid: number; startTime: string } | undefined {
  try {
    const [pid, startTime] = readFileSync(pidFile, 'utf8').trim().split(' ');
    return { pid: Number(pid), startTime: startTime ?? '' };
  } catch {
    return undefined;
  }
}

function listen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server.unref()));
  });
}
