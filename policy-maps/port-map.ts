/**
 * The ports of the dataplane, by index: what the agent asks it to open, and what it needs to know about each. The agent
 * writes; the dataplane looks at `generation` now and then, and reads the rows again when it has moved.
 */
import { ArrayTable, arrayTableBytes } from './table/array-table.ts';
import type { MacWords } from './endpoint-map.ts';
import { type AddressWords, addressAt } from './ipcache.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';
import { PORT_KINDS, type PortKind, portKindOf, upperInterfaceName } from '../wire/port-kinds.ts';

export const PORT_CAPACITY = 4096;

// --- specification
const FREE = 0; // where a kind would stand
const IFNAME_BYTES = 16; // IFNAMSIZ, with the closing 0
/** `flags`: would-be policy drops of this endpoint pass with verdict AUDIT. */
export const PORT_FLAG_AUDIT = 1;
/** `flags` of an uplink: it leads to one outside host whose address is in the endpoints map; no route for others. */
export const PORT_FLAG_EXTERNAL = 2;
/** `flags` of a pod's veth: its frames are read above the interface, so the kernel may forward some before (linux/attachment.ts). */
export const PORT_FLAG_UPPER = 4;

// --- implementation: the row, as words after the version
const ROW_WORDS = 32;
const V_KIND = 0;
const V_IFINDEX = 1;
const V_MAC_HIGH = 2;
const V_MAC_LOW = 3;
const V_ENDPOINT = 4;
const V_SEC_ID = 5;
const V_MTU = 6;
const V_FLAGS = 7;
const V_IFNAME = 8; // four words
const V_ADDRESS = 12; // four words
const V_ADDRESS6 = 16; // four words
const V_GATEWAY = 20; // four words
const V_GATEWAY6 = 24; // four words
const V_GATEWAY_MAC_HIGH = 28;
const V_GATEWAY_MAC_LOW = 29;

const LAYOUT: MapLayout = {
  kind: 'ports',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: PORT_CAPACITY,
  maxCapacity: 65536,
  fileBytes: (capacity) => HEADER_BYTES + arrayTableBytes(ROW_WORDS, capacity),
};

const NO_ADDRESS: AddressWords = [0, 0, 0, 0];
const NO_MAC: MacWords = { high: 0, low: 0 };

export interface Port {
  readonly kind: PortKind;
  /** At most 15 bytes. */
  readonly ifname: string;
  /** 0 when not known. */
  readonly ifindex: number;
  /** The MAC that the other side of the port has: an endpoint's frames must come from it. */
  readonly mac: MacWords;
  /** Endpoint id; 0 for ports that belong to none (uplink). */
  readonly endpointId: number;
  readonly secId: number;
  readonly mtu: number;
  readonly flags: number;
  /** Own IPv4 (v4-mapped) and IPv6 address of the other side; all zero when it has none. */
  readonly address?: AddressWords;
  readonly address6?: AddressWords;
  /** Next hop for everything outside, and its MAC when it is known beforehand. */
  readonly gateway?: AddressWords;
  readonly gateway6?: AddressWords;
  readonly gatewayMac?: MacWords;
}

/** The interface that a port's frames are read from. */
export function readInterface({ ifname, flags }: Pick<Port, 'ifname' | 'flags'>): string {
  return (flags & PORT_FLAG_UPPER) === 0 ? ifname : upperInterfaceName(ifname);
}

export interface PortEntry extends Required<Port> {
  readonly index: number;
}

export class PortMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #table: ArrayTable;
  readonly #row = new Int32Array(ROW_WORDS - 1);

  constructor(file: MapFile) {
    super(file);
    this.#table = new ArrayTable(file, HEADER_BYTES, ROW_WORDS);
  }

  /** Moves with every change, and with touch(). */
  get generation(): number {
    return this.#table.generation;
  }

  /** @throws {RangeError} when there is no such index or the name is too long */
  set(index: number, port: Port): void {
    const row = this.#row.fill(0);
    const name = new TextEncoder().encode(port.ifname);
    if (name.length >= IFNAME_BYTES)
      throw new RangeError(`port ${index}: ifname: found ${port.ifname}, wanted at most 15 bytes`);
    row[V_KIND] = PORT_KINDS[port.kind].number;
    row[V_IFINDEX] = port.ifindex;
    row[V_MAC_HIGH] = port.mac.high;
    row[V_MAC_LOW] = port.mac.low;
    row[V_ENDPOINT] = port.endpointId;
    row[V_SEC_ID] = port.secId;
    row[V_MTU] = port.mtu;
    row[V_FLAGS] = port.flags;
    new Uint8Array(row.buffer).set(name, V_IFNAME * 4);
    row.set(port.address ?? NO_ADDRESS, V_ADDRESS);
    row.set(port.address6 ?? NO_ADDRESS, V_ADDRESS6);
    row.set(port.gateway ?? NO_ADDRESS, V_GATEWAY);
    row.set(port.gateway6 ?? NO_ADDRESS, V_GATEWAY6);
    row[V_GATEWAY_MAC_HIGH] = (port.gatewayMac ?? NO_MAC).high;
    row[V_GATEWAY_MAC_LOW] = (port.gatewayMac ?? NO_MAC).low;
    this.#table.set(index, row);
  }

  /** Has the dataplane look at all ports again: a file beside the map has come or gone. */
  touch(): void {
    this.#table.touch();
  }

  /** Frees an index. @throws {RangeError} when there is none */
  clear(index: number): void {
    this.#table.set(index, this.#row.fill(0));
  }

  /** The port at an index; undefined when it is free or cannot be read. */
  get(index: number): PortEntry | undefined {
    const row = this.#row;
    if (!this.#table.get(index, row)) return undefined;
    const kind = portKindOf(row[V_KIND]);
    if (kind === undefined) return undefined;
    const name = new Uint8Array(row.buffer).subarray(V_IFNAME * 4, V_IFNAME * 4 + IFNAME_BYTES);
    const end = name.indexOf(0);
    return {
      index,
      kind,
      ifname: new TextDecoder().decode(name.subarray(0, end < 0 ? IFNAME_BYTES : end)),
      ifindex: row[V_IFINDEX],
      mac: { high: row[V_MAC_HIGH], low: row[V_MAC_LOW] },
      endpointId: row[V_ENDPOINT],
      secId: row[V_SEC_ID] >>> 0,
      mtu: row[V_MTU],
      flags: row[V_FLAGS],
      address: addressAt(row, V_ADDRESS),
      address6: addressAt(row, V_ADDRESS6),
      gateway: addressAt(row, V_GATEWAY),
      gateway6: addressAt(row, V_GATEWAY6),
      gatewayMac: { high: row[V_GATEWAY_MAC_HIGH], low: row[V_GATEWAY_MAC_LOW] },
    };
  }

  /** Rows that the agent is in the middle of, or died in: not free, though `get` and `entries` cannot read them. */
  *underWay(): Generator<number> {
    for (let index = 0; index < this.capacity; index++) if (this.#table.isUnderWay(index)) yield index;
  }

  /** The lowest free index, or -1. */
  freeIndex(): number {
    for (let index = 0; index < this.capacity; index++) {
      if (this.#table.words[index * ROW_WORDS + 1 + V_KIND] === FREE) return index;
    }
    return -1;
  }

  *entries(): Generator<PortEntry> {
    for (let index = 0; index < this.capacity; index++) {
      if (this.#table.words[index * ROW_WORDS + 1 + V_KIND] === FREE) continue;
      const port = this.get(index);
      if (port !== undefined) yield port;
    }
  }
}
