/**
 * The local endpoints by address: which port a frame to them leaves by, and who they are. Written by the agent, read by
 * the dataplane for every frame. An endpoint with an IPv4 and an IPv6 address has two entries.
 *
 * The addresses of the moment are few, so the answers given last ("none" too) are kept in a small array, in sets of four,
 * with the generation of the table they were found under: as long as nothing is written, an address costs a comparison
 * or two. What the accessors read are these copies, which the agent cannot change half way.
 */
import { type AddressWords, addressAt } from './ipcache.ts';
import { ROW_KEY } from './table/hash-row.ts';
import { HashTable } from './table/hash-table.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from './table/map-header.ts';
import { TableMap, tableLayout } from './table/table-map.ts';

/** Endpoint ids are below this; 0 = no endpoint of this node. */
export const ENDPOINT_IDS = 1 << 16;

const ENDPOINT_CAPACITY = 65535;

// --- specification: the value, as words
const KEY_WORDS = 4;
const VALUE_WORDS = 9;
const V_IFINDEX = 0;
const V_LXC_ID = 1;
const V_FLAGS = 2;
const V_MAC_HIGH = 3; // 16 bits
const V_MAC_LOW = 4;
const V_NODE_MAC_HIGH = 5;
const V_NODE_MAC_LOW = 6;
const V_SEC_ID = 7;
const V_PORT = 8;

/** `flags`: the address belongs to the host itself (Cilium ENDPOINT_F_HOST). */
export const ENDPOINT_HOST = 1;

