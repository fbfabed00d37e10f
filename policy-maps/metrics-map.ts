/**
 * Packets and bytes by reason and direction, as Cilium's `cilium_metrics`: reason 0 counts what was forwarded, the
 * others are drop reasons. One writer, 64-bit counters in two words; a reader elsewhere takes the high word twice.
 */
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
const REASONS = 256;
const DIRECTIONS = 4; // 1 ingress, 2 egress, 0 and 3 spare
const CELL_WORDS = 4; // packets low, high, bytes low, high

const LAYOUT: MapLayout = {
  kind: 'metrics',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: CELL_WORDS * 4,
  capacity: REASONS * DIRECTIONS,
  minCapacity: REASONS * DIRECTIONS,
  maxCapacity: REASONS * DIRECTIONS,
  fileBytes: (capacity) => HEADER_BYTES + capacity * CELL_WORDS * 4,
};

export interface MetricsEntry {
  readonly reason: number;
  /** 1 ingress, 2 egress, 0 neither. */
  readonly direction: number;
  readonly packets: number;
  readonly bytes: number;
}

export class MetricsMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #cells: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.#cells = file.words(HEADER_BYTES, file.capacity * CELL_WORDS);
  }

  /**
   * @param reason 0 forwarded, else a drop reason, 0 to 255
   * @param direction 1 ingress, 2 egress
   * @param bytes 0 to 2^32 - 1
   */
  add(reason: number, direction: number, packets: number, bytes: number): void {
    const at = (((reason & 0xff) << 2) | (direction & 3)) * CELL_WORDS;
    addTo(this.#cells, at, packets);
    addTo(this.#cells, at + 2, bytes);
  }

  /** The cells that are not zero. */
  *entries(): Generator<MetricsEntry> {
    for (let cell = 0; cell < REASONS * DIRECTIONS; cell++) {
      const packets = read64(this.#cells, cell * CELL_WORDS);
      if (packets === 0) continue;
      yield { reason: cell >> 2, direction: cell & 3, packets, bytes: read64(this.#cells, cell * CELL_WORDS + 2) };
    }
  }
}

/** Adds `amount` (0 to 2^32-1) to the 64-bit number whose low word is at `at`. */
export function addTo(words: Int32Array, at: number, amount: number): void {
  const before = words[at] >>> 0;
  const after = (before + amount) >>> 0;
  words[at] = after;
  if (after < before) words[at + 1]++;
}

/** The 64-bit number whose low word is at `at`, exact up to 2^53. */
export function read64(words: Int32Array, at: number): number {
  for (let attempt = 0; ; attempt++) {
    const high = words[at + 1];
    const low = Atomics.load(words, at);
    if (Atomics.load(words, at + 1) === high || attempt > 100) return (high >>> 0) * 0x100000000 + (low >>> 0);
  }
}
