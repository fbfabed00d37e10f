/**
 * Connections: one row for both directions, found by a canonical key (conntrack-row.ts). `ct_tcp` and `ct_any` are two
 * of these. The dataplane is the only one to look things up; the CLI walks the rows.
 *
 * Lifecycle of a row:
 *   free     -> `insert` gives it to a connection: key, flags (only the orientation), created and a lifetime of
 *               CT_FRESH_SEC; all else is 0. Allowed: everything.
 *   live     -> the owner reads and writes the words from CT_FLAGS on, and keeps CT_LIFETIME ahead of the clock.
 *   dead     -> lifetime is over: still found (the owner decides whether to revive or renew it), first to be evicted.
 *   removed  -> by `remove`, `expire` or eviction: the slot may belong to another connection from then on.
 *               CT_SLOT_GENERATION tells.
 *
 * The hash is HalfSipHash under a random seed: for IPv4 over the 13 bytes that differ, for IPv6 over all 37. Whoever
 * chooses addresses and ports cannot make chains. At most PROBE_LIMIT probes.
 *
 * Full: the next EVICT_SAMPLE rows in turn are looked at, and the one goes that comes first of: lifetime over; closing,
 * or never answered (a SYN flood eats itself); used longest ago, which is the one that would expire first. Counted.
 */
import { halfSipHash, halfSipHash3 } from './half-sip-hash.ts';
import { HashTable, hashTableBytes, LIVE } from './hash-table.ts';
import {
  CT_BYTES_HI,
  CT_BYTES_LO,
  CT_CREATED,
  CT_FLAG_INITIATOR_HIGH,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_SEEN_REPLY,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_HIGH_ADDRESS,
  CT_KEY_WORDS,
  CT_LIFETIME,
  CT_LOW_ADDRESS,
  CT_PACKETS_HI,
  CT_PACKETS_LO,
  CT_PORTS,
  CT_PROTOCOL,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
  CT_STATE,
} from './conntrack-row.ts';
import {
  HEADER_BYTES,
  MapFile,
  type MapLayout,
  type Mapper,
  W_CURSOR,
  W_EVICTIONS,
  W_EXPIRED,
  W_HIGH_WATER,
} from './map-file.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import { read64 } from './metrics-map.ts';

export const CT_TCP_CAPACITY = 524288;
export const CT_ANY_CAPACITY = 262144;
/** Lifetime of a new row until the owner sets one. */
export const CT_FRESH_SEC = 10;

// --- implementation
const VALUE_WORDS = CT_ROW_WORDS - 2 - CT_KEY_WORDS;
const EVICT_SAMPLE = 32; // rows
const V4_MAPPED = 0xffff;

const LAYOUT: MapLayout = {
  kind: 'conntrack',
  version: 1,
  keyBytes: CT_KEY_WORDS * 4,
  valueBytes: VALUE_WORDS * 4,
  maxCapacity: (1 << 20) - 128,
  fileBytes: (capacity) => HEADER_BYTES + hashTableBytes({ keyWords: CT_KEY_WORDS, valueWords: VALUE_WORDS, capacity }),
};

/** What a connection is known by; the Frame cursor has these fields. Ports of ICMP: see the owner. */
export interface TupleFields {
  readonly src0: number;
  readonly src1: number;
  readonly src2: number;
  readonly src3: number;
  readonly dst0: number;
  readonly dst1: number;
  readonly dst2: number;
  readonly dst3: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly protocol: number;
}

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

/** The table itself: as any hash table, but for the hash and for what a row keeps when it changes hands. */
class ConntrackTable extends HashTable {
  protected override quarantine = 0;

  protected override hashOfKey(): number {
    const { key } = this;
    const { seed0, seed1 } = this.file;
    const isV4 = key[2] === V4_MAPPED && key[6] === V4_MAPPED && (key[0] | key[1] | key[4] | key[5]) === 0;
    if (isV4) return halfSipHash3(key[3], key[7], key[8], key[9], seed0, seed1);
    return halfSipHash(key, 0, CT_KEY_WORDS, seed0, seed1);
  }

  protected override fillRow(slot: number, hash: number): void {
    const at = slot * CT_ROW_WORDS + CT_SLOT_GENERATION;
    const generation = this.rows[at];
    super.fillRow(slot, hash);
    this.rows[at] = (generation + 1) | 0;
  }
}

