import t from 'tap';
import * as address from './address.ts';

t.test('address: prefixes', (t) => {
  const inside = (prefix: string, ip: string) => {
    const words = [0, 0, 0, 0];
    address.parseIp(ip, words);
    return address.contains(address.parseCidr(prefix), words[0], words[1], words[2], words[3]);
  };
  t.ok(inside('10.0.0.0/8', '10.255.0.1'));
  t.notOk(inside('10.0.0.0/8', '11.0.0.1'));
  t.ok(inside('0.0.0.0/0', '1.2.3.4'));
  t.notOk(inside('0.0.0.0/0', '2001:db8::1'));
  t.ok(inside('::/0', '2001:db8::1'));
  t.ok(inside('2001:db8::/33', '2001:db8:7fff::1'));
  t.notOk(inside('2001:db8::/33', '2001:db8:8000::1'));
  t.ok(inside('10.1.2.3', '10.1.2.3'), 'a bare address is a prefix of one');
  t.equal(address.formatCidr(address.parseCidr('10.0.0.0/8')), '10.0.0.0/8');
  t.equal(address.formatCidr(address.parseCidr('FD00::/8')), 'fd00::/8');
  t.equal(address.formatCidr(address.parseCidr('10.1.2.3/8', { hostBits: 'clear' })), '10.0.0.0/8');
  t.same(address.parseCidr('10.0.0.0/8').bits, 104);
  t.throws(() => address.parseCidr('10.1.2.3/8'), {
    message: /has bits set beyond its length, wanted "10\.0\.0\.0\/8"/,
  });
  t.throws(() => address.parseCidr('10.0.0.0/33'), { message: /length "33" in "10\.0\.0\.0\/33", wanted 0 to 32/ });
  t.throws(() => address.parseCidr('::/129'), { message: /wanted 0 to 128/ });
  t.throws(() => address.parseCidr('10.0.0.0/08'), { message: /length "08"/ });
  t.throws(() => address.parseCidr('web/24'), { message: /"web\/24" is no IPv4 or IPv6 prefix/ });
  t.same(
    [0, 1, 2, 3].map((word) => address.maskWord(33, word)),
    [-1, -0x80000000, 0, 0],
  );
  t.end();
});
