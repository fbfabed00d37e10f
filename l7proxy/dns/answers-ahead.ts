/**
 * What is known of the answers at the front of a stream while the first of them waits for the agent: each has been asked about when
 * it came, and leaves in its turn. So answers that wait do so together, and not one after the other.
 *
 *     stream   | waits | may go | waits | is refused |  not looked at yet ...
 *              ^ first                  bytes of these ^
 */
import { GO, REFUSE, WAIT } from './teaching.ts';

/** As many as a connection has questions. */
const MAX_AHEAD = 64;
const ROW_WORDS = 3; // what becomes of it, its bytes, its number

export class AnswersAhead {
  count = 0;
  /** Of all of them, in the stream. */
  bytes = 0;
  /** Most connections never have any. */
  #rows: Int32Array | undefined;
  #deadlines = new Float64Array(0);
  #head = 0;

  get isFull(): boolean {
    return this.count === MAX_AHEAD;
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  /** @param what GO, WAIT or REFUSE @param bytes of the answer in the stream */
  push(what: number, bytes: number, sequence: number, deadlineMs: number): void {
    if (this.#rows === undefined) {
      this.#rows = new Int32Array(MAX_AHEAD * ROW_WORDS);
      this.#deadlines = new Float64Array(MAX_AHEAD);
    }
    const row = (this.#head + this.count++) % MAX_AHEAD;
    this.#rows[row * ROW_WORDS] = what;
    this.#rows[row * ROW_WORDS + 1] = bytes;
    this.#rows[row * ROW_WORDS + 2] = sequence;
    this.#deadlines[row] = deadlineMs;
    this.bytes += bytes;
  }

  /** What becomes of the first one now: GO, WAIT or REFUSE. Preconditions: there is one */
  first(isPublished: (sequence: number) => boolean, nowMs: number): number {
    const what = this.#first(0);
    if (what !== WAIT) return what;
    if (isPublished(this.#first(2))) return GO;
    return nowMs < this.#deadlines[this.#head] ? WAIT : REFUSE;
  }

  /** Whether the first one was asked about, and its time is over if it is refused now. */
  get hasWaited(): boolean {
    return this.#first(0) === WAIT;
  }

  /** The first one has left. */
  shift(): void {
    this.bytes -= this.#first(1);
    this.#head = (this.#head + 1) % MAX_AHEAD;
    this.count--;
  }

  #first(word: number): number {
    return this.#rows === undefined ? 0 : this.#rows[this.#head * ROW_WORDS + word];
  }
}
