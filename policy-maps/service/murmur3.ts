/** MurmurHash3 x64 128 (Austin Appleby): what Cilium orders the backends of a Maglev table by. Slow, for tables only. */

const MASK = 0xffff_ffff_ffff_ffffn;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

/** @returns the two halves of the hash, 64 bits each */
export function murmur3(text: string, seed: number): readonly [bigint, bigint] {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(bytes.length / 16) * 16);
  bytes.copy(padded);
  let h1 = BigInt(seed);
  let h2 = h1;
  const whole = bytes.length >>> 4;
  for (let block = 0; block < whole; block++) {
    h1 ^= mixFirst(padded.readBigUInt64LE(block * 16));
    h1 = (((rotate(h1, 27n) + h2) & MASK) * 5n + 0x52dce729n) & MASK;
    h2 ^= mixSecond(padded.readBigUInt64LE(block * 16 + 8));
    h2 = (((rotate(h2, 31n) + h1) & MASK) * 5n + 0x38495ab5n) & MASK;
  }
  if ((bytes.length & 15) !== 0) {
    h2 ^= mixSecond(padded.readBigUInt64LE(whole * 16 + 8)); // zeroes, where there is no tail, change nothing
    h1 ^= mixFirst(padded.readBigUInt64LE(whole * 16));
  }
  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = (h1 + h2) & MASK;
  return [h1, (h2 + h1) & MASK];
}

function mixFirst(k: bigint): bigint {
  return (rotate((k * C1) & MASK, 31n) * C2) & MASK;
}

function mixSecond(k: bigint): bigint {
  return (rotate((k * C2) & MASK, 33n) * C1) & MASK;
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

function finish(value: bigint): bigint {
  let k = value;
  k ^= k >> 33n;
  k = (k * 0xff51afd7ed558ccdn) & MASK;
  k ^= k >> 33n;
  k = (k * 0xc4ceb9fe1a85ec53n) & MASK;
  return k ^ (k >> 33n);
}
