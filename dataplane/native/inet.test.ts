/** Sockets of a server in another namespace. */
import { execFileSync } from 'node:child_process';
import t from 'tap';
import { errorOf } from '../../test/port/addon.ts';
import { openInetSocket } from './inet.ts';
import { closeFd } from './index.ts';

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