const WORDS = { keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout({ kind: 'endpoints', capacity: ENDPOINT_CAPACITY, maxCapacity: 1 << 20 }, WORDS);

// --- implementation
const SET_BITS = 8;
const WAYS = 4;
const FRONT_WORDS = 16;
const F_A0 = 1;
const F_A1 = 2;
const F_A2 = 3;
const F_A3 = 4;
const F_VALUE = 5;
const F_PORT = F_VALUE + V_PORT;
const NO_ENDPOINT = -1;

/** A MAC address in two words: the first two bytes, the last four. */
export interface MacWords {
  readonly high: number;
  readonly low: number;
}

export interface EndpointValue {
  readonly ifindex: number;
  /** Endpoint id, 1 to 65535. */
  readonly lxcId: number;
  readonly flags: number;
  readonly mac: MacWords;
  readonly nodeMac: MacWords;
  /** Security identity. */
  readonly secId: number;
  /** Index in the port map. */
  readonly portIndex: number;
}

export interface EndpointEntry extends EndpointValue {
  readonly address: AddressWords;
}

export class EndpointMap extends TableMap<HashTable> {
  static readonly layout = LAYOUT;
  /** Sets of WAYS rows of generation + 1 (odd; 0 = empty), address, value, in this process's heap. */
  readonly #front = new Int32Array((WAYS * FRONT_WORDS) << SET_BITS);
  #turn = 0;

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /**
   * Finds the endpoint with this address.
   * @returns a place for the accessors below, or -1; good until three more lookups have been made
   */
  lookup(a0: number, a1: number, a2: number, a3: number): number {
    const front = this.#front;
    const stamp = this.table.readGeneration + 1;
    const set =
      ((Math.imul(a3, 0x9e3779b1) ^ Math.imul(a1 ^ a2, 0x85ebca77)) >>> (32 - SET_BITS)) * (WAYS * FRONT_WORDS);
    // Fast: asked before, and nothing has changed since.
    for (let at = set; at < set + WAYS * FRONT_WORDS; at += FRONT_WORDS) {
      const isKnown =
        front[at + F_A3] === a3 &&
        front[at] === stamp &&
        front[at + F_A2] === a2 &&
        front[at + F_A1] === a1 &&
        front[at + F_A0] === a0;
      if (isKnown) return front[at + F_PORT] === NO_ENDPOINT ? -1 : at;
    }
    // Slow: by hash.
    this.#turn = (this.#turn + 1) & (WAYS - 1);
    const at = set + this.#turn * FRONT_WORDS;
    front[at + F_A0] = a0;
    front[at + F_A1] = a1;
    front[at + F_A2] = a2;
    front[at + F_A3] = a3;
    return this.#learn(at);
  }

  ifindex(place: number): number {
    return this.#front[place + F_VALUE + V_IFINDEX];
  }

  /** Endpoint id. */
  lxcId(place: number): number {
    return this.#front[place + F_VALUE + V_LXC_ID];
  }

  flags(place: number): number {
    return this.#front[place + F_VALUE + V_FLAGS];
  }

  /** First two bytes of the endpoint's MAC. */
  macHigh(place: number): number {
    return this.#front[place + F_VALUE + V_MAC_HIGH];
  }

  /** Last four bytes of the endpoint's MAC, a signed word. */
  macLow(place: number): number {
    return this.#front[place + F_VALUE + V_MAC_LOW];
  }

  nodeMacHigh(place: number): number {
    return this.#front[place + F_VALUE + V_NODE_MAC_HIGH];
  }

  nodeMacLow(place: number): number {
    return this.#front[place + F_VALUE + V_NODE_MAC_LOW];
  }

  /** Security identity. */
  secId(place: number): number {
    return this.#front[place + F_VALUE + V_SEC_ID];
  }

  /** Index in the port map. */
  portIndex(place: number): number {
    return this.#front[place + F_VALUE + V_PORT];
  }

  /** Adds or replaces. @throws {MapFullError} when it is new and there is no room */
  upsert(address: AddressWords, value: EndpointValue): void {
    const table = this.table;
    table.key.set(address);
    const slot = table.stage();
    const at = slot * table.rowWords + table.valueWord;
    table.rows[at + V_IFINDEX] = value.ifindex;
    table.rows[at + V_LXC_ID] = value.lxcId;
    table.rows[at + V_FLAGS] = value.flags;
    table.rows[at + V_MAC_HIGH] = value.mac.high;
    table.rows[at + V_MAC_LOW] = value.mac.low;
    table.rows[at + V_NODE_MAC_HIGH] = value.nodeMac.high;
    table.rows[at + V_NODE_MAC_LOW] = value.nodeMac.low;
    table.rows[at + V_SEC_ID] = value.secId;
    table.rows[at + V_PORT] = value.portIndex;
    table.publish(slot);
  }

  /** Takes an address out; false when it was not there. */
  remove(address: AddressWords): boolean {
    this.table.key.set(address);
    return this.table.remove();
  }

  *entries(): Generator<EndpointEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  /** Looks up the address at `at` of the front, and copies the value there with the generation it is true for. */
  #learn(at: number): number {
    const front = this.#front;
    const table = this.table;
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      for (let i = 0; i < KEY_WORDS; i++) table.key[i] = front[at + F_A0 + i];
      const slot = table.find();
      const from = slot * table.rowWords + table.valueWord;
      for (let i = 0; i < VALUE_WORDS; i++) front[at + F_VALUE + i] = slot < 0 ? NO_ENDPOINT : table.rows[from + i];
      const isSame = table.isUnchanged(before);
      if (!isSame && attempt < READ_ATTEMPTS) continue;
      front[at] = isSame ? before + 1 : 0;
      return slot < 0 ? -1 : at;
    }
  }

  #readEntry(slot: number): EndpointEntry {
    const { rows, rowWords, valueWord } = this.table;
    const at = slot * rowWords + valueWord;
    return {
      address: addressAt(rows, slot * rowWords + ROW_KEY),
      ifindex: rows[at + V_IFINDEX],
      lxcId: rows[at + V_LXC_ID],
      flags: rows[at + V_FLAGS],
      mac: { high: rows[at + V_MAC_HIGH], low: rows[at + V_MAC_LOW] },
      nodeMac: { high: rows[at + V_NODE_MAC_HIGH], low: rows[at + V_NODE_MAC_LOW] },
      secId: rows[at + V_SEC_ID] >>> 0,
      portIndex: rows[at + V_PORT],
    };
  }
}
