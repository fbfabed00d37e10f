import t from 'tap';
import { randomFrom, SEED } from '../test/random.ts';
import * as address from './address.ts';

t.comment(`seed ${SEED}`);

t.test('address: text to words and back', (t) => {
  const words = [0, 0, 0, 0];
  const good: readonly [string, 4 | 6, string][] = [
    ['0.0.0.0', 4, '0.0.0.0'],
    ['255.255.255.255', 4, '255.255.255.255'],
    ['::ffff:10.1.2.3', 4, '10.1.2.3'],
    ['::', 6, '::'],
    ['::1', 6, '::1'],
    ['1::', 6, '1::'],
    ['2001:DB8::1:0:0:1', 6, '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1:0:0:1', 6, '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', 6, '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', 6, '2001:0:0:1::1'],
    ['1:2:3:4:5:6:7::', 6, '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', 6, '64:ff9b::c000:221'],
    ['fe80::0202:b3ff:fe1e:8329', 6, 'fe80::202:b3ff:fe1e:8329'],
  ];
  for (const [text, family, printed] of good) {
    t.equal(address.parseIp(text, words), family, text);
    t.equal(address.formatIp(words[0], words[1], words[2], words[3]), printed, `${text} prints as ${printed}`);
  }
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    '1.2.3.-4',
    ' 1.2.3.4',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8::',
    '::1%eth0',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '::1.2.3',
    '1:',
    ':1',
    `${'1'.repeat(60)}::`,
  ]) {
    t.equal(address.parseIp(text, words), 0, `"${text}" is no address`);
  }
  const random = randomFrom(SEED + 5);
  for (let round = 0; round < 2000; round++) {
    const drawn = [0, 1, 2, 3].map(() => (random(3) === 0 ? 0 : random(0xffffffff) & (random(2) ? 0xffff : -1)));
    const text = address.formatIpv6(drawn[0], drawn[1], drawn[2], drawn[3]);
    address.parseIp(text, words);
    if (words.some((word, index) => word !== (drawn[index] | 0))) t.fail(`${text} comes back as another address`);
  }
  t.end();
});

t.test('address: MAC', (t) => {
  const mac = address.parseMac('02:aA:bb-cc:dd:ee');
  t.equal(mac, -1, 'separators may not be mixed');
  const number = address.parseMac('fe-aa-bb-cc-dd-ee');
  t.equal(address.formatMac(address.macHigh(number), address.macLow(number)), 'fe:aa:bb:cc:dd:ee');
  for (const text of ['', '02:00:00:00:00', '02:00:00:00:00:0g', '020000000001']) t.equal(address.parseMac(text), -1);
  t.end();
});
