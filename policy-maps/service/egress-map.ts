/**
 * With which address a pod leaves to whom (Cilium's egress_gw_policy_v4 and _v6): rows by the pod's address and a prefix of
 * destinations, of which the longest counts. Written by the agent, asked by the dataplane for the first frame of a
 * connection to outside, and once after each publication.
 *
 *     [source, length, destination] -> kind, address            a row of a policy
 *     [source, ANY_LENGTH, 0]       -> which lengths there are   one a source
 *     [address, OWN_ADDRESS, 0]                                  one an address that rows have
 *
 * So a pod that no policy selects costs one lookup, and another one more for each length that its policies have. The row of
 * a prefix comes before its length is named, and after its address is: a lookup never passes one over, and no frame leaves with
 * an address that is not known for ours.
 */
import { V4_MAPPED } from '../../wire/address.ts';
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ROW_KEY } from '../table/hash-row.ts';
import { HashTable } from '../table/hash-table.ts';
import { wordMask } from '../table/lpm-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from '../table/map-header.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const EGRESS_CAPACITY = 16384;

// --- specification: what a row says
/** No row holds the destination. */
export const EGRESS_NONE = 0;
/** No gateway is this node: nothing leaves (194). */
export const EGRESS_NO_GATEWAY = 1;
/** Part of a destination that the policy is not about. */
export const EGRESS_EXCLUDED = 2;
/** With the address of the row; all 0: there is none, and nothing leaves (204). */
export const EGRESS_ADDRESS = 3;

const KEY_WORDS = 9; // source, prefix length, destination
const K_LENGTH = 4;
const K_DESTINATION = 5;
const VALUE_WORDS = 5; // kind and address; of a source: bit n of word n >> 5 for each length n
const ANY_LENGTH = 255;
const OWN_ADDRESS = 254;
const LONGEST = 128;

