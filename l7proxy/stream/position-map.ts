/**
 * Where a byte of one sequence space lies in the other.
 *
 * `In` numbers are the sender's; `out` numbers are those the receiver sees. They differ once bytes were taken away or put
 * in. Where they differ is told by spans, each a run of positions with one difference:
 *
 *     in    ------[ span 0 ]xxxxxxxx[ span 1 ............      x  taken away
 *     out   ------[ span 0 ]++[ span 1 ............            +  put in
 *
 * The last span is open-ended. Positions inside a gap belong to the end of the span before it, except that an
 * acknowledgement of all that was forwarded before bytes taken away acknowledges these too. A span goes when the receiver
 * has acknowledged past it. Until the first edit there is one span with difference 0, and `isShifted` is false.
 */

/** Edits in flight at one time; a connection that needs more is reset. */
const MAX_SPANS = 64;
/** From here on no more should be made than those that are decided already. */
const MANY_SPANS = MAX_SPANS / 4;

export class PositionMap {
  #spans = 1;
  readonly #spanIn: Int32Array = new Int32Array(MAX_SPANS);
  readonly #spanOut: Int32Array = new Int32Array(MAX_SPANS);
  readonly #spanBytes: Int32Array = new Int32Array(MAX_SPANS);

  /** One span, in which in-position `first` is out-position `firstOut`. */
  begin(first: number, firstOut: number): void {
    this.#spans = 1;
    this.#spanIn[0] = first;
    this.#spanOut[0] = firstOut;
  }

  /** Whether many edits are in flight: what is decided already may still be carried out, more may not. */
  get isCrowded(): boolean {
    return this.#spans >= MANY_SPANS;
  }

  /** Whether in and out numbers differ anywhere that still matters. */
  get isShifted(): boolean {
    return this.#spans > 1 || this.#spanIn[0] !== this.#spanOut[0];
  }

  /** The out-position of an in-position. */
  toOut(position: number): number {
    let i = this.#spans - 1;
    while (i > 0 && ((position - this.#spanIn[i]) | 0) < 0) i--;
    return (this.#spanOut[i] + this.#clip(i, (position - this.#spanIn[i]) | 0)) | 0;
  }

  /** The in-position up to which an acknowledgement of the out-position `position` acknowledges. */
  toIn(position: number): number {
    let i = this.#spans - 1;
    while (i > 0 && ((position - this.#spanOut[i]) | 0) < 0) i--;
    return (this.#spanIn[i] + this.#clip(i, (position - this.#spanOut[i]) | 0)) | 0;
  }

  /** `ahead` brought into span `i`. What lies before the first span was acknowledged long ago, or never was anything. */
  #clip(i: number, ahead: number): number {
    if (ahead < 0) return this.isShifted ? 0 : ahead;
    return i < this.#spans - 1 && ahead > this.#spanBytes[i] ? this.#spanBytes[i] : ahead;
  }

  /**
   * The open span ends at in-position `at`; the next begins at `nextIn` and `nextOut`.
   * @returns false when there are too many edits
   */
  edit(at: number, nextIn: number, nextOut: number): boolean {
    const last = this.#spans - 1;
    const bytes = (at - this.#spanIn[last]) | 0;
    if (bytes > 0) {
      if (this.#spans === MAX_SPANS) return false;
      this.#spanBytes[last] = bytes;
      this.#spans++;
    }
    this.#spanIn[this.#spans - 1] = nextIn;
    this.#spanOut[this.#spans - 1] = nextOut;
    return true;
  }

  /** Forgets the spans that lie before the acknowledged out-position `una`. */
  prune(una: number): void {
    if (this.#spans === 1) return;
    let gone = 0;
    while (gone + 1 < this.#spans && ((una - this.#spanOut[gone + 1]) | 0) >= 0) gone++;
    if (gone === 0) return;
    this.#spanIn.copyWithin(0, gone, this.#spans);
    this.#spanOut.copyWithin(0, gone, this.#spans);
    this.#spanBytes.copyWithin(0, gone, this.#spans);
    this.#spans -= gone;
  }
}
