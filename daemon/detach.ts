/**
 * `sluiced --detach`: the agent in the background. This process starts it as the leader of a session of its own, waits until
 * it serves and its dataplane runs, and ends; or it tells why not, with the last lines of the agent's log.
 *
 *     sluiced --detach --- spawn ---> sluiced          output: <runDir>/sluiced.log
 *         |  <------- "ready" on the channel ---|
 *         |  --- GET /v1/status until the dataplane runs --->
 *       exit 0
 *
 * The log is begun anew when it has grown long; a clean stop removes it with the rest of the run directory. An agent that
 * is not ready in time is ended, so that a failure leaves nothing that runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, readSync, rmdirSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonApi } from '../api/daemon-api.ts';
import { agentSocket } from '../api/sockets.ts';
import { AGENT_FILES, runningAgent } from '../linux/lock.ts';
import { openLog } from './supervise/detached-process.ts';

/** How long an agent may take until its dataplane runs. */
const START_MS = 60_000;
const LOOK_MS = 50;
/** What of the log is told. */
const TOLD_BYTES = 4000;
const TOLD_LINES = 12;
/** Exit codes of a program that a signal has ended begin here. */
const SIGNAL_BASE = 128;

/** What the agent's output goes to when it is detached. */
export const agentLogPath = (runDir: string): string => join(runDir, AGENT_FILES.log);

/** Tells the process that waits for this one, if any, that it serves. */
export function tellReady(): void {
  process.send?.('ready');
}

/**
 * Starts the agent and waits for it.
 * @param argv arguments of the agent
 * @returns the exit code of this process: 0 with the agent ready, 128+n when signal n came first
 * @throws Error with the reason and the log's last lines when it does not come up
 */
export async function startDetached(runDir: string, argv: readonly string[]): Promise<number> {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  const log = new LogTail(agentLogPath(runDir));
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1], ...argv], {
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor, 'ipc'],
  });
  let interrupt = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => (interrupt ||= constants.signals[signal]));
  }
  const problem = await untilUp(runDir, child, () => interrupt !== 0);
  if (problem === undefined) {
    process.stdout.write(`sluiced is ready, pid ${child.pid}, run directory ${runDir}, log ${log.path}\n`);
    child.disconnect();
    child.unref();
    log.close();
    return 0;
  }
  await endOf(child);
  const lines = log.lines();
  log.close();
  if (runningAgent(runDir) === undefined) removeLog(runDir);
  if (interrupt !== 0) return SIGNAL_BASE + interrupt;
  throw new Error(`start the agent: it ${problem}; its log ends with:\n${lines.join('\n')}`);
}

/** @returns what went wrong; undefined once the dataplane runs */
async function untilUp(runDir: string, child: ChildProcess, isInterrupted: () => boolean): Promise<string | undefined> {
  let isReady = false;
  let failure: string | undefined;
  child.once('message', () => (isReady = true));
  child.once('error', (error) => (failure = `cannot be run: ${error.message}`));
  const api = new DaemonApi({ socketPath: agentSocket(runDir), timeoutMs: START_MS });
  for (let waitedMs = 0; waitedMs < START_MS; waitedMs += LOOK_MS) {
    if (isInterrupted()) return 'was interrupted';
    if (failure !== undefined) return failure;
    if (child.signalCode !== null) return `ended by ${child.signalCode}`;
    if (child.exitCode !== null) return `ended with ${child.exitCode}`;
    if (isReady) {
      const status = await api.status().catch(() => undefined); // it has ended: the next look tells
      if (status?.dataplane.state === 'running') return undefined;
    }
    await pause(LOOK_MS);
  }
  return `is not ready after ${START_MS / 1000} s`;
}

/** SIGTERM, and the end of it: an agent cleans up what it has made. */
async function endOf(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function removeLog(runDir: string): void {
  rmSync(agentLogPath(runDir), { force: true });
  try {
    rmdirSync(runDir);
  } catch {
    // an earlier agent has left something for the next
  }
}

/** The log, and where this start begins in it. */
class LogTail {
  readonly path: string;
  readonly descriptor: number;
  readonly #start: number;

  constructor(path: string) {
    this.path = path;
    this.descriptor = openLog(path, 'a+', 0o640);
    this.#start = fstatSync(this.descriptor).size;
  }

  /** The last lines of this start. */
  lines(): string[] {
    const { size } = fstatSync(this.descriptor);
    const from = Math.max(this.#start, size - TOLD_BYTES);
    const bytes = Buffer.alloc(size - from);
    readSync(this.descriptor, bytes, 0, bytes.length, from);
    const lines = bytes.toString('utf8').trim().split('\n').slice(-TOLD_LINES);
    return lines.map((line) => `  ${line}`);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