const WORDS = { keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout({ kind: 'egress_gw_policy', capacity: EGRESS_CAPACITY, maxCapacity: 1 << 20 }, WORDS);

export interface EgressKey {
  readonly source: AddressWords;
  readonly destination: AddressWords;
  /** 0 to 128; an IPv4 /24 is 120. */
  readonly prefixLength: number;
}

export interface EgressEntry extends EgressKey {
  /** EGRESS_NO_GATEWAY, EGRESS_EXCLUDED or EGRESS_ADDRESS. */
  readonly kind: number;
  /** All 0 for none. */
  readonly address: AddressWords;
}

/** What rows an address has as a source, by length, and how many have it as theirs. */
interface Use {
  readonly lengths: Map<number, number>;
  asAddress: number;
}

type Uses = Map<string, Use>;

export class EgressMap extends TableMap<HashTable> {
  static readonly layout = LAYOUT;
  /** Of the last lookup that answered EGRESS_ADDRESS. */
  readonly address = new Int32Array(4);
  /** Writer: what has how many rows; undefined until the first change. */
  #uses: Uses | undefined;

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** What is said of a pod's way to a destination: EGRESS_*. Allocates nothing. */
  lookup(source: ArrayLike<number>, d0: number, d1: number, d2: number, d3: number): number {
    const { table } = this;
    if (table.count === 0) return EGRESS_NONE;
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      const kind = this.#match(source, d0, d1, d2, d3);
      if (table.isUnchanged(before) || attempt >= READ_ATTEMPTS) return kind;
    }
  }

  #match(source: ArrayLike<number>, d0: number, d1: number, d2: number, d3: number): number {
    const { table } = this;
    const { rows, rowWords, valueWord } = table;
    this.#setKey(source, ANY_LENGTH, 0, 0, 0, 0);
    const own = table.find();
    if (own < 0) return EGRESS_NONE;
    const isV4 = d0 === 0 && d1 === 0 && d2 === V4_MAPPED;
    for (let word = 4; word >= (isV4 ? 3 : 0); word--) {
      let left = rows[own * rowWords + valueWord + word];
      while (left !== 0) {
        const bit = 31 - Math.clz32(left);
        left ^= 1 << bit;
        this.#setKey(source, (word << 5) | bit, d0, d1, d2, d3);
        const slot = table.find();
        if (slot < 0) continue;
        const at = slot * rowWords + valueWord;
        for (let i = 0; i < 4; i++) this.address[i] = rows[at + 1 + i];
        return rows[at];
      }
    }
    return EGRESS_NONE;
  }

  /** Whether rows have this address. Allocates nothing. */
  hasAddress(a0: number, a1: number, a2: number, a3: number): boolean {
    const { table } = this;
    if (table.count === 0) return false;
    const { key } = table;
    key.fill(0);
    key[0] = a0;
    key[1] = a1;
    key[2] = a2;
    key[3] = a3;
    key[K_LENGTH] = OWN_ADDRESS;
    return table.lookup() >= 0;
  }

  /**
   * Adds or replaces a row.
   * @throws {MapFullError} when there is no room; what was there stays
   */
  put(row: EgressEntry): void {
    const { source, prefixLength, kind, address } = row;
    const before = this.#find(row);
    const lengths = this.#usesOf(source).lengths;
    const isNewLength = before === undefined && !lengths.has(prefixLength);
    this.#useAddress(address, 1);
    try {
      this.#setRow(row);
      this.#write([kind, ...address]);
      if (isNewLength) this.#name(source, [...lengths.keys(), prefixLength]);
    } catch (error) {
      if (before === undefined) this.#take(row);
      this.#useAddress(address, -1);
      throw error;
    }
    if (before === undefined) lengths.set(prefixLength, (lengths.get(prefixLength) ?? 0) + 1);
    else this.#useAddress(before.address, -1);
  }

  /** Takes a row out; false when it was not there. */
  remove(key: EgressKey): boolean {
    const { source, prefixLength } = key;
    const row = this.#find(key);
    if (row === undefined) return false;
    const { lengths } = this.#usesOf(source);
    this.#take(key);
    this.#useAddress(row.address, -1);
    const left = (lengths.get(prefixLength) ?? 1) - 1;
    if (left > 0) {
      lengths.set(prefixLength, left);
      return true;
    }
    lengths.delete(prefixLength);
    this.#name(source, [...lengths.keys()]);
    if (lengths.size === 0) this.#uses?.delete(source.join());
    return true;
  }

  /** Rows of policies. */
  *entries(): Generator<EgressEntry> {
    for (const row of this.table.describe((slot) => this.#readRow(slot))) {
      if (row.prefixLength <= LONGEST) yield row;
    }
  }

  #readRow(slot: number): EgressEntry {
    const { rows, rowWords, valueWord } = this.table;
    const key = slot * rowWords + ROW_KEY;
    const value = slot * rowWords + valueWord;
    return {
      source: addressAt(rows, key),
      prefixLength: rows[key + K_LENGTH],
      destination: addressAt(rows, key + K_DESTINATION),
      kind: rows[value],
      address: addressAt(rows, value + 1),
    };
  }

  #find(key: EgressKey): EgressEntry | undefined {
    this.#setRow(key);
    const slot = this.table.find();
    return slot < 0 ? undefined : this.#readRow(slot);
  }

  #take(key: EgressKey): void {
    this.#setRow(key);
    this.table.remove();
  }

  #setRow({ source, destination, prefixLength }: EgressKey): void {
    this.#setKey(source, prefixLength, ...destination);
  }

  #usesOf(address: AddressWords): Use {
    this.#uses ??= this.#readUses();
    const name = address.join();
    const use = this.#uses.get(name) ?? { lengths: new Map<number, number>(), asAddress: 0 };
    this.#uses.set(name, use);
    return use;
  }

  /** One row more or less that has this address. */
  #useAddress(address: AddressWords, more: 1 | -1): void {
    if (address.every((word) => word === 0)) return;
    const use = this.#usesOf(address);
    this.#setKey(address, OWN_ADDRESS, 0, 0, 0, 0);
    if (use.asAddress === 0 && more === 1 && this.table.find() < 0) this.#write([]);
    use.asAddress += more;
    if (use.asAddress > 0) return;
    this.#setKey(address, OWN_ADDRESS, 0, 0, 0, 0);
    this.table.remove();
  }

  /** A writer that died between two rows may have left a length or an address unnamed, or named and without rows. */
  #readUses(): Uses {
    const found: Uses = new Map();
    this.#uses = found;
    const rows = [...this.table.describe((slot) => this.#readRow(slot))];
    const marks = new Map(rows.map(({ source }) => [source.join(), source]));
    for (const { source, prefixLength, address } of rows.filter((row) => row.prefixLength <= LONGEST)) {
      const { lengths } = this.#usesOf(source);
      lengths.set(prefixLength, (lengths.get(prefixLength) ?? 0) + 1);
      if (address.some((word) => word !== 0)) this.#useAddress(address, 1);
    }
    for (const [name, source] of marks) {
      this.#name(source, [...(found.get(name)?.lengths.keys() ?? [])]);
      if ((found.get(name)?.asAddress ?? 0) > 0) continue;
      this.#setKey(source, OWN_ADDRESS, 0, 0, 0, 0);
      this.table.remove();
    }
    return found;
  }

  /** Says which lengths a source has; none: it has no row. */
  #name(source: AddressWords, lengths: readonly number[]): void {
    const bits = [0, 0, 0, 0, 0];
    for (const length of lengths) bits[length >> 5] |= 1 << (length & 31);
    this.#setKey(source, ANY_LENGTH, 0, 0, 0, 0);
    if (lengths.length === 0) this.table.remove();
    else this.#write(bits);
  }

  #write(value: readonly number[]): void {
    const { table } = this;
    const slot = table.stage();
    table.rows.set(value, slot * table.rowWords + table.valueWord);
    table.publish(slot);
  }

  #setKey(source: ArrayLike<number>, length: number, d0: number, d1: number, d2: number, d3: number): void {
    const { key } = this.table;
    for (let i = 0; i < 4; i++) key[i] = source[i];
    key[K_LENGTH] = length;
    key[K_DESTINATION] = d0 & wordMask(length);
    key[K_DESTINATION + 1] = d1 & wordMask(length - 32);
    key[K_DESTINATION + 2] = d2 & wordMask(length - 64);
    key[K_DESTINATION + 3] = d3 & wordMask(length - 96);
  }
}
