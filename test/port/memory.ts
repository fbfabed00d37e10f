/**
 * A port made of arrays, for tests and benches: what is delivered to it comes out of receive(), what is flushed lands in
 * `sent`, or at the peer of a pair. Frames are copied in and out, as a kernel would do.
 *
 * Two more modes for benches: `repeat` hands out the inbox over and over, `isDiscarding` only counts what is sent.
 */
import { type Arena, BATCH_FRAMES, type Batch, MAX_FRAME_BYTES } from '../../dataplane/port/arena.ts';
import { type PortOptions, QueueingPort } from '../../dataplane/port/port.ts';

const VNET_HEADER_BYTES = 10;

export class MemoryPort extends QueueingPort {
  readonly kind = 'memory';
  /** Frames flushed so far, each a copy with its 10-byte virtio-net header in front; tests may empty it. */
  readonly sent: Uint8Array[] = [];
  /** Receives wrap around instead of emptying the inbox. */
  repeat = false;
  /** Count what is sent, keep nothing. */
  isDiscarding = false;
  /** Frames the other side can hold; those beyond are dropped at the flush, as by a full queue. */
  capacity = Number.POSITIVE_INFINITY;
  /** Set by createMemoryPair(): sent frames are delivered there. */
  peer: MemoryPort | undefined;
  #inbox: Uint8Array[] = [];
  #next = 0;
  #isOpen = true;

  constructor(arena: Arena, options: Partial<PortOptions> = {}) {
    super(arena, { index: 0, name: 'memory', mtu: 1500, mac: new Uint8Array(6), ...options });
  }

  /**
   * Puts a frame into the inbox.
   *
   * @param frame from the Ethernet header on. @param header the 10 bytes of virtio-net header; zeros by default.
   */
  deliver(frame: Uint8Array, header?: Uint8Array): void {
    const whole = new Uint8Array(VNET_HEADER_BYTES + frame.length);
    if (header) whole.set(header);
    whole.set(frame, VNET_HEADER_BYTES);
    this.#deliverWhole(whole);
  }

  #deliverWhole(whole: Uint8Array): void {
    if (whole.length > VNET_HEADER_BYTES + MAX_FRAME_BYTES || this.#inbox.length - this.#next >= this.capacity) {
      this.counters.receiveDrops++;
    } else {
      this.#inbox.push(whole);
    }
  }

  /** Frames that wait for receive(). */
  get pending(): number {
    return this.#inbox.length - this.#next;
  }

  receive(batch: Batch): number {
    const at = batch.count;
    let bytes = 0;
    while (this.#isOpen && batch.count < BATCH_FRAMES && bytes < batch.byteBudget) {
      if (this.#next === this.#inbox.length) {
        this.#next = 0;
        if (!this.repeat) this.#inbox = [];
        if (this.#inbox.length === 0) break;
      }
      const whole = this.#inbox[this.#next++];
      const offset = batch.arena.slotOffset(batch.count);
      batch.arena.bytes.set(whole, offset - VNET_HEADER_BYTES);
      batch.offsets[batch.count] = offset;
      batch.lengths[batch.count++] = whole.length - VNET_HEADER_BYTES;
      bytes += whole.length - VNET_HEADER_BYTES;
    }
    this.counters.receivedFrames += batch.count - at;
    this.counters.receivedBytes += bytes;
    return batch.count - at;
  }

  protected sendQueued(): number {
    let sent = 0;
    for (let i = 0; i < this.queued; i++) if (this.#isOpen && this.#sendOne(this.offsets[i], this.lengths[i])) sent++;
    this.counters.sendDrops += this.queued - sent;
    this.counters.sentFrames += sent;
    return sent;
  }

  #sendOne(offset: number, length: number): boolean {
    if (!this.isDiscarding) {
      const target = this.peer;
      if ((target ? target.pending : this.sent.length) >= (target ?? this).capacity) return false;
      const whole = this.arena.bytes.slice(offset - VNET_HEADER_BYTES, offset + length);
      if (target) target.#deliverWhole(whole);
      else this.sent.push(whole);
    }
    this.counters.sentBytes += length;
    return true;
  }

  close(): void {
    this.#isOpen = false;
  }
}

/** Two ports joined back to back. */
export function createMemoryPair(
  arena: Arena,
  names: readonly [string, string] = ['left', 'right'],
): [MemoryPort, MemoryPort] {
  const left = new MemoryPort(arena, { index: 0, name: names[0] });
  const right = new MemoryPort(arena, { index: 1, name: names[1] });
  left.peer = right;
  right.peer = left;
  return [left, right];
}
