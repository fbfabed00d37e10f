/** Waits for the ends of streams and of what carries them, with patience that has an end. */
import { finished } from 'node:stream/promises';
import type { Duplex, Writable } from 'node:stream';

/** How long a client may take to read what was written to it last. */
const FLUSH_MS = 30_000;
/** How long it may take to close its end after ours. */
const CLOSE_MS = 5000;

/** Ends the streams; settles when all of it has been handed to the client, the client is gone, or 30 s have passed. */
export async function endAll(streams: readonly (Writable | undefined)[]): Promise<void> {
  const open = streams.filter((stream) => stream !== undefined && !stream.destroyed) as Writable[];
  const flushed = open.map((stream) => finished(stream.end(), { readable: false, cleanup: true }).catch(() => {}));
  await within(Promise.all(flushed), FLUSH_MS);
}

/** Ends a connection, and cuts it when the other end does not follow within 5 s. */
export async function endPipe(pipe: Duplex): Promise<void> {
  if (pipe.destroyed) return;
  const closed = new Promise<void>((resolve) => void pipe.once('close', resolve));
  pipe.end();
  pipe.resume(); // or its end would not be seen
  await within(closed, CLOSE_MS);
  pipe.destroy();
}

async function within(promise: Promise<unknown>, patienceMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([promise, patience]);
  clearTimeout(timer);
}
