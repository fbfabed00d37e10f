/** Lines of a file of flows, or of standard input; gzipped ones are unpacked, whatever their name. */
import { createReadStream } from 'node:fs';
import { PassThrough, pipeline } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { Failure } from '../terminal/failure.ts';

/** A longer one is no flow: that of the agent has 200 KiB at most. */
const MAX_LINE = 16_777_216; // characters
const GZIP_MAGIC = [0x1f, 0x8b];

export interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * @param path `-` for standard input
 * @throws Failure when it cannot be read, or unpacked
 */
export async function* linesOfFile(stdin: NodeJS.ReadableStream, path: string): AsyncGenerator<Line> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let number = 0;
  try {
    for await (const chunk of unpacked(path === '-' ? stdin : createReadStream(path))) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE)
        throw new Failure(`read ${path}:${number + 1}: found no end of the line after ${MAX_LINE} characters`);
      for (const text of lines) yield { number: ++number, text };
    }
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}: check --input-file`);
  }
  yield { number: ++number, text: rest + decoder.end() };
}

async function* unpacked(input: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  const chunks = buffersOf(input);
  let first = Buffer.alloc(0);
  while (first.length < GZIP_MAGIC.length) {
    const next = await chunks.next();
    if (next.done === true) break;
    first = Buffer.concat([first, next.value]);
  }
  const whole = again(first, chunks);
  if (!GZIP_MAGIC.every((byte, index) => first[index] === byte)) {
    yield* whole;
    return;
  }
  // Its errors come out of the last stream.
  yield* buffersOf(pipeline(whole, createGunzip(), new PassThrough(), () => undefined));
}

async function* buffersOf(stream: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield Buffer.from(chunk as Uint8Array | string);
}

async function* again(first: Buffer, others: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* others;
}
