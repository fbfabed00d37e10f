/** Connections to ports inside a pod's network namespace: to 127.0.0.1, then to ::1, as a program in the pod would reach `localhost`. */
import { Socket } from 'node:net';
import { connectStream } from '../../dataplane/native/inet.ts';

/** How long one address may take; the programs that answer are on this machine. */
const CONNECT_MS = 5000;

/**
 * @param pod what to call it. @param netns name or path
 * @throws Error in the words of Kubernetes' runtimes, when nobody listens there
 */
export async function connectInPod(pod: string, netns: string, port: number): Promise<Socket> {
  const failures: string[] = [];
  for (const [family, address, shown] of [
    ['4', '127.0.0.1', '127.0.0.1'],
    ['6', '::1', '[::1]'],
  ]) {
    try {
      return new Socket({
        fd: await connectStream(address, port, { netns, timeoutMs: CONNECT_MS }),
        allowHalfOpen: true,
        readable: true,
        writable: true,
      });
    } catch (error) {
      failures.push(`IPv${family}: dial tcp${family} ${shown}:${port}: ${wordsOf(error)}`);
    }
  }
  throw new Error(
    `error forwarding port ${port} to pod ${pod}: failed to connect to localhost:${port} inside namespace ${JSON.stringify(netns)}, ${failures.join(' ')}`,
  );
}

/** As Go's net says it, for those who search for these words. */
function wordsOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connect: connection refused';
  if (code === 'ETIMEDOUT') return 'i/o timeout';
  return message;
}
