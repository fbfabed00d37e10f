import t from 'tap';
import { hex } from '../test/packets.ts';
import { randomFrom, SEED } from '../test/random.ts';
import * as bytesOf from './bytes.ts';
import * as checksum from './checksum.ts';

t.comment(`seed ${SEED}`);

/** Obviously right: RFC 1071 word by word. */
function slowSum(bytes: Uint8Array, offset: number, length: number): number {
  let total = 0;
  for (let at = 0; at < length; at += 2) {
    total += (bytes[offset + at] << 8) | (at + 1 < length ? bytes[offset + at + 1] : 0);
    total = (total & 0xffff) + (total >>> 16);
  }
  return total;
}

t.test('checksum.sum() equals the word-by-word sum', (t) => {
  const random = randomFrom(SEED + 1);
  const backing = new ArrayBuffer(70_000);
  const bytes = new Uint8Array(backing, 3); // a view that does not begin where its buffer does
  for (let at = 0; at < bytes.length; at++) bytes[at] = random(256);
  let wrong = 0;
  for (let round = 0; round < 2000; round++) {
    const offset = random(400);
    const length = round % 3 === 0 ? random(66_000) : random(300);
    if (checksum.fold(checksum.sum(bytes, offset, length, 0)) !== slowSum(bytes, offset, length)) wrong++;
  }
  bytes.fill(0xff);
  for (const length of [0, 1, 2, 127, 128, 129, 65_535, 65_536]) {
    if (checksum.fold(checksum.sum(bytes, 1, length, 0)) !== slowSum(bytes, 1, length)) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(checksum.complement(checksum.sum(hex('0001f203f4f5f6f7'), 0, 8, 0)), 0x220d, 'RFC 1071 section 3');
  t.equal(checksum.fold(checksum.sum(bytes, bytes.length - 4, 100, 0)), 0xffff, 'stops at the end of the array');
  t.end();
});

t.test('checksum.update: the same as computing anew (RFC 1624)', (t) => {
  const random = randomFrom(SEED + 2);
  let wrong = 0;
  const bytes = new Uint8Array(40);
  for (let round = 0; round < 5000; round++) {
    for (let at = 0; at < 40; at++) bytes[at] = random(4) === 0 ? 0xff * random(2) : random(256);
    bytes[38] |= 1; // never all zero: 0 and ffff are the same sum
    const before = checksum.complement(slowSum(bytes, 0, 40));
    const at = random(9) * 4;
    const old16 = bytesOf.u16(bytes, at);
    const old32 = bytesOf.i32(bytes, at);
    const value = [0, 0xffff, 0xffffffff | 0, random(0x7fffffff)][random(4)];
    bytesOf.setU16(bytes, at, value);
    if (checksum.update16(before, old16, value) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
    bytesOf.setI32(bytes, at, value);
    if (checksum.update32(before, old32, value) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
    const undone = checksum.updateUndone32(~before & 0xffff, old32, value);
    if (checksum.complement(undone) !== checksum.complement(slowSum(bytes, 0, 40))) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(checksum.update16(0xdd2f, 0x5555, 0x3285), 0, 'the example of RFC 1624 section 4');
  t.end();
});
