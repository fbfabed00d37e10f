/**
 * Guards the head parser against heads that arrive a byte at a time: each byte of an unfinished head is searched once,
 * and the parser runs at most three times on one head (at first, when its first line is whole, when it is whole), so the
 * cost stays linear. What can never become a head is refused as it is seen, not when the limit is reached.
 */
import * as syntax from './syntax.ts';

const { CR, LF } = syntax;

export class HeadScan {
  /** Bytes already searched, from the first byte of the head; 0 = a new head. */
  #searched = 0;
  #sawLine = false;
  readonly #isResponse: boolean;

  /** @param isResponse its lines may end in LF, and there may be more of them */
  constructor(isResponse: boolean) {
    this.#isResponse = isResponse;
  }

  /** True when nothing of a head was seen yet. */
  get isFresh(): boolean {
    return this.#searched === 0;
  }

  reset(): void {
    this.#searched = 0;
    this.#sawLine = false;
  }

  /** Notes that a parse of bytes[start, end) wanted more. @returns 0 or an error */
  miss(bytes: Uint8Array, start: number, end: number): number {
    if (this.#searched === 0) {
      this.#sawLine = bytes.subarray(start + 2, Math.max(end, start + 2)).includes(LF);
      this.#searched = end - start;
    }
    const most = this.#isResponse ? syntax.MAX_RESPONSE_HEAD_BYTES : syntax.MAX_HEAD_BYTES;
    return end - start >= most ? syntax.HEAD_TOO_LARGE : 0;
  }

  /** Whether a parse could say more than the last did: 1 yes, 0 no, < 0 minus an error. */
  isWorthParsing(bytes: Uint8Array, start: number, end: number): number {
    if (this.#searched === 0) return 1;
    let p = start + this.#searched;
    this.#searched = end - start;
    for (; p < end; p++) {
      const byte = bytes[p];
      if (byte === 0) return -syntax.NUL;
      // start is never LF (a parse refuses that), so p - 1 is inside.
      if (byte !== LF && bytes[p - 1] === CR) return -syntax.BARE_CR;
      if (byte !== LF) continue;
      const hasCr = bytes[p - 1] === CR;
      if (!hasCr && !this.#isResponse) return -syntax.BARE_LF;
      const before = hasCr ? p - 2 : p - 1;
      const endsHead = before > start && bytes[before] === LF;
      if (endsHead) return 1;
      if (!this.#sawLine && p - start > 1) {
        this.#sawLine = true;
        return this.#resumeBehind(p - start + 1);
      }
    }
    return 0;
  }

  /** The parser sees the first line; what follows in the same bytes it sees too, but the search goes on behind it. */
  #resumeBehind(searched: number): number {
    this.#searched = searched;
    return 1;
  }
}
