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

/** Why a file could not be written, for people. */
export function writeProblem(path: string, error: unknown): Error {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new Error(`write ${path}: ${ADVICE[code] ?? message}`, { cause: error });
}

/** A document that cannot be had. */
class StateError extends Error {
  override readonly name = 'StateError';
  readonly code = 'ERR_STATE';
  /** The file is there and of no use: damaged, or of another layout. */
  readonly isLost: boolean;

  constructor(message: string, isLost: boolean) {
    super(message);
    this.isLost = isLost;
  }
}

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

  /**
   * What the last `save` wrote, or `fallback` when there is nothing readable: the owner of the file starts without it.
   */
  load(fallback: T): T {
    try {
      return this.read() ?? fallback;
    } catch (error) {
      const { message, isLost } = error as StateError;
      this.problem = isLost ? `${message}; put aside as .bad` : message;
      if (isLost) renameSync(this.path, `${this.path}.bad`);
      return fallback;
    }
  }

  /**
   * What the last `save` wrote, for those who only look; undefined when there is no file. The file stays where it is.
   * @throws StateError when it cannot be read or understood
   */
  read(): T | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      throw new StateError(`read ${this.path}: ${ADVICE[code] ?? message}`, false);
    }
    const { version, value } = this.#parse(text);
    if (version === this.#version) return value;
    const wanted = `wanted ${this.#version}: is it of another version of Sluice?`;
    throw new StateError(`read ${this.path}: found layout ${version}, ${wanted}`, true);
  }

  #parse(text: string): { version: number; value: T } {
    try {
      return JSON.parse(text) as { version: number; value: T };
    } catch (error) {
      throw new StateError(`read ${this.path}: found a damaged file: ${(error as Error).message}`, true);
    }
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
      throw writeProblem(this.path, error);
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
