/**
 * TCP connections of which an answer waits for the agent, in the order in which it was asked. The answer itself is held by its stream;
 * this is how somebody comes back to it: when it is published, or its time is over. A connection that has gone in between is
 * found to be another one by its generation.
 */
import { DNS_EVENT_CAPACITY } from '../../policy-maps/dns-events.ts';
import type { StreamOwner } from '../parser.ts';

/** As many as the agent can be asked about. */
const MAX_ROWS = DNS_EVENT_CAPACITY;
const ROW_WORDS = 3; // slot, generation, number of the answer

export class WaitingConnections {
  /** Of the connection that `take` found. */
  slot = -1;
  slotGeneration = 0;
  readonly #isPublished: (sequence: number) => boolean;
  readonly #rows = new Int32Array(MAX_ROWS * ROW_WORDS);
  readonly #deadlines = new Float64Array(MAX_ROWS);
  #head = 0;
  #count = 0;

  constructor(isPublished: (sequence: number) => boolean) {
    this.#isPublished = isPublished;
  }

  /** When the first one's time is over; infinity when none waits. */
  get releaseAtMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#deadlines[this.#head];
  }

  /** @returns false when there is no room */
  add({ slot, slotGeneration }: StreamOwner, sequence: number, deadlineMs: number): boolean {
    if (this.#count === MAX_ROWS) return false;
    const row = (this.#head + this.#count++) % MAX_ROWS;
    this.#rows[row * ROW_WORDS] = slot;
    this.#rows[row * ROW_WORDS + 1] = slotGeneration;
    this.#rows[row * ROW_WORDS + 2] = sequence;
    this.#deadlines[row] = deadlineMs;
    return true;
  }

  /** Takes out the first connection if it need wait no longer. @returns false when there is none */
  take(nowMs: number): boolean {
    if (this.#count === 0) return false;
    const at = this.#head * ROW_WORDS;
    if (nowMs < this.#deadlines[this.#head] && !this.#isPublished(this.#rows[at + 2])) return false;
    this.slot = this.#rows[at];
    this.slotGeneration = this.#rows[at + 1];
    this.#head = (this.#head + 1) % MAX_ROWS;
    this.#count--;
    return true;
  }
}
