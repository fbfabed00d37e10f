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
  for (let ttl = 63; ttl >= 0; ttl--) {
    ipv4.decrementTtl(bytes, 0);
    if (ipv4.ttl(bytes, 0) !== ttl || !ipv4.verifyChecksum(bytes, 0)) t.fail(`TTL ${ttl}`);
  }
  t.equal(ipv4.ttl(bytes, 0), 0, 'the checksum follows the TTL down to 0');
  t.end();
});
