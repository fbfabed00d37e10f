/**
 * Connections that the kernel forwards by itself, as the agent has handed them to it (daemon/offload): which row of conntrack each
 * is, and what the kernel has counted of it. The dataplane reads the counts and adds them to what it counts itself; tools tell by it
 * which connections take that way.
 *
 *   free -> `put` before the kernel is told -> `put` with each count -> `put` with isOut, once the kernel forwards it no more -> free
 *
 * So a connection that the kernel forwards always has a row; one that has a row may be on its way in or out. A row that is out stays
 * for a while, so that its last counts are read. `incarnation` tells a row from what was in its place before.
 */
import { ArrayTable, arrayTableBytes } from './table/array-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout, W_COUNT, W_FULL } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
export const OFFLOAD_CAPACITY = 4096;

// --- implementation: the row, as words after the version
const ROW_WORDS = 20;
const V_STATE = 0;
const V_INCARNATION = 1;
const V_IS_TCP = 2;
const V_SLOT = 3;
const V_SLOT_GENERATION = 4;
const V_SINCE_SEC = 5;
const V_COUNTS = 6; // eight words: packets and bytes of the initiator's direction, then of the other
const STATE_FREE = 0;
const STATE_IN = 1;
const STATE_OUT = 2;
const LOW = 2 ** 32;

const LAYOUT: MapLayout = {
  kind: 'offload_flows',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: OFFLOAD_CAPACITY,
  maxCapacity: 1 << 16,
  fileBytes: (capacity) => HEADER_BYTES + arrayTableBytes(ROW_WORDS, capacity),
};

/** What the kernel has counted in one direction. */
export interface KernelCount {
  readonly packets: number;
  readonly bytes: number;
}

export interface OffloadedFlow {
  readonly incarnation: number;
  /** Whether its row is in `ct_tcp`; else in `ct_any`. */
  readonly isTcp: boolean;
  readonly slot: number;
  /** CT_SLOT_GENERATION of the row. */
  readonly slotGeneration: number;
  /** The kernel forwards it no more. */
  readonly isOut: boolean;
  /** Monotonic second in which it was handed over. */
  readonly sinceSec: number;
  /** Of the initiator's frames, and of the others. */
  readonly forward: KernelCount;
  readonly reply: KernelCount;
}

export class OffloadMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #table: ArrayTable;
  readonly #row = new Int32Array(ROW_WORDS - 1);

  constructor(file: MapFile) {
    super(file);
    this.#table = new ArrayTable(file, HEADER_BYTES, ROW_WORDS);
  }

  put(index: number, flow: OffloadedFlow): void {
    const row = this.#row.fill(0);
    const was = this.#table.words[index * ROW_WORDS + 1 + V_STATE];
    row[V_STATE] = flow.isOut ? STATE_OUT : STATE_IN;
    row[V_INCARNATION] = flow.incarnation;
    row[V_IS_TCP] = flow.isTcp ? 1 : 0;
    row[V_SLOT] = flow.slot;
    row[V_SLOT_GENERATION] = flow.slotGeneration;
    row[V_SINCE_SEC] = flow.sinceSec;
    const { forward, reply } = flow;
    [forward.packets, forward.bytes, reply.packets, reply.bytes].forEach((value, at) => {
      row[V_COUNTS + 2 * at] = value % LOW;
      row[V_COUNTS + 2 * at + 1] = value / LOW;
    });
    this.#table.set(index, row);
    this.file.header[W_COUNT] += Number(row[V_STATE] === STATE_IN) - Number(was === STATE_IN);
  }

  /** Frees all rows: nothing of what they say is so any more. */
  clear(): void {
    for (let index = 0; index < this.capacity; index++) this.#table.set(index, this.#row.fill(0));
    this.file.header[W_COUNT] = 0;
  }

  /** A connection found no place. */
  noteFull(): void {
    this.file.header[W_FULL]++;
  }

  /** The flow of a row; undefined when it is free, or cannot be read. */
  get(index: number): OffloadedFlow | undefined {
    if (this.#table.words[index * ROW_WORDS + 1 + V_STATE] === STATE_FREE) return undefined;
    const row = this.#row;
    if (!this.#table.get(index, row) || row[V_STATE] === STATE_FREE) return undefined;
    const count = (at: number) => (row[at] >>> 0) + (row[at + 1] >>> 0) * LOW;
    return {
      incarnation: row[V_INCARNATION],
      isTcp: row[V_IS_TCP] === 1,
      slot: row[V_SLOT],
      slotGeneration: row[V_SLOT_GENERATION],
      isOut: row[V_STATE] === STATE_OUT,
      sinceSec: row[V_SINCE_SEC],
      forward: { packets: count(V_COUNTS), bytes: count(V_COUNTS + 2) },
      reply: { packets: count(V_COUNTS + 4), bytes: count(V_COUNTS + 6) },
    };
  }

  *entries(): Generator<[index: number, flow: OffloadedFlow]> {
    for (let index = 0; index < this.capacity; index++) {
      const flow = this.get(index);
      if (flow !== undefined) yield [index, flow];
    }
  }
}
