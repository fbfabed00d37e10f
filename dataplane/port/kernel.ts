/**
 * What the two kernel ports (TAP and AF_PACKET) share: bursts through the addon over a descriptor, and their counting.
 */
import { BATCH_FRAMES, type Arena, type Batch, SLOT_STRIDE } from './arena.ts';
import * as native from '../native/index.ts';
import { type PortOptions, QueueingPort } from './port.ts';

export abstract class KernelPort extends QueueingPort {
  override readonly fd: number;
  /** errno of the last frame that the kernel refused, 0 if it never did. */
  lastSendError = 0;
  readonly #nativeKind: number;
  readonly #outcome = new Int32Array(2);
  #isOpen = true;

  constructor(arena: Arena, options: PortOptions, fd: number, nativeKind: number) {
    super(arena, options);
    this.fd = fd;
    this.#nativeKind = nativeKind;
  }

  receive(batch: Batch): number {
    const at = batch.count;
    const room = BATCH_FRAMES - at;
    if (room === 0) return 0;
    const arena = batch.arena;
    const got = native.receiveBatch(
      this.fd,
      this.#nativeKind,
      arena.bytes,
      arena.slotOffset(at),
      SLOT_STRIDE,
      room,
      batch.byteBudget,
      batch.lengths,
      at,
    );
    if (got <= 0) return got;
    let bytes = 0;
    for (let i = at; i < at + got; i++) {
      batch.offsets[i] = arena.slotOffset(i);
      bytes += batch.lengths[i];
    }
    batch.count = at + got;
    this.counters.receivedFrames += got;
    this.counters.receivedBytes += bytes;
    return got;
  }

  protected sendQueued(): number {
    const { queued, lengths, counters } = this;
    const outcome = this.#outcome;
    const done = native.sendBatch(
      this.fd,
      this.#nativeKind,
      this.arena.bytes,
      this.offsets,
      lengths,
      0,
      queued,
      outcome,
    );
    const sent = done - outcome[0];
    if (outcome[0] > 0) this.lastSendError = outcome[1];
    counters.sentFrames += sent;
    counters.sendDrops += queued - sent;
    for (let i = 0; i < done; i++) counters.sentBytes += lengths[i];
    return sent;
  }

  close(): void {
    if (this.#isOpen) native.closeFd(this.fd);
    this.#isOpen = false;
  }
}
