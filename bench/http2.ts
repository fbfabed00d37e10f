/**
 * Requests of HTTP/2, and unary calls of gRPC, whose answers have a status in trailers: from h2load to nghttpd, each of
 * which does more in a second than any proxy between them.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Cleanup, inNetns, isListening, start, waitFor } from '../test/command.ts';
import { h2load, type Load } from './load.ts';
import { CHATTY_PORT, GRPC_PORT, SERVER, WEB2_PORT } from './subject.ts';

/** Of each message: a few words, as most calls have. */
const MESSAGE_BYTES = 64;
/** A file has to be there before anything is started. */
const REQUEST_FILE = '/tmp/slb-grpc-request';

/** Not compressed, its length, and the message. */
function message(): Uint8Array {
  const bytes = new Uint8Array(5 + MESSAGE_BYTES);
  bytes[4] = MESSAGE_BYTES;
  return bytes.fill(97, 5);
}

async function startServer(port: number, path: string, answer: Uint8Array, cleanup: Cleanup, ...more: string[]) {
  const dir = mkdtempSync('/tmp/slb-http2-');
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, answer);
  const server = start(inNetns(SERVER, ['nghttpd', '--no-tls', ...more, '-d', dir, String(port)]));
  cleanup.add(() => server.child.kill());
  await waitFor('nghttpd to listen', () => isListening(SERVER, port));
}

/** Starts both in the server's namespace. */
export async function startHttp2Servers(cleanup: Cleanup): Promise<void> {
  await startServer(WEB2_PORT, 'public', new TextEncoder().encode('hello\n'), cleanup);
  await startServer(GRPC_PORT, 'shop.Open/Unary', message(), cleanup, '--trailer', 'grpc-status: 0');
  writeFileSync(REQUEST_FILE, message());
  cleanup.add(() => rmSync(REQUEST_FILE, { force: true }));
}

const requests = (metric: string, port: number): Load => ({
  name: metric,
  perUnit: 'request',
  run: async (address, seconds) => {
    const rate = await h2load(`http://${address}:${port}/public`, seconds);
    return [{ metric, value: rate / 1000, unit: 'k req/s' }];
  },
});

export const http2: Load = requests('http2', WEB2_PORT);
export const chattyHttp2: Load = requests('http2, a packet an answer', CHATTY_PORT);

export const grpc: Load = {
  name: 'grpc',
  perUnit: 'request',
  run: async (address, seconds) => {
    const head = ['-H', 'content-type: application/grpc', '-H', 'te: trailers', '-d', REQUEST_FILE];
    const rate = await h2load(`http://${address}:${GRPC_PORT}/shop.Open/Unary`, seconds, ...head);
    return [{ metric: 'grpc unary', value: rate / 1000, unit: 'k req/s' }];
  },
};
