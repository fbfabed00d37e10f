/**
 * A ring of fixed-size records in a pinned file: one writer that never waits, any number of readers that each keep their
 * own place and learn how many records they were too slow for.
 *
 * ```
 *     oldest readable         committed   reserved
 *          v                      v          v
 *   ... | r | r | r | r | r | r | (being written) | overwritten soonest ...
 * ```
 *
 * The writer first moves `reserved` past each record it is going to overwrite, fills them, then moves `committed`. A reader
 * copies a record out and then looks at `reserved`: if that has come round to the record's place, the copy may be torn
 * and counts as lost. Positions are 32-bit and wrap; a reader must come by once in 2^31 records.
 */
import { EVENT_BYTES } from '../wire/event.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
const EVENT_CAPACITY = 8192; // records
/** Of the ring of drops, unless told otherwise: as many a second are told one by one. */
export const DROP_EVENT_CAPACITY = 65_536;
const L7_EVENT_CAPACITY = 32_768; // records

// --- implementation: words of the file header that the ring uses for itself
const W_RESERVED = 48;
const W_COMMITTED = 49;

const LAYOUT: MapLayout = {
  kind: 'events',
  version: 1,
  isDense: true,
  keyBytes: 0,
  valueBytes: EVENT_BYTES,
  capacity: EVENT_CAPACITY,
  maxCapacity: 1 << 20,
  isPowerOfTwo: true,
  fileBytes: (capacity) => HEADER_BYTES + capacity * EVENT_BYTES,
};

export class EventRing extends PinnedMap {
  static readonly layout: MapLayout = LAYOUT;
  /** All records; `next()` says where to write. */
  readonly bytes: Uint8Array;
  readonly #header: Int32Array;
  readonly #mask: number;
  #reserved: number;

  constructor(file: MapFile) {
    super(file);
    this.bytes = new Uint8Array(file.buffer, HEADER_BYTES, file.capacity * EVENT_BYTES);
    this.#header = file.header;
    this.#mask = file.capacity - 1;
    this.#reserved = file.header[W_COMMITTED];
    if (file.writable) this.#header[W_RESERVED] = this.#reserved; // what a dead writer had begun does not count
  }

  /** Records ever committed, modulo 2^32. */
  get written(): number {
    return Atomics.load(this.#header, W_COMMITTED) >>> 0;
  }

  /** Takes the next record and gives its offset in `bytes`. Its old contents are still there: write every byte. */
  next(): number {
    const at = (this.#reserved & this.#mask) * EVENT_BYTES;
    this.#reserved = (this.#reserved + 1) | 0;
    Atomics.store(this.#header, W_RESERVED, this.#reserved);
    return at;
  }

  /** Lets readers see all records that `next()` gave. */
  commit(): void {
    Atomics.store(this.#header, W_COMMITTED, this.#reserved);
  }

  /** For readers: the position after the newest record, and the one after the record being written. */
  get committed(): number {
    return Atomics.load(this.#header, W_COMMITTED);
  }

  get reserved(): number {
    return Atomics.load(this.#header, W_RESERVED);
  }
}

/**
 * The ring of access-log records (wire/l7-record.ts), each of one slot or more. It is of its own, so that tens of thousands of
 * requests a second push out no trace, and large: a reader that comes by every 50 ms must find them all.
 */
export class L7EventRing extends EventRing {
  static override readonly layout: MapLayout = { ...LAYOUT, kind: 'events_l7', capacity: L7_EVENT_CAPACITY };
}

/** What a reader got: how many records, and how many were overwritten before they could be read. */
interface Reading {
  readonly read: number;
  readonly lost: number;
}

const READ_BLOCK = 64; // records that read() copies at once

export class EventReader {
  readonly #ring: EventRing;
  readonly #block = new Uint8Array(READ_BLOCK * EVENT_BYTES);
  #position: number;

  /** @param from the next record to come ('now'), the oldest that is still there, or a position that another reader had */
  constructor(ring: EventRing, from: 'now' | 'oldest' | number) {
    this.#ring = ring;
    const committed = ring.committed;
    const kept = Math.min(committed >>> 0, ring.capacity);
    if (typeof from === 'number') this.#position = from;
    else this.#position = from === 'now' ? committed : (committed - kept) | 0;
  }

  /** Place of the next record, modulo 2^32, as a signed number. */
  get position(): number {
    return this.#position;
  }

  /** Records between this reader and the newest. */
  get pending(): number {
    return (this.#ring.committed - this.#position) >>> 0;
  }

  /**
   * Hands over up to `limit` records in order, each a private copy that is good until the callback returns.
   * @param onGap called between two records when some between them were overwritten
   * @returns how many were handed over, and how many were overwritten before they could be
   */
  read(
    onRecord: (bytes: Uint8Array, offset: number) => void,
    limit: number = Number.POSITIVE_INFINITY,
    onGap?: () => void,
  ): Reading {
    let [read, lost] = [0, 0];
    while (read < limit) {
      const room = Math.min(limit - read, READ_BLOCK) * EVENT_BYTES;
      const got = this.readBlock(this.#block.subarray(0, room));
      read += got.read;
      lost += got.lost;
      if (got.lost > 0) onGap?.();
      for (let i = 0; i < got.read; i++) onRecord(this.#block, i * EVENT_BYTES);
      if (got.read === 0 && this.pending === 0) break;
    }
    return { read, lost };
  }

  /** Copies the record at a place, and goes on behind it. @returns false when it is not there any more, or not yet */
  readAt(position: number, into: Uint8Array): boolean {
    this.#position = position | 0;
    const { read, lost } = this.readBlock(into.subarray(0, EVENT_BYTES));
    return read === 1 && lost === 0;
  }

  /** Copies the next records, as many as there are and as `into` has room for, one after the other. */
  readBlock(into: Uint8Array): Reading {
    const { bytes, capacity } = this.#ring;
    const skipped = this.#skipOverwritten();
    const count = Math.min(this.pending, capacity, Math.floor(into.length / EVENT_BYTES));
    const at = this.#position & (capacity - 1);
    const first = Math.min(count, capacity - at);
    into.set(bytes.subarray(at * EVENT_BYTES, (at + first) * EVENT_BYTES));
    if (first < count) into.set(bytes.subarray(0, (count - first) * EVENT_BYTES), first * EVENT_BYTES);
    // What the writer has come round to meanwhile may be torn.
    const torn = Math.min(count, Math.max(0, this.#overwritten()));
    if (torn > 0) into.copyWithin(0, torn * EVENT_BYTES, count * EVENT_BYTES);
    this.#position = (this.#position + count) | 0;
    return { read: count - torn, lost: skipped + torn };
  }

  /** Records from this reader's place on that the writer has come round to, or is about to. */
  #overwritten(): number {
    return ((this.#ring.reserved - this.#position) | 0) - this.#ring.capacity;
  }

  /** Moves past records that the writer has come round to; how many. A place that cannot be starts again at the newest. */
  #skipOverwritten(): number {
    if (((this.#ring.committed - this.#position) | 0) < 0) this.#position = this.#ring.committed;
    const lost = this.#overwritten();
    if (lost <= 0) return 0;
    this.#position = (this.#position + lost) | 0;
    return lost;
  }
}
