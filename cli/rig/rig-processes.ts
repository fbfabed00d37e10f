/** The programs of a rig's containers: started in their pods' namespaces, waited for, and their output kept. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../terminal/failure.ts';
import { NetnsFiles } from '../../linux/netns-files.ts';
import { insideNetns, isInNetns } from '../../linux/netns.ts';
import { endGroups } from '../../linux/process-end.ts';
import { type ProcessId, processWithPid, startTimeOf } from '../../linux/process-id.ts';
import { tailOf } from './container-logs.ts';
import type { RigContainer, RigPod } from './rig-plan.ts';
import { logFolder, type RigProcess } from './rig-state.ts';

const POLL_MS = 25;
/** What of a container's output an error quotes. */
const TAIL_BYTES = 2000;
const TAIL_LINES = 10;
/** How long a program must live to count as running. */
const SETTLE_MS = 1000;
/** In the environment of everything that a rig starts, so that `rig down` finds also what was not recorded. */
const MARK = 'SLUICE_RIG';

/** A container's program as started. */
export interface Started {
  readonly process: RigProcess;
  /** How it ended, in words; undefined while it runs. */
  readonly end: () => string | undefined;
  readonly startedMs: number;
}

/**
 * Starts a container's program as the leader of a group of its own, its output going to a log file.
 * @throws Failure when it cannot be started
 */
export async function startContainer(
  runDir: string,
  rig: string,
  pod: RigPod,
  container: RigContainer,
): Promise<Started> {
  const { child, log } = await launch(runDir, rig, pod, container);
  child.unref();
  const { pid = 0 } = child;
  const process = {
    ...{ pid, startTime: startTimeOf(pid) },
    ...{ namespace: pod.namespace, pod: pod.name, container: container.name, argv: container.argv, log },
  };
  return { process, end: () => endOf(child), startedMs: performance.now() };
}

/** `ended with 3`, `ended by SIGKILL` */
function endOf({ exitCode, signalCode }: ChildProcess): string | undefined {
  if (signalCode !== null) return `ended by ${signalCode}`;
  return exitCode === null ? undefined : `ended with ${exitCode}`;
}

/**
 * Runs an init container to its end.
 * @throws Failure when it ends with anything but 0, or when `deadline` comes first
 */
export async function runInitContainer(
  runDir: string,
  rig: string,
  pod: RigPod,
  container: RigContainer,
  deadline: AbortSignal,
): Promise<void> {
  const { child, log } = await launch(runDir, rig, pod, container);
  while (endOf(child) === undefined) {
    if (deadline.aborted) {
      await endGroups([{ pid: child.pid ?? 0, startTime: startTimeOf(child.pid ?? 0) }]);
      throw failed(pod, container, log, 'the init container has not ended in time');
    }
    await pause(POLL_MS);
  }
  if (child.exitCode !== 0) throw failed(pod, container, log, endOf(child) ?? '');
}

interface Launched {
  readonly child: ChildProcess;
  readonly log: string;
}

async function launch(runDir: string, rig: string, pod: RigPod, container: RigContainer): Promise<Launched> {
  const log = `${logFolder(runDir, rig)}/${pod.namespace}_${pod.name}_${container.name}.log`;
  const output = openSync(log, 'a');
  try {
    const hostName = new NetnsFiles(runDir).hostName(pod.netns);
    const [program, ...args] = insideNetns(pod.netns, container.argv, hostName);
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, HOSTNAME: hostName ?? pod.name, ...container.env, [MARK]: markOf(runDir, rig) },
      cwd: container.workingDir,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(failed(pod, container, log, cause.message)));
    });
    return { child, log };
  } finally {
    closeSync(output);
  }
}

const markOf = (runDir: string, rig: string): string => `${resolve(runDir)}/rig/${rig}`;

/** Processes that a rig has started, or that these have, by their environment. */
export function markedProcesses(runDir: string, rig: string, pids: readonly number[]): ProcessId[] {
  const mark = `${MARK}=${markOf(runDir, rig)}`;
  return pids.filter((pid) => environmentOf(pid).includes(mark)).flatMap((pid) => processWithPid(pid) ?? []);
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return []; // it has just ended
  }
}

/**
 * Waits until a program has lived for a second: many that cannot run end within it. One that ends with 0 where ending is
 * allowed has done its work.
 * @throws Failure with its last lines when it ends otherwise
 */
export async function waitSettled(started: Started, pod: RigPod, container: RigContainer): Promise<void> {
  const serves = container.tcpPorts.length + container.udpPorts.length > 0;
  while (!serves && started.end() === undefined && performance.now() - started.startedMs < SETTLE_MS)
    await pause(POLL_MS);
  const end = started.end();
  if (end === undefined || (container.mayEnd && end === 'ended with 0')) return;
  throw failed(pod, container, started.process.log, end);
}

/**
 * Waits until a container's program serves every TCP and UDP port it promises; at once when it promises none.
 * @throws Failure when it ends first, or when `deadline` comes first
 */
export async function waitListening(
  started: Started,
  pod: RigPod,
  container: RigContainer,
  deadline: AbortSignal,
): Promise<void> {
  const running = started.process;
  if (container.tcpPorts.length + container.udpPorts.length === 0) return;
  for (;;) {
    const end = started.end();
    if (end !== undefined) throw failed(pod, container, running.log, `${end} before it listened`);
    // Until `ip netns exec` has entered the namespace, what listens is this machine's own.
    const isInside = isInNetns(running.pid, pod.netns);
    const tcp = isInside ? servedPorts(running.pid, 'tcp') : NO_PORTS;
    const udp = isInside ? servedPorts(running.pid, 'udp') : NO_PORTS;
    const missing = [
      ...container.tcpPorts.filter((port) => !tcp.has(port)).map((port) => `TCP ${port}`),
      ...container.udpPorts.filter((port) => !udp.has(port)).map((port) => `UDP ${port}`),
    ];
    if (missing.length === 0) return;
    if (deadline.aborted) throw failed(pod, container, running.log, `does not listen on ${missing.join(', ')}`);
    await pause(POLL_MS);
  }
}

const NO_PORTS: ReadonlySet<number> = new Set();

/** States of /proc/PID/net/{tcp,udp}: a TCP socket that listens, a UDP socket without a peer. */
const SERVING = { tcp: '0A', udp: '07' } as const;

/** Ports that anything serves in the network namespace of a process. */
function servedPorts(pid: number, protocol: keyof typeof SERVING): Set<number> {
  const ports = new Set<number>();
  const row = new RegExp(`^\\s*\\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ${SERVING[protocol]} `, 'gm');
  for (const table of [protocol, `${protocol}6`]) {
    let text = '';
    try {
      text = readFileSync(`/proc/${pid}/net/${table}`, 'latin1');
    } catch {
      continue; // the process has gone, or the kernel has no IPv6
    }
    for (const [, port] of text.matchAll(row)) ports.add(Number.parseInt(port, 16));
  }
  return ports;
}

function failed(pod: RigPod, container: RigContainer, log: string, what: string): Failure {
  let tail = '';
  try {
    tail = tailOf(readFileSync(log, 'utf8').slice(-TAIL_BYTES).trim(), TAIL_LINES).trimEnd();
  } catch {
    // no log, nothing to quote
  }
  // The log goes with the rig, so it is quoted, not pointed at.
  const quoted = tail === '' ? 'it printed nothing' : `it said: ${tail}`;
  const where = `container ${container.name} of ${pod.namespace}/${pod.name}`;
  return new Failure(`run ${container.argv.join(' ')} in ${where}: ${what}: ${quoted}`);
}
