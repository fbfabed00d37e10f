/**
 * Writes the wire format of Protocol Buffers from its end to its beginning.
 *
 *   | free ........ | tag | length | ... the message so far |
 *                   ^ at                                    ^ end of the buffer
 *
 * A nested message is preceded by its length. Written forwards, the length must be worked out first or the content moved;
 * written backwards it is known when its place comes. Callers write the parts of a message in reverse: the last field
 * first, of a field its value before its tag.
 *
 * The buffer grows when it is full and is kept from message to message, up to KEPT_BYTES.
 */

const FIRST_BYTES = 4096;
const KEPT_BYTES = 1 << 20;
const SHORT = 64; // characters; up to here a loop is faster than a call of the encoder
const TWO_32 = 2 ** 32;

export class BackwardWriter {
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Where the last written byte is. */
  #at = FIRST_BYTES;

  /** Begins a message; what was written is forgotten. */
  reset(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
    this.#at = this.#bytes.length;
  }

  /** How many bytes are written. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** Takes back what was written since `length` was this. */
  rewind(length: number): void {
    this.#at = this.#bytes.length - length;
  }

  /** What was written, in bytes of its own. */
  finish(): Uint8Array {
    return Buffer.from(this.#bytes.subarray(this.#at));
  }

  /** A copy of what was written since `length` was this. */
  since(length: number): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, this.#at, this.#bytes.length - length);
  }

  /** Writes bytes as they are. */
  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#bytes.set(value, this.#at);
  }

  /** @param value an integer, 0 up to 2^53 - 1 */
  varint(value: number): void {
    this.#reserve(10);
    const bytes = this.#bytes;
    if (value < 0x80) {
      bytes[--this.#at] = value;
      return;
    }
    const size = varintSize(value);
    this.#at -= size;
    let at = this.#at;
    let rest = value;
    while (rest >= 0x80) {
      bytes[at++] = (rest % 128) | 0x80;
      rest = rest < TWO_32 ? rest >>> 7 : Math.floor(rest / 128);
    }
    bytes[at] = rest;
  }

  /** @param value 64 bits; a negative one in two's complement */
  bigVarint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const groups: number[] = [];
    do {
      groups.push(Number(rest & 127n));
      rest >>= 7n;
    } while (rest !== 0n);
    this.#reserve(10);
    for (let i = groups.length - 1; i >= 0; i--)
      this.#bytes[--this.#at] = groups[i] | (i < groups.length - 1 ? 0x80 : 0);
  }

  /** The text in UTF-8; half of a pair of surrogates becomes the replacement character. @returns its length in bytes */
  text(value: string): number {
    const { length } = value;
    this.#reserve(3 * length);
    if (length <= SHORT && this.#ascii(value)) return length;
    const size = Buffer.byteLength(value);
    this.#at -= size;
    this.#bytes.write(value, this.#at, size, 'utf8');
    return size;
  }

  /** 8 bytes. */
  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
  }

  #ascii(value: string): boolean {
    const bytes = this.#bytes;
    const start = this.#at - value.length;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[start + i] = code;
    }
    this.#at = start;
    return true;
  }

  #reserve(count: number): void {
    if (count <= this.#at) return;
    const { length } = this;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#bytes.length + count));
    larger.set(this.#bytes.subarray(this.#at), larger.length - length);
    this.#bytes = larger;
    this.#at = larger.length - length;
  }
}

/** How many bytes `varint()` writes. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = rest < TWO_32 ? rest >>> 7 : Math.floor(rest / 128)) size++;
  return size;
}
