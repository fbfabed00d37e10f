/**
 * Connections: one row for both directions. `ct_tcp` and `ct_any` are two of these. The dataplane is the only one to
 * look things up; the CLI walks the rows.
 *
 * Lifecycle of a row:
 *   free     -> `insert` gives it to a connection: key, flags (only the orientation), created and a lifetime of
 *               CT_FRESH_SEC; all else is 0. Allowed: everything.
 *   live     -> the owner reads and writes the words from CT_FLAGS on, and keeps CT_LIFETIME ahead of the clock.
 *   dead     -> lifetime is over: still found (the owner decides whether to revive or renew it), first to be evicted.
 *   removed  -> by `remove`, `expire` or eviction: the slot may belong to another connection from then on.
 *               CT_SLOT_GENERATION tells.
 *
 * Full: the next EVICT_SAMPLE rows in turn are looked at, and the one goes that comes first in this order. Counted by class.
 *
 *   0. its lifetime is over
 *   1. closing, or never answered (a SYN flood eats itself), of an endpoint with more than its share (conntrack-shares.ts)
 *   2. the same of another endpoint
 *   3. in use, of an endpoint with more than its share
 *   4. in use, of another endpoint
 *
 * and of one class that which was used longest ago, since it would expire first. Before one of class 4 goes, MAX_JUMPS other
 * places of the table are looked at: whoever has most of the table is in nearly all of them, and nobody's rows go because
 * they lie side by side. A connection whose place in the index is beyond the probe limit is refused (-1), and counted.
 */
import * as row from './conntrack-row.ts';
import { ConntrackShares } from './conntrack-shares.ts';
import { Xorshift } from './table/xorshift.ts';
import { ConntrackTable, isSourceHigh, type TupleFields } from './conntrack-table.ts';
import { LIVE } from './table/hash-row.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, W_CURSOR, W_EVICTIONS, W_EXPIRED, W_HIGH_WATER } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';
import { read64 } from './metrics-map.ts';

export type { TupleFields } from './conntrack-table.ts';

const CT_TCP_CAPACITY = 524288;
export const CT_ANY_CAPACITY = 262144;
/** Lifetime of a new row until the owner sets one. */
export const CT_FRESH_SEC = 10;

// --- implementation
const EVICT_SAMPLE = 32; // rows
const MAX_JUMPS = 8;
const RANK_DEAD = 0;
const RANK_IDLE_OVER = 1;
const RANK_IDLE = 2;
const RANK_LIVE_OVER = 3;
const RANK_LIVE = 4;
// V8 folds a constant of the module's own, but loads and checks an imported one at every use (bench/policy-maps.bench.ts)
const ROW_WORDS = row.CT_ROW_WORDS;
const STATE = row.CT_STATE;
const FLAGS = row.CT_FLAGS;
const LIFETIME = row.CT_LIFETIME;
const PACKETS_LO = row.CT_PACKETS_LO;
const PACKETS_HI = row.CT_PACKETS_HI;
const BYTES_LO = row.CT_BYTES_LO;
const BYTES_HI = row.CT_BYTES_HI;
const CREATED = row.CT_CREATED;
const OWNER = row.CT_OWNER;
const OWNER_MASK = 0xffff;
const SLOT_GENERATION = row.CT_SLOT_GENERATION;
const CLOSING = row.CT_FLAG_RX_CLOSING | row.CT_FLAG_TX_CLOSING;
const SEEN_REPLY = row.CT_FLAG_SEEN_REPLY;
const INITIATOR_HIGH = row.CT_FLAG_INITIATOR_HIGH;
const FRESH_SEC = CT_FRESH_SEC;
const IN_USE = LIVE;

const WORDS = { keyWords: row.CT_KEY_WORDS, valueWords: ROW_WORDS - row.CT_LOW_ADDRESS - row.CT_KEY_WORDS };
const LAYOUT = tableLayout(
  // 1: no owner in the row, and another meaning of the last word of the L7 engine
  { kind: 'conntrack', version: 2, capacity: CT_TCP_CAPACITY, maxCapacity: (1 << 20) - 128 },
  WORDS,
);

/** A row as people read it: from initiator to responder. */
export interface ConntrackEntry {
  readonly slot: number;
  readonly protocol: number;
  readonly source: AddressWords;
  readonly sourcePort: number;
  readonly destination: AddressWords;
  readonly destinationPort: number;
  readonly packets: number;
  readonly bytes: number;
  /** The CT_ROW_WORDS words of the row, copied. */
  readonly words: Int32Array;
}

