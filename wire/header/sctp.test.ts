import t from 'tap';
import * as sctp from './sctp.ts';

t.test('sctp.crc32c() of RFC 3720 B.4 and of a packet', (t) => {
  // Twelve bytes of header are skipped over with a zero checksum field, so the known vectors start behind it.
  const zeros = new Uint8Array(32);
  t.equal(sctp.crc32c(zeros, 0, 32) >>> 0, 0x8a9136aa);
  const bytes = new Uint8Array(32).map((_, index) => index);
  bytes.fill(0, 8, 12);
  const before = sctp.crc32c(bytes, 0, 32);
  sctp.setChecksum(bytes, 0, before);
  t.equal(sctp.crc32c(bytes, 0, 32), before, 'its own field does not count');
  t.equal(sctp.checksum(bytes, 0), before);
  t.end();
});
