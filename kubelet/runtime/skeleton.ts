/**
 * What lies below every container's root: a folder that the kubelet writes once, when it starts. It holds what programs of this machine
 * need of /etc (a list of what is let in, since nobody can list what a host keeps there: keys, passwords, tokens), users of its
 * own making, empty folders, and links to busybox for commands that the machine lacks. /usr is the machine's.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** What of /etc a container sees. Not profile, bashrc and wgetrc: people keep passwords of proxies and keys of clouds there. */
const ETC = [
  ...'alternatives ca-certificates ca-certificates.conf debian_version gai.conf host.conf inputrc ld.so.cache ld.so.conf ld.so.conf.d ld-musl-x86_64.path locale.alias localtime magic'.split(
    ' ',
  ),
  ...'mime.types networks os-release protocols python3 python3.11 rpc services shells ssl/certs ssl/openssl.cnf terminfo timezone xattr.conf'.split(
    ' ',
  ),
];

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const GROUP = 'root:x:0:\ndaemon:x:1:\nbin:x:2:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n';
const NSSWITCH = 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n';

/** Folders of a root, with their modes. */
const FOLDERS: readonly (readonly [path: string, mode: number])[] = [
  ...['dev', 'home', 'media', 'mnt', 'opt', 'proc', 'run', 'srv', 'sys', 'usr'].map((name) => [name, 0o755] as const),
  ...['var/cache', 'var/lib', 'var/log', 'var/spool', 'var/www', 'var/log/nginx', 'var/lib/nginx'].map(
    (name) => [name, 0o755] as const,
  ),
  ['root', 0o700],
  ['tmp', 0o1777],
  ['var/tmp', 0o1777],
];

/** Folders of programs; where the machine has links to /usr for these, so have containers. */
const SYSTEM = ['usr', 'bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];

const AGNHOST = '#!/bin/sh\nexec /.sluice/node /.sluice/bin/stand-in.cjs agnhost -- "$@"\n';

/** Written last. */
const DONE = 'done';

/** The layers of a container's root, and where they are put. */
export interface Skeleton {
  /** Below the root. */
  readonly root: string;
  /** Folders of the machine that come over it, each below a tmpfs of the container: `/usr`. */
  readonly system: readonly string[];
  /** Holds `bin/ash` and its like, links to busybox; '' where there is none. */
  readonly applets: string;
  /** Over an image's files: what is mounted on, so that no link of the image is in its place. */
  readonly cover: string;
  /** A script: Kubernetes' tests run `/agnhost` in containers of that image. */
  readonly agnhost: string;
}

/**
 * Writes it anew, unless containers stand on the one that is there: a layer must not change beneath them.
 * @param folder that nothing else is in
 */
export function openSkeleton(folder: string, isInUse: boolean): Skeleton {
  const applets = join(folder, 'applets');
  const agnhost = join(folder, 'agnhost');
  const cover = join(folder, 'cover');
  if (isInUse && existsSync(join(folder, DONE))) {
    const system = SYSTEM.map((name) => join('/', name)).filter((path) =>
      lstatSync(path, { throwIfNoEntry: false })?.isDirectory(),
    );
    return {
      root: join(folder, 'root'),
      system,
      applets: existsSync(applets) ? applets : '',
      agnhost,
      cover: writeCover(cover),
    };
  }
  rmSync(folder, { recursive: true, force: true });
  const root = join(folder, 'root');
  for (const [name, mode] of FOLDERS) {
    mkdirSync(join(root, name), { recursive: true });
    chmodSync(join(root, name), mode);
  }
  symlinkSync('/run', join(root, 'var/run'));
  writeEtc(join(root, 'etc'));
  const skeleton = {
    root,
    system: linkSystem(root),
    applets: writeApplets(applets),
    agnhost,
    cover: writeCover(cover),
  };
  writeFileSync(agnhost, AGNHOST, { mode: 0o755 });
  writeFileSync(join(folder, DONE), '');
  return skeleton;
}

/** Also beside containers that stand on an earlier skeleton, which knew no images. */
function writeCover(folder: string): string {
  for (const name of ['dev', 'etc', 'proc', 'sys']) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
  for (const name of ['hostname', 'hosts', 'resolv.conf']) {
    const path = join(folder, 'etc', name);
    if (!existsSync(path)) writeFileSync(path, '', { mode: 0o644 });
  }
  return folder;
}

function writeEtc(etc: string): void {
  mkdirSync(join(etc, 'nginx/conf.d'), { recursive: true });
  for (const name of ETC) {
    const from = join('/etc', name);
    if (!existsSync(from)) continue;
    mkdirSync(dirname(join(etc, name)), { recursive: true });
    // A link out of /etc is copied as what it means (localtime); those inside of a folder stay links.
    const source = lstatSync(from).isSymbolicLink() ? realpathSync(from) : from;
    cpSync(source, join(etc, name), { recursive: true, verbatimSymlinks: true });
  }
  const files = { passwd: PASSWD, group: GROUP, 'nsswitch.conf': NSSWITCH, hostname: '', hosts: '', 'resolv.conf': '' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text);
  writeFileSync(join(etc, 'shadow'), 'root:*:19000:0:99999:7:::\n', { mode: 0o600 });
}

/** @returns folders that are the machine's */
function linkSystem(root: string): string[] {
  const system: string[] = [];
  for (const name of SYSTEM) {
    const path = join('/', name);
    const status = lstatSync(path, { throwIfNoEntry: false });
    if (status?.isSymbolicLink() === true) symlinkSync(readlinkSync(path), join(root, name));
    else if (status?.isDirectory() === true) {
      mkdirSync(join(root, name), { recursive: true });
      system.push(path);
    }
  }
  return system;
}

/** A link for each applet, in `<folder>/bin`. @returns the folder, '' without busybox */
function writeApplets(folder: string): string {
  const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((path) => existsSync(path));
  if (busybox === undefined) return '';
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const applet of appletsOf(busybox)) symlinkSync(busybox, join(folder, 'bin', applet));
  return folder;
}

function appletsOf(busybox: string): string[] {
  try {
    const names = execFileSync(busybox, ['--list'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return names.split('\n').filter((name) => /^[\w.[+-]+$/.test(name) && name !== 'busybox');
  } catch {
    return [];
  }
}
