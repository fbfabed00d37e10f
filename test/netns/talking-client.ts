/**
 * A client that talks on and on: a numbered line every 100 ms over each of its TCP connections, or as a UDP datagram from one
 * socket. It prints what it is answered, behind the number of the connection where there are several, and how a connection
 * ends: `closed` or `error CODE`.
 * Usage: node talking-client.js ADDRESS PORT [tcp|udp] [CONNECTIONS]
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';

const TALK_MS = 100;
const [, , address, port, kind = 'tcp', connections = '1'] = process.argv;
const say = (text: string) => process.stdout.write(text);

function talkUdp(): void {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let number = 0;
  socket.on('message', (message) => say(String(message)));
  socket.on('error', ({ message }) => say(`error ${message}\n`));
  setInterval(() => socket.send(`${number++}\n`, Number(port), address), TALK_MS);
}

function talkTcp(prefix: string): void {
  const socket = connect(Number(port), address);
  let number = 0;
  let timer: NodeJS.Timeout | undefined;
  socket.on('data', (part) => say(String(part).replace(/^(?=.)/gm, prefix)));
  socket.on('error', (error: NodeJS.ErrnoException) => say(`${prefix}error ${error.code}\n`));
  socket.on('close', () => {
    clearInterval(timer);
    say(`${prefix}closed\n`);
  });
  socket.on('connect', () => (timer = setInterval(() => socket.write(`${number++}\n`), TALK_MS)));
}

const count = Number(connections);
if (kind === 'udp') talkUdp();
else for (let i = 0; i < count; i++) talkTcp(count === 1 ? '' : `${i}: `);
