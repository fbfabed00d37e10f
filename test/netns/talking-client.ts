/**
 * A client that talks on and on: a numbered line every 100 ms over one TCP connection, or as a UDP datagram from one socket. It
 * prints what it is answered, and how the connection ends: `closed` or `error CODE`.
 * Usage: node talking-client.js ADDRESS PORT [udp]
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

const TALK_MS = 100;
const [, , address, port, kind] = process.argv;
let number = 0;

if (kind === 'udp') {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (message) => process.stdout.write(message));
  socket.on('error', ({ message }) => process.stdout.write(`error ${message}\n`));
  setInterval(() => socket.send(`${number++}\n`, Number(port), address), TALK_MS);
} else {
  const socket = connect(Number(port), address);
  socket.on('data', (part) => process.stdout.write(part));
  socket.on('error', (error: NodeJS.ErrnoException) => process.stdout.write(`error ${error.code}\n`));
  socket.on('close', () => {
    process.stdout.write('closed\n');
    process.exit();
  });
  socket.on('connect', () => setInterval(() => socket.write(`${number++}\n`), TALK_MS));
}
