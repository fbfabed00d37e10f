/**
 * podman as a store of images: found, fetched, and mounted while a container is started. It runs no container.
 *
 *     hold: note written --> podman image mount --> the launcher takes the mount into its own namespace --> podman image unmount --> note gone
 *
 * The container's own layer keeps what lies below it mounted, in its mount namespace alone: while containers run, nothing of them is mounted on
 * the machine, and nothing is to be unmounted when they end. A note of each mount lies in `<folder>/mounts` (`ID.LETTERS`); after a kill -9 between
 * mount and unmount, `recover` undoes what notes tell of. podman counts mounts, so that those of others stay.
 *
 * `podman rmi` and `prune` ask nobody: an image that is removed while containers stand on it loses its files beneath them.
 */
import { constants } from 'node:os';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import type { ImageReference } from './image-reference.ts';
import { PodmanError, runPodman, Turns } from './podman.ts';

/** While another podman unpacks a layer it may keep all others waiting. */
const CALL_MS = 120_000;
/** Of a big image over a slow line. */
const PULL_MS = 30 * 60_000;
const RECOVERY_MS = 5000;
const MOST_PULLS = 3;
const MOST_CALLS = 4;
/** podman's code for an image that is not there. */
const ABSENT = 1;

interface Held {
  users: number;
  readonly note: string;
  readonly root: Promise<string>;
}

export class PodmanImages {
  readonly #folder: string;
  readonly #log: (level: 'warn', message: string) => void;
  readonly #pulls = new Turns(MOST_PULLS);
  readonly #calls = new Turns(MOST_CALLS);
  readonly #held = new Map<string, Held>();
  /** Notes of this process, until they are gone. */
  readonly #own = new Set<string>();
  readonly #unmounting = new Set<Promise<void>>();

  /** @param folder of its own, which only root enters */
  constructor(folder: string, log: (level: 'warn', message: string) => void) {
    this.#folder = folder;
    this.#log = log;
  }

  /** @returns undefined when podman has it not @throws PodmanError; Error for one that says nonsense of itself */
  async find({ name, localName }: ImageReference, signal: AbortSignal): Promise<ImageConfig | undefined> {
    const found = await this.#inspect(name, signal);
    return found ?? (localName === undefined ? undefined : this.#inspect(localName, signal));
  }

  /**
   * Fetches it, however long others take before it.
   * @param isNeeded asked when its turn has come
   * @param authFile text of a file with the registry's password; undefined: podman's own are tried
   * @throws PodmanError
   */
  pull(
    { name }: ImageReference,
    {
      signal,
      isNeeded,
      authFile,
    }: { signal: AbortSignal; isNeeded: () => Promise<boolean>; authFile?: string | undefined },
  ): Promise<void> {
    return this.#pulls.take(async () => {
      if (!(await isNeeded())) return;
      const folder = authFile === undefined ? undefined : this.#writeAuth(authFile);
      try {
        const auth = folder === undefined ? [] : ['--authfile', join(folder, 'auth.json')];
        await runPodman(['image', 'pull', '--quiet', ...auth, '--', name], { timeoutMs: PULL_MS, signal });
      } finally {
        if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
      }
    });
  }

  /**
   * Mounts an image, read only, for as long as `use` runs.
   * @param id of an image that podman has
   * @throws PodmanError
   */
  async hold<Result>(id: string, use: (root: string) => Promise<Result>): Promise<Result> {
    const held = this.#held.get(id) ?? this.#mount(id);
    held.users++;
    try {
      return await use(await held.root);
    } finally {
      held.users--;
      if (held.users === 0) {
        this.#held.delete(id);
        // The container has begun, or not: it waits for no unmounting.
        const done = this.#release(held);
        this.#unmounting.add(done);
        void done.then(() => this.#unmounting.delete(done));
      }
    }
  }

  /**
   * Unmounts what an agent that was killed left mounted, and removes its passwords. Never throws.
   * @returns when that is done, or has taken 5 s
   */
  async recover(): Promise<void> {
    rmSync(join(this.#folder, 'auth'), { recursive: true, force: true });
    const left = this.#notes().filter((note) => !this.#own.has(note));
    const all = Promise.all([...left.map((note) => this.#unmount(note)), ...this.#unmounting]);
    const patience = new AbortController();
    await Promise.race([all, pause(RECOVERY_MS, undefined, { ref: false, signal: patience.signal }).catch(() => {})]);
    patience.abort();
  }

  async #inspect(name: string, signal: AbortSignal): Promise<ImageConfig | undefined> {
    try {
      return readImageConfig(await this.#call('inspect', name, signal), constants.signals);
    } catch (error) {
      if (exitOf(error) !== undefined && (await this.#isAbsent(name, signal))) return undefined;
      throw error;
    }
  }

  /** `inspect` does not tell what is missing from what is broken; this does. */
  async #isAbsent(name: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#call('exists', name, signal);
      return false;
    } catch (error) {
      return exitOf(error) === ABSENT;
    }
  }

  #call(verb: string, image: string, signal?: AbortSignal): Promise<string> {
    return this.#calls.take(() => runPodman(['image', verb, '--', image], { timeoutMs: CALL_MS, signal }));
  }

  #mount(id: string): Held {
    mkdirSync(join(this.#folder, 'mounts'), { recursive: true, mode: 0o700 });
    const note = `${id}.${randomBytes(6).toString('hex')}`;
    writeFileSync(join(this.#folder, 'mounts', note), '', { mode: 0o600 });
    this.#own.add(note);
    const held = { users: 0, note, root: this.#call('mount', id).then(readMountPoint) };
    this.#held.set(id, held);
    return held;
  }

  /** Of one that podman did not mount, nothing is unmounted: it would be the mount of somebody else. */
  async #release({ root, note }: Held): Promise<void> {
    let failure: unknown;
    await root.catch((error: unknown) => (failure = error));
    if (exitOf(failure) === undefined) await this.#unmount(note);
    else this.#forget(note);
  }

  async #unmount(note: string): Promise<void> {
    const [id] = note.split('.');
    try {
      await this.#call('unmount', id);
      this.#forget(note);
    } catch (error) {
      // One that is gone is mounted nowhere; else the note stays for the next start.
      if (await this.#isAbsent(id)) this.#forget(note);
      else {
        this.#own.delete(note);
        this.#log('warn', `unmount image ${id.slice(0, 12)}: ${(error as Error).message}`);
      }
    }
  }

  #forget(note: string): void {
    this.#own.delete(note);
    rmSync(join(this.#folder, 'mounts', note), { force: true });
  }

  #notes(): string[] {
    try {
      return readdirSync(join(this.#folder, 'mounts')).filter((name) => /^[0-9a-f]{64}\.[0-9a-f]+$/.test(name));
    } catch {
      return [];
    }
  }

  #writeAuth(text: string): string {
    mkdirSync(join(this.#folder, 'auth'), { recursive: true, mode: 0o700 });
    const folder = mkdtempSync(join(this.#folder, 'auth/'));
    writeFileSync(join(folder, 'auth.json'), text, { mode: 0o600 });
    return folder;
  }
}

/** podman's own code; undefined for other faults, and when it did not end by itself. */
function exitOf(error: unknown): number | undefined {
  return error instanceof PodmanError ? error.exit : undefined;
}

function readMountPoint(output: string): string {
  const path = output.trim().split('\n').at(-1)?.trim() ?? '';
  if (!path.startsWith('/') || path === '/')
    throw new PodmanError(`podman image mount: found '${path}', wanted a folder`);
  return path;
}
