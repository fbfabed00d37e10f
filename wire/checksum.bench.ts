/**
 * What the wide words of checksum.sum() buy over adding byte pairs, by length.
 *
 *   node dist/wire/checksum.bench.js
 */
import { Bench } from 'tinybench';
import { fold, sum } from './checksum.ts';

function sumOfPairs(bytes: Uint8Array, offset: number, length: number): number {
  let high = 0;
  let low = 0;
  const end = offset + length;
  for (let at = offset; at + 1 < end; at += 2) {
    high += bytes[at];
    low += bytes[at + 1];
  }
  return fold(high * 256 + low + (length & 1 ? bytes[end - 1] * 256 : 0));
}

const bytes = new Uint8Array(131_072).map((_, index) => index * 31);
const bench = new Bench({ time: 200 });
let sink = 0;
for (const length of [20, 64, 128, 256, 1460, 65_535]) {
  bench.add(`pairs ${length}`, () => {
    sink += sumOfPairs(bytes, 14, length);
  });
  bench.add(`sum() ${length}`, () => {
    sink += fold(sum(bytes, 14, length, 0));
  });
}
await bench.run();
if (sink === 0) throw new Error('nothing was summed');
console.table(bench.table());
