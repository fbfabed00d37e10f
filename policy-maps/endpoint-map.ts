/**
 * The local endpoints by address: which port a frame to them leaves by, and who they are. Written by the agent. An
 * endpoint with an IPv4 and an IPv6 address has two entries.
 */
import { type AddressWords, addressAt } from './ipcache.ts';
import { hashTableBytes, ROW_KEY } from './hash-row.ts';
import { HashTable } from './hash-table.ts';
import { MapFile, type Mapper } from './map-file.ts';
import { HEADER_BYTES, type MapLayout } from './map-header.ts';

export const ENDPOINT_CAPACITY = 65535;

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

const LAYOUT: MapLayout = {
  kind: 'endpoints',
  version: 1,
  keyBytes: KEY_WORDS * 4,
  valueBytes: VALUE_WORDS * 4,
  maxCapacity: 1 << 20,
  fileBytes: (capacity) => HEADER_BYTES + hashTableBytes({ keyWords: KEY_WORDS, valueWords: VALUE_WORDS, capacity }),
};

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

export class EndpointMap {
  readonly file: MapFile;
  readonly #table: HashTable;

  private constructor(file: MapFile) {
    this.file = file;
    this.#table = new HashTable(file, HEADER_BYTES, {
      keyWords: KEY_WORDS,
      valueWords: VALUE_WORDS,
      capacity: file.capacity,
    });
    if (file.recovered) this.#table.recover();
  }

  static create(
    path: string,
    options: { capacity?: number; seed?: readonly [number, number] },
    mapper: Mapper,
  ): EndpointMap {
    return new EndpointMap(
      MapFile.create(path, LAYOUT, { ...options, capacity: options.capacity ?? ENDPOINT_CAPACITY }, mapper),
    );
  }

  static open(path: string, mapper: Mapper, options: { writable?: boolean } = {}): EndpointMap {
    return new EndpointMap(MapFile.open(path, LAYOUT, mapper, options.writable ?? false));
  }

  close(): void {
    this.file.close();
  }

  get count(): number {
    return this.#table.count;
  }

  /**
   * Slot of the endpoint with this address, or -1. The accessors below read its row; a row stays whole for at least 32
   * later removals or replacements, so read what is needed at once and keep no slot.
   */
  lookup(a0: number, a1: number, a2: number, a3: number): number {
    const { key } = this.#table;
    key[0] = a0;
    key[1] = a1;
    key[2] = a2;
    key[3] = a3;
    return this.#table.lookup();
  }

  ifindex(slot: number): number {
    return this.#value(slot, V_IFINDEX);
  }

  /** Endpoint id. */
  lxcId(slot: number): number {
    return this.#value(slot, V_LXC_ID);
  }

  flags(slot: number): number {
    return this.#value(slot, V_FLAGS);
  }

  /** First two bytes of the endpoint's MAC. */
  macHigh(slot: number): number {
    return this.#value(slot, V_MAC_HIGH);
  }

  /** Last four bytes of the endpoint's MAC, a signed word. */
  macLow(slot: number): number {
    return this.#value(slot, V_MAC_LOW);
  }

  nodeMacHigh(slot: number): number {
    return this.#value(slot, V_NODE_MAC_HIGH);
  }

  nodeMacLow(slot: number): number {
    return this.#value(slot, V_NODE_MAC_LOW);
  }

  /** Security identity. */
  secId(slot: number): number {
    return this.#value(slot, V_SEC_ID);
  }

  /** Index in the port map. */
  portIndex(slot: number): number {
    return this.#value(slot, V_PORT);
  }

  /** Adds or replaces. @throws {MapFullError} when it is new and there is no room */
  upsert(address: AddressWords, value: EndpointValue): void {
    const table = this.#table;
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
    this.#table.key.set(address);
    return this.#table.remove();
  }

  *entries(): Generator<EndpointEntry> {
    const { rows, rowWords } = this.#table;
    for (const slot of this.#table.slots()) {
      yield {
        address: addressAt(rows, slot * rowWords + ROW_KEY),
        ifindex: this.ifindex(slot),
        lxcId: this.lxcId(slot),
        flags: this.flags(slot),
        mac: { high: this.macHigh(slot), low: this.macLow(slot) },
        nodeMac: { high: this.nodeMacHigh(slot), low: this.nodeMacLow(slot) },
        secId: this.secId(slot) >>> 0,
        portIndex: this.portIndex(slot),
      };
    }
  }

  #value(slot: number, word: number): number {
    return this.#table.rows[slot * this.#table.rowWords + this.#table.valueWord + word];
  }
}
