/**
 * Integers in byte arrays: big endian (network order) without a suffix, little endian with `le`. 32-bit words are
 * signed, as addresses and hashes are kept; `>>> 0` only to print. No bounds are checked: a typed array answers
 * `undefined` past its end, which the shifts turn into 0, and writes there are lost; nothing throws.
 */

/** Two bytes at `at` as 0..65535, network order. */
export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/** Four bytes at `at` as a signed 32-bit word, network order. */
export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}

/** Stores the low 16 bits of `value` at `at`, network order. */
export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Stores the low 32 bits of `value` at `at`, network order. */
export function setI32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Two bytes at `at` as 0..65535, little endian. */
export function u16le(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

/** Four bytes at `at` as a signed 32-bit word, little endian. */
export function i32le(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Stores the low 16 bits of `value` at `at`, little endian. */
export function setU16le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Stores the low 32 bits of `value` at `at`, little endian. */
export function setI32le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** From here on `set` beats a loop, as measured. */
const LOOP_BYTES = 160;

/** Copies source[from, to) to `into`, at `at`. Preconditions: there is room. @returns the position behind it */
export function copyBytes(source: Uint8Array, from: number, to: number, into: Uint8Array, at: number): number {
  if (to - from < LOOP_BYTES) for (let i = from, j = at; i < to; i++, j++) into[j] = source[i];
  else into.set(source.subarray(from, to), at);
  return at + to - from;
}
