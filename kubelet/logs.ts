/**
 * Reads the log of a container: lines of the CRI's form (launcher/log.c), of two files where the older one was put aside. With `follow` it
 * goes on while the container runs, from file to file as they are turned. Never more than a chunk of it is in memory, and nothing is
 * read before what was read last has been taken.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

const READ_BYTES = 64 * 1024;
const FOLLOW_MS = 100;
const END_OF_LINE = 10;
const BLANK = 32;
const NOTHING: Buffer = Buffer.alloc(0);

export interface LogRequest {
  readonly container?: string | undefined;
  readonly follow?: boolean | undefined;
  /** Of the attempt before. */
  readonly previous?: boolean | undefined;
  /** Only so many of the last lines. */
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  /** RFC 3339. */
  readonly sinceTime?: string | undefined;
  readonly timestamps?: boolean | undefined;
  readonly limitBytes?: number | undefined;
  /** Aborts when nobody wants it any more: a container that says nothing would be followed for ever. */
  readonly gone?: AbortSignal | undefined;
}

/**
 * @param path of the newer file; the older one has `.1` behind it
 * @param goesOn whether there may be more to come
 */
export async function* readLogs(path: string, request: LogRequest, goesOn: () => boolean): AsyncGenerator<Uint8Array> {
  let left = request.limitBytes ?? Infinity;
  const format = formatter(request);
  for await (const lines of linesOf(path, request, goesOn)) {
    const text = format(lines);
    const part = text.length > left ? text.subarray(0, left) : text;
    left -= part.length;
    if (part.length > 0) yield part;
    if (left <= 0) return;
  }
}

/** Whole lines of the files, as they stand there. */
async function* linesOf(path: string, request: LogRequest, goesOn: () => boolean): AsyncGenerator<Buffer> {
  // Who does not follow has what was there when they asked: a container that writes faster than they read would keep them for ever.
  const until = request.follow === true ? Infinity : sizeOf(path);
  const begin = beginningOf(path, request.tailLines, until);
  let file = open(begin.isOlder ? `${path}.1` : path);
  let at = begin.offset;
  let { isOlder } = begin;
  let rest = NOTHING;
  const chunk = Buffer.alloc(READ_BYTES);
  try {
    for (;;) {
      // Asked before reading, so that what was written before the end is read.
      const isLast = request.follow !== true || !goesOn();
      const count =
        file === undefined
          ? 0
          : readSync(file, chunk, 0, isOlder ? READ_BYTES : Math.min(READ_BYTES, Math.max(0, until - at)), at);
      at += count;
      if (count > 0) {
        const text = Buffer.concat([rest, chunk.subarray(0, count)]);
        const end = text.lastIndexOf(END_OF_LINE) + 1;
        rest = text.subarray(end);
        if (end > 0) yield text.subarray(0, end);
      } else if (!isOlder && at >= until) return;
      else if (isOlder || isTurned(file, path)) {
        if (file !== undefined) closeSync(file);
        file = open(path);
        at = 0;
        isOlder = false;
        rest = NOTHING;
      } else if (isLast) return;
      else if (request.gone?.aborted === true) return;
      else await pause(FOLLOW_MS);
    }
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** Whether another file has the name by now. */
function isTurned(file: number | undefined, path: string): boolean {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return false;
  return file === undefined || fstatSync(file).ino !== status.ino;
}

/** Where the last so many lines begin. */
function beginningOf(path: string, lines: number | undefined, until: number): { isOlder: boolean; offset: number } {
  const hasOlder = statSync(`${path}.1`, { throwIfNoEntry: false }) !== undefined;
  if (lines === undefined || lines < 0) return { isOlder: hasOlder, offset: 0 };
  const newer = seekBack(path, lines, until);
  if (newer.missing === 0 || !hasOlder) return { isOlder: false, offset: newer.offset };
  return { isOlder: true, offset: seekBack(`${path}.1`, newer.missing).offset };
}

/** @returns where the last lines of a file begin, and how many it is short of */
function seekBack(path: string, lines: number, until = Infinity): { offset: number; missing: number } {
  const file = open(path);
  if (file === undefined) return { offset: 0, missing: lines };
  try {
    const chunk = Buffer.alloc(READ_BYTES);
    let end = Math.min(until, fstatSync(file).size);
    let wanted = lines + 1; // the newline of the last line is one more than there are lines before it
    while (end > 0) {
      const from = Math.max(0, end - READ_BYTES);
      const count = readSync(file, chunk, 0, end - from, from);
      for (let at = count - 1; at >= 0; at--) {
        if (chunk[at] === END_OF_LINE && --wanted === 0) return { offset: from + at + 1, missing: 0 };
      }
      end = from;
    }
    return { offset: 0, missing: Math.max(0, wanted - 1) };
  } finally {
    closeSync(file);
  }
}

/** @returns what makes of whole lines of the file what is asked for */
function formatter({ timestamps = false, sinceSeconds, sinceTime }: LogRequest): (lines: Buffer) => Buffer {
  const ofSeconds = sinceSeconds === undefined ? -Infinity : Date.now() - sinceSeconds * 1000;
  const fromMs = sinceTime === undefined ? ofSeconds : Date.parse(sinceTime);
  return (lines) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < lines.length; ) {
      const end = lines.indexOf(END_OF_LINE, at) + 1;
      parts.push(...formatLine(lines.subarray(at, end), { timestamps, fromMs }));
      at = end;
    }
    return Buffer.concat(parts);
  };
}

/** `TIME STREAM TAG text\n`; a tag P is a part, whose line goes on. */
function formatLine(line: Buffer, { timestamps, fromMs }: { timestamps: boolean; fromMs: number }): Buffer[] {
  const time = line.indexOf(BLANK);
  const stream = line.indexOf(BLANK, time + 1);
  const tag = line.indexOf(BLANK, stream + 1);
  if (time < 0 || stream < 0 || tag < 0) return [];
  const stamp = line.toString('latin1', 0, time);
  if (fromMs !== -Infinity && !(Date.parse(stamp) >= fromMs)) return [];
  const isPart = line.toString('latin1', stream + 1, tag) === 'P';
  const text = line.subarray(tag + 1, isPart ? line.length - 1 : line.length);
  return timestamps ? [Buffer.from(`${stamp} `), text] : [text];
}
