/**
 * A server that knows no methods: it answers each head, CONNECT and upgrades too, with 200 and reads the next one from the
 * same connection, as Go's net/http does under a handler that answers everything. The answer's content is the first line
 * and the Host of the head, and `/seen` is answered with all of these so far.
 * Usage: node answering-server.js PORT
 */
import { createServer } from 'node:net';

const seen: string[] = [];

const server = createServer((socket) => {
  let rest = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (part) => {
    const heads = (rest + part.toString('latin1')).split('\r\n\r\n');
    rest = heads.pop() ?? '';
    for (const head of heads) {
      const line = `${head.split('\r\n')[0]} @ ${/^host: *(.*)$/im.exec(head)?.[1]} ${/^upgrade:.*$/im.exec(head)?.[0] ?? ''}`;
      const content = `${line.startsWith('GET /seen ') ? seen.join('\n') : line}\n`;
      seen.push(line.trim());
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n${content}`);
      if (/^connection: close$/im.test(head)) socket.end();
    }
  });
});
server.listen(Number(process.argv[2]), '::');
