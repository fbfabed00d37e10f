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
 * The writer first moves `reserved` past the record it is going to overwrite, fills it, then moves `committed`. A reader
 * copies a record out and then looks at `reserved`: if that has come round to the record's place, the copy may be torn
 * and counts as lost. Positions are 32-bit and wrap; a reader must come by once in 2^31 records.
 */
import { EVENT_BYTES } from '../wire/event.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
const EVENT_CAPACITY = 8192; // records

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
  static readonly layout = LAYOUT;
  /** All records; `next()` says where to write. */
  readonly bytes: Uint8Array;
  readonly #header: Int32Array;
  readonly #mask: number;
  #committed: number;

  constructor(file: MapFile) {
    super(file);
    this.bytes = new Uint8Array(file.buffer, HEADER_BYTES, file.capacity * EVENT_BYTES);
    this.#header = file.header;
    this.#mask = file.capacity - 1;
    this.#committed = file.header[W_COMMITTED];
    if (file.writable) this.#header[W_RESERVED] = this.#committed; // what a dead writer had begun does not count
  }

  /** Records ever committed, modulo 2^32. */
  get written(): number {
    return Atomics.load(this.#header, W_COMMITTED) >>> 0;
  }

  /** Takes the next record and gives its offset in `bytes`. Its old contents are still there: write every byte. */
  next(): number {
    Atomics.store(this.#header, W_RESERVED, (this.#committed + 1) | 0);
    return (this.#committed & this.#mask) * EVENT_BYTES;
  }

  /** Lets readers see the record that `next()` gave. */
  commit(): void {
    this.#committed = (this.#committed + 1) | 0;
    Atomics.store(this.#header, W_COMMITTED, this.#committed);
  }

  /** For readers: the position after the newest record, and the one after the record being written. */
  get committed(): number {
    return Atomics.load(this.#header, W_COMMITTED);
  }

  get reserved(): number {
    return Atomics.load(this.#header, W_RESERVED);
  }
}

export class EventReader {
  readonly #ring: EventRing;
  readonly #record = new Uint8Array(EVENT_BYTES);
  #position: number;

  /** Starts at the next record to come ('now') or at the oldest that is still there. */
  constructor(ring: EventRing, from: 'now' | 'oldest') {
    this.#ring = ring;
    const committed = ring.committed;
    const kept = Math.min(committed >>> 0, ring.capacity);
    this.#position = from === 'now' ? committed : (committed - kept) | 0;
  }

  /** Records between this reader and the newest. */
  get pending(): number {
    return (this.#ring.committed - this.#position) >>> 0;
  }

  /**
   * Hands over up to `limit` records in order, each a private copy that is good until the callback returns.
   * @returns how many were handed over, and how many were overwritten before they could be
   */
  read(
    onRecord: (bytes: Uint8Array, offset: number) => void,
    limit = Number.POSITIVE_INFINITY,
  ): { read: number; lost: number } {
    let read = 0;
    let lost = this.#skipOverwritten();
    while (read < limit && this.#position !== this.#ring.committed) {
      const at = (this.#position & (this.#ring.capacity - 1)) * EVENT_BYTES;
      for (let i = 0; i < EVENT_BYTES; i++) this.#record[i] = this.#ring.bytes[at + i];
      const skipped = this.#skipOverwritten();
      lost += skipped;
      if (skipped > 0) continue;
      this.#position = (this.#position + 1) | 0;
      read++;
      onRecord(this.#record, 0);
    }
    return { read, lost };
  }

  /** Moves past records that the writer has come round to; how many. A place that cannot be starts again at the newest. */
  #skipOverwritten(): number {
    if (this.#ring.committed - this.#position < 0) this.#position = this.#ring.committed;
    const behind = (this.#ring.reserved - this.#position) | 0;
    const lost = behind - this.#ring.capacity;
    if (lost <= 0) return 0;
    this.#position = (this.#position + lost) | 0;
    return lost;
  }
}
