/** Segments of one stream that came too early, in order of their first byte, waiting for what is missing. */
import type { BytePool } from './kept-bytes.ts';

/** Early segments of one stream. */
const MAX_EARLY = 64;
/** How long they wait while nothing of what is missing comes: longer than a sender takes to repeat it five times. */
export const EARLY_MS = 20_000;

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
  #owner = 0;
  /** First byte of the segment that was kept last. */
  #latest = 0;
  /** Since when (0 = never) the byte at this position has been missing. */
  #missingSinceMs = 0;
  #missing = 0;

  constructor(pool: BytePool, limitBytes: number) {
    this.#pool = pool;
    this.#limit = limitBytes;
  }

  get length(): number {
    return this.#segments.length;
  }

  /** The endpoint whose share of the memory is used. Preconditions: nothing waits. */
  setOwner(endpoint: number): void {
    this.#owner = endpoint;
  }

  /** Drops everything when the byte at `nextIn` has been missing for EARLY_MS. @returns whether it did */
  age(nextIn: number, nowMs: number): boolean {
    if (this.#segments.length === 0) {
      this.#missingSinceMs = 0;
      return false;
    }
    if (this.#missingSinceMs === 0 || this.#missing !== nextIn) {
      this.#missing = nextIn;
      this.#missingSinceMs = Math.max(nowMs, 1);
    }
    if (nowMs - this.#missingSinceMs < EARLY_MS) return false;
    this.drop();
    return true;
  }

  /**
   * Keeps source[from, to). At most MAX_EARLY segments, within what a stream may keep; beyond that TCP sends again.
   * @returns false when it was not kept
   */
  add(seq: number, source: Uint8Array, from: number, to: number, hasFin: boolean): boolean {
    const length = to - from;
    if (this.#segments.length >= MAX_EARLY || this.#bytes + length > this.#limit) return false;
    const bytes = this.#pool.take(Math.max(length, 1), this.#owner);
    if (bytes === null) return false;
    bytes.set(source.subarray(from, to));
    let at = this.#segments.length;
    while (at > 0 && ((this.#segments[at - 1].seq - seq) | 0) > 0) at--;
    this.#segments.splice(at, 0, { seq, bytes, length, hasFin });
    this.#bytes += length;
    this.#latest = seq;
    return true;
  }

  /**
   * What waits, as SACK blocks (RFC 2018 4): first the block in which the latest segment is, then the others from the lowest on,
   * which are those that keep the sender waiting.
   * @param blocks gets left and right edge in turn @param most blocks, at least 1 @returns how many there are
   */
  blocks(blocks: Int32Array, most: number): number {
    let count = 1; // the first place is for the latest
    let hasLatest = false;
    for (let i = 0; i < this.#segments.length; ) {
      const left = this.#segments[i].seq;
      let right = left;
      for (; i < this.#segments.length && ((this.#segments[i].seq - right) | 0) <= 0; i++) {
        const end = (this.#segments[i].seq + this.#segments[i].length + (this.#segments[i].hasFin ? 1 : 0)) | 0;
        if (((end - right) | 0) > 0) right = end;
      }
      const isLatest = ((this.#latest - left) | 0) >= 0 && ((right - this.#latest) | 0) > 0;
      if (!isLatest && count >= most) continue;
      const at = isLatest ? 0 : count++;
      blocks[2 * at] = left;
      blocks[2 * at + 1] = right;
      hasLatest ||= isLatest;
    }
    if (hasLatest) return count;
    blocks.copyWithin(0, 2, 2 * count); // the latest has gone on
    return count - 1;
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
    this.#pool.give(segment.bytes, this.#owner);
  }

  drop(): void {
    for (const segment of this.#segments) this.give(segment);
    this.#segments.length = 0;
    this.#bytes = 0;
    this.#missingSinceMs = 0;
  }
}
