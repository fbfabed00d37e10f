/**
 * The last flows, for whoever asks. One writer, any number of readers; the writer never waits.
 *
 *        oldest                            next
 *          v                                v
 *   | 4095 | 4096 | ... | 8189 |  slot = sequence number mod size, size a power of two
 *
 * The capacity is 2^n - 1, as Hubble's is: one slot less than the array has, so that the slot being written is never one
 * that may be read. A reader is a cursor. One that falls behind by more than the capacity is told how many it lost, as an
 * event in its stream, and goes on with the oldest that is left. Where what it lost was itself an event that tells of losses
 * (the agent was slower than the dataplane), those count too: each slot has the sum of what the events up to it told.
 * Readers that follow subscribe to be woken; they are woken once, and read until `next()` answers undefined.
 *
 * The ring keeps what it is given: envelopes are not copied and must not be changed.
 */
import { lostEnvelope } from './decode/decode.ts';
import type { Envelope } from './flow.ts';
import type { FlowSink } from './sink.ts';

const DEFAULT_CAPACITY = 4095;
const MAX_CAPACITY = 65_535;

export class Ring implements FlowSink {
  readonly #slots: (Envelope | undefined)[];
  /** What the lost events up to a slot told, itself included, less one each: they count as an envelope already. */
  readonly #told: Float64Array;
  readonly #mask: number;
  readonly #nodeName: string;
  readonly #nowMs: () => number;
  readonly #waiting = new Set<() => void>();
  #next = 0;
  #lost = 0;

  /**
   * @param options.capacity 2^n - 1, at most 65535; default 4095
   * @param options.nowMs the clock for the time of lost events
   * @throws RangeError for another capacity
   */
  constructor(options: { readonly capacity?: number; readonly nodeName: string; readonly nowMs: () => number }) {
    const capacity = options.capacity ?? DEFAULT_CAPACITY;
    const size = capacity + 1;
    if (capacity < 1 || capacity > MAX_CAPACITY || (size & capacity) !== 0) {
      throw new RangeError(`flow ring: capacity ${capacity}, wanted 2^n - 1 between 1 and ${MAX_CAPACITY}`);
    }
    this.#slots = new Array<Envelope | undefined>(size).fill(undefined);
    this.#told = new Float64Array(size);
    this.#mask = capacity;
    this.#nodeName = options.nodeName;
    this.#nowMs = options.nowMs;
  }

  get capacity(): number {
    return this.#mask;
  }

  /** How many envelopes were ever written; the sequence number of the next. */
  get seen(): number {
    return this.#next;
  }

  /** How many can be read now. */
  get length(): number {
    return Math.min(this.#next, this.#mask);
  }

  /** Sequence number of the oldest that can be read; `seen` when there is none. */
  get oldest(): number {
    return this.#next - this.length;
  }

  write(envelope: Envelope): void {
    this.#keep(envelope);
    this.#wake();
  }

  /** Writes a batch, then wakes who waits. */
  take(envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes) this.#keep(envelope);
    this.#wake();
  }

  #keep(envelope: Envelope): void {
    const slot = this.#next & this.#mask;
    const { lost_events: lost } = envelope;
    this.#slots[slot] = envelope;
    this.#told[slot] =
      this.#told[(slot - 1) & this.#mask] + (lost === undefined ? 0 : Number(lost.num_events_lost) - 1);
    this.#next++;
  }

  #wake(): void {
    if (this.#waiting.size === 0) return;
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }

  /** The envelope with a sequence number, undefined when it is gone or to come. */
  at(sequence: number): Envelope | undefined {
    return sequence >= this.oldest && sequence < this.#next ? this.#slots[sequence & this.#mask] : undefined;
  }

  /** What lost events before a sequence number told that are not envelopes here; of one that is gone as of the oldest. */
  toldBefore(sequence: number): number {
    const last = Math.min(Math.max(sequence, this.oldest), this.#next) - 1;
    return last < 0 ? 0 : this.#told[last & this.#mask];
  }

  /**
   * How many a reader lost whose place is overwritten: envelopes, and those of whose loss it would have been told by them.
   * @param told `toldBefore(place)`, of when it came to its place
   */
  missed(place: number, told: number): number {
    return this.oldest - place + this.toldBefore(this.oldest) - told;
  }

  /** A cursor. @param from a sequence number; default the next to be written, so that only what is new is read */
  reader(from = this.#next): RingReader {
    return new RingReader(this, from);
  }

  /** Calls `wake` once, on the next write. @returns takes the call back */
  onNextWrite(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  /** Flows that readers were told that they lost. */
  get lostToReaders(): number {
    return this.#lost;
  }

  /** The event that tells a reader what it lost. */
  lost(count: number): Envelope {
    this.#lost += count;
    return lostEnvelope('HUBBLE_RING_BUFFER', count, this.#nodeName, this.#nowMs());
  }
}

class RingReader {
  readonly #ring: Ring;
  #at: number;
  #told: number;

  constructor(ring: Ring, at: number) {
    this.#ring = ring;
    this.#at = Math.max(0, at);
    this.#told = ring.toldBefore(this.#at);
  }

  /** Sequence number of what `next()` would answer. */
  get position(): number {
    return this.#at;
  }

  /** The next envelope, one that tells how many were lost, or undefined when there is no more yet. */
  next(): Envelope | undefined {
    const { oldest } = this.#ring;
    if (this.#at < oldest) {
      const lost = this.#ring.missed(this.#at, this.#told);
      this.#moveTo(oldest);
      return this.#ring.lost(lost);
    }
    const envelope = this.#ring.at(this.#at);
    if (envelope !== undefined) this.#moveTo(this.#at + 1);
    return envelope;
  }

  #moveTo(place: number): void {
    this.#at = place;
    this.#told = this.#ring.toldBefore(place);
  }
}

export interface FlowsRequest {
  /** How many flows that match, at most; default all. */
  readonly number?: number;
  /** Count from the oldest instead of from the newest. */
  readonly first?: boolean;
  /** Milliseconds since the epoch, both ends included. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

/**
 * The flows in the ring that a request asks for, oldest first. Lost events are among them, uncounted, as in Hubble.
 * A follower goes on with `ring.reader(ring.seen)` taken before this call.
 */
export function select(ring: Ring, request: FlowsRequest, matches: (envelope: Envelope) => boolean): Envelope[] {
  const { number = Number.POSITIVE_INFINITY, sinceMs = -Infinity, untilMs = Infinity } = request;
  const isFirst = request.first === true;
  const chosen: Envelope[] = [];
  let counted = 0;
  for (let step = 0; step < ring.length && counted < number; step++) {
    const envelope = ring.at(isFirst ? ring.oldest + step : ring.seen - 1 - step);
    if (envelope === undefined) continue;
    const ms = timeMsOf(envelope);
    if (ms < sinceMs || ms > untilMs || !matches(envelope)) continue;
    chosen.push(envelope);
    if (envelope.flow !== undefined) counted++;
  }
  return isFirst ? chosen : chosen.reverse();
}

/** Milliseconds since the epoch; NaN when the envelope has no time. */
export function timeMsOf({ timeMs, time = '' }: Envelope): number {
  return timeMs ?? Date.parse(time);
}
