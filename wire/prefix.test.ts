import t from 'tap';
import { parseIp } from './address.ts';
import { contains, hasHostBits, holdsAddress, maskWord, parseExactPrefix, parsePrefix, prefixOf } from './prefix.ts';

t.test('holdsAddress(): by words, never across families', (t) => {
  const inside = (prefix: string, ip: string) => {
    const words = [0, 0, 0, 0];
    parseIp(ip, words);
    return holdsAddress(parsePrefix(prefix, 'host'), words);
  };
  t.ok(inside('10.0.0.0/8', '10.255.0.1'));
  t.notOk(inside('10.0.0.0/8', '11.0.0.1'));
  t.ok(inside('0.0.0.0/0', '1.2.3.4'));
  t.notOk(inside('0.0.0.0/0', '2001:db8::1'));
  t.ok(inside('::/0', '2001:db8::1'));
  t.notOk(inside('::/0', '10.0.0.1'), 'an IPv6 prefix holds no IPv4 address, though its words would match');
  t.ok(inside('2001:db8::/33', '2001:db8:7fff::1'));
  t.notOk(inside('2001:db8::/33', '2001:db8:8000::1'));
  t.ok(inside('10.1.2.3', '10.1.2.3'), 'a bare address is a prefix of one');
  t.end();
});

t.test('contains(): all of the inner, of the same family', (t) => {
  const holds = (outer: string, inner: string) => contains(parsePrefix(outer), parsePrefix(inner));
  t.ok(holds('10.0.0.0/8', '10.0.0.0/8'));
  t.ok(holds('10.0.0.0/8', '10.1.0.0/16'));
  t.notOk(holds('10.1.0.0/16', '10.0.0.0/8'));
  t.notOk(holds('::/0', '10.0.0.0/8'));
  t.notOk(holds('0.0.0.0/0', '::/0'));
  t.ok(holds('fd00::/8', 'fd12:3456::/48'));
  t.end();
});

t.test('parsePrefix(): words, bits and canonical text', (t) => {
  t.same(parsePrefix('10.1.2.3/8'), {
    family: 4,
    words: [0, 0, 0xffff, 0x0a000000],
    bits: 104,
    length: 8,
    text: '10.0.0.0/8',
  });
  t.equal(parsePrefix('FD00::/8').text, 'fd00::/8');
  t.equal(parsePrefix('2001:DB8:0:0:1:0:0:1', 'host').text, '2001:db8::1:0:0:1/128');
  t.equal(parsePrefix('::ffff:10.0.0.0/104').text, '10.0.0.0/8', 'what the maps cannot tell apart is one prefix');
  t.equal(parsePrefix('::ffff:0:0/95').text, '::fffe:0:0/95');
  t.equal(prefixOf([0, 0, 0xffff, -1], 100).text, '240.0.0.0/4');
  t.equal(prefixOf([0, 0, 0xffff, -1], 96).text, '0.0.0.0/0');
  t.same(
    [0, 1, 2, 3].map((word) => maskWord(33, word)),
    [-1, -0x80000000, 0, 0],
  );
  t.ok(hasHostBits('10.0.0.1/8'));
  t.notOk(hasHostBits('10.0.0.1'));
  t.ok(hasHostBits('fd00::1/64'));
  t.end();
});

t.test('parsePrefix() says what was found and what was wanted', (t) => {
  const refused: readonly (readonly [string, string])[] = [
    ['web/24', 'found "web/24", wanted an address and a length like 10.0.0.0/8'],
    ['fe80::1%eth0/64', 'found "fe80::1%eth0/64", wanted an address and a length like 10.0.0.0/8'],
    ['10.0.0.0/8/8', 'found length "8/8", wanted 0 to 32'],
    ['10.0.0.0', 'found "10.0.0.0" without a length, wanted 10.0.0.0/32'],
    ['10.0.0.0/33', 'found length "33", wanted 0 to 32'],
    ['10.0.0.0/08', 'found length "08", wanted 0 to 32'],
    ['10.0.0/8', 'found "10.0.0/8", wanted an address and a length like 10.0.0.0/8'],
    ['010.0.0.0/8', 'found "010.0.0.0/8", wanted an address and a length like 10.0.0.0/8'],
    ['10.0.0.0/-1', 'found length "-1", wanted 0 to 32'],
    ['10.0.0.0/', 'found length "", wanted 0 to 32'],
    ['::/129', 'found length "129", wanted 0 to 128'],
  ];
  for (const [text, message] of refused) t.throws(() => parsePrefix(text), new RangeError(message));
  t.throws(
    () => parseExactPrefix('10.1.2.3/8'),
    new RangeError('found "10.1.2.3/8" with bits beyond its length, wanted 10.0.0.0/8'),
  );
  t.equal(parseExactPrefix('10.1.2.3').text, '10.1.2.3/32');
  t.end();
});
