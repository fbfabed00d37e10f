/**
 * Telling of requests and responses under L7 rules: every one, in a ring of its own (wire/l7-record.ts).
 *
 * A ring has no back-pressure: what is written faster than its readers follow pushes out what they have not read. So what is written
 * has a budget of slots, by the size of the ring: a quarter of it at once, four of it a second. A reader that comes by every 50 ms
 * finds everything, and one that was away for 150 ms too. How a sender that tells much is kept from others:
 *
 *   1. A record takes MAX_RECORD_SLOTS at most.
 *   2. When less than half of what may be told at once is left, a record takes one slot: method, host and the beginning of the path,
 *      no headers. It says that it is cut. The usual ring has room for 130,000 of them a second, more than one thread judges.
 *   3. When nothing is left, the port whose policy judged has some for itself (budget.ts). What is over is counted and not told.
 */
import { L7RecordWriter, MAX_RECORD_SLOTS, type SlotRing } from '../wire/l7-record.ts';
import { Budget } from './budget.ts';

/** How often the ring may be filled in a second. */
const FILLS_PER_SEC = 4;
/** The part of it that may be filled at once: one in so many. */
const BURST_PART = 4;
/** Records a second that a port has for itself. */
const OWN_PER_SEC = 200;

export class AccessRecords {
  /** Records told; of these, those that do not tell all; and messages that were not told. */
  told = 0;
  cut = 0;
  readonly #writer: L7RecordWriter;
  readonly #budget: Budget;
  #epochMs = 0;
  #isTold = false;

  constructor(ring: SlotRing & { readonly capacity: number }) {
    this.#writer = new L7RecordWriter(ring);
    this.#budget = new Budget(ring.capacity * FILLS_PER_SEC, OWN_PER_SEC, ring.capacity / BURST_PART);
  }

  get skipped(): number {
    return this.#budget.refused;
  }

  /** Once a batch. @param epochMs wall clock for the records @param nowMs monotonic, for the rate */
  tick(epochMs: number, nowMs: number): void {
    this.#epochMs = epochMs;
    this.#budget.beginBatch(nowMs);
  }

  /**
   * A record begins, and is ended with `end` before anything else is told.
   * @param port index of that whose policy judged @param protocol L7_* @param type TYPE_* @param verdict VERDICT_*
   */
  begin(port: number, protocol: number, type: number, verdict: number): L7RecordWriter {
    const isPlenty = this.#budget.isPlenty;
    this.#isTold = this.#budget.take(port);
    const slots = isPlenty ? MAX_RECORD_SLOTS : 1;
    return this.#writer.begin(this.#isTold ? slots : 0, protocol, type, verdict, this.#epochMs);
  }

  end(): void {
    const slots = this.#writer.end();
    if (!this.#isTold) return;
    this.told++;
    if (this.#writer.isCut) this.cut++;
    if (slots > 1) this.#budget.spend(slots - 1);
  }
}
