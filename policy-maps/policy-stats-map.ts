/**
 * Packets and bytes by policy entry, as Cilium's `cilium_policystats`. Keyed by endpoint and by the key of the entry
 * that decided, so the counters outlive publications. Full: the entry used longest ago is given up.
 *
 * `slotFor` gives a handle: the slot, and 14 bits of the row's generation, so that a handle kept in a conntrack row
 * does not count for whoever got the slot later.
 */
import { ROW_KEY } from './table/hash-row.ts';
import { LruHashTable, lruHashTableBytes } from './table/lru-hash-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';
import { addTo, read64 } from './metrics-map.ts';

const POLICY_STATS_CAPACITY = 65536;

// --- specification
const KEY_WORDS = 3; // endpoint; identity; point (PolicyMap.entryPoint)
const VALUE_WORDS = 4; // packets low, high, bytes low, high
// --- implementation
const SLOT_BITS = 17; // 65536 entries and the spare rows
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const GENERATION_MASK = 0x3fff;

const WORDS = { keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout(
  { kind: 'policystats', capacity: POLICY_STATS_CAPACITY, maxCapacity: POLICY_STATS_CAPACITY },
  WORDS,
  lruHashTableBytes,
);

export interface PolicyStatsEntry {
  readonly endpoint: number;
  readonly identity: number;
  readonly egress: boolean;
  readonly protocol: number;
  readonly port: number;
  /** 0 any protocol, 8 protocol, 9 to 24 protocol and port prefix. */
  readonly prefixLength: number;
  readonly packets: number;
  readonly bytes: number;
}

export class PolicyStatsMap extends TableMap<LruHashTable> {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file, new LruHashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** The clock for "used longest ago": any number that does not go back. */
  set now(now: number) {
    this.table.now = now;
  }

  /**
   * Handle of the counters of one entry, made if need be.
   * @param identity PolicyMap.entryIdentity of the lookup that decided
   * @param point PolicyMap.entryPoint of the same
   * @returns a handle for `add`, 0 or more
   */
  slotFor(endpoint: number, identity: number, point: number): number {
    const { key } = this.table;
    key[0] = endpoint;
    key[1] = identity;
    key[2] = point;
    const slot = this.table.acquire();
    return slot | ((this.table.rowGeneration(slot) & GENERATION_MASK) << SLOT_BITS);
  }

  /** Counts packets that somebody else has forwarded, of `bytes` bytes together. False when the handle is stale (or -1). */
  addMany(handle: number, packets: number, bytes: number): boolean {
    if (!this.add(handle, 0)) return false;
    const at = (handle & SLOT_MASK) * this.table.rowWords + this.table.valueWord;
    addTo(this.table.rows, at, packets - 1);
    addTo(this.table.rows, at + 2, bytes);
    return true;
  }

  /** Counts one packet of `bytes` bytes. False when the handle is stale (or -1): ask `slotFor` again. */
  add(handle: number, bytes: number): boolean {
    const slot = handle & SLOT_MASK;
    const table = this.table;
    if (handle < 0 || slot >= table.rowCount) return false;
    if ((table.rowGeneration(slot) & GENERATION_MASK) !== handle >>> SLOT_BITS) return false;
    const at = slot * table.rowWords + table.valueWord;
    addTo(table.rows, at, 1);
    addTo(table.rows, at + 2, bytes);
    table.touch(slot);
    return true;
  }

  *entries(): Generator<PolicyStatsEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  #readEntry(slot: number): PolicyStatsEntry {
    const { rows, rowWords, valueWord } = this.table;
    const key = slot * rowWords + ROW_KEY;
    const point = rows[key + 2];
    return {
      endpoint: rows[key],
      identity: rows[key + 1] >>> 0,
      egress: ((point >>> 29) & 1) === 1,
      protocol: (point >>> 16) & 0xff,
      port: point & 0xffff,
      prefixLength: (point >>> 24) & 31,
      packets: read64(rows, slot * rowWords + valueWord),
      bytes: read64(rows, slot * rowWords + valueWord + 2),
    };
  }
}
