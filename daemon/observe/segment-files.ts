/**
 * The files of the history, in one directory: `000000000012.flows` is a segment that is done, `.journal` the one that is being
 * filled, `.tmp` one that is being written. Numbers grow, so the order of names is the order of time. Everything is the
 * owner's alone to read: flows tell who talks to whom.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type ByteSource, Segment } from '../../hubble/store/segment.ts';

const DIGITS = 12;
const NAME = /^(\d{12})\.(flows|journal|tmp)$/;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

type Kind = 'flows' | 'journal' | 'tmp';

export class SegmentFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  path(number: number, kind: Kind): string {
    return join(this.directory, `${String(number).padStart(DIGITS, '0')}.${kind}`);
  }

  /** Makes the directory, and finds what is there; files that were never done are removed. */
  async find(): Promise<{ readonly segments: number[]; readonly journals: number[] }> {
    await mkdir(this.directory, { recursive: true, mode: DIRECTORY_MODE });
    const found: Record<Kind, number[]> = { flows: [], journal: [], tmp: [] };
    for (const name of await readdir(this.directory)) {
      const [, number, kind] = NAME.exec(name) ?? [];
      if (number !== undefined) found[kind as Kind].push(Number(number));
    }
    for (const number of found.tmp) await rm(this.path(number, 'tmp'), { force: true });
    const byNumber = (a: number, b: number) => a - b;
    return { segments: found.flows.sort(byNumber), journals: found.journal.sort(byNumber) };
  }

  async bytesOf(number: number): Promise<number> {
    return (await stat(this.path(number, 'flows'))).size;
  }

  journal(number: number): Promise<Buffer> {
    return readFile(this.path(number, 'journal'));
  }

  /** Lets `read` have a segment. @throws CorruptSegment */
  async use<T>(number: number, read: (segment: Segment) => Promise<T>): Promise<T> {
    const handle = await open(this.path(number, 'flows'), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      return await read(await Segment.open(sourceOf(handle, (await handle.stat()).size)));
    } finally {
      await handle.close();
    }
  }

  /**
   * Writes a segment: it is there whole, or not at all. The journal of its rows is removed.
   * @returns its bytes
   */
  async write(number: number, parts: readonly Uint8Array[]): Promise<number> {
    const tmp = this.path(number, 'tmp');
    const handle = await open(tmp, 'w', FILE_MODE);
    try {
      for (const part of parts) await writeWhole(handle, part);
      await handle.datasync();
    } catch (error) {
      await handle.close();
      await rm(tmp, { force: true });
      throw error;
    }
    await handle.close();
    await rename(tmp, this.path(number, 'flows'));
    await rm(this.path(number, 'journal'), { force: true });
    return parts.reduce((sum, { length }) => sum + length, 0);
  }

  async remove(number: number, kind: Kind): Promise<void> {
    await rm(this.path(number, kind), { force: true });
  }
}

function sourceOf(handle: FileHandle, size: number): ByteSource {
  return {
    size,
    read: async (at, length) => {
      const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, size - at)));
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
      return bytes.subarray(0, bytesRead);
    },
  };
}

async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at)).bytesWritten;
}

/** The journal of a table that is being filled. What could not be written whole is cut off again. */
export class JournalFile {
  readonly #path: string;
  #handle: FileHandle | undefined;
  bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    this.#handle ??= await open(this.#path, 'w', FILE_MODE);
    try {
      const whole = Buffer.concat(parts);
      for (let at = 0; at < whole.length; ) {
        at += (await this.#handle.write(whole, at, whole.length - at, this.bytes + at)).bytesWritten;
      }
      this.bytes += whole.length;
    } catch (error) {
      await this.#handle.truncate(this.bytes);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
  }
}
