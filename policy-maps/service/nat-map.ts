/**
 * Where frames to a translated address really go, by the tuple that they come in with. The dataplane alone writes it; the
 * CLI reads it. Unlike conntrack the key has a direction: of a connection through a service the frames of the client have a
 * row, of a masqueraded one the frames of the other side.
 *
 * A row is made when its connection is allowed, and belongs to one conntrack row (slot, and the slot's generation): it is
 * dead when that row is another connection's or nobody's. `expire` takes dead rows out. Full: of the next few rows a dead one
 * goes, else the one whose connection conntrack would give up first (never answered, of an endpoint with more than its share), and
 * of these the one used longest ago. A connection may have two rows here, so this table is full while conntrack is not.
 * Rows found last are remembered by a cheap mix of the key, as in conntrack (conntrack-table.ts).
 */
import * as address from '../../wire/address.ts';
import { PROTO_TCP } from '../../wire/protocols.ts';
import type { ConntrackMap, TupleFields } from '../conntrack-map.ts';
import * as ct from '../conntrack-row.ts';
import { type AddressWords, addressAt } from '../ipcache.ts';
import { halfSipHash, halfSipHash3 } from '../table/half-sip-hash.ts';
import { LIVE, ROW_STATE } from '../table/hash-row.ts';
import { LruHashTable, lruHashTableBytes } from '../table/lru-hash-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, W_EXPIRED, W_HIGH_WATER } from '../table/map-header.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const NAT_CAPACITY = 524288;

// --- specification: the words of a row, from its base (slot * NAT_ROW_WORDS) on
const NAT_ROW_WORDS = 32; // 2 cache lines
/** Four words, source and destination, as frames come in. */
const NAT_SRC = 2;
export const NAT_DST = 6;
/** Source port << 16 | destination port. */
export const NAT_PORTS = 10;
const NAT_PROTOCOL = 11;
/** Four words: the destination that takes the place of the one in the key. */
export const NAT_TO = 12;
export const NAT_TO_PORT = 16;
/** NAT_SERVICE or NAT_MASQUERADE. */
export const NAT_KIND = 17;
/** Handle of ReverseNatMap, of a service. */
export const NAT_FRONTEND = 18;
export const NAT_BACKEND = 19;
/** World generation under which the service was last asked. */
export const NAT_WORLD = 21;
/** The connection: slot in ct_tcp or ct_any, and the slot's generation. */
export const NAT_CT_SLOT = 22;
export const NAT_CT_GENERATION = 23;
const VALUE_WORDS = 12;

export const NAT_SERVICE = 1;
export const NAT_MASQUERADE = 2;
const KIND_NAMES: Readonly<Record<number, string>> = { [NAT_SERVICE]: 'service', [NAT_MASQUERADE]: 'masquerade' };

// --- implementation
const TUPLE_WORDS = 10;
const FRONT_BITS = 13;
const SLOT_BITS = 20;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const GENERATION_MASK = 0x7ff;
/** More than any time ago. */
const AGES = 2 ** 32;
const OLDEST = AGES;
const V4_MAPPED = address.V4_MAPPED;
const IN_USE = LIVE;
const STATE = ROW_STATE;
const ROW_WORDS = NAT_ROW_WORDS;
const SRC = NAT_SRC;
const DST = NAT_DST;
const PORTS = NAT_PORTS;
const PROTOCOL = NAT_PROTOCOL;

