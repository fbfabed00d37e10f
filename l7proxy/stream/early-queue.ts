/** Segments of one stream that came too early, in order of their first byte, waiting for what is missing. */
import type { BytePool } from './kept-bytes.ts';

/** Early segments of one stream. */
export const MAX_EARLY = 64;

/** A segment that came too early. */
export interface EarlySegment {
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly hasFin: boolean;
}

export class EarlyQueue {
  readonly #pool: BytePool;
  readonly #limit: number;
  readonly #segments: EarlySegment[] = [];
  #bytes = 0;

  constructor(pool: BytePool, limitBytes: number) {
    this.#pool = pool;
    this.#limit = limitBytes;
  }

  get length(): number {
    return this.#segments.length;
  }

  /**
   * Keeps source[from, to). At most MAX_EARLY segments, within what a stream may keep; beyond that TCP sends again.
   * @returns false when it was not kept
   */
  add(seq: number, source: Uint8Array, from: number, to: number, hasFin: boolean): boolean {
    const length = to - from;
    if (this.#segments.length >= MAX_EARLY || this.#bytes + length > this.#limit) return false;
    const bytes = this.#pool.take(Math.max(length, 1));
    if (bytes === null) return false;
    bytes.set(source.subarray(from, to));
    let at = this.#segments.length;
    while (at > 0 && ((this.#segments[at - 1].seq - seq) | 0) > 0) at--;
    this.#segments.splice(at, 0, { seq, bytes, length, hasFin });
    this.#bytes += length;
    return true;
  }

  /** Takes the first segment out when it begins at or before `nextIn`. Its bytes go back by `give`. */
  take(nextIn: number): EarlySegment | undefined {
    const first = this.#segments[0];
    if (first === undefined || ((first.seq - nextIn) | 0) > 0) return undefined;
    this.#segments.shift();
    this.#bytes -= first.length;
    return first;
  }

  give(segment: EarlySegment): void {
    this.#pool.give(segment.bytes);
  }

  drop(): void {
    for (const segment of this.#segments) this.give(segment);
    this.#segments.length = 0;
    this.#bytes = 0;
  }
}
