/**
 * The memory that frames live in while they pass through.
 *
 *     | 64 receive slots ......................... | 64 scratch slots ........................ |
 *     slot: | headroom 128: .. virtio-net header 10 | Ethernet frame, at most 65600 bytes      |
 *                                                   ^ slotOffset(i)
 *
 * A port fills receive slots, a frame is edited where it lies and sent from there; what the dataplane itself makes (ARP
 * answers, ICMP errors, segments of the L7 engine) goes to scratch slots. All of them are free again when the batch has
 * been flushed: nothing may hold a slot longer. Code that must keep a frame copies it.
 *
 * The stride is an odd multiple of 64 bytes, so that the headers of successive slots fall into different sets of the
 * first-level cache. Only slots that are used cost memory.
 */

/** Free bytes before each frame: the virtio-net header, and room to prepend an outer header. */
export const HEADROOM_BYTES = 128;
/** Longest frame: 64 KiB of IP, Ethernet header and a VLAN tag fit. */
export const MAX_FRAME_BYTES = 65600;
/** Receive slots, and as many scratch slots. */
export const BATCH_FRAMES = 64;

/** From slot to slot: 65728 = 64 * 1027. */
export const SLOT_STRIDE = HEADROOM_BYTES + MAX_FRAME_BYTES;
const FIRST_SCRATCH = BATCH_FRAMES * SLOT_STRIDE + HEADROOM_BYTES;

export class Arena {
  readonly bytes = new Uint8Array(2 * BATCH_FRAMES * SLOT_STRIDE);
  #scratchUsed = 0;

  /** Offset of the frame in receive slot 0 .. 63. */
  slotOffset(slot: number): number {
    return slot * SLOT_STRIDE + HEADROOM_BYTES;
  }

  /**
   * A free slot to build a frame in, with a virtio-net header of zeros before it.
   *
   * @returns the frame's offset, or -1 when all 64 are used until the next reset().
   */
  scratch(): number {
    if (this.#scratchUsed === BATCH_FRAMES) return -1;
    const offset = FIRST_SCRATCH + this.#scratchUsed++ * SLOT_STRIDE;
    this.bytes.fill(0, offset - 10, offset);
    return offset;
  }

  /** Scratch slots handed out since the last reset(). */
  get scratchUsed(): number {
    return this.#scratchUsed;
  }

  /** Call it after the batch has been flushed. */
  reset(): void {
    this.#scratchUsed = 0;
  }
}

/**
 * The frames of one turn of the loop. Ports append to it; `reset` empties it.
 *
 * Frame i is `arena.bytes[offsets[i] .. offsets[i] + lengths[i])`. Wrappers may reorder entries, so an offset is not
 * always that of slot i.
 */
export class Batch {
  readonly arena: Arena;
  readonly offsets = new Int32Array(BATCH_FRAMES);
  readonly lengths = new Int32Array(BATCH_FRAMES);
  count = 0;
  /**
   * Bytes after which a port asks for no more frames. 1 MiB is 10 % faster for four TCP streams than 256 KiB, and no slower
   * for one (scripts/bench tcp); beyond, other ports wait longer than it is worth.
   */
  byteBudget: number;
  /** The time of this turn, monotonic milliseconds; set by whoever runs the loop. */
  nowMs = 0;

  constructor(arena: Arena, byteBudget = 1 << 20) {
    this.arena = arena;
    this.byteBudget = byteBudget;
  }

  reset(): void {
    this.count = 0;
    this.arena.reset();
  }
}