const WORDS = { keyWords: TUPLE_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout(
  { kind: 'nat', capacity: NAT_CAPACITY, maxCapacity: (1 << SLOT_BITS) - 128 },
  WORDS,
  lruHashTableBytes,
);

/** A row as people read it. */
export interface NatEntry {
  readonly protocol: number;
  readonly source: AddressWords;
  readonly sourcePort: number;
  readonly destination: AddressWords;
  readonly destinationPort: number;
  readonly to: AddressWords;
  readonly toPort: number;
  /** `service` or `masquerade`. */
  readonly kind: string;
  /** 0 for none. */
  readonly frontendHandle: number;
  readonly backend: number;
  readonly conntrackSlot: number;
}

class NatTable extends LruHashTable {
  /** The tables of the connections, once they are known. */
  tcp: ConntrackMap | null = null;
  any: ConntrackMap | null = null;
  readonly #front = new Int32Array(1 << FRONT_BITS);

  /** First word of the tuple's row, or -1. */
  findTuple(t: TupleFields): number {
    const { rows } = this;
    const ports = (t.srcPort << 16) | t.dstPort;
    const place = (Math.imul(t.src3 ^ ports, 0x9e3779b1) ^ Math.imul(t.dst3, 0x85ebca77)) >>> (32 - FRONT_BITS);
    const base = this.#front[place];
    // Fast: the row remembered for this place, if it is this tuple's.
    const isRemembered =
      rows[base + SRC + 3] === t.src3 &&
      rows[base + DST + 3] === t.dst3 &&
      rows[base + PORTS] === ports &&
      rows[base + PROTOCOL] === t.protocol &&
      rows[base + STATE] === IN_USE &&
      rows[base + SRC + 2] === t.src2 &&
      rows[base + DST + 2] === t.dst2 &&
      rows[base + SRC + 1] === t.src1 &&
      rows[base + DST + 1] === t.dst1 &&
      rows[base + SRC] === t.src0 &&
      rows[base + DST] === t.dst0;
    if (isRemembered) return base;
    // Slow: by hash.
    this.setTuple(t);
    const slot = this.find();
    if (slot < 0) return -1;
    this.#front[place] = slot * ROW_WORDS;
    return slot * ROW_WORDS;
  }

  /** Whether the connection of a row is still there, alive or dying; true while nobody can know. */
  isOwned(base: number): boolean {
    const { rows } = this;
    const table = rows[base + PROTOCOL] === PROTO_TCP ? this.tcp : this.any;
    if (table === null) return true;
    const at = rows[base + NAT_CT_SLOT] * ct.CT_ROW_WORDS;
    const { words } = table;
    return words[at + ct.CT_STATE] === IN_USE && words[at + ct.CT_SLOT_GENERATION] === rows[base + NAT_CT_GENERATION];
  }

  protected override age(slot: number): number {
    const base = slot * ROW_WORDS;
    const table = this.rows[base + PROTOCOL] === PROTO_TCP ? this.tcp : this.any;
    if (table === null || !this.isOwned(base)) return OLDEST;
    return super.age(slot) - table.rank(this.rows[base + NAT_CT_SLOT]) * AGES;
  }

  setTuple(t: TupleFields): void {
    const { key } = this;
    key[0] = t.src0;
    key[1] = t.src1;
    key[2] = t.src2;
    key[3] = t.src3;
    key[4] = t.dst0;
    key[5] = t.dst1;
    key[6] = t.dst2;
    key[7] = t.dst3;
    key[8] = (t.srcPort << 16) | t.dstPort;
    key[9] = t.protocol;
  }

  protected override hashOfKey(): number {
    const { key, seed0, seed1 } = this;
    const isV4 = key[2] === V4_MAPPED && key[6] === V4_MAPPED && (key[0] | key[1] | key[4] | key[5]) === 0;
    return isV4
      ? halfSipHash3(key[3], key[7], key[8], key[9], seed0, seed1)
      : halfSipHash(key, 0, TUPLE_WORDS, seed0, seed1);
  }
}

export class NatMap extends TableMap<NatTable> {
  static readonly layout = LAYOUT;
  /** All rows; word `base + NAT_x`. */
  readonly words: Int32Array;
  #expiryCursor = 0;

  constructor(file: MapFile) {
    super(file, new NatTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
    this.words = this.table.rows;
  }

  /** Says where the connections are, for the writer: what belongs to none goes first. */
  watch(tcp: ConntrackMap, any: ConntrackMap): void {
    this.table.tcp = tcp;
    this.table.any = any;
  }

  /** The clock for "used longest ago": monotonic seconds, set once a batch. */
  set nowSec(nowSec: number) {
    this.table.now = nowSec;
  }

  /** First word of the row that frames of this tuple are translated by, or -1. */
  lookup(t: TupleFields): number {
    return this.table.findTuple(t);
  }

  /** Notes that a row is in use. */
  touch(base: number): void {
    this.table.touch(base / ROW_WORDS);
  }

  /**
   * Makes the row of a tuple, or takes the one that is there; evicts when full. The caller writes its value.
   * @returns its first word, or -1 when there is no place (counted)
   */
  insert(t: TupleFields): number {
    this.table.setTuple(t);
    const slot = this.table.offer();
    return slot < 0 ? -1 : slot * ROW_WORDS;
  }

  /** Takes a row out. */
  remove(base: number): void {
    if (this.words[base + STATE] !== IN_USE) return;
    this.table.loadKey(base / ROW_WORDS);
    this.table.remove();
  }

  /** A word that leads back to the row as long as it has this key; never 0. */
  handleOf(base: number): number {
    const slot = base / ROW_WORDS;
    return (slot + 1) | ((this.table.rowGeneration(slot) & GENERATION_MASK) << SLOT_BITS);
  }

  /** First word of the row of a handle; -1 when the row has gone. */
  at(handle: number): number {
    const slot = (handle & SLOT_MASK) - 1;
    if (slot < 0 || slot >= this.table.rowCount) return -1;
    const isSame = (this.table.rowGeneration(slot) & GENERATION_MASK) === handle >>> SLOT_BITS;
    return isSame && this.words[slot * ROW_WORDS + STATE] === IN_USE ? slot * ROW_WORDS : -1;
  }

  /** Whether the connection of a row is still there, alive or dying. Preconditions: `watch` */
  isOwned(base: number): boolean {
    return this.table.isOwned(base);
  }

  /** Looks at the next `budget` rows and removes those whose connection has gone. @returns how many went */
  expire(budget: number): number {
    const end = Math.min(this.file.header[W_HIGH_WATER], this.table.rowCount);
    let expired = 0;
    for (let left = Math.min(budget, end); left > 0; left--) {
      if (this.#expiryCursor >= end) this.#expiryCursor = 0;
      const base = this.#expiryCursor++ * ROW_WORDS;
      if (this.words[base + STATE] !== IN_USE || this.table.isOwned(base)) continue;
      this.remove(base);
      expired++;
    }
    this.file.header[W_EXPIRED] += expired;
    return expired;
  }

  *entries(): Generator<NatEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot * ROW_WORDS));
  }

  #readEntry(base: number): NatEntry {
    const { words } = this;
    const ports = words[base + NAT_PORTS];
    return {
      protocol: words[base + PROTOCOL],
      source: addressAt(words, base + NAT_SRC),
      sourcePort: ports >>> 16,
      destination: addressAt(words, base + NAT_DST),
      destinationPort: ports & 0xffff,
      to: addressAt(words, base + NAT_TO),
      toPort: words[base + NAT_TO_PORT],
      kind: KIND_NAMES[words[base + NAT_KIND]] ?? String(words[base + NAT_KIND]),
      frontendHandle: words[base + NAT_FRONTEND],
      backend: words[base + NAT_BACKEND],
      conntrackSlot: words[base + NAT_CT_SLOT],
    };
  }
}