export class ConntrackMap {
  readonly file: MapFile;
  /** All rows; word `slot * CT_ROW_WORDS + CT_x`. */
  readonly words: Int32Array;
  /** The owner's clock in seconds, set once a batch: for `created` and for what is evicted. */
  nowSec = 0;
  readonly #table: ConntrackTable;
  readonly #key: Int32Array;
  #expiryCursor = 0;

  private constructor(file: MapFile) {
    this.file = file;
    this.#table = new ConntrackTable(file, HEADER_BYTES, {
      keyWords: CT_KEY_WORDS,
      valueWords: VALUE_WORDS,
      capacity: file.capacity,
    });
    this.words = this.#table.rows;
    this.#key = this.#table.key;
    if (file.recovered) this.#table.recover();
  }

  static create(
    path: string,
    options: { capacity?: number; seed?: readonly [number, number] },
    mapper: Mapper,
  ): ConntrackMap {
    return new ConntrackMap(
      MapFile.create(path, LAYOUT, { ...options, capacity: options.capacity ?? CT_TCP_CAPACITY }, mapper),
    );
  }

  static open(path: string, mapper: Mapper, options: { writable?: boolean } = {}): ConntrackMap {
    return new ConntrackMap(MapFile.open(path, LAYOUT, mapper, options.writable ?? false));
  }

  close(): void {
    this.file.close();
  }

  get count(): number {
    return this.#table.count;
  }

  get capacity(): number {
    return this.file.capacity;
  }

  /**
   * Finds the connection a packet belongs to, dead or alive.
   * @returns slot * 2, plus 1 when the packet comes from the responder; -1 when there is none
   */
  lookup(t: TupleFields): number {
    const isSrcHigh = this.#canonicalKey(t);
    const slot = this.#table.find();
    return slot < 0 ? -1 : (slot << 1) | (this.#isInitiatorHigh(slot) === isSrcHigh ? 0 : 1);
  }

  /**
   * Makes a connection that the packet's source begins. One that exists with this key begins anew in its slot.
   * Evicts when full.
   * @returns the slot, or -1 when there is no place (counted; drop reason 155)
   */
  insert(t: TupleFields): number {
    const isSrcHigh = this.#canonicalKey(t);
    const existing = this.#table.find();
    if (existing >= 0 || this.#table.count >= this.capacity) {
      if (existing >= 0) this.remove(existing);
      else this.#evict();
      this.#canonicalKey(t);
      this.#table.find();
    }
    const slot = this.#table.claim();
    if (slot < 0) return -1;
    const base = slot * CT_ROW_WORDS;
    this.words[base + CT_FLAGS] = isSrcHigh ? CT_FLAG_INITIATOR_HIGH : 0;
    this.words[base + CT_LIFETIME] = this.nowSec + CT_FRESH_SEC;
    this.words[base + CT_CREATED] = this.nowSec;
    return slot;
  }

  /** Forgets a connection. False when the slot holds none. */
  remove(slot: number): boolean {
    if (this.words[slot * CT_ROW_WORDS + CT_STATE] !== LIVE) return false;
    this.#table.loadKey(slot);
    return this.#table.remove();
  }

  /** Counts a packet of `bytes` bytes (0 to 2^32 - 1); `base` is slot * CT_ROW_WORDS. */
  account(base: number, packets: number, bytes: number): void {
    const { words } = this;
    const packetsBefore = words[base + CT_PACKETS_LO] >>> 0;
    const packetsAfter = (packetsBefore + packets) >>> 0;
    words[base + CT_PACKETS_LO] = packetsAfter;
    if (packetsAfter < packetsBefore) words[base + CT_PACKETS_HI]++;
    const bytesBefore = words[base + CT_BYTES_LO] >>> 0;
    const bytesAfter = (bytesBefore + bytes) >>> 0;
    words[base + CT_BYTES_LO] = bytesAfter;
    if (bytesAfter < bytesBefore) words[base + CT_BYTES_HI]++;
  }

  /**
   * Looks at the next `budget` rows and removes those whose lifetime is over.
   * @param onExpire told of each slot before it is freed; make it once, not for each call
   * @returns how many went
   */
  expire(nowSec: number, budget: number, onExpire?: (slot: number) => void): number {
    const { words } = this;
    const end = Math.min(this.file.header[W_HIGH_WATER], this.#table.rowCount);
    let expired = 0;
    this.nowSec = nowSec;
    for (let left = Math.min(budget, end); left > 0; left--) {
      if (this.#expiryCursor >= end) this.#expiryCursor = 0;
      const slot = this.#expiryCursor++;
      const base = slot * CT_ROW_WORDS;
      if (words[base + CT_STATE] !== LIVE || words[base + CT_LIFETIME] - nowSec >= 0) continue;
      if (onExpire !== undefined) onExpire(slot);
      this.remove(slot);
      expired++;
    }
    this.file.header[W_EXPIRED] += expired;
    return expired;
  }

  /** Every connection; rows that changed hands while being read are left out. */
  *entries(): Generator<ConntrackEntry> {
    for (const slot of this.#table.slots()) {
      const base = slot * CT_ROW_WORDS;
      const generation = Atomics.load(this.words, base + CT_SLOT_GENERATION);
      const words = this.words.slice(base, base + CT_ROW_WORDS);
      if (Atomics.load(this.words, base + CT_SLOT_GENERATION) !== generation || words[CT_STATE] !== LIVE) continue;
      yield describeRow(slot, words);
    }
  }

  #isInitiatorHigh(slot: number): boolean {
    return (this.words[slot * CT_ROW_WORDS + CT_FLAGS] & CT_FLAG_INITIATOR_HIGH) !== 0;
  }

  /** Fills the key with the two ends in order; true when the source is the greater one. Any total order will do. */
  #canonicalKey(t: TupleFields): boolean {
    const key = this.#key;
    const { src0, src1, src2, src3, dst0, dst1, dst2, dst3, srcPort, dstPort } = t;
    let isSrcHigh = src3 > dst3;
    if (src3 === dst3) {
      if (src2 !== dst2) isSrcHigh = src2 > dst2;
      else if (src1 !== dst1) isSrcHigh = src1 > dst1;
      else isSrcHigh = src0 !== dst0 ? src0 > dst0 : srcPort > dstPort;
    }
    const src = isSrcHigh ? 4 : 0;
    const dst = isSrcHigh ? 0 : 4;
    key[src] = src0;
    key[src + 1] = src1;
    key[src + 2] = src2;
    key[src + 3] = src3;
    key[dst] = dst0;
    key[dst + 1] = dst1;
    key[dst + 2] = dst2;
    key[dst + 3] = dst3;
    key[8] = isSrcHigh ? (dstPort << 16) | srcPort : (srcPort << 16) | dstPort;
    key[9] = t.protocol;
    return isSrcHigh;
  }

  #evict(): void {
    const { header } = this.file;
    const end = Math.min(header[W_HIGH_WATER], this.#table.rowCount);
    let hand = header[W_CURSOR];
    let victim = -1;
    let victimRank = 3;
    for (let seen = 0, steps = 0; seen < EVICT_SAMPLE && steps < end && victimRank > 0; steps++) {
      hand = hand + 1 >= end || hand < 0 ? 0 : hand + 1;
      const base = hand * CT_ROW_WORDS;
      if (this.words[base + CT_STATE] !== LIVE) continue;
      seen++;
      const rank = this.#evictionRank(base);
      if (rank > victimRank) continue;
      if (rank === victimRank && this.words[base + CT_LIFETIME] - this.words[victim * CT_ROW_WORDS + CT_LIFETIME] >= 0)
        continue;
      victim = hand;
      victimRank = rank;
    }
    header[W_CURSOR] = hand;
    if (victim >= 0 && this.remove(victim)) header[W_EVICTIONS]++;
  }

  /** 0 dead, 1 closing or never answered, 2 in use. */
  #evictionRank(base: number): number {
    if (this.words[base + CT_LIFETIME] - this.nowSec < 0) return 0;
    const flags = this.words[base + CT_FLAGS];
    if ((flags & (CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING)) !== 0 || (flags & CT_FLAG_SEEN_REPLY) === 0) return 1;
    return 2;
  }
}

function describeRow(slot: number, words: Int32Array): ConntrackEntry {
  const low = addressAt(words, CT_LOW_ADDRESS);
  const high = addressAt(words, CT_HIGH_ADDRESS);
  const lowPort = words[CT_PORTS] >>> 16;
  const highPort = words[CT_PORTS] & 0xffff;
  const isInitiatorHigh = (words[CT_FLAGS] & CT_FLAG_INITIATOR_HIGH) !== 0;
  return {
    slot,
    protocol: words[CT_PROTOCOL],
    source: isInitiatorHigh ? high : low,
    sourcePort: isInitiatorHigh ? highPort : lowPort,
    destination: isInitiatorHigh ? low : high,
    destinationPort: isInitiatorHigh ? lowPort : highPort,
    packets: read64(words, CT_PACKETS_LO),
    bytes: read64(words, CT_BYTES_LO),
    words,
  };
}
