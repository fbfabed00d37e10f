/** The host's name servers: what a resolv.conf lists. */
import t from 'tap';
import { parseResolvConf } from './host-resolvers.ts';

t.test('the servers of a resolv.conf, in order, each once', async (t) => {
  const cases: readonly [string, string, readonly string[]][] = [
    ['nothing', '', []],
    ['two', 'search example.com\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n', ['192.0.2.1', '2001:db8::1']],
    ['twice', 'nameserver 192.0.2.1\nnameserver 192.0.2.1', ['192.0.2.1']],
    [
      'with tabs, blanks and comments',
      '# nameserver 1.1.1.1\n;nameserver 1.1.1.2\n  nameserver\t192.0.2.1 # a\r\n',
      ['192.0.2.1'],
    ],
    ['what is no address', 'nameserver localhost\nnameserver\nnameservers 192.0.2.1\n', []],
    ['link-local with a zone', 'nameserver fe80::1%eth0\n', []],
    [
      'more than anybody has',
      Array.from({ length: 20 }, (_, i) => `nameserver 192.0.2.${i}\n`).join(''),
      [...Array(8).keys()].map((i) => `192.0.2.${i}`),
    ],
  ];
  for (const [name, text, servers] of cases)
    t.strictSame(
      parseResolvConf(text),
      servers.map((address) => ({ address, port: 53 })),
      name,
    );
});