export class ConntrackMap extends TableMap<ConntrackTable> {
  static readonly layout = LAYOUT;
  /** All rows; word `slot * CT_ROW_WORDS + CT_x`. */
  readonly words: Int32Array;
  /** The owner's clock in seconds, set once a batch: for `created` and for what is evicted. */
  nowSec = 0;
  #expiryCursor = 0;
  readonly #shares = new ConntrackShares();
  /** Draws places to look at. */
  readonly #random: Xorshift;
  /** Rows that were given up because the table was full, by class; and whose row of those in use it was last. */
  evictedIdle = 0;
  evictedOver = 0;
  evictedWithin = 0;
  evictedEndpoint = 0;

  constructor(file: MapFile) {
    super(file, new ConntrackTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
    this.words = this.table.rows;
    this.#random = new Xorshift(file.seed0);
    if (!file.writable) return;
    for (const slot of this.table.slots()) this.#shares.add(this.words[slot * ROW_WORDS + OWNER] & OWNER_MASK);
  }

  /**
   * Finds the connection a packet belongs to, dead or alive.
   * @returns slot * 2, plus 1 when the packet comes from the responder; -1 when there is none
   */
  lookup(t: TupleFields): number {
    return this.table.findTuple(t);
  }

  /**
   * Makes a connection that the packet's source begins. One that exists with this key begins anew in its slot.
   * Evicts when full.
   * @param owner the endpoint whose share of the table it takes
   * @returns the slot, or -1 when there is no place (counted; drop reason 155)
   */
  insert(t: TupleFields, owner = 0): number {
    const table = this.table;
    const isSrcHigh = isSourceHigh(t);
    table.setTuple(t, isSrcHigh);
    const existing = table.find();
    if (existing >= 0 || table.count >= this.capacity || !table.hasRow()) {
      if (existing >= 0) this.remove(existing);
      else this.#evict();
      table.setTuple(t, isSrcHigh);
      table.find();
    }
    const slot = table.claim();
    if (slot < 0) return -1;
    const base = slot * ROW_WORDS;
    this.words[base + FLAGS] = isSrcHigh ? INITIATOR_HIGH : 0;
    this.words[base + LIFETIME] = this.nowSec + FRESH_SEC;
    this.words[base + CREATED] = this.nowSec;
    this.words[base + OWNER] = owner;
    this.#shares.add(owner);
    return slot;
  }

  /** Forgets a connection. False when the slot holds none. */
  remove(slot: number): boolean {
    if (this.words[slot * ROW_WORDS + STATE] !== IN_USE) return false;
    this.table.loadKey(slot);
    const owner = this.words[slot * ROW_WORDS + OWNER] & OWNER_MASK;
    if (!this.table.remove()) return false;
    this.#shares.drop(owner);
    return true;
  }

  /** Counts `packets` of `bytes` bytes together (each 0 to 2^32 - 1); `base` is slot * CT_ROW_WORDS. */
  account(base: number, packets: number, bytes: number): void {
    const { words } = this;
    const packetsBefore = words[base + PACKETS_LO] >>> 0;
    const packetsAfter = (packetsBefore + packets) >>> 0;
    words[base + PACKETS_LO] = packetsAfter;
    if (packetsAfter < packetsBefore) words[base + PACKETS_HI]++;
    const bytesBefore = words[base + BYTES_LO] >>> 0;
    const bytesAfter = (bytesBefore + bytes) >>> 0;
    words[base + BYTES_LO] = bytesAfter;
    if (bytesAfter < bytesBefore) words[base + BYTES_HI]++;
  }

  /**
   * Looks at the next `budget` rows and removes those whose lifetime is over.
   * @param onExpire told of each slot before it is freed; make it once, not for each call
   * @returns how many went
   */
  expire(nowSec: number, budget: number, onExpire?: (slot: number) => void): number {
    const { words } = this;
    const end = Math.min(this.file.header[W_HIGH_WATER], this.table.rowCount);
    let expired = 0;
    this.nowSec = nowSec;
    for (let left = Math.min(budget, end); left > 0; left--) {
      if (this.#expiryCursor >= end) this.#expiryCursor = 0;
      const slot = this.#expiryCursor++;
      const base = slot * ROW_WORDS;
      if (words[base + STATE] !== IN_USE || words[base + LIFETIME] - nowSec >= 0) continue;
      if (onExpire !== undefined) onExpire(slot);
      this.remove(slot);
      expired++;
    }
    this.file.header[W_EXPIRED] += expired;
    return expired;
  }

  /** Slots of the rows in use, in no order. */
  slots(): IterableIterator<number> {
    return this.table.slots();
  }

  /** The connection of a slot; undefined when there is none, or the row changed hands while it was read. */
  entryAt(slot: number): ConntrackEntry | undefined {
    if (!(slot >= 0 && slot < this.table.rowCount)) return undefined;
    const base = slot * ROW_WORDS;
    const generation = Atomics.load(this.words, base + SLOT_GENERATION);
    const words = this.words.slice(base, base + ROW_WORDS);
    const isWhole = Atomics.load(this.words, base + SLOT_GENERATION) === generation && words[STATE] === IN_USE;
    return isWhole ? describeRow(slot, words) : undefined;
  }

  /** Every connection; rows that changed hands while being read are left out. */
  *entries(): Generator<ConntrackEntry> {
    for (const slot of this.table.slots()) {
      const entry = this.entryAt(slot);
      if (entry !== undefined) yield entry;
    }
  }

  #evict(): void {
    const { header } = this.file;
    const end = Math.min(header[W_HIGH_WATER], this.table.rowCount);
    let victim = this.#sample(-1, end);
    for (let jumps = 0; jumps < MAX_JUMPS && this.#shares.owners > 1 && this.rank(victim) === RANK_LIVE; jumps++) {
      header[W_CURSOR] = this.#random.below(end);
      victim = this.#sample(victim, end);
    }
    if (victim < 0) return;
    this.#countEviction(victim);
    if (this.remove(victim)) header[W_EVICTIONS]++;
  }

  /** Looks at the next rows from the cursor on. @returns the best to give up of these and `best`, -1 for none */
  #sample(best: number, end: number): number {
    const { words } = this;
    const { header } = this.file;
    let hand = header[W_CURSOR];
    let victim = best;
    let victimRank = this.rank(best);
    for (let seen = 0, steps = 0; seen < EVICT_SAMPLE && steps < end && victimRank > RANK_DEAD; steps++) {
      hand = hand + 1 >= end || hand < 0 ? 0 : hand + 1;
      const base = hand * ROW_WORDS;
      if (words[base + STATE] !== IN_USE) continue;
      seen++;
      const rank = this.rank(hand);
      if (rank > victimRank) continue;
      if (rank === victimRank && words[base + LIFETIME] - words[victim * ROW_WORDS + LIFETIME] >= 0) continue;
      victim = hand;
      victimRank = rank;
    }
    header[W_CURSOR] = hand;
    return victim;
  }

