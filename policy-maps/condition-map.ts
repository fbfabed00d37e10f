/**
 * Under what conditions each port works, by its index in the `ports` map: faults that are made on purpose, and whether its
 * frames are told one by one. The agent writes; the dataplane looks at `generation` now and then. Most rows are zero, and a
 * port of a zero row works as if there were no such map.
 */
import { ArrayTable, arrayTableBytes } from './table/array-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';
import { PORT_CAPACITY } from './port-map.ts';

/** What happens to frames on their way in by a port. Probabilities 0 to 1 in steps of a millionth, times in steps of 1 us. */
export interface Faults {
  /** All draws come from it: any 32-bit number. */
  readonly seed: number;
  readonly drop: number;
  readonly corrupt: number;
  readonly duplicate: number;
  /** A frame that is overtaken by those of the next 5 ms. */
  readonly reorder: number;
  /** Every frame waits between delayMs and delayMs + jitterMs. */
  readonly delayMs: number;
  readonly jitterMs: number;
}

export interface PortConditions {
  readonly faults: Faults | null;
  readonly isTraced: boolean;
}

export const NO_CONDITIONS: PortConditions = { faults: null, isTraced: false };

// --- implementation: the row, as words after the version
const ROW_WORDS = 16;
const V_FLAGS = 0;
const V_SEED = 1;
const V_DROP = 2; // this and the next three in millionths
const V_CORRUPT = 3;
const V_DUPLICATE = 4;
const V_REORDER = 5;
const V_DELAY = 6; // microseconds
const V_JITTER = 7; // microseconds
const FLAG_FAULTS = 1;
const FLAG_TRACED = 2;

const LAYOUT: MapLayout = {
  kind: 'conditions',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: PORT_CAPACITY,
  maxCapacity: 65536,
  fileBytes: (capacity) => HEADER_BYTES + arrayTableBytes(ROW_WORDS, capacity),
};

export class ConditionMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #table: ArrayTable;
  readonly #row = new Int32Array(ROW_WORDS - 1);

  constructor(file: MapFile) {
    super(file);
    this.#table = new ArrayTable(file, HEADER_BYTES, ROW_WORDS);
  }

  /** Moves with every change. */
  get generation(): number {
    return this.#table.generation;
  }

  /** @throws {RangeError} when there is no such index */
  set(index: number, { faults, isTraced }: PortConditions): void {
    const row = this.#row.fill(0);
    row[V_FLAGS] = (faults === null ? 0 : FLAG_FAULTS) | (isTraced ? FLAG_TRACED : 0);
    if (faults !== null) {
      row[V_SEED] = faults.seed;
      row[V_DROP] = Math.round(faults.drop * 1e6);
      row[V_CORRUPT] = Math.round(faults.corrupt * 1e6);
      row[V_DUPLICATE] = Math.round(faults.duplicate * 1e6);
      row[V_REORDER] = Math.round(faults.reorder * 1e6);
      row[V_DELAY] = Math.round(faults.delayMs * 1000);
      row[V_JITTER] = Math.round(faults.jitterMs * 1000);
    }
    this.#table.set(index, row);
  }

  /** The conditions of a port; none when they cannot be read. */
  get(index: number): PortConditions {
    const row = this.#row;
    if (!this.#table.get(index, row) || row[V_FLAGS] === 0) return NO_CONDITIONS;
    const faults: Faults = {
      seed: row[V_SEED],
      drop: row[V_DROP] / 1e6,
      corrupt: row[V_CORRUPT] / 1e6,
      duplicate: row[V_DUPLICATE] / 1e6,
      reorder: row[V_REORDER] / 1e6,
      delayMs: row[V_DELAY] / 1000,
      jitterMs: row[V_JITTER] / 1000,
    };
    return { faults: (row[V_FLAGS] & FLAG_FAULTS) === 0 ? null : faults, isTraced: (row[V_FLAGS] & FLAG_TRACED) !== 0 };
  }
}
