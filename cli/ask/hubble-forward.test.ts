import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import t from 'tap';
import { hubbleSocket } from '../../api/sockets.ts';
import { forwardHubble } from './hubble-forward.ts';

t.test('each connection is one to the socket, and ends with it', async (t) => {
  const dir = mkdtempSync('/tmp/slhub-');
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  await t.rejects(
    forwardHubble(dir, 0, () => {}),
    { message: /hubble\.sock: ENOENT: is sluiced running\?/ },
  );
  const observer = createServer((socket) => {
    socket.on('data', (bytes) => (String(bytes) === 'end' ? socket.destroy() : socket.write(`heard ${String(bytes)}`)));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => observer.listen(hubbleSocket(dir), resolve));
  t.teardown(() => observer.close());
  let said = '';
  const forwarding = forwardHubble(dir, 0, (line) => (said = line));
  while (said === '') await new Promise((resolve) => setImmediate(resolve));
  t.match(said, /^Hubble Relay is available at 127\.0\.0\.1:\d+$/);
  const port = Number(said.split(':').at(-1));
  const client = connect(port, '127.0.0.1');
  client.write('x');
  t.equal(String((await once(client, 'data'))[0]), 'heard x');
  await t.rejects(
    forwardHubble(dir, port, () => {}),
    { message: /^listen on 127\.0\.0\.1:\d+: EADDRINUSE$/ },
  );
  client.write('end');
  await once(client, 'close');
  const other = connect(port, '127.0.0.1');
  other.on('error', () => {});
  await once(other, 'connect');
  process.emit('SIGINT');
  await forwarding;
  await once(other, 'close');
  t.pass('an interrupt ends it with all connections');
});
