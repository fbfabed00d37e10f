/**
 * Network namespaces: their names and files, whether they are there, work inside them, and word of their coming and
 * going. A namespace is named as `ip netns` names it, or by the path of its file (`/proc/123/ns/net`).
 *
 * `ip netns add` first creates the file and mounts the namespace on it a moment later, and the mount gives no
 * notification: a file that is not yet a namespace is therefore looked at again shortly.
 */
import { mkdirSync, readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs';
import { run } from './command.ts';
import { watchFolder } from './watch-folder.ts';

const NETNS_DIR = '/run/netns';
const NSFS_MAGIC = 0x6e736673; // linux/magic.h
const MOUNT_DELAY_MS = 50;

/** The file of a namespace. */
function netnsPath(netns: string): string {
  return netns.includes('/') ? netns : `${NETNS_DIR}/${netns}`;
}

/**
 * What tells this namespace from any other of the same name: `device:inode` of its file; undefined when it is not there.
 */
export function netnsIdentity(netns: string): string | undefined {
  try {
    const path = netnsPath(netns);
    if (statfsSync(path).type !== NSFS_MAGIC) return undefined;
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

/** Whether the namespace is there. */
export function netnsExists(netns: string): boolean {
  return netnsIdentity(netns) !== undefined;
}

/** Makes a named namespace, its loopback still down. */
export async function createNetns(name: string): Promise<void> {
  await runForAll(['ip', 'netns', 'add', name]);
}

/** The name of a namespace is a mount, which all are to see: a service that has mounts of its own makes it among those of process 1. */
function runForAll([command, ...args]: readonly string[]): Promise<string> {
  return hasOwnMounts() ? run('nsenter', [`--mount=${FIRST_MOUNTS}`, '--', command, ...args]) : run(command, args);
}

const FIRST_MOUNTS = '/proc/1/ns/mnt';

function hasOwnMounts(): boolean {
  try {
    return readlinkSync('/proc/self/ns/mnt') !== readlinkSync(FIRST_MOUNTS);
  } catch {
    return false; // not to be known without CAP_SYS_PTRACE
  }
}

/**
 * Removes the name of a namespace; the namespace itself ends with its last process.
 * @returns false when it was gone already
 */
export async function deleteNetns(name: string): Promise<boolean> {
  if (!netnsExists(name)) return false;
  await runForAll(['ip', 'netns', 'delete', name]);
  return true;
}

/** Ids of the processes that live in a named namespace. */
export async function netnsPids(name: string): Promise<number[]> {
  return (await run('ip', ['netns', 'pids', name])).split('\n').filter(Boolean).map(Number);
}

/** Whether a process lives in a namespace; false when either has gone. */
export function isInNetns(pid: number, netns: string): boolean {
  const identity = netnsIdentity(netns);
  return identity !== undefined && netnsIdentity(`/proc/${pid}/ns/net`) === identity;
}

/** Gives itself a host name, which no other process sees, and becomes the program; it runs under another name where that is not allowed. */
const NAMED = '(echo "$0" >/proc/sys/kernel/hostname) 2>/dev/null; exec "$@"';

/**
 * The argument vector that runs a program in a namespace, the process id staying the same. For one with a name, `ip netns
 * exec` also mounts what is under /etc/netns/NAME (resolv.conf, hosts) over /etc.
 * @param hostName what the program is to call its host; that of the machine without
 */
export function insideNetns(netns: string, argv: readonly string[], hostName?: string): string[] {
  const program = hostName === undefined ? argv : ['unshare', '--uts', 'sh', '-c', NAMED, hostName, ...argv];
  if (netns.includes('/')) return ['nsenter', `--net=${netns}`, '--', ...program];
  return ['ip', 'netns', 'exec', netns, ...program];
}

/** Runs a shell script inside the namespace, or in the agent's own for ''. The script is fed by stdin, never quoted. */
export function scriptIn(netns: string, script: string): Promise<string> {
  const shell = ['sh', '-e', '-s'];
  return netns === ''
    ? run('sh', shell.slice(1), script)
    : run('nsenter', [`--net=${netnsPath(netns)}`, '--', ...shell], script);
}

/** `ip -json ...` inside the namespace ('' = the agent's own), parsed. */
export async function ipJson<T>(netns: string, args: readonly string[]): Promise<T[]> {
  const command = netns === '' ? [] : [`--net=${netnsPath(netns)}`, '--', 'ip'];
  const output = await (netns === '' ? run('ip', ['-json', ...args]) : run('nsenter', [...command, '-json', ...args]));
  return JSON.parse(output === '' ? '[]' : output) as T[];
}

/**
 * Runs the lines as one `ip -batch`, in the agent's own namespace.
 * @param goOn whether to go on after a line that fails, rather than to stop there
 * @throws CommandError when a line fails
 */
export async function ipBatch(lines: readonly string[], goOn = false): Promise<void> {
  if (lines.length > 0) await run('ip', [...(goOn ? ['-force'] : []), '-batch', '-'], `${lines.join('\n')}\n`);
}

/**
 * Calls `onChange` when a named namespace may have appeared or gone.
 * @returns a function that ends the watch
 */
export function watchNetns(onChange: () => void): () => void {
  mkdirSync(NETNS_DIR, { recursive: true });
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    timer = undefined;
    if (readdirSync(NETNS_DIR).some((name) => netnsIdentity(name) === undefined)) later();
    onChange();
  };
  let tries = 0;
  const later = () => {
    if (timer === undefined && tries++ < 100) timer = setTimeout(look, MOUNT_DELAY_MS);
  };
  const endWatch = watchFolder(NETNS_DIR, () => {
    tries = 0;
    later();
  });
  return () => {
    clearTimeout(timer);
    endWatch();
  };
}
