import t from 'tap';
import { hex } from '../test/packets.ts';
import { randomFrom, SEED } from '../test/random.ts';
import * as bytesOf from './bytes.ts';
import * as checksum from './checksum.ts';
import { Frame } from './frame.ts';
import * as ipv4 from './header/ipv4.ts';
import * as ipv6 from './header/ipv6.ts';
import * as udp from './header/udp.ts';
import * as vnet from './header/virtio-net.ts';
import * as offload from './offload.ts';

t.comment(`seed ${SEED}`);

const V6_A = [0x20010db8, 0, 0, 1];
const V6_B = [0x20010db8, 0, 0, 0x0a0b0c0d];

/** A frame as parse would leave it. */
function frameOf(family: 4 | 6, protocol: number, l4: Uint8Array): Frame {
  const bytes = new Uint8Array(10 + 14 + (family === 4 ? 20 : 40) + l4.length + 6).fill(0x5a);
  const f = new Frame(bytes);
  vnet.clear(bytes, 10);
  f.offset = 10;
  f.l3Offset = 24;
  f.family = family;
  f.protocol = protocol;
  if (family === 4) {
    f.l4Offset = 24 + ipv4.emit(bytes, 24, { src: 0x0a000001, dst: 0x0a000002, protocol, payloadLength: l4.length });
    [f.src2, f.dst2, f.src3, f.dst3] = [0xffff, 0xffff, 0x0a000001, 0x0a000002];
  } else {
    f.l4Offset = 24 + ipv6.emit(bytes, 24, { src: V6_A, dst: V6_B, nextHeader: protocol, payloadLength: l4.length });
    [f.src0, f.src1, f.src2, f.src3] = V6_A;
    [f.dst0, f.dst1, f.dst2, f.dst3] = V6_B;
  }
  bytes.set(l4, f.l4Offset);
  f.payloadOffset = f.l4Offset;
  f.payloadLength = l4.length;
  f.length = f.l4Offset + l4.length - f.offset;
  return f;
}

t.test('offload: complete, leaveUndone, finish and validate agree', (t) => {
  const random = randomFrom(SEED + 3);
  for (const family of [4, 6] as const) {
    for (const protocol of [6, 17, 132, family === 4 ? 1 : 58]) {
      const name = `IPv${family} protocol ${protocol}`;
      const l4 = new Uint8Array(300 + random(2)).map(() => random(256));
      const f = frameOf(family, protocol, l4);
      offload.complete(f);
      t.ok(offload.verify(f), `${name}: complete() is right`);
      t.ok(offload.validate(f), `${name}: and believed`);
      f.bytes[f.l4Offset + 40] ^= 1;
      t.notOk(offload.validate(f), `${name}: a flipped bit is seen`);
      vnet.setFlags(f.bytes, f.offset, vnet.FLAG_DATA_VALID);
      t.ok(offload.validate(f), `${name}: unless somebody vouches`);
      vnet.clear(f.bytes, f.offset);
      f.isFragment = true;
      t.ok(offload.validate(f), `${name}: a fragment cannot be checked`);
      f.isFragment = false;

      offload.leaveUndone(f);
      t.ok(offload.validate(f), `${name}: undone is believed`);
      const isL4 = protocol === 6 || protocol === 17;
      t.equal(vnet.flags(f.bytes, f.offset), isL4 ? vnet.FLAG_NEEDS_CSUM : 0, `${name}: flags`);
      if (isL4) t.notOk(offload.verify(f), `${name}: and wrong as it stands`);
      t.equal(offload.finish(f.bytes, f.offset, f.length), 0);
      t.ok(offload.verify(f), `${name}: finish() makes it right`);
      t.equal(vnet.flags(f.bytes, f.offset), 0, `${name}: and says so`);
    }
  }
  const none = frameOf(4, 17, hex('0001 0002 0008 0000'));
  t.ok(offload.verify(none), 'UDP without a checksum over IPv4');
  t.notOk(offload.verify(frameOf(6, 17, hex('0001 0002 0008 0000'))), 'UDP without a checksum over IPv6');
  t.notOk(offload.verify(frameOf(4, 6, hex('0001'))), 'a TCP header cut before its checksum');
  t.ok(offload.verify(frameOf(4, 47, hex('0001'))), 'a protocol without a checksum');
  // A UDP datagram whose checksum comes out as 0 is sent with ffff.
  const zero = frameOf(4, 17, hex('0000 0000 000a 0000 0000'));
  const target = checksum.complement(
    checksum.sum(zero.bytes, zero.l4Offset, 10, checksum.pseudoHeader(zero.bytes, 24, 4, 17, 10)),
  );
  bytesOf.setU16(zero.bytes, zero.l4Offset + 8, target);
  offload.complete(zero);
  t.equal(udp.checksum(zero.bytes, zero.l4Offset), 0xffff);
  t.end();
});

t.test('offload.finish() refuses offsets outside the frame', (t) => {
  const random = randomFrom(SEED + 4);
  for (let round = 0; round < 2000; round++) {
    const bytes = new Uint8Array(200).map(() => random(256));
    const length = random(150);
    if (round % 4 === 0) bytesOf.setU16le(bytes, 6, random(200));
    if (round % 4 === 0) bytesOf.setU16le(bytes, 8, random(40));
    const after = bytes.slice(10 + length);
    const answer = offload.finish(bytes, 10, length);
    if (answer !== 0 && answer !== -1) t.fail(`answered ${answer}`);
    if (Buffer.compare(after, bytes.slice(10 + length)) !== 0) t.fail('wrote behind the frame');
  }
  t.pass('2000 headers at random');
  t.end();
});
