/** Bytes of lines: some by name, compared, hashed. */
export const QUOTE = 34;
export const COMMA_BYTE = 44;
export const COLON_BYTE = 58;
export const DIGIT_0 = 48;
export const DIGIT_9 = 57;
export const BACKSLASH_BYTE = 92;
export const CLOSE = 125;

export function startsWith(bytes: Buffer, from: number, prefix: Buffer): boolean {
  for (let at = 0; at < prefix.length; at++) if (bytes[from + at] !== prefix[at]) return false;
  return true;
}

/** Multiply and shift, two words at a time that do not wait for each other. */
export function hashOf(view: DataView, from: number, to: number, seed: number): number {
  let even = seed ^ (to - from);
  let odd = ~seed;
  let at = from;
  for (const last = to - 8; at <= last; at += 8) {
    even = Math.imul(even ^ view.getInt32(at, true), 0x9e3779b1);
    odd = Math.imul(odd ^ view.getInt32(at + 4, true), 0x85ebca77);
    even ^= even >>> 15;
    odd ^= odd >>> 13;
  }
  for (; at < to; at++) even = Math.imul(even ^ view.getUint8(at), 0x01000193);
  const both = Math.imul(even ^ ((odd << 7) | (odd >>> 25)), 0xc2b2ae3d);
  return both ^ (both >>> 16);
}
