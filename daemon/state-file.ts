/**
 * A small JSON document of the agent's own under `<runDir>/state`, read once at start and replaced whole on every
 * change (temporary file, then rename), so that a kill -9 at any moment leaves either the old or the new one.
 *
 * State lives on tmpfs with the maps: it describes this boot (interfaces, ids in use) and is worthless after the next.
 * A file that cannot be read is put aside under `.bad` and reported; the agent starts without it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

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

  /** Replaces the document. */
  save(value: T): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.new`;
    writeFileSync(temporary, JSON.stringify({ version: this.#version, value }), { mode: 0o600 });
    renameSync(temporary, this.path);
  }

  /** Removes the document. */
  remove(): void {
    rmSync(this.path, { force: true });
  }
}
