/** Frames and header blocks of our own. Fields are literals that enter no table, or whole entries of the static one. */
import * as frames from './frames.ts';
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from './static-table.ts';

const FIRST_BYTES = 512;
const NEVER_INDEXED = 0x10;

export class FrameWriter {
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, in memory of its own; then there is nothing. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    if (this.#bytes.length > frames.MIN_MAX_FRAME_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES);
    return taken;
  }

  clear(): void {
    this.#length = 0;
  }

  equals(bytes: Uint8Array, from: number, to: number): boolean {
    if (to - from !== this.#length) return false;
    for (let i = 0; i < this.#length; i++) if (this.#bytes[i] !== bytes[from + i]) return false;
    return true;
  }

  copyFrom(other: FrameWriter): void {
    this.copy(other.#bytes, 0, other.#length);
  }

  header(length: number, type: number, flags: number, stream: number): void {
    this.byte(length >>> 16);
    this.byte(length >>> 8);
    this.byte(length);
    this.byte(type);
    this.byte(flags);
    this.word(stream);
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  word(value: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.byte(value >>> shift);
  }

  /** Copies source[from, to). */
  copy(source: Uint8Array, from = 0, to: number = source.length): void {
    const count = to - from;
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    this.#bytes.set(source.subarray(from, to), this.#length);
    this.#length += count;
  }

  resetStream(stream: number, code: number): void {
    this.header(4, frames.RST_STREAM, 0, stream);
    this.word(code);
  }

  goAway(lastStream: number, code: number): void {
    this.header(8, frames.GOAWAY, 0, 0);
    this.word(lastStream);
    this.word(code);
  }

  windowUpdate(stream: number, increment: number): void {
    this.header(4, frames.WINDOW_UPDATE, 0, stream);
    this.word(increment);
  }

  /** The header block in `block`, in frames that every receiver takes. `block` is empty afterwards. */
  headers(block: FrameWriter, stream: number, isEnd: boolean): void {
    const bytes = block.#bytes;
    const total = block.#length;
    let at = 0;
    do {
      const count = Math.min(total - at, frames.MIN_MAX_FRAME_BYTES);
      const endHeaders = at + count === total ? frames.END_HEADERS : 0;
      if (at > 0) this.header(count, frames.CONTINUATION, endHeaders, stream);
      else this.header(count, frames.HEADERS, endHeaders | (isEnd ? frames.END_STREAM : 0), stream);
      this.copy(bytes, at, at + count);
      at += count;
    } while (at < total);
    block.#length = 0;
  }

  // --- of a header block

  /** @param mask of the bits of the first byte that are the number's @param pattern the others */
  number(value: number, mask: number, pattern: number): void {
    if (value < mask) {
      this.byte(pattern | value);
      return;
    }
    this.byte(pattern | mask);
    let rest = value - mask;
    for (; rest >= 128; rest >>>= 7) this.byte((rest & 127) | 128);
    this.byte(rest);
  }

  /** The decoder's table is to have this size. */
  sizeUpdate(size: number): void {
    this.number(size, 0x1f, 0x20);
  }

  /** A field: source[nameStart, nameEnd) and source[valueStart, valueEnd). */
  field(
    source: Uint8Array,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    isNeverIndexed: boolean,
  ): void {
    const name = indexOfName(source, nameStart, nameEnd);
    for (let i = name; i > 0 && i <= STATIC_ENTRIES && !isNeverIndexed; i++) {
      if (!isEqual(STATIC_NAMES[i], source, nameStart, nameEnd)) break;
      if (STATIC_VALUES[i].length === 0 || !isEqual(STATIC_VALUES[i], source, valueStart, valueEnd)) continue;
      this.number(i, 0x7f, 0x80);
      return;
    }
    this.number(name, 0x0f, isNeverIndexed ? NEVER_INDEXED : 0);
    if (name === 0) this.#string(source, nameStart, nameEnd);
    this.#string(source, valueStart, valueEnd);
  }

  /** A field of ASCII text. */
  textField(name: string, value: string): void {
    const text = Buffer.from(name + value, 'latin1');
    this.field(text, 0, name.length, name.length, text.length, false);
  }

  #string(source: Uint8Array, from: number, to: number): void {
    this.number(to - from, 0x7f, 0);
    this.copy(source, from, to);
  }

  #grow(count: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

/** The first static entry of this name, 0 = none. */
function indexOfName(source: Uint8Array, from: number, to: number): number {
  for (let i = 1; i <= STATIC_ENTRIES; i++) if (isEqual(STATIC_NAMES[i], source, from, to)) return i;
  return 0;
}

function isEqual(text: Uint8Array, source: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) if (text[i] !== source[from + i]) return false;
  return true;
}
