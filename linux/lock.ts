/**
 * One agent for each run directory, and one for each instance name in a network namespace, for the name is that of its
 * interfaces and its nft table.
 *
 * Each lock is an abstract unix socket: the kernel gives it to one process and takes it back when that dies, however it
 * dies. Abstract names are the network namespace's, which is just the reach of an instance name. For the directory the
 * file `sluiced.process` stands in where two agents live in different namespaces. Who connects to the socket is told who holds it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, realpathSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { isAlive, type ProcessId, startTimeOf } from './process-id.ts';

/** What the agent writes of itself: its pid alone, as kill, systemd and others read it; what tells it from a later process; its log. */
export const AGENT_FILES = {
  pid: 'sluiced.pid', // `PID`
  identity: 'sluiced.process', // `PID START-TIME`
  log: 'sluiced.log', // in the background only
} as const;

/** Another agent serves the directory, or has the name. */
export class LockedError extends Error {
  override readonly name = 'LockedError';
  readonly code = 'ERR_LOCKED';
}

/** The lock as held; `release` gives it up. */
export interface Lock {
  release(): void;
}

/**
 * Takes the locks of a run directory, making the directory if need be, and of an instance name.
 * @throws LockedError, which names the pid of the other agent
 */
export async function takeLock(runDir: string, instance: string): Promise<Lock> {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const holder = runningAgent(runDir);
  if (holder !== undefined) throw new LockedError(refusal(runDir, holder.pid));
  const self = `pid ${process.pid}, run directory ${runDir}`;
  const server = await listen(`\0sluiced-${createHash('sha256').update(realpathSync(runDir)).digest('hex')}`, self);
  if (server === undefined) throw new LockedError(refusal(runDir, runningAgent(runDir)?.pid));
  const nameLock = `\0sluiced-named-${instance}`;
  const nameServer = await listen(nameLock, self);
  if (nameServer === undefined) {
    const other = await holderOf(nameLock);
    server.close();
    removeIfEmpty(runDir);
    throw new LockedError(`another sluiced (${other}) has the name ${instance} here: give this one another --name`);
  }
  const files = [AGENT_FILES.identity, AGENT_FILES.pid].map((name) => join(runDir, name));
  writeFileSync(files[0], `${process.pid} ${startTimeOf(process.pid)}\n`);
  writeFileSync(files[1], `${process.pid}\n`);
  return {
    release() {
      for (const file of files) rmSync(file, { force: true });
      removeIfEmpty(runDir);
      server.close();
      nameServer.close();
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

/** The agent that serves a run directory; undefined when none does, or the one that did is dead. */
export function runningAgent(runDir: string): ProcessId | undefined {
  try {
    const [pid, startTime = ''] = readFileSync(join(runDir, AGENT_FILES.identity), 'utf8').trim().split(' ');
    const agent = { pid: Number(pid), startTime };
    return isAlive(agent) ? agent : undefined;
  } catch {
    return undefined;
  }
}

/** What the holder of a lock says of itself. */
function holderOf(name: string): Promise<string> {
  return new Promise((resolve) => {
    let said = '';
    const socket = connect(name);
    socket.setEncoding('utf8').on('data', (text: string) => (said += text));
    socket.on('error', () => {});
    socket.on('close', () => resolve(said === '' ? 'which has just ended' : said));
  });
}

function listen(name: string, self: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.on('error', () => {}).end(self));
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => resolve(server.unref()));
  });
}
