/** Network namespaces by name, as `ip netns` keeps them in /run/netns, and programs run inside them. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { EXIT, Failure } from './terminal/failure.ts';

const NETNS_DIR = '/run/netns';
const execute = promisify(execFile);

/** Whether the namespace exists. */
export function netnsExists(name: string): boolean {
  return existsSync(`${NETNS_DIR}/${name}`);
}

/**
 * Makes a namespace and raises its loopback.
 * @throws Failure when `ip` refuses
 */
export async function createNetns(name: string): Promise<void> {
  await ip('netns', 'add', name);
  await ip('-n', name, 'link', 'set', 'lo', 'up');
}

/**
 * Removes the name of a namespace; the namespace itself ends with its last process.
 * @throws Failure when `ip` refuses
 */
export async function deleteNetns(name: string): Promise<void> {
  await ip('netns', 'delete', name);
}

/** Ids of the processes that live in a namespace. */
export async function netnsPids(name: string): Promise<number[]> {
  return (await ip('netns', 'pids', name)).split('\n').filter(Boolean).map(Number);
}

/** Whether a process lives in a namespace, given by name or path; false when either has gone. */
export function isInNetns(pid: number, name: string): boolean {
  const path = name.includes('/') ? name : `${NETNS_DIR}/${name}`;
  const [own, wanted] = [`/proc/${pid}/ns/net`, path].map((one) => statSync(one, { throwIfNoEntry: false }));
  return own !== undefined && own.ino === wanted?.ino && own.dev === wanted.dev;
}

/**
 * The argument vector that runs a program in a namespace. `ip netns exec` enters, mounts what is under
 * /etc/netns/NAME (resolv.conf, hosts) over /etc, and becomes the program: the process id stays the same.
 * @param name a name, or the path of a namespace
 */
export function insideNetns(name: string, argv: readonly string[]): string[] {
  if (name.includes('/')) return ['nsenter', `--net=${name}`, ...argv];
  return ['ip', 'netns', 'exec', name, ...argv];
}

/**
 * Looks a program up in PATH, so that a missing one gives the codes that shells give, and not those of `ip`.
 * @throws Failure 127 when there is none, 126 when it is not executable
 */
export function requireProgram(program: string, path = process.env['PATH'] ?? ''): void {
  const places = program.includes('/') ? [program] : path.split(':').map((folder) => `${folder || '.'}/${program}`);
  const present = places.filter((place) => statSync(place, { throwIfNoEntry: false })?.isFile() === true);
  if (present.length === 0) throw new Failure(`exec ${program}: not found in PATH: check its name`, EXIT.NOT_FOUND);
  if (!present.some(isExecutable)) {
    throw new Failure(`exec ${present[0]}: not executable: chmod +x it`, EXIT.NOT_EXECUTABLE);
  }
}

function isExecutable(place: string): boolean {
  try {
    accessSync(place, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function ip(...args: string[]): Promise<string> {
  try {
    return (await execute('ip', args)).stdout;
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new Failure('ip: not found: install iproute2');
    const advice = process.getuid?.() === 0 ? '' : ': run as root';
    throw new Failure(`ip ${args.join(' ')}: ${stderr.trim() || String(code)}${advice}`, EXIT.FAILED, { cause: error });
  }
}
