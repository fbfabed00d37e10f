import t from 'tap';
import { hex } from '../../test/packets.ts';
import * as ipv4 from './ipv4.ts';

t.test('ipv4 options and TTL', (t) => {
  const packet = (options: string) => {
    const bytes = new Uint8Array(60);
    ipv4.emit(bytes, 0, { src: 1, dst: 2, protocol: 6, payloadLength: 0 });
    const list = hex(options);
    bytes.set(list, 20);
    bytes[0] = 0x40 | (5 + list.length / 4);
    ipv4.setTotalLength(bytes, 0, 20 + list.length);
    ipv4.fillChecksum(bytes, 0);
    return bytes;
  };
  t.ok(ipv4.hasUnsafeOptions(packet('830704 00000000 00'), 0), 'loose source route');
  t.ok(ipv4.hasUnsafeOptions(packet('01890704 00000000'), 0), 'strict source route behind a NOP');
  t.ok(ipv4.hasUnsafeOptions(packet('0700 0000'), 0), 'an option of length 0');
  t.ok(ipv4.hasUnsafeOptions(packet('0709 0000'), 0), 'an option past the header');
  t.notOk(ipv4.hasUnsafeOptions(packet('0704 0400 01010101'), 0), 'record route');
  t.notOk(ipv4.hasUnsafeOptions(packet('00 830704'), 0), 'nothing after the end counts');
  const bytes = packet('01010101');
  for (const options of ['', '01010101', '0704 0400 01010101']) {
    const good = packet(options);
    t.ok(ipv4.verifyChecksum(good, 0), `the sum of "${options}"`);
    for (let bit = 0; bit < ipv4.headerBytes(good, 0) * 8; bit++) {
      if (bit >= 4 && bit < 8) continue; // the length of what is summed
      const bent = good.slice();
      bent[bit >> 3] ^= 0x80 >> (bit & 7);
      if (ipv4.verifyChecksum(bent, 0)) t.fail(`"${options}": bit ${bit} is not in the sum`);
    }
  }
  for (const [total, isRight] of [
    [0xffff, true],
    [0, false],
  ] as const) {
    const extreme = new Uint8Array(20).fill(0xff);
    extreme[0] = 0x45;
    extreme[1] = total === 0 ? 0 : 0xff;
    ipv4.fillChecksum(extreme, 0);
    if (!isRight) extreme[11] ^= 1;
    t.equal(ipv4.verifyChecksum(extreme, 0), isRight, 'a sum that carries twice');
  }
  for (let ttl = 63; ttl >= 0; ttl--) {
    ipv4.decrementTtl(bytes, 0);
    if (ipv4.ttl(bytes, 0) !== ttl || !ipv4.verifyChecksum(bytes, 0)) t.fail(`TTL ${ttl}`);
  }
  t.equal(ipv4.ttl(bytes, 0), 0, 'the checksum follows the TTL down to 0');
  t.end();
});
