/**
 * The objects on disk: one file, one line of JSON a write, in the order of the writes; a start reads it from its beginning.
 *
 *     {"layout":1}
 *     {"reserved":2000}                              resourceVersions up to it may have been told to somebody
 *     {"put":"pods","object":{...}}
 *     {"gone":"pods","key":"default/web"}
 *
 * A line is in the file when `append` returns, so that a kill -9 of the program loses nothing; whether it outlives the machine's end
 * `synced` says, which one call of fdatasync answers for all lines before it. A last line that is torn was promised to nobody, and is cut
 * off. Of a line in the middle that is none, the file is kept under `.bad`, and the others count. When more than half of the file is dead
 * it is written anew beside its place, then renamed. A write that fails is cut off again: the file never has half a line in its middle.
 */
import {
  closeSync,
  constants,
  copyFileSync,
  fdatasync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { writeProblem } from '../../linux/state-file.ts';
import { keyOfObject, type KubeObject, type ResourceName } from './kube-object.ts';

const LOG_LAYOUT = 1;
/** Dead bytes for which a file is not written again. */
const TOLERATED = 1 << 20;
/** Bytes. */
const WRITTEN_AT_ONCE = 1 << 20;

export type LogLine =
  | { readonly put: ResourceName; readonly object: KubeObject }
  | { readonly gone: ResourceName; readonly key: string }
  | { readonly reserved: number };

/** An object that is in force, and the bytes of its line. */
export interface LoggedObject {
  readonly resource: ResourceName;
  readonly object: KubeObject;
  readonly bytes: number;
}

export interface LogContents {
  readonly objects: readonly LoggedObject[];
  /** Versions up to it may have been told. */
  readonly reserved: number;
  /** One sentence each. */
  readonly problems: string[];
}

export interface WriteLogOptions {
  /** What was answered must be there after a boot. */
  readonly isSynced: boolean;
  /** The lines that a new file needs; its order is theirs. */
  readonly live: () => Iterable<LogLine>;
}

export class WriteLog {
  readonly #path: string;
  readonly #options: WriteLogOptions;
  #fd = -1;
  #size = 0;
  /** Bytes of lines that no longer count. */
  #dead = 0;
  #syncing: Promise<void> | undefined;
  #isDirty = false;

  constructor(path: string, options: WriteLogOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Opens the file, and reads what is in it. @throws Error naming the file when it cannot be read or made */
  open(): LogContents {
    const path = this.#path;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.#openFile();
      let bytes = readFileSync(path);
      const layout = layoutOf(bytes);
      if (layout !== LOG_LAYOUT) {
        this.close();
        renameSync(path, `${path}.bad`);
        this.#openFile();
        bytes = Buffer.alloc(0);
      }
      const { whole, damaged, objects, reserved, dead } = readLines(bytes);
      if (whole < bytes.length) ftruncateSync(this.#fd, whole);
      this.#size = whole;
      if (damaged.length > 0) copyFileSync(path, `${path}.bad`);
      if (whole === 0) this.#write(lineOf({ layout: LOG_LAYOUT }));
      this.#dead = dead; // it is not written anew before its reader knows what lives
      const problems = damaged.map((n) => `${path}:${n}: found a damaged line, wanted JSON; a copy is ${path}.bad`);
      if (layout !== LOG_LAYOUT)
        problems.push(`read ${path}: found layout ${String(layout)}, wanted ${LOG_LAYOUT}; put aside as .bad`);
      return { objects, reserved, problems };
    } catch (error) {
      this.close();
      throw writeProblem(path, error);
    }
  }

  /** Adds a line. @returns its bytes @throws Error naming the file, which is then as it was */
  append(line: LogLine): number {
    const bytes = lineOf(line);
    this.#write(bytes);
    this.#isDirty = true;
    return bytes.length;
  }

  /** Notes that lines count no longer. */
  noteDead(bytes: number): void {
    this.#dead += bytes;
    if (this.#dead > Math.max(TOLERATED, this.#size - this.#dead)) this.#rewrite();
  }

  /** Resolves when all that was written before is as safe as it is asked to be. @throws Error naming the file */
  async synced(): Promise<void> {
    if (!this.#options.isSynced) return;
    await this.#syncing;
    if (!this.#isDirty || this.#fd < 0) return;
    this.#syncing ??= this.#sync();
    await this.#syncing;
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #openFile(): void {
    this.#fd = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o600);
  }

  #sync(): Promise<void> {
    this.#isDirty = false;
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        this.#syncing = undefined;
        // A file that was written anew meanwhile is on disk already, and its former descriptor is closed.
        if (error === null || error.code === 'EBADF') resolve();
        else reject(writeProblem(this.#path, error));
      });
    });
  }

  #write(bytes: Buffer): void {
    try {
      writeAll(this.#fd, bytes);
      this.#size += bytes.length;
    } catch (error) {
      ftruncateSync(this.#fd, this.#size);
      throw writeProblem(this.#path, error);
    }
  }

  /** When it cannot be done the file stays as it is, which is as good; the next dead megabyte tries again. */
  #rewrite(): void {
    const staged = `${this.#path}.new`;
    let fd = -1;
    try {
      fd = openSync(staged, 'w', 0o600);
      const size = writeLines(fd, this.#options.live());
      fsyncSync(fd);
      closeSync(fd);
      fd = -1;
      const next = openSync(staged, constants.O_RDWR | constants.O_APPEND);
      renameSync(staged, this.#path);
      if (this.#options.isSynced) syncDirectory(dirname(this.#path));
      this.close();
      this.#fd = next;
      this.#size = size;
      this.#dead = 0;
    } catch {
      if (fd >= 0) closeSync(fd);
      rmSync(staged, { force: true });
      this.#dead -= TOLERATED;
    }
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY);
  fsyncSync(fd);
  closeSync(fd);
}

function lineOf(value: LogLine | { readonly layout: number }): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** @returns bytes in all */
function writeLines(fd: number, lines: Iterable<LogLine>): number {
  let size = 0;
  let chunk = [lineOf({ layout: LOG_LAYOUT })];
  let pending = chunk[0].length;
  for (const line of lines) {
    const bytes = lineOf(line);
    chunk.push(bytes);
    pending += bytes.length;
    if (pending < WRITTEN_AT_ONCE) continue;
    writeAll(fd, Buffer.concat(chunk));
    size += pending;
    [chunk, pending] = [[], 0];
  }
  writeAll(fd, Buffer.concat(chunk));
  return size + pending;
}

interface ReadLines {
  /** Bytes of whole lines. */
  readonly whole: number;
  /** Numbers of lines that are none, from 1. */
  readonly damaged: readonly number[];
  readonly objects: readonly LoggedObject[];
  readonly reserved: number;
  /** Bytes of lines that no longer count. */
  readonly dead: number;
}

function readLines(bytes: Buffer): ReadLines {
  const damaged: number[] = [];
  const live = new Map<string, LoggedObject>();
  let [at, dead, reserved] = [0, 0, 0];
  for (let number = 1; ; number++) {
    const end = bytes.indexOf(10, at);
    if (end < 0) return { whole: at, damaged, objects: [...live.values()], reserved, dead };
    const line = parsed(bytes.toString('utf8', at, end));
    const size = end + 1 - at;
    at = end + 1;
    if (line === undefined) damaged.push(number);
    else if ('reserved' in line) reserved = Math.max(reserved, line.reserved);
    else if ('gone' in line) dead += size + forget(live, `${line.gone} ${line.key}`);
    else if ('put' in line) {
      const id = `${line.put} ${keyOfObject(line.object)}`;
      dead += forget(live, id);
      live.set(id, { resource: line.put, object: line.object, bytes: size });
    }
  }
}

/** @returns its bytes */
function forget(live: Map<string, LoggedObject>, id: string): number {
  const bytes = live.get(id)?.bytes ?? 0;
  live.delete(id);
  return bytes;
}

/** Of the first line; that of an empty file, or of one whose only line is torn, is ours. */
function layoutOf(bytes: Buffer): unknown {
  const end = bytes.indexOf(10);
  if (end < 0) return LOG_LAYOUT;
  const line = parsed(bytes.toString('utf8', 0, end));
  return line !== undefined && 'layout' in line ? line.layout : 'none';
}

function parsed(text: string): LogLine | { layout: unknown } | undefined {
  try {
    const line = JSON.parse(text) as Record<string, unknown>;
    const { put, object, gone, key, reserved } = line;
    const isPut = typeof put === 'string' && typeof (object as KubeObject | undefined)?.metadata?.name === 'string';
    const isGone = typeof gone === 'string' && typeof key === 'string';
    if (isPut || isGone || typeof reserved === 'number' || 'layout' in line) return line as LogLine;
    return undefined;
  } catch {
    return undefined;
  }
}