  /** The class of a row, as above: the least makes room first; of no row one behind all. */
  rank(slot: number): number {
    if (slot < 0) return RANK_LIVE + 1;
    const base = slot * ROW_WORDS;
    if (this.words[base + LIFETIME] - this.nowSec < 0) return RANK_DEAD;
    const flags = this.words[base + FLAGS];
    const isOver = this.#shares.isOver(this.words[base + OWNER] & OWNER_MASK, this.table.count);
    if ((flags & CLOSING) !== 0 || (flags & SEEN_REPLY) === 0) return isOver ? RANK_IDLE_OVER : RANK_IDLE;
    return isOver ? RANK_LIVE_OVER : RANK_LIVE;
  }

  #countEviction(slot: number): void {
    const rank = this.rank(slot);
    if (rank === RANK_DEAD) return;
    if (rank < RANK_LIVE_OVER) {
      this.evictedIdle++;
      return;
    }
    if (rank === RANK_LIVE_OVER) this.evictedOver++;
    else this.evictedWithin++;
    this.evictedEndpoint = this.words[slot * ROW_WORDS + OWNER] & OWNER_MASK;
  }
}

function describeRow(slot: number, words: Int32Array): ConntrackEntry {
  const low = addressAt(words, row.CT_LOW_ADDRESS);
  const high = addressAt(words, row.CT_HIGH_ADDRESS);
  const lowPort = words[row.CT_PORTS] >>> 16;
  const highPort = words[row.CT_PORTS] & 0xffff;
  const isInitiatorHigh = (words[FLAGS] & INITIATOR_HIGH) !== 0;
  return {
    slot,
    protocol: words[row.CT_PROTOCOL],
    source: isInitiatorHigh ? high : low,
    sourcePort: isInitiatorHigh ? highPort : lowPort,
    destination: isInitiatorHigh ? low : high,
    destinationPort: isInitiatorHigh ? lowPort : highPort,
    packets: read64(words, PACKETS_LO),
    bytes: read64(words, BYTES_LO),
    words,
  };
}
