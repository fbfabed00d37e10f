/**
 * One client's way through a ring: from where its request begins to the end of the ring, and with `follow` on from there. A
 * client has no queue of its own. It has a place in the ring, and the next batch is made when it has taken the last one; so a
 * slow client costs what one batch costs, and delays nobody.
 *
 *     oldest        place -->                 end
 *   ..| lost |......|== batch ==|.............|
 *
 * One that falls behind by more than the ring holds has lost events, and is told how many, as an event in its stream: at most
 * once in LOSS_INTERVAL_MS, the first time at once. Other lost events (the agent was slower than the dataplane) are in the
 * ring, and pass whatever the filters and times of the request are.
 *
 * Where a request begins:
 *
 *   1. `first` without since: at the oldest.
 *   2. `follow` without number and since: at the end.
 *   3. with since: at the oldest event that is not before it.
 *   4. else: at the number-th newest that matches and is not after until; all, when no number is given.
 *
 * When that leads beyond the oldest that the ring holds, what is kept elsewhere comes first (`history`).
 *
 * Work is done in slices (turns.ts), the looking back of 3 and 4 too.
 */
import type { Envelope } from '../flow.ts';
import { rfc3339 } from '../time.ts';
import { type FlowsRequest, type Ring, timeMsOf } from '../ring.ts';
import type { Encoding } from './encodings.ts';
import type { StreamRequest } from './stream-request.ts';
import { SLICE_MS, type Turns } from './turns.ts';

/** A batch goes out when it has so many bytes, or its slice is over. */
const BATCH_BYTES = 32 * 1024;
const LOSS_INTERVAL_MS = 1000;
/** Envelopes between two looks at the clock. */
const STEP = 16;

export interface StreamOptions {
  readonly ring: Ring;
  readonly request: StreamRequest;
  readonly matches: (envelope: Envelope) => boolean;
  readonly encode: Encoding;
  readonly turns: Turns;
  /** What is kept from before a place of the ring, oldest first; undefined: nothing is. */
  readonly history?: (before: number, request: FlowsRequest) => AsyncIterable<readonly Envelope[]> | undefined;
  /** Milliseconds since the epoch. */
  readonly nowMs: () => number;
  /** Ends the stream, with its reason as the error. */
  readonly signal: AbortSignal;
}

/** Messages that go out together, at least one, in order. */
export type Batch = readonly Uint8Array[];

