/**
 * A wrapper that makes faults: frames received through it are dropped, corrupted, duplicated, reordered and delayed.
 *
 *     inner.receive -> [ drop | corrupt ] -> duplicate -> held, by due time -> as many as the batch has room for
 *
 * All draws come from one seed, and time is `batch.nowMs`, so that a run can be repeated exactly. Put it around both ports
 * of a path for faults both ways. Frames it holds back are copies and take no slot. `nextDueMs` says when receive() should be
 * called although nothing new has arrived. A copy a frame makes it slow: for those who test networks.
 *
 * A corrupted frame has its checksum finished before a bit of it is turned, as on a wire; a large segment is dropped
 * instead, because a receiver would throw away each of its damaged pieces.
 */
import * as offload from '../../wire/offload.ts';
import * as vnet from '../../wire/header/virtio-net.ts';
import { BATCH_FRAMES, type Batch } from './arena.ts';
import type { Faults } from '../../policy-maps/condition-map.ts';
import type { Port } from './port.ts';
import { PortWrapper } from './wrapper.ts';

/** What is left out is 0. */
export type SomeFaults = Partial<Faults> & {
  readonly seed: number;
  /** How far a reordered frame falls behind; default 5. */
  readonly reorderMs?: number;
};

/** Frames held back at most; those beyond are dropped, as by a full queue. */
const MAX_HELD = 4096;

interface HeldFrame {
  /** With the virtio-net header. */
  whole: Uint8Array;
  dueMs: number;
}

/** Random numbers in [0, 1) from a seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export class FaultPort extends PortWrapper {
  /** What was done so far, in frames. */
  readonly done = { dropped: 0, corrupted: 0, duplicated: 0, reordered: 0, delayed: 0 };
  readonly #faults: Required<SomeFaults>;
  readonly #random: () => number;
  /** Sorted by due time, equal times by arrival. */
  readonly #held: HeldFrame[] = [];
  #lastDueMs = 0;

  constructor(inner: Port, faults: SomeFaults) {
    super(inner);
    const none = { drop: 0, corrupt: 0, duplicate: 0, reorder: 0, reorderMs: 5, delayMs: 0, jitterMs: 0 };
    this.#faults = { ...none, ...faults };
    this.#random = seededRandom(faults.seed);
  }

  /** When the next held frame is due, on the clock of `batch.nowMs`; Infinity if none is held. */
  get nextDueMs(): number {
    return this.#held[0]?.dueMs ?? Number.POSITIVE_INFINITY;
  }

  /** Drops what is held back: for a port that is to be faulty no more. */
  dropHeld(): void {
    this.done.dropped += this.#held.length;
    this.#held.length = 0;
  }

  override receive(batch: Batch): number {
    const at = batch.count;
    const got = this.inner.receive(batch);
    for (let i = at; i < batch.count; i++) this.#meet(batch, batch.offsets[i], batch.lengths[i]);
    batch.count = at;
    const released = this.#release(batch);
    return got < 0 && released === 0 ? got : released;
  }

  /** One frame against the faults; what is left of it is held. */
  #meet(batch: Batch, offset: number, length: number): void {
    const faults = this.#faults;
    const bytes = batch.arena.bytes;
    if (this.#random() < faults.drop) {
      this.done.dropped++;
      return;
    }
    if (this.#random() < faults.corrupt) {
      this.done.corrupted++;
      if (vnet.gsoType(bytes, offset) !== vnet.GSO_NONE || offload.finish(bytes, offset, length) < 0) {
        this.done.dropped++;
        return;
      }
      vnet.clear(bytes, offset);
      bytes[offset + Math.floor(this.#random() * length)] ^= 1 << Math.floor(this.#random() * 8);
    }
    const whole = bytes.slice(offset - vnet.VNET_HEADER_BYTES, offset + length);
    this.#hold(whole, batch.nowMs);
    if (this.#random() < faults.duplicate) {
      this.done.duplicated++;
      this.#hold(whole, batch.nowMs);
    }
  }

  #hold(whole: Uint8Array, nowMs: number): void {
    const { delayMs, jitterMs, reorder, reorderMs } = this.#faults;
    let dueMs = nowMs + delayMs + this.#random() * jitterMs;
    if (this.#held.length === MAX_HELD) {
      this.done.dropped++;
      return;
    }
    if (this.#random() < reorder) {
      this.done.reordered++;
      dueMs += reorderMs;
    } else {
      dueMs = this.#lastDueMs = Math.max(dueMs, this.#lastDueMs);
    }
    if (dueMs > nowMs) this.done.delayed++;
    let place = this.#held.length;
    while (place > 0 && this.#held[place - 1].dueMs > dueMs) place--;
    this.#held.splice(place, 0, { whole, dueMs });
  }

  #release(batch: Batch): number {
    const at = batch.count;
    while (this.nextDueMs <= batch.nowMs && batch.count < BATCH_FRAMES) {
      const { whole } = this.#held.shift() as HeldFrame;
      const offset = batch.arena.slotOffset(batch.count);
      batch.arena.bytes.set(whole, offset - vnet.VNET_HEADER_BYTES);
      batch.offsets[batch.count] = offset;
      batch.lengths[batch.count++] = whole.length - vnet.VNET_HEADER_BYTES;
    }
    return batch.count - at;
  }
}
