/** The programs of a rig's containers: started in their pods' namespaces, waited for, and their output kept. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../terminal/failure.ts';
import { insideNetns, isInNetns } from '../../linux/netns.ts';
import { isAlive, processWithPid } from '../../linux/process-id.ts';
import type { RigContainer, RigPod } from './rig-plan.ts';
import { logFolder, type RigProcess } from './rig-state.ts';

const POLL_MS = 25;
/** Bytes of a container's output that an error quotes. */
const TAIL_BYTES = 400;

/**
 * Starts a container's program as the leader of a group of its own, its output going to a log file.
 * @throws Failure when it cannot be started
 */
export async function startContainer(
  runDir: string,
  rig: string,
  pod: RigPod,
  container: RigContainer,
): Promise<RigProcess> {
  const { child, log } = await launch(runDir, rig, pod, container);
  child.unref();
  const found = child.pid === undefined ? undefined : processWithPid(child.pid);
  if (found === undefined) throw failed(pod, container, log, 'ended at once');
  return { ...found, namespace: pod.namespace, pod: pod.name, container: container.name, argv: container.argv, log };
}

/**
 * Runs an init container to its end.
 * @throws Failure when it ends with anything but 0
 */
export async function runInitContainer(
  runDir: string,
  rig: string,
  pod: RigPod,
  container: RigContainer,
): Promise<void> {
  const { ended, log } = await launch(runDir, rig, pod, container);
  const code = await ended;
  if (code !== 0) throw failed(pod, container, log, `ended with ${code}`);
}

interface Launched {
  readonly child: ReturnType<typeof spawn>;
  readonly ended: Promise<number | null>;
  readonly log: string;
}

async function launch(runDir: string, rig: string, pod: RigPod, container: RigContainer): Promise<Launched> {
  const log = `${logFolder(runDir, rig)}/${pod.namespace}_${pod.name}_${container.name}.log`;
  const output = openSync(log, 'a');
  try {
    const [program, ...args] = insideNetns(pod.netns, container.argv);
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, HOSTNAME: pod.name, ...container.env },
      cwd: container.workingDir,
    });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(failed(pod, container, log, cause.message)));
    });
    return { child, ended, log };
  } finally {
    closeSync(output);
  }
}

/**
 * Waits until a container's program serves every TCP and UDP port it promises; at once when it promises none.
 * @throws Failure when it ends first, or when `deadline` comes first
 */
export async function waitListening(
  running: RigProcess,
  pod: RigPod,
  container: RigContainer,
  deadline: AbortSignal,
): Promise<void> {
  if (container.tcpPorts.length + container.udpPorts.length === 0) return;
  for (;;) {
    if (!isAlive(running)) throw failed(pod, container, running.log, 'ended before it listened');
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
    tail = readFileSync(log, 'utf8').slice(-TAIL_BYTES).trim();
  } catch {
    // no log, nothing to quote
  }
  const quoted = tail === '' ? `see ${log}` : `it said: ${tail}`;
  return new Failure(`run ${container.argv.join(' ')} in ${pod.namespace}/${pod.name}: ${what}: ${quoted}`);
}
