/**
 * Files that `ip netns exec` puts over those of /etc: /etc/netns/NAME/resolv.conf for the namespace NAME. They outlive whoever
 * writes them, and the machine's next start; so each says in its first line, the mark, who wrote it and for which
 * namespace. A file without that very line is somebody else's, and is neither replaced nor removed.
 *
 * A new file appears whole, under a name that nobody had: it is written beside the folders and linked into place, for `ip
 * netns exec` tries to mount everything that it finds in one. One that is ours is written over where it is, so that programs that
 * have it mounted see what is new.
 */
import {
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** Where the folders of namespaces are. */
const NETNS_FILES_DIR = '/etc/netns';
const FILES = ['resolv.conf', 'hosts'] as const;
export type NetnsFile = (typeof FILES)[number];

const HOST_NAME_LINE = '# Its host name:';

/** The line of a hosts file that says what programs in the namespace are to call their host. */
export function hostNameLine(name: string): string {
  return `${HOST_NAME_LINE} ${name}`;
}

/** Whether a namespace can have such files: one with a name, rather than a path, that leads nowhere else. */
export function canHaveFiles(netns: string): boolean {
  return netns !== '' && !netns.includes('/') && netns !== '.' && netns !== '..';
}

/** The files of one instance. */
export class NetnsFiles {
  readonly #owner: string;
  readonly #root: string;

  /** @param owner of the mark: the run directory of the instance */
  constructor(owner: string, root = NETNS_FILES_DIR) {
    this.#owner = owner;
    this.#root = root;
  }

  /** Namespaces that have a file of ours. */
  list(): string[] {
    return entries(this.#root).filter((netns) => FILES.some((file) => this.#isOurs(netns, file)));
  }

  /** What the hosts file of a namespace says that its host is called; undefined when there is none of ours. */
  hostName(netns: string): string | undefined {
    if (!canHaveFiles(netns) || !this.#isOurs(netns, 'hosts')) return undefined;
    const lines = this.#read(netns, 'hosts')?.split('\n') ?? [];
    return lines.find((line) => line.startsWith(HOST_NAME_LINE))?.slice(HOST_NAME_LINE.length + 1);
  }

  /**
   * Writes a file, unless somebody else's is there.
   * @returns whether it is ours, and as wanted
   * @throws Error of the file system
   */
  write(netns: string, file: NetnsFile, text: string): boolean {
    if (!canHaveFiles(netns)) return false;
    const whole = `${this.#mark(netns)}\n${text}`;
    const before = this.#read(netns, file);
    if (before === whole) return true;
    if (before === undefined) return this.#create(netns, file, whole);
    if (!this.#isOurs(netns, file)) return false;
    const fd = openSync(this.#path(netns, file), constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      writeSync(fd, whole, 0);
      ftruncateSync(fd, Buffer.byteLength(whole));
    } finally {
      closeSync(fd);
    }
    return true;
  }

  /** Removes a file that is ours, and folders that are empty then. @returns whether there was one */
  remove(netns: string, file: NetnsFile): boolean {
    if (!this.#isOurs(netns, file)) return false;
    rmSync(this.#path(netns, file), { force: true });
    removeEmpty(join(this.#root, netns));
    removeEmpty(this.#root);
    return true;
  }

  /** Removes the files of a namespace. @returns whether there was one */
  clear(netns: string): boolean {
    if (!canHaveFiles(netns)) return false;
    return FILES.map((file) => this.remove(netns, file)).includes(true);
  }

  /** Removes what a writer that was killed has left beside the folders. */
  clearStray(): void {
    for (const name of entries(this.#root)) {
      if (/^\.sluice-\d+$/.test(name) && firstLine(join(this.#root, name))?.startsWith(this.#mark('')) === true)
        rmSync(join(this.#root, name), { force: true });
    }
  }

  /** @returns false when somebody made one in between */
  #create(netns: string, file: NetnsFile, text: string): boolean {
    mkdirSync(join(this.#root, netns), { recursive: true });
    const draft = join(this.#root, `.sluice-${process.pid}`);
    rmSync(draft, { force: true });
    writeFileSync(draft, text, { flag: 'wx', mode: 0o644 });
    try {
      linkSync(draft, this.#path(netns, file));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #isOurs(netns: string, file: NetnsFile): boolean {
    return firstLine(this.#path(netns, file)) === this.#mark(netns);
  }

  #read(netns: string, file: NetnsFile): string | undefined {
    return readText(this.#path(netns, file));
  }

  #path(netns: string, file: NetnsFile): string {
    return join(this.#root, netns, file);
  }

  /** Begins with who wrote it: what follows is for one namespace. */
  #mark(netns: string): string {
    const beginning = `# Written by Sluice (${this.#owner}), which removes it with the pod; without this line it is yours.`;
    return netns === '' ? beginning : `${beginning} Namespace ${netns}`;
  }
}

function firstLine(path: string): string | undefined {
  return readText(path)?.split('\n', 1)[0];
}

/** The text of a file; undefined when there is none, '' for what is no file or cannot be read. */
function readText(path: string): string | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : '';
  }
}

function entries(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // not there, or somebody keeps something in it
  }
}
