/**
 * A pcapng file, or standard output, that is written as packets come. Blocks go out whole and at least once a turn of the event
 * loop, so that what is there can be read even if the process is killed. A file is for its owner alone: it holds what pods say.
 */
import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import { enhancedPacket, type NgPacket } from '../../wire/pcapng.ts';
import { Failure } from '../terminal/failure.ts';

const FLUSH_BYTES = 256 << 10;

export class PcapngWriter {
  frames = 0;
  readonly #path: string;
  readonly #fd: number;
  readonly #end: (error?: Error) => void;
  readonly #mostBytes: number;
  #bytes = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;

  /**
   * @param end called when nothing more can be written; with no error when the reader of a pipe has gone
   * @param mostBytes of the file
   */
  constructor(path: string, end: (error?: Error) => void, mostBytes = Number.POSITIVE_INFINITY) {
    this.#mostBytes = mostBytes;
    this.#path = path;
    this.#end = end;
    try {
      this.#fd = path === '-' ? 1 : openForOwner(path);
    } catch (error) {
      throw new Failure(`write ${path}: ${(error as NodeJS.ErrnoException).code}: check folder and permissions`);
    }
  }

  /** @returns false when it would make the file too large: then it is not written */
  packet(packet: NgPacket): boolean {
    const block = enhancedPacket(packet);
    if (this.#bytes + block.length > this.#mostBytes) return false;
    this.append(block);
    this.frames++;
    if (this.#waitingBytes >= FLUSH_BYTES) this.flush();
    else if (this.#waiting.length === 1) setImmediate(() => this.flush());
    return true;
  }

  append(block: Uint8Array): void {
    this.#waiting.push(block);
    this.#waitingBytes += block.length;
    this.#bytes += block.length;
  }

  flush(): void {
    if (this.#waiting.length === 0) return;
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    let at = 0;
    while (at < bytes.length) {
      try {
        at += writeSync(this.#fd, bytes, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') continue;
        this.#end(code === 'EPIPE' ? undefined : new Failure(`write ${this.#path}: ${code}: no more is recorded`));
        return;
      }
    }
  }

  close(): void {
    this.flush();
    if (this.#fd !== 1) closeSync(this.#fd);
  }
}

function openForOwner(path: string): number {
  const fd = openSync(path, 'w', 0o600);
  if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600); // it may have been there before
  return fd;
}
