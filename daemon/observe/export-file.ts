/**
 * The file of an export. When the next line would make it larger than the limit, it is put aside under a name with the time
 * (`flows.log` becomes `flows-2026-01-31T12-00-00.000.log`, as Cilium's exporter has it), gzipped if that is wanted, the oldest of
 * too many are removed, and another is begun. A line that could not be written whole is cut off again.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { createReadStream, createWriteStream, write as writeTo } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';

const FILE_MODE = 0o600;
const APPEND =
  constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Where lines go. */
export interface ExportOutput {
  /** Writes lines, in their order and each whole, and takes those off the front of the list; also when it throws. */
  write(lines: string[]): Promise<void>;
  close(): Promise<void>;
}

export interface RotationOptions {
  readonly path: string;
  readonly maxBytes: number;
  /** 0 = all. */
  readonly maxBackups: number;
  readonly compress: boolean;
  readonly nowMs: () => number;
}

export class ExportFile implements ExportOutput {
  readonly #options: RotationOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  async write(lines: string[]): Promise<void> {
    while (lines.length > 0) {
      const handle = await this.#opened();
      const { text, count } = this.#fitting(lines);
      if (count === 0) {
        await this.#rotate();
        continue;
      }
      await this.#append(handle, Buffer.from(text));
      lines.splice(0, count);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #opened(): Promise<FileHandle> {
    if (this.#handle !== undefined) return this.#handle;
    const { path } = this.#options;
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, APPEND, FILE_MODE);
    const found = await handle.stat();
    if (!found.isFile()) {
      await handle.close();
      throw new Error(`found no file at ${path}, wanted one`);
    }
    this.#bytes = found.size;
    this.#handle = handle;
    return handle;
  }

  /** As many lines as there is room for; a single one that is too long for any file has one of its own. */
  #fitting(lines: readonly string[]): { text: string; count: number } {
    let text = '';
    let bytes = this.#bytes;
    for (const [index, line] of lines.entries()) {
      bytes += Buffer.byteLength(line);
      if (bytes > this.#options.maxBytes && (this.#bytes > 0 || index > 0)) return { text, count: index };
      text += line;
    }
    return { text, count: lines.length };
  }

  async #append(handle: FileHandle, bytes: Buffer): Promise<void> {
    try {
      for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
      this.#bytes += bytes.length;
    } catch (error) {
      await handle.truncate(this.#bytes);
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { path, compress } = this.#options;
    await this.close();
    const aside = await this.#freeName();
    await rename(path, aside);
    if (compress) await gzip(aside);
    await this.#removeOldest();
  }

  async #freeName(): Promise<string> {
    const { path, nowMs } = this.#options;
    const names = new Set(await readdir(dirname(path)));
    for (let ms = nowMs(); ; ms++) {
      const name = join(
        dirname(path),
        `${stem(path)}-${new Date(ms).toISOString().slice(0, -1).replaceAll(':', '-')}${extname(path)}`,
      );
      if (!names.has(basename(name)) && !names.has(`${basename(name)}.gz`)) return name;
    }
  }

  async #removeOldest(): Promise<void> {
    const { path, maxBackups } = this.#options;
    if (maxBackups === 0) return;
    const isAside = (name: string) =>
      name.startsWith(`${stem(path)}-`) && ASIDE.test(name.slice(stem(path).length + 1, stem(path).length + 24));
    const aside = (await readdir(dirname(path))).filter(isAside).sort();
    for (const name of aside.slice(0, -maxBackups)) await rm(join(dirname(path), name), { force: true });
  }
}

const ASIDE = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/;

function stem(path: string): string {
  return basename(path, extname(path));
}

async function gzip(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`, { mode: FILE_MODE }));
  await rm(path);
}

const STDOUT = 1;
const writeStdout = promisify(writeTo) as (fd: number, bytes: Buffer, at: number) => Promise<{ bytesWritten: number }>;

/** The standard output of the agent, which its log may share: lines are written whole. */
export class StandardOutput implements ExportOutput {
  async write(lines: string[]): Promise<void> {
    const bytes = Buffer.from(lines.join(''));
    for (let at = 0; at < bytes.length; ) at += (await writeStdout(STDOUT, bytes, at)).bytesWritten;
    lines.length = 0;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
