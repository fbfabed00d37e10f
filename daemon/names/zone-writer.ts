/**
 * Writes the zone file: whole, beside its place, synced and renamed, a moment after what it says has changed. Changes that come
 * while it is written, and while the name server reads it, are written next, in one: so a large file is never written
 * more often than it is read, which takes several times as long, and this thread has time for other things.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

const DELAY_MS = 5; // what comes in one go is written in one

interface ZoneWriterOptions {
  readonly path: string;
  /** What the file is to say. @param serial another each time */
  readonly text: (serial: number) => string;
  /** A new file is in place, or could not be: '' or why. @returns when it has been read */
  readonly onWritten: (problem: string) => Promise<void>;
}

export class ZoneWriter {
  readonly #options: ZoneWriterOptions;
  #serial = Math.floor(Date.now() / 1000); // not that of an agent before, as a rule; nobody transfers the zone
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<string> | undefined;
  /** From the begin of writing until the file has been read. */
  #isBusy = false;
  #isStale = false;
  #isStopped = false;

  constructor(options: ZoneWriterOptions) {
    this.#options = options;
  }

  /** The file is to be written anew. */
  touch(): void {
    this.#isStale = true;
    if (!this.#isBusy && !this.#isStopped) this.#timer ??= setTimeout(() => void this.#begin(), DELAY_MS);
  }

  /** Writes no more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#writing;
  }

  async #begin(): Promise<void> {
    this.#timer = undefined;
    this.#isStale = false;
    this.#isBusy = true;
    this.#writing = this.#write();
    await this.#options.onWritten(await this.#writing);
    this.#isBusy = false;
    if (this.#isStale) this.touch();
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
