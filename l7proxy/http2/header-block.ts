/** A header block on its way: HEADERS and the CONTINUATIONs behind it, which nothing may come between (RFC 9113 6.10). */
import * as frames from './frames.ts';

/** Frames of one block; beyond it somebody means ill. */
const MAX_CONTINUATIONS = 32;

const NONE = new Uint8Array(0);

export class HeaderBlock {
  /** The block is source[start, end): where it came, or assembled. */
  source: Uint8Array = NONE;
  start = 0;
  end = 0;
  /** It came in one frame. */
  isPlain = true;
  error = frames.NO_ERROR;
  readonly #header: frames.FrameHeader = new frames.FrameHeader();
  readonly #assembled: Uint8Array;

  /** @param maxBytes of a block */
  constructor(maxBytes: number) {
    this.#assembled = new Uint8Array(maxBytes);
  }

  /**
   * Finds the block that begins with the HEADERS at `at`, whose header is `first`.
   * @returns the bytes of its frames; 0 when they are not all there yet; -1 when they never can be: `error`
   */
  read(first: frames.FrameHeader, bytes: Uint8Array, at: number, end: number, maxFrameBytes: number): number {
    const from = at + frames.FRAME_HEADER_BYTES;
    this.isPlain = first.has(frames.END_HEADERS);
    if (first.length > this.#assembled.length) return this.#fail(frames.ENHANCE_YOUR_CALM);
    if (end - from < first.length) return 0;
    if (!this.#trim(first, bytes, from)) return this.#fail(frames.PROTOCOL_ERROR);
    this.source = bytes;
    if (this.isPlain) return frames.FRAME_HEADER_BYTES + first.length;
    return this.#walk(first, bytes, at, end, maxFrameBytes);
  }

  /** Takes padding and priority off. */
  #trim(first: frames.FrameHeader, bytes: Uint8Array, from: number): boolean {
    const isPadded = first.has(frames.PADDED);
    const before = (isPadded ? 1 : 0) + (first.has(frames.HAS_PRIORITY) ? 5 : 0);
    const padding = isPadded && first.length > 0 ? bytes[from] : 0;
    this.start = from + before;
    this.end = from + first.length - padding;
    return this.start <= this.end;
  }

  #walk(first: frames.FrameHeader, bytes: Uint8Array, at: number, end: number, maxFrameBytes: number): number {
    const header = this.#header;
    let total = this.end - this.start;
    let p = at + frames.FRAME_HEADER_BYTES + first.length;
    for (let count = 1; ; count++) {
      if (end - p < frames.FRAME_HEADER_BYTES) return 0;
      header.read(bytes, p);
      if (header.type !== frames.CONTINUATION || header.stream !== first.stream) {
        return this.#fail(frames.PROTOCOL_ERROR);
      }
      if (header.length > maxFrameBytes) return this.#fail(frames.FRAME_SIZE_ERROR);
      total += header.length;
      if (count > MAX_CONTINUATIONS || total > this.#assembled.length) return this.#fail(frames.ENHANCE_YOUR_CALM);
      p += frames.FRAME_HEADER_BYTES + header.length;
      if (p > end) return 0;
      if (!header.has(frames.END_HEADERS)) continue;
      this.#assemble(bytes, at + frames.FRAME_HEADER_BYTES + first.length, p);
      return p - at;
    }
  }

  /** Preconditions: [from, to) are whole CONTINUATIONs, and all of it fits. */
  #assemble(bytes: Uint8Array, from: number, to: number): void {
    const into = this.#assembled;
    const header = this.#header;
    into.set(bytes.subarray(this.start, this.end));
    let length = this.end - this.start;
    for (let p = from; p < to; ) {
      header.read(bytes, p);
      p += frames.FRAME_HEADER_BYTES;
      into.set(bytes.subarray(p, p + header.length), length);
      length += header.length;
      p += header.length;
    }
    this.source = into;
    this.start = 0;
    this.end = length;
  }

  #fail(error: number): number {
    this.error = error;
    return -1;
  }
}
