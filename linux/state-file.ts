/**
 * A small JSON document of the agent's own under `<runDir>/state`, read once at start and replaced whole on every
 * change (temporary file, then rename), so that a kill -9 at any moment leaves either the old or the new one.
 *
 * State lives on tmpfs with the maps: it describes this boot (interfaces, ids in use) and is worthless after the next.
 * A file that cannot be read is put aside under `.bad` and reported; the agent starts without it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** What to say of an error, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'ENOSPC: no space left on its file system: free some',
  EROFS: 'EROFS: its file system is mounted read-only: choose another directory',
  EACCES: 'EACCES: not allowed: run as root',
};

/** One document of type T. */
export class StateFile<T> {
  readonly path: string;
  /** Why the file found at start was put aside, when it was. */
  problem: string | undefined;
  readonly #version: number;

  constructor(path: string, version: number) {
    this.path = path;
    this.#version = version;
  }

  /** What the last `save` wrote, or `fallback` when there is nothing readable. */
  load(fallback: T): T {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.problem = `read ${this.path}: ${(error as Error).message}`;
      return fallback;
    }
    try {
      const found = JSON.parse(text) as { version: number; value: T };
      if (found.version === this.#version) return found.value;
      this.problem = `read ${this.path}: found layout ${found.version}, wanted ${this.#version}; put aside as .bad`;
    } catch (error) {
      this.problem = `read ${this.path}: ${(error as Error).message}; put aside as .bad`;
    }
    renameSync(this.path, `${this.path}.bad`);
    return fallback;
  }

  /**
   * Replaces the document.
   * @throws Error naming the file, which is then as it was
   */
  save(value: T): void {
    this.stage(value);
    this.commit();
  }

  /**
   * Writes the document beside the file, where `commit` finds it: several can be replaced together, or none.
   * @throws Error naming the file
   */
  stage(value: T): void {
    try {
      mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
      writeFileSync(this.#staged, JSON.stringify({ version: this.#version, value }), { mode: 0o600 });
    } catch (error) {
      this.unstage();
      const { code = '' } = error as NodeJS.ErrnoException;
      throw new Error(`write ${this.path}: ${ADVICE[code] ?? (error as Error).message}`, { cause: error });
    }
  }

  /** Puts what was staged in place. */
  commit(): void {
    renameSync(this.#staged, this.path);
  }

  /** Gives up what was staged. */
  unstage(): void {
    rmSync(this.#staged, { force: true });
  }

  get #staged(): string {
    return `${this.path}.new`;
  }

  /** Removes the document. */
  remove(): void {
    rmSync(this.path, { force: true });
  }
}
