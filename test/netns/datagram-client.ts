/**
 * Sends datagrams from one socket, one after the other, and waits for an answer to the last: by its first two bytes, as
 * DNS tells answers apart. What arrives until then, and for `lingerMs` after, is written to stdout as JSON.
 *
 * Input (stdin, JSON): { address, port, datagrams: base64[], patienceMs, lingerMs }. Output: { answers: base64[] }.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

const { address, port, datagrams, patienceMs, lingerMs } = JSON.parse(readFileSync(0, 'utf8'));
const payloads: Buffer[] = datagrams.map((text: string) => Buffer.from(text, 'base64'));
const last = payloads[payloads.length - 1].readUInt16BE(0);
const answers: string[] = [];
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
const end = () => {
  process.stdout.write(JSON.stringify({ answers }));
  process.exit(0);
};

socket.on('message', (payload) => {
  answers.push(payload.toString('base64'));
  if (payload.readUInt16BE(0) === last) setTimeout(end, lingerMs);
});
socket.connect(port, address, () => {
  for (const payload of payloads) socket.send(payload);
});
setTimeout(end, patienceMs);
