/**
 * A TCP client without manners, run inside a pod: sends given bytes in given pieces, each in a segment of its own, waits
 * until the connection ends, and prints all that came back and how it ended, as JSON. `open`: it had not ended after so
 * long; to know that nothing more comes, let the last request close the connection.
 * Usage: node raw-client.js ADDRESS PORT MILLISECONDS < {"pieces":[base64...]}
 */
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

const PIECE_GAP_MS = 2; // keeps the kernel from joining two pieces into one segment

const [, , address, port, patienceMs] = process.argv;
const { pieces } = JSON.parse(await text(process.stdin)) as { pieces: string[] };
const socket = connect({ host: address, port: Number(port), noDelay: true });
const received: Buffer[] = [];

function finish(end: string): void {
  process.stdout.write(JSON.stringify({ end, answer: Buffer.concat(received).toString('latin1') }));
  process.exit(0);
}

setTimeout(() => finish('open'), Number(patienceMs));
socket.on('data', (part) => received.push(part));
socket.on('end', () => finish('closed'));
socket.on('error', (error: NodeJS.ErrnoException) => finish(error.code ?? 'error'));
await new Promise((resolve) => socket.once('connect', resolve));
for (const piece of pieces) {
  await new Promise((resolve) => socket.write(Buffer.from(piece, 'base64'), resolve));
  if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, PIECE_GAP_MS));
}
