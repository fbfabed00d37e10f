/**
 * A Mapper without mmap: the contents of a file in a SharedArrayBuffer, the same one for everybody in this process who
 * maps the same file. Nothing is written back to disk. For maps that one process needs for itself: tests, and policies
 * that are judged offline (explain/).
 */
import { readFileSync, statSync } from 'node:fs';
import type { Mapper } from './map-file.ts';

/** A mapper with a memory of its own; `buffers` is keyed by file (inode and time of birth), for handing to a worker. */
export function memoryMapper(buffers = new Map<string, SharedArrayBuffer>()): Mapper {
  return (path) => {
    const status = statSync(path);
    const name = `${status.ino}:${status.birthtimeMs}`;
    const known = buffers.get(name);
    if (known !== undefined) return known;
    const buffer = new SharedArrayBuffer(status.size);
    new Uint8Array(buffer).set(readFileSync(path));
    buffers.set(name, buffer);
    return buffer;
  };
}
