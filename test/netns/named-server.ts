/**
 * A server that says who answers: over TCP a line for each line, over UDP a datagram for each datagram: its name, the
 * client's address as it sees it, and what it was sent. `GET ` lines are answered in HTTP. Connections stay open.
 * Usage: node named-server.js NAME TCP-PORT UDP-PORT
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const [, , name, tcpPort, udpPort] = process.argv;
const plain = (address = '') => address.replace('::ffff:', '');

createServer((socket) => {
  let rest = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (part) => {
    const lines = (rest + part.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const text = `${name} ${plain(socket.remoteAddress)} ${line.trim()}\n`;
      if (line.startsWith('GET ')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
      else if (!/^\S+:|^\s*$/.test(line)) socket.write(text);
    }
  });
}).listen(Number(tcpPort), '::');

const udp = createSocket({ type: 'udp6', ipv6Only: false });
udp.on('message', (message, { address, port }) => {
  udp.send(`${name} ${plain(address)} ${message.toString('latin1').trim()}\n`, port, address);
});
udp.bind(Number(udpPort), '::');
