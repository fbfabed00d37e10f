/** What a sender knows of the bytes that it has sent: which of them arrived out of order, and which to send again (RFC 6675, by time as in RFC 8985). */
export class Scoreboard {
  /** Blocks that arrived, from the lowest on. */
  #blocks: (readonly [number, number])[] = [];
  /** When the piece that begins here was sent again last. */
  readonly #resentMs = new Map<number, number>();
  /** Below this all is taken for lost that has not arrived: a timer ran out. */
  #lostTo: number | undefined;

  note(blocks: readonly (readonly [number, number])[], una: number): void {
    const sorted = [...this.#blocks, ...blocks]
      .filter(([, right]) => ((right - una) | 0) > 0)
      .sort((a, b) => (a[0] - b[0]) | 0);
    this.#blocks = [];
    for (const [left, right] of sorted) {
      const last = this.#blocks.at(-1);
      if (last === undefined || ((left - last[1]) | 0) > 0) this.#blocks.push([left, right]);
      else if (((right - last[1]) | 0) > 0) this.#blocks[this.#blocks.length - 1] = [last[0], right];
    }
    for (const seq of this.#resentMs.keys()) if (((seq - una) | 0) < 0) this.#resentMs.delete(seq);
    if (this.#lostTo !== undefined && ((this.#lostTo - una) | 0) <= 0) this.#lostTo = undefined;
  }

  timedOut(una: number, nxt: number): void {
    // The other end has given away what it said had arrived, as one that died has: nothing of it counts (RFC 2018 8).
    if (this.#blocks.length > 0 && ((this.#blocks[0][0] - una) | 0) <= 0) this.#blocks = [];
    this.#lostTo = nxt;
    this.#resentMs.clear();
  }

  /** Pieces to be sent again now, at most `most` of them. */
  lost(una: number, mss: number, nowMs: number, waitMs: number, most: number): [number, number][] {
    const pieces: [number, number][] = [];
    const gaps = [...this.#blocks.map(([left]) => left), ...(this.#lostTo === undefined ? [] : [this.#lostTo])];
    let from = una;
    for (const [i, gapEnd] of gaps.entries()) {
      for (; ((gapEnd - from) | 0) > 0 && pieces.length < most; from = (from + mss) | 0) {
        const to = ((from + mss - gapEnd) | 0) > 0 ? gapEnd : (from + mss) | 0;
        if (nowMs - (this.#resentMs.get(from) ?? Number.NEGATIVE_INFINITY) < waitMs) continue;
        this.#resentMs.set(from, nowMs);
        pieces.push([from, to]);
      }
      from = this.#blocks[i]?.[1] ?? from;
    }
    return pieces;
  }
}
