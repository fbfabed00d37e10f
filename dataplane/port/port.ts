/**
 * What the engine knows of a port: frames come in by receive(), go out by queue() and flush().
 *
 * Lifecycle of a frame: `receive` puts it into a slot of the batch's arena; the engine judges and edits it in place;
 * `queue` notes it on the port it leaves by; `flush` hands all noted frames to the kernel. Until then the slot must stay
 * as it is, afterwards it is free. A frame that the other side does not take at the flush is dropped and counted
 * (`sendDrops`): a port never keeps frames, so a slow receiver cannot hold up the others.
 *
 * Every frame, in either direction, has a virtio-net header of 10 bytes right before its Ethernet header; ports without
 * such a header on the wire fill it with zeros.
 */
import { type Arena, BATCH_FRAMES, type Batch } from './arena.ts';

/** Frames and bytes (Ethernet header on, without the virtio-net header) since the port was opened. */
export class PortCounters {
  receivedFrames = 0;
  receivedBytes = 0;
  /** Frames lost before receive() saw them, as far as the port can tell. */
  receiveDrops = 0;
  sentFrames = 0;
  sentBytes = 0;
  /** Frames that the other side did not take: its queue was full, or it refused them. */
  sendDrops = 0;
}

export interface PortOptions {
  /** Index in the `ports` map. */
  index: number;
  name: string;
  /** L3 bytes. */
  mtu: number;
  /** Six bytes. */
  mac: Uint8Array;
  /** Interface by which frames are sent, by index, where it is not the one that they are read from; else 0. */
  sendIndex?: number;
}

export interface Port {
  readonly index: number;
  /** How it carries frames: `tap`, `veth`, `pcap`, or what a test has. */
  readonly kind: string;
  readonly name: string;
  mtu: number;
  readonly mac: Uint8Array;
  /** Becomes readable when frames arrive; -1 if the port cannot be polled. */
  readonly fd: number;
  readonly counters: PortCounters;

  /**
   * Appends frames to the batch until the port is empty, the batch full, or its byte budget used up.
   *
   * @returns frames appended; 0 if there was none; a negative errno when the interface is down or gone.
   */
  receive(batch: Batch): number;
  /** Notes a frame of the arena for sending; flushes first when 64 are noted already. */
  queue(offset: number, length: number): void;
  /** Sends what is noted. @returns frames sent. */
  flush(): number;
  /** Adds to `counters.receiveDrops` what was lost before receive() since the last call, where only asking tells of it. */
  countDrops(): void;
  /** Sends nothing more; closes the descriptor if the port owns it. Idempotent. */
  close(): void;
}

/** The half that every real port shares: identity, counters, and the list of noted frames. */
export abstract class QueueingPort implements Port {
  readonly index: number;
  abstract readonly kind: string;
  readonly name: string;
  mtu: number;
  readonly mac: Uint8Array;
  readonly fd: number = -1;
  readonly counters = new PortCounters();
  protected readonly arena: Arena;
  protected readonly offsets = new Int32Array(BATCH_FRAMES);
  protected readonly lengths = new Int32Array(BATCH_FRAMES);
  protected queued = 0;

  constructor(arena: Arena, options: PortOptions) {
    this.arena = arena;
    this.index = options.index;
    this.name = options.name;
    this.mtu = options.mtu;
    this.mac = options.mac;
  }

  abstract receive(batch: Batch): number;
  /** Sends `queued` frames of the lists and counts them; the caller empties the lists. @returns frames sent. */
  protected abstract sendQueued(): number;
  abstract close(): void;

  queue(offset: number, length: number): void {
    if (this.queued === BATCH_FRAMES) this.flush();
    this.offsets[this.queued] = offset;
    this.lengths[this.queued++] = length;
  }

  flush(): number {
    if (this.queued === 0) return 0;
    const sent = this.sendQueued();
    this.queued = 0;
    return sent;
  }

  /** Most ports see each frame that comes. */
  countDrops(): void {}
}
