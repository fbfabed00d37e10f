/** Sockets of a server in another namespace. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readSync, writeSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import t from 'tap';
import { errorOf } from '../../test/port/addon.ts';
import { connectStream, openInetSocket } from './inet.ts';
import { closeFd, openPipe } from './index.ts';

t.test('sockets are bound where they should be, to addresses that come later', async (t) => {
  const netns = `slns-${process.pid}`;
  execFileSync('ip', ['netns', 'add', netns]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', netns]));
  const fds = (['udp', 'tcp'] as const).flatMap((type) =>
    ['192.0.2.10', '2001:db8::a'].map((address) => openInetSocket(type, address, 53, { netns })),
  );
  t.teardown(() => fds.forEach(closeFd));
  const seen = execFileSync('ip', ['netns', 'exec', netns, 'ss', '-Hlnut'], { encoding: 'utf8' });
  const bound = seen
    .trim()
    .split('\n')
    .map((line) => line.split(/ +/))
    .map(([type, state, , , local]) => `${type} ${state} ${local}`);
  t.strictSame(bound.sort(), [
    'tcp LISTEN 192.0.2.10:53',
    'tcp LISTEN [2001:db8::a]:53',
    'udp UNCONN 192.0.2.10:53',
    'udp UNCONN [2001:db8::a]:53',
  ]);
  t.match(
    errorOf(() => openInetSocket('udp', '192.0.2.10', 53, { netns })),
    {
      code: 'EADDRINUSE',
      message: 'bind 192.0.2.10 port 53: EADDRINUSE: another process has this port',
    },
  );
});

t.test('what is no address, and no namespace, is told', async (t) => {
  t.throws(() => openInetSocket('udp', 'localhost', 53), { name: 'RangeError', message: /wanted an IPv4 or IPv6/ });
  t.equal(errorOf(() => openInetSocket('udp', '::', 53, { netns: 'slns-none' })).code, 'ENOENT');
});

t.test('connectStream() connects from inside a namespace, and says why not', async (t) => {
  const netns = `slnc-${process.pid}`;
  execFileSync('ip', ['netns', 'add', netns]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', netns]));
  execFileSync('ip', ['-n', netns, 'link', 'set', 'lo', 'up']);
  const listening = openInetSocket('tcp', '127.0.0.1', 7777, { netns });
  const server = createServer({ pauseOnConnect: false }, (socket) => socket.end('from inside'));
  server.listen({ fd: listening });
  t.teardown(() => server.close());
  const socket = new Socket({ fd: await connectStream('127.0.0.1', 7777, { netns, timeoutMs: 5000 }), readable: true });
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  t.equal(bytes.toString(), 'from inside');
  socket.destroy();
  await t.rejects(connectStream('127.0.0.1', 7778, { netns, timeoutMs: 5000 }), { code: 'ECONNREFUSED' });
  await t.rejects(connectStream('127.0.0.1', 7777, { timeoutMs: 5000 }), { code: 'ECONNREFUSED' }, 'not out here');
  await t.rejects(connectStream('192.0.2.1', 80, { netns, timeoutMs: 5000 }), { code: 'ENETUNREACH' });
  await t.rejects(connectStream('::1', 80, { netns: 'slnc-none', timeoutMs: 5000 }), { code: 'ENOENT' });
});

t.test('connectStream() gives up on one that does not answer', async (t) => {
  const netns = `slnd-${process.pid}`;
  execFileSync('ip', ['netns', 'add', netns]);
  t.teardown(() => execFileSync('ip', ['netns', 'del', netns]));
  const script =
    'ip link add slnd0 type veth peer name slnd1; ip link set slnd1 up; ip addr add 192.0.2.1/24 dev slnd0; ip link set slnd0 up; ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev slnd0';
  execFileSync('ip', ['netns', 'exec', netns, 'sh', '-ec', script]);
  await t.rejects(connectStream('192.0.2.2', 80, { netns, timeoutMs: 50 }), { code: 'ETIMEDOUT' });
});

t.test('openPipe() is a pipe that a program can open by name', async (t) => {
  const [readFd, writeFd] = openPipe();
  writeSync(writeFd, 'first ');
  spawnSync('sh', ['-c', 'echo second > /dev/stdout'], { stdio: ['ignore', writeFd, 'inherit'] });
  closeFd(writeFd);
  const bytes = Buffer.alloc(64);
  t.equal(bytes.toString('utf8', 0, readSync(readFd, bytes)), 'first second\n');
  t.equal(readSync(readFd, bytes), 0, 'no other process has the other end');
  closeFd(readFd);
});
