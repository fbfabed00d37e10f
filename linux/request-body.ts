/** The body of a request as it comes in, held to a length and a time. Whoever is too long or too slow is told so, and heard no further. */
import type { Readable } from 'node:stream';

export interface BodyBounds {
  /** Bytes. */
  readonly limit: number;
  /** For all of it. */
  readonly ms: number;
}

/** Why there is no body. */
export class BodyError extends Error {
  readonly status: 400 | 408 | 413;

  constructor(status: BodyError['status'], message: string) {
    super(message);
    this.status = status;
  }
}

interface Taker {
  readonly onChunk: (chunk: Buffer) => void;
  /** Called once: with undefined when the body is whole. */
  readonly onEnd: (error: BodyError | undefined) => void;
}

export function takeBody(source: Readable, { limit, ms }: BodyBounds, { onChunk, onEnd }: Taker): void {
  let size = 0;
  let isOver = false;
  const end = (error?: BodyError): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    source.off('data', take);
    if (error !== undefined) source.resume(); // to nobody, until the answer has gone out
    onEnd(error);
  };
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > limit) end(new BodyError(413, `read body: found more than ${limit} bytes`));
    else onChunk(chunk);
  };
  const timer = setTimeout(() => end(new BodyError(408, `read body: found no end within ${ms / 1000} s`)), ms);
  source.on('data', take);
  source.once('end', () => end());
  const broken = (): void => end(new BodyError(400, 'read body: found that it breaks off'));
  source.once('error', broken).once('close', broken);
}

/** The whole of a body. @throws BodyError */
export function readBody(request: Readable, bounds: BodyBounds): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    takeBody(request, bounds, {
      onChunk: (chunk) => void chunks.push(chunk),
      onEnd: (error) => (error === undefined ? resolve(Buffer.concat(chunks)) : reject(error)),
    });
  });
}
