/**
 * A machine of a test's own, to install packages on: this machine's files with everything that is written kept aside (overlayfs), its
 * own processes, network and mounts, an empty /run and /tmp. systemd does not run there. What was written is `written()`.
 *
 *     lower: /  (not written)     upper: a tmpfs  -> the sandbox's / ;  /run and /tmp: tmpfs, /run shared among views of mounts
 *
 * It goes with its process 1, and everything in it. Each step of making it must succeed, or nothing is run there: a
 * sandbox that is not one would be the machine itself.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Background, type Cleanup, must, type Outcome, type RunOptions, run, start, waitFor } from './command.ts';

const MAKE = `
set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /sys "$1/root/sys"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
mount --make-shared "$1/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
touch run/is-a-sandbox
mkdir run/written
mount --bind "$1/upper" run/written
ip link set lo up
# In the place of the old root: who enters this view of mounts lands there (nsenter).
mount --move . /
exec chroot . bash -c 'test -e /run/is-a-sandbox || exit 1; echo made; while :; do sleep 1000 & wait; done'
`;

export class Sandbox {
  readonly #first: number;

  private constructor(first: number) {
    this.#first = first;
  }

  static async make(cleanup: Cleanup): Promise<Sandbox> {
    const folder = mkdtempSync(join(tmpdir(), 'slsandbox-'));
    const flags = ['--mount', '--pid', '--net', '--uts', '--fork', '--kill-child'];
    const child = spawn('unshare', [...flags, 'bash', '-c', MAKE, 'sandbox', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
    cleanup.add(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await waitFor('the sandbox', () => {
      if (child.exitCode !== null) throw new Error(`make a sandbox: ${said}`);
      return said.includes('made\n');
    });
    const children = await must(['pgrep', '-P', String(child.pid)]);
    return new Sandbox(Number(children.trim()));
  }

  /** The command line that runs `argv` in there. @param netns one of its network namespaces */
  words(argv: readonly string[], netns?: string): string[] {
    const program = netns === undefined ? argv : ['ip', 'netns', 'exec', netns, ...argv];
    const inside = ['sh', '-c', 'cd / && exec "$@"', 'sh', ...program];
    const first = String(this.#first);
    return [
      'nsenter',
      '-t',
      first,
      '--mount',
      '--pid',
      '--net',
      '--uts',
      `--root=/proc/${first}/root`,
      '--',
      ...inside,
    ];
  }

  run(argv: readonly string[], options?: RunOptions & { netns?: string }): Promise<Outcome> {
    return run(this.words(argv, options?.netns), options);
  }

  /** What must succeed; its output. */
  must(argv: readonly string[], options?: RunOptions & { netns?: string }): Promise<string> {
    return must(this.words(argv, options?.netns), options);
  }

  start(argv: readonly string[], netns?: string): Background {
    return start(this.words(argv, netns));
  }

  /** The path, from outside, of a file in there. */
  path(file: string): string {
    return join(`/proc/${this.#first}/root`, file);
  }

  has(file: string): boolean {
    return existsSync(this.path(file));
  }

  /** Puts files of this machine into a folder in there. */
  async bring(folder: string, ...files: readonly string[]): Promise<void> {
    mkdirSync(this.path(folder), { recursive: true });
    await must(['cp', '-r', ...files, this.path(folder)]);
  }

  /** Every file and folder that is not as on the machine below, /run and /tmp included. */
  async written(): Promise<string[]> {
    const upper = await this.must(['find', '/run/written', '-mindepth', '1', '-not', '-type', 'd', '-printf', '/%P\n']);
    const volatile = await this.must(['find', '/run', '/tmp', '-xdev', '-mindepth', '1', '-not', '-type', 'd']);
    return `${upper}${volatile}`
      .split('\n')
      .filter((line) => line !== '')
      .toSorted();
  }
}
