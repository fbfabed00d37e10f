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
 *
 * One span is two numbers, and takes no other memory; more of them are in a piece of memory that is used by one map after the other.
 */

/** Edits in flight at one time; a connection that needs more is reset. */
const MAX_SPANS = 64;
/** From here on no more should be made than those that are decided already. */
const MANY_SPANS = MAX_SPANS / 4;

/** The spans of one map, in order; what is behind the last is of no meaning. */
class Spans {
  readonly in: Int32Array = new Int32Array(MAX_SPANS);
  readonly out: Int32Array = new Int32Array(MAX_SPANS);
  readonly bytes: Int32Array = new Int32Array(MAX_SPANS);
}

/** Those that no map needs now. */
const spare: Spans[] = [];
const MOST_SPARE = 64;

export class PositionMap {
  #count = 1;
  /** The last span. */
  #in = 0;
  #out = 0;
  /** All spans, the last one too; null while there is one. */
  #spans: Spans | null = null;

  /** One span, in which in-position `first` is out-position `firstOut`. */
  begin(first: number, firstOut: number): void {
    this.#giveBack();
    this.#in = first;
    this.#out = firstOut;
  }

  /** Whether many edits are in flight: what is decided already may still be carried out, more may not. */
  get isCrowded(): boolean {
    return this.#count >= MANY_SPANS;
  }

  /** Whether in and out numbers differ anywhere that still matters. */
  get isShifted(): boolean {
    return this.#count > 1 || this.#in !== this.#out;
  }

  /** The out-position of an in-position. */
  toOut(position: number): number {
    const ahead = (position - this.#in) | 0;
    if (ahead >= 0 || !this.isShifted) return (this.#out + ahead) | 0;
    return this.#spans === null
      ? this.#out
      : before(this.#spans.in, this.#spans.out, this.#spans.bytes, this.#count, position);
  }

  /** The in-position up to which an acknowledgement of the out-position `position` acknowledges. */
  toIn(position: number): number {
    const ahead = (position - this.#out) | 0;
    if (ahead >= 0 || !this.isShifted) return (this.#in + ahead) | 0;
    return this.#spans === null
      ? this.#in
      : before(this.#spans.out, this.#spans.in, this.#spans.bytes, this.#count, position);
  }

  /**
   * The open span ends at in-position `at`; the next begins at `nextIn` and `nextOut`.
   * @returns false when there are too many edits
   */
  edit(at: number, nextIn: number, nextOut: number): boolean {
    const bytes = (at - this.#in) | 0;
    if (bytes > 0 && !this.#add(bytes)) return false;
    this.#in = nextIn;
    this.#out = nextOut;
    if (this.#spans !== null) {
      this.#spans.in[this.#count - 1] = nextIn;
      this.#spans.out[this.#count - 1] = nextOut;
    }
    return true;
  }

  /** Closes the last span. */
  #add(bytes: number): boolean {
    if (this.#count === MAX_SPANS) return false;
    if (this.#spans === null) {
      this.#spans = spare.pop() ?? new Spans();
      this.#spans.in[0] = this.#in;
      this.#spans.out[0] = this.#out;
    }
    this.#spans.bytes[this.#count - 1] = bytes;
    this.#count++;
    return true;
  }

  /** Forgets the spans that lie before the acknowledged out-position `una`. */
  prune(una: number): void {
    if (this.#spans === null) return;
    const { in: spanIn, out: spanOut, bytes: spanBytes } = this.#spans;
    let gone = 0;
    while (gone + 1 < this.#count && ((una - spanOut[gone + 1]) | 0) >= 0) gone++;
    if (gone === 0) return;
    if (gone + 1 === this.#count) {
      this.#giveBack();
      return;
    }
    spanIn.copyWithin(0, gone, this.#count);
    spanOut.copyWithin(0, gone, this.#count);
    spanBytes.copyWithin(0, gone, this.#count);
    this.#count -= gone;
  }

  /** The last span is the only one. */
  #giveBack(): void {
    this.#count = 1;
    if (this.#spans === null) return;
    if (spare.length < MOST_SPARE) spare.push(this.#spans);
    this.#spans = null;
  }
}

/**
 * Where a position before the last span lies: in `from` numbers, answered in `to` numbers. What lies before the first span was
 * acknowledged long ago, or never was anything.
 */
function before(from: Int32Array, to: Int32Array, bytes: Int32Array, count: number, position: number): number {
  let i = count - 2;
  while (i > 0 && ((position - from[i]) | 0) < 0) i--;
  const ahead = (position - from[i]) | 0;
  return (to[i] + Math.max(0, Math.min(ahead, bytes[i]))) | 0;
}
