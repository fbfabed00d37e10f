/**
 * Puts the CNI plugin where container runtimes find it, and takes it away again: the program into a folder of plugins, a list of the
 * network into the folder of configurations. Both are written beside and renamed, for a runtime may look at any moment; the list comes
 * last and goes first, so that none ever names a program that is not there.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isIP } from 'node:net';
import { CNI_PLUGIN } from '../../linux/programs.ts';
import { Failure } from '../terminal/failure.ts';
import {
  ASIDE,
  chainedList,
  configurationFiles,
  isOurs,
  LIST_NAME,
  type NetworkList,
  ownList,
  type Plugin,
  readList,
} from './network-list.ts';

/** Where things are. */
export interface Folders {
  readonly confDir: string;
  readonly binDir: string;
}

export interface InstallOptions extends Folders {
  readonly runDir: string;
  readonly network: string;
  readonly cniVersion: string;
  /** A subnet that host-local gives addresses of. */
  readonly ipam?: string;
  readonly mtu?: number;
  readonly namespace?: string;
  readonly podman: boolean;
  /** A list of others to be in. */
  readonly chain?: string;
  /** undefined: where the plugin is there. */
  readonly portmap?: boolean;
  /** A folder of netavark's plugins, for the program under the name of its driver. */
  readonly netavarkDir?: string;
  /** Other lists are put aside. */
  readonly exclusive: boolean;
}

/** The run directory that the plugin takes when it is told none. */
const DEFAULT_RUN_DIR = '/run/sluice';

/** @returns what was done, in words @throws Failure */
export function install(options: InstallOptions): string[] {
  const { confDir, binDir, exclusive } = options;
  if (!existsSync(CNI_PLUGIN)) throw new Failure(`install ${CNI_PLUGIN}: it is not built: scripts/setup builds it`);
  const list = listOf(options);
  const program = join(binDir, 'sluice-cni');
  const path = join(confDir, LIST_NAME);
  const driver = options.netavarkDir === undefined ? undefined : join(options.netavarkDir, 'sluice');
  for (const copy of driver === undefined ? [program] : [program, driver]) attempt(copy, () => copyProgram(copy));
  const others = configurationFiles(confDir).filter((name) => name !== LIST_NAME);
  attempt(path, () => {
    mkdirSync(confDir, { recursive: true });
    // Not a name that a runtime looks at.
    writeFileSync(`${path}.new`, `${JSON.stringify(list, null, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    if (exclusive) for (const name of others) renameSync(join(confDir, name), join(confDir, name + ASIDE));
  });
  return [
    `installed ${program}`,
    ...(driver === undefined ? [] : [`installed ${driver}`]),
    `wrote ${path}: ${list.plugins.map(({ type }) => type).join(', ')}`,
    ...(exclusive ? others.map((name) => `put ${join(confDir, name)} aside as ${name}${ASIDE}`) : []),
  ];
}

/** @throws Failure where another program has the name */
function copyProgram(path: string): void {
  if (existsSync(path) && !isPlugin(path))
    throw new Failure(`install ${path}: found another program there, wanted none: take another folder`);
  mkdirSync(dirname(path), { recursive: true });
  copyFileSync(CNI_PLUGIN, `${path}.new`);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
}

/** @returns what was done, in words @throws Failure when something of ours cannot be removed */
export function uninstall({ confDir, binDir, netavarkDir }: Folders & Pick<InstallOptions, 'netavarkDir'>): string[] {
  const done: string[] = [];
  const path = join(confDir, LIST_NAME);
  const program = join(binDir, 'sluice-cni');
  if (isOurs(confDir, LIST_NAME)) {
    attempt(path, () => rmSync(path));
    done.push(`removed ${path}`);
  }
  for (const aside of configurationFiles(confDir, ASIDE)) {
    const name = aside.slice(0, -ASIDE.length);
    const to = join(confDir, name);
    if (existsSync(to)) {
      done.push(`left ${join(confDir, aside)}: there is another ${name}`);
      continue;
    }
    attempt(to, () => renameSync(join(confDir, aside), to));
    done.push(`put ${to} back`);
  }
  const driver = netavarkDir === undefined ? [] : [join(netavarkDir, 'sluice')];
  for (const copy of [program, ...driver].filter((one) => existsSync(one) && isPlugin(one))) {
    attempt(copy, () => rmSync(copy));
    done.push(`removed ${copy}`);
  }
  return done;
}

/** Whether a file is our plugin, of whatever version: it has the request that it makes in it. */
function isPlugin(path: string): boolean {
  return readFileSync(path).includes('POST /v1/cni HTTP/1.1');
}

/** Whether the program in a folder is the one of this Sluice. */
export function isSameProgram(binDir: string): boolean | undefined {
  const path = join(binDir, 'sluice-cni');
  return existsSync(path) ? readFileSync(path).equals(readFileSync(CNI_PLUGIN)) : undefined;
}

function listOf(options: InstallOptions): NetworkList {
  const { chain, network: name, cniVersion, binDir, portmap = existsSync(join(binDir, 'portmap')) } = options;
  if (chain === undefined) return ownList({ name, cniVersion, plugin: pluginOf(options), hasPortmap: portmap });
  if (options.ipam !== undefined)
    throw new Failure('install: found --ipam and --chain, wanted one: in a chain those before give the addresses');
  try {
    return chainedList(readList(chain), pluginOf(options));
  } catch (error) {
    throw new Failure(`read ${chain}: ${(error as Error).message}`);
  }
}

function pluginOf({ runDir, ipam, mtu, namespace, podman }: InstallOptions): Plugin {
  return {
    type: 'sluice-cni',
    ...(runDir !== DEFAULT_RUN_DIR && { runDir }),
    ...(mtu !== undefined && { mtu }),
    ...(namespace !== undefined && { namespace }),
    ...(podman && { podman: true }),
    ...(ipam !== undefined && { ipam: { type: 'host-local', ranges: [[{ subnet: checkSubnet(ipam) }]] } }),
  };
}

function checkSubnet(text: string): string {
  const [address, length] = text.split('/');
  const limit = isIP(address) === 4 ? 30 : 126;
  if (isIP(address) !== 0 && /^\d{1,3}$/.test(length ?? '') && Number(length) <= limit) return text;
  throw new Failure(`install: --ipam: found ${text}, wanted a subnet such as 10.5.0.0/24`);
}

function attempt(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(`write ${path}: ${code === 'EACCES' ? 'not allowed: run as root' : message}`);
  }
}
