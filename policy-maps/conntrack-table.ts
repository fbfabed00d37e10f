/**
 * The hash table of conntrack: one canonical key for both directions of a connection (conntrack-row.ts), found by hash
 * or, for the connections of the moment, without.
 *
 * The hash is HalfSipHash under a random seed: for IPv4 over the 13 bytes that differ, for IPv6 over all 37. Whoever
 * chooses addresses and ports cannot make chains; but it costs 20 ns. So the rows found last are remembered in a small
 * direct-mapped array (FRONT_SIZE, in this process's heap) whose place is a cheap mix of the key. What it remembers is
 * only a hint: the row must be live and have the very key. Who aims at one place of it gains the 20 ns of the hash.
 */
import * as address from '../wire/address.ts';
import { halfSipHash, halfSipHash3 } from './table/half-sip-hash.ts';
import { LIVE } from './table/hash-row.ts';
import { HashTable } from './table/hash-table.ts';
import * as row from './conntrack-row.ts';

// --- implementation
const FRONT_BITS = 15;
// V8 folds a constant of the module's own, but loads and checks an imported one at every use (bench/policy-maps.bench.ts)
const V4_MAPPED = address.V4_MAPPED;
const ROW_WORDS = row.CT_ROW_WORDS;
const KEY_WORDS = row.CT_KEY_WORDS;
const STATE = row.CT_STATE;
const LOW = row.CT_LOW_ADDRESS;
const HIGH = row.CT_HIGH_ADDRESS;
const PORTS = row.CT_PORTS;
const PROTOCOL = row.CT_PROTOCOL;
const FLAGS = row.CT_FLAGS;
const INITIATOR_HIGH = row.CT_FLAG_INITIATOR_HIGH;
const SLOT_GENERATION = row.CT_SLOT_GENERATION;
const IN_USE = LIVE;

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

export class ConntrackTable extends HashTable {
  protected override quarantine = 0;
  /** First words of the rows found last. */
  readonly #front = new Int32Array(1 << FRONT_BITS);

  /**
   * Finds the connection a packet belongs to.
   * @returns slot * 2, plus 1 when the packet comes from the responder; -1 when there is none
   */
  findTuple(t: TupleFields): number {
    const { rows } = this;
    const isSrcHigh = isSourceHigh(t);
    const low3 = isSrcHigh ? t.dst3 : t.src3;
    const high3 = isSrcHigh ? t.src3 : t.dst3;
    const ports = isSrcHigh ? (t.dstPort << 16) | t.srcPort : (t.srcPort << 16) | t.dstPort;
    const place = (Math.imul(low3 ^ ports, 0x9e3779b1) ^ Math.imul(high3, 0x85ebca77)) >>> (32 - FRONT_BITS);
    let base = this.#front[place];
    // Fast: the row remembered for this place, if it is this connection's.
    const isRemembered =
      rows[base + HIGH + 3] === high3 &&
      rows[base + LOW + 3] === low3 &&
      rows[base + PORTS] === ports &&
      rows[base + PROTOCOL] === t.protocol &&
      rows[base + STATE] === IN_USE &&
      rows[base + LOW + 2] === (isSrcHigh ? t.dst2 : t.src2) &&
      rows[base + HIGH + 2] === (isSrcHigh ? t.src2 : t.dst2) &&
      rows[base + LOW + 1] === (isSrcHigh ? t.dst1 : t.src1) &&
      rows[base + HIGH + 1] === (isSrcHigh ? t.src1 : t.dst1) &&
      rows[base + LOW] === (isSrcHigh ? t.dst0 : t.src0) &&
      rows[base + HIGH] === (isSrcHigh ? t.src0 : t.dst0);
    // Slow: by hash.
    if (!isRemembered) {
      this.setTuple(t, isSrcHigh);
      const slot = this.find();
      if (slot < 0) return -1;
      base = slot * ROW_WORDS;
      this.#front[place] = base;
    }
    const isInitiatorHigh = (rows[base + FLAGS] & INITIATOR_HIGH) !== 0;
    return ((base / ROW_WORDS) << 1) | (isInitiatorHigh === isSrcHigh ? 0 : 1);
  }

  /** Fills `key` with the two ends in order. */
  setTuple(t: TupleFields, isSrcHigh: boolean): void {
    const { key } = this;
    const src = isSrcHigh ? 4 : 0;
    const dst = isSrcHigh ? 0 : 4;
    key[src] = t.src0;
    key[src + 1] = t.src1;
    key[src + 2] = t.src2;
    key[src + 3] = t.src3;
    key[dst] = t.dst0;
    key[dst + 1] = t.dst1;
    key[dst + 2] = t.dst2;
    key[dst + 3] = t.dst3;
    key[8] = isSrcHigh ? (t.dstPort << 16) | t.srcPort : (t.srcPort << 16) | t.dstPort;
    key[9] = t.protocol;
  }

  protected override hashOfKey(): number {
    const { key, seed0, seed1 } = this;
    const isV4 = key[2] === V4_MAPPED && key[6] === V4_MAPPED && (key[0] | key[1] | key[4] | key[5]) === 0;
    return isV4
      ? halfSipHash3(key[3], key[7], key[8], key[9], seed0, seed1)
      : halfSipHash(key, 0, KEY_WORDS, seed0, seed1);
  }

  /** The generation of a slot outlives what is in it. */
  protected override fillRow(slot: number, hash: number): void {
    const at = slot * ROW_WORDS + SLOT_GENERATION;
    const generation = this.rows[at];
    super.fillRow(slot, hash);
    this.rows[at] = (generation + 1) | 0;
  }
}

/** Which end of a packet is the greater one. Any total order will do, so the words that differ most come first. */
export function isSourceHigh(t: TupleFields): boolean {
  if (t.src3 !== t.dst3) return t.src3 > t.dst3;
  if (t.src2 !== t.dst2) return t.src2 > t.dst2;
  if (t.src1 !== t.dst1) return t.src1 > t.dst1;
  return t.src0 !== t.dst0 ? t.src0 > t.dst0 : t.srcPort > t.dstPort;
}
