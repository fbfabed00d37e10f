/**
 * Writes the zone file: whole, beside its place, synced and renamed, a moment after what it says has changed; changes that come
 * while it is written are written next. The name server goes on with the file before until it is told of the new one.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const DELAY_MS = 5; // what comes in one go is written in one

interface ZoneWriterOptions {
  readonly path: string;
  /** What the file is to say. @param serial another each time */
  readonly text: (serial: number) => string;
  /** A new file is in place, or could not be: '' or why. */
  readonly onWritten: (problem: string) => void;
}

export class ZoneWriter {
  readonly #options: ZoneWriterOptions;
  #serial = Math.floor(Date.now() / 1000); // above that of an agent before, which writes less often than once a second
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #isStale = false;
  #isStopped = false;

  constructor(options: ZoneWriterOptions) {
    this.#options = options;
  }

  /** The file is to be written anew. */
  touch(): void {
    this.#isStale = true;
    if (this.#writing === undefined && !this.#isStopped) this.#timer ??= setTimeout(() => this.#begin(), DELAY_MS);
  }

  /** Writes no more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
  }

  #begin(): void {
    this.#timer = undefined;
    this.#isStale = false;
    this.#writing = this.#write().then((problem) => {
      this.#writing = undefined;
      this.#options.onWritten(problem);
      if (this.#isStale) this.touch();
    });
  }

  async #write(): Promise<string> {
    const { path, text } = this.#options;
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(`${path}.new`, 'w', 0o600);
      try {
        this.#serial = (this.#serial % 0xffff_ffff) + 1;
        await file.writeFile(text(this.#serial));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
      return '';
    } catch (error) {
      return `write ${path}: ${(error as Error).message}`;
    }
  }
}