export class Stream {
  readonly #options: StreamOptions;
  readonly #loss: Loss;
  #place = 0;
  /** What lost events before the place told. */
  #told = 0;
  /** Where a stream that does not follow ends. */
  #end: number;
  #counted = 0;
  #isOver = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#loss = new Loss(options.ring);
    this.#end = options.ring.seen;
  }

  /** The batches; made one by one, as they are taken. */
  async *batches(): AsyncGenerator<Batch> {
    const { request, ring, turns, signal } = this.#options;
    if (request.isFollowing) this.#end = Number.POSITIVE_INFINITY;
    const older = await this.#begin();
    this.#told = ring.toldBefore(this.#place);
    for await (const envelopes of older ?? []) {
      const batch = envelopes.map((envelope) => this.#takeOld(envelope));
      if (batch.length > 0) yield batch;
      signal.throwIfAborted();
    }
    if (!request.isFollowing && this.#counted >= request.number) return;
    while (!this.#isOver) {
      await turns.next();
      signal.throwIfAborted();
      const batch = this.#slice();
      if (batch.length > 0) yield batch;
      else if (!this.#isOver && this.#place >= ring.seen) await this.#wait();
    }
  }

  /** Finds the place to begin at. @returns what comes before it from elsewhere */
  async #begin(): Promise<AsyncIterable<readonly Envelope[]> | undefined> {
    const { ring, request, history } = this.#options;
    const { isFirst, isFollowing, number, sinceMs, untilMs } = request;
    const hasSince = sinceMs !== Number.NEGATIVE_INFINITY;
    if (isFollowing && number === Number.POSITIVE_INFINITY && !hasSince) {
      this.#place = ring.seen;
      return undefined;
    }
    let left = number;
    this.#place = ring.oldest;
    if (!isFirst || hasSince) {
      const back = await this.#lookBack(hasSince ? Number.POSITIVE_INFINITY : number);
      this.#place = back.place;
      if (!back.isWhole) return undefined;
      if (!hasSince) left = number - back.counted;
    }
    const isFromOldest = isFirst || hasSince;
    return history?.(this.#place, {
      ...(left !== Number.POSITIVE_INFINITY && { number: left }),
      ...(isFromOldest && { first: true }),
      ...(hasSince && { sinceMs }),
      ...(untilMs !== Number.POSITIVE_INFINITY && { untilMs }),
    });
  }

  #takeOld(envelope: Envelope): Uint8Array {
    if (isCounted(envelope)) this.#counted++;
    return this.#options.encode.alone(envelope);
  }

  /**
   * The place of the `number`-th newest that matches and is not too old.
   * @returns isWhole: it is the oldest of the ring, and there may be more before it
   */
  async #lookBack(number: number): Promise<{ place: number; counted: number; isWhole: boolean }> {
    const { ring, request, turns, signal, matches } = this.#options;
    let place = ring.seen;
    let counted = 0;
    while (counted < number) {
      await turns.next();
      signal.throwIfAborted();
      const until = performance.now() + SLICE_MS;
      do {
        for (let i = 0; i < STEP && counted < number; i++) {
          const envelope = ring.at(place - 1);
          if (envelope === undefined) return { place, counted, isWhole: true };
          const ms = timeMsOf(envelope);
          if (ms < request.sinceMs) return { place, counted, isWhole: false };
          place--;
          if (ms <= request.untilMs && isCounted(envelope) && matches(envelope)) counted++;
        }
      } while (counted < number && performance.now() < until);
    }
    return { place, counted, isWhole: false };
  }

  /** What a slice of work finds. */
  #slice(): Batch {
    const batch: Uint8Array[] = [];
    const until = performance.now() + SLICE_MS;
    let bytes = 0;
    do {
      for (let i = 0; i < STEP && bytes < BATCH_BYTES && !this.#isOver; i++) bytes += this.#step(batch);
    } while (!this.#isOver && this.#place < this.#ringEnd && bytes < BATCH_BYTES && performance.now() < until);
    this.#told = this.#options.ring.toldBefore(this.#place);
    const nowMs = this.#options.nowMs();
    if (this.#place >= this.#ringEnd)
      this.#isOver ||= this.#place >= this.#end || nowMs > this.#options.request.untilMs;
    if (this.#loss.isDue(nowMs) || (this.#isOver && this.#loss.count > 0)) batch.push(this.#tellLoss(nowMs));
    return batch;
  }

  get #ringEnd(): number {
    return Math.min(this.#end, this.#options.ring.seen);
  }

  /** Looks at the next envelope. @returns bytes of what it added to the batch */
  #step(batch: Uint8Array[]): number {
    const { ring, request, matches, encode } = this.#options;
    if (this.#place < ring.oldest) {
      const missed = ring.oldest <= this.#end ? ring.missed(this.#place, this.#told) : this.#end - this.#place;
      this.#loss.add(missed, this.#options.nowMs());
      this.#place = ring.oldest;
    }
    if (this.#place >= this.#ringEnd) return 0;
    const sequence = this.#place++;
    const envelope = ring.at(sequence) as Envelope;
    if (isCounted(envelope)) {
      const ms = timeMsOf(envelope);
      if (ms > request.untilMs) this.#isOver = true;
      if (ms > request.untilMs || ms < request.sinceMs || !matches(envelope)) return 0;
      this.#counted++;
      if (!request.isFollowing && this.#counted >= request.number) this.#isOver = true;
    }
    const bytes = encode.at(sequence, envelope);
    batch.push(bytes);
    return bytes.length;
  }

  #tellLoss(nowMs: number): Uint8Array {
    return this.#options.encode.alone(this.#loss.take(nowMs));
  }

  /** Until the ring is written to, a loss is due, or the time that was asked for is over. */
  #wait(): Promise<void> {
    const { ring, signal, nowMs, request } = this.#options;
    const dueMs = Math.min(this.#loss.dueMs, request.untilMs + 1) - nowMs();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        forget();
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      const wake = (): void => {
        end();
        resolve();
      };
      const abort = (): void => {
        end();
        reject(signal.reason as Error);
      };
      const forget = ring.onNextWrite(wake);
      const timer = dueMs <= MAX_TIMER_MS ? setTimeout(wake, Math.max(0, dueMs)) : undefined;
      signal.addEventListener('abort', abort);
    });
  }
}

/** A longer timer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What the client lost and was not told yet. */
class Loss {
  readonly #ring: Ring;
  #firstMs = 0;
  #lastMs = 0;
  #toldMs = Number.NEGATIVE_INFINITY;
  count = 0;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  add(count: number, nowMs: number): void {
    if (this.count === 0) this.#firstMs = nowMs;
    this.#lastMs = nowMs;
    this.count += count;
  }

  /** When it is time to tell; Infinity when there is nothing. */
  get dueMs(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.#toldMs + LOSS_INTERVAL_MS;
  }

  isDue(nowMs: number): boolean {
    return nowMs >= this.dueMs;
  }

  /** The event that tells it; from then on it counts anew. */
  take(nowMs: number): Envelope {
    const { lost_events: lost, ...envelope } = this.#ring.lost(this.count);
    this.count = 0;
    this.#toldMs = nowMs;
    return { lost_events: { ...lost!, first: rfc3339(this.#firstMs), last: rfc3339(this.#lastMs) }, ...envelope };
  }
}

/** Whether numbers, times and filters of a request are about it: lost events are not asked for, and always told. */
function isCounted({ lost_events: lost }: Envelope): boolean {
  return lost === undefined;
}
