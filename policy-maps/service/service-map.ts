/**
 * Services by frontend: an address and port that clients use, and what is behind it. Written by the agent (service-writer.ts),
 * asked by the dataplane for the first frame of a connection, and again after each publication.
 *
 * A row names its block of backends (slot-map.ts) by one word, so a new set of backends is published by the one store that
 * publishes the row. A row of port 0 and protocol 0 is the wildcard of its address: ports of a virtual address that no row
 * names are dropped, whoever else might take them. Scope 1 rows are for clients inside, where the two differ
 * (SERVICE_TWO_SCOPES in the row of scope 0).
 */
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ROW_KEY } from '../table/hash-row.ts';
import { HashTable } from '../table/hash-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from '../table/map-header.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const SERVICE_CAPACITY = 65536;

// --- specification: Cilium's flags in the low byte, its flags2 in the next, ours above
export const SERVICE_EXTERNAL_IP = 1;
export const SERVICE_NODE_PORT = 2;
export const SERVICE_EXTERNAL_LOCAL = 4;
export const SERVICE_HOST_PORT = 8;
export const SERVICE_AFFINITY = 16;
export const SERVICE_LOAD_BALANCER = 32;
/** Clients outside may use it. */
export const SERVICE_ROUTABLE = 64;
/** `SourceRangeMap` has the clients that may, or with SERVICE_SOURCE_RANGE_DENY may not, use it. */
export const SERVICE_SOURCE_RANGE = 128;
export const SERVICE_INTERNAL_LOCAL = 16 << 8;
export const SERVICE_TWO_SCOPES = 32 << 8;
export const SERVICE_SOURCE_RANGE_DENY = 64 << 8;
/** The block is a Maglev table: the client chooses the place. */
export const SERVICE_MAGLEV = 1 << 16;

/** Names of the flags for people, as `cilium bpf lb list` has them. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [SERVICE_EXTERNAL_IP, 'ExternalIPs'],
  [SERVICE_NODE_PORT, 'NodePort'],
  [SERVICE_EXTERNAL_LOCAL, 'Local'],
  [SERVICE_HOST_PORT, 'HostPort'],
  [SERVICE_AFFINITY, 'sessionAffinity'],
  [SERVICE_LOAD_BALANCER, 'LoadBalancer'],
  [SERVICE_ROUTABLE, 'routable'],
  [SERVICE_SOURCE_RANGE, 'check source-range'],
  [SERVICE_INTERNAL_LOCAL, 'InternalLocal'],
  [SERVICE_TWO_SCOPES, 'two-scopes'],
  [SERVICE_SOURCE_RANGE_DENY, 'source-range-deny'],
  [SERVICE_MAGLEV, 'maglev'],
];

/** `FrontendKey.scope`. */
export const SCOPE_EXTERNAL = 0;
/** The same for clients inside. */
export const SCOPE_INTERNAL = 1;

const KEY_WORDS = 5; // address; port, protocol << 16, scope << 24
const SERVICE_WORDS = 4;
const V_FRONTEND = 0;
const V_BLOCK = 1;
const V_FLAG_BITS = 2;
const V_AFFINITY = 3;

const WORDS = { keyWords: KEY_WORDS, valueWords: SERVICE_WORDS };
const LAYOUT = tableLayout({ kind: 'lb_services', capacity: SERVICE_CAPACITY, maxCapacity: 1 << 20 }, WORDS);

/** What clients address. */
export interface FrontendKey {
  readonly address: AddressWords;
  /** 0 with protocol 0: the wildcard of the address. */
  readonly port: number;
  readonly protocol: number;
  /** SCOPE_EXTERNAL or SCOPE_INTERNAL. */
  readonly scope: number;
}

export interface ServiceRow {
  /** Number in `ReverseNatMap`, from 1 on; 0 for a wildcard. */
  readonly frontend: number;
  /** Its block in `SlotMap`; 0 for none. */
  readonly block: number;
  /** SERVICE_* bits. */
  readonly flags: number;
  /** Seconds that a client stays with its backend. */
  readonly affinitySec: number;
}

export interface ServiceEntry extends FrontendKey, ServiceRow {
  readonly flagNames: readonly string[];
}

export class ServiceMap extends TableMap<HashTable> {
  static readonly layout = LAYOUT;
  /** The row that `find` has found last. */
  readonly found = { frontend: 0, block: 0, flags: 0, affinitySec: 0 };

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** Moves with every change. */
  get generation(): number {
    return this.table.generation;
  }

  /** The next two calls find by this address. */
  setAddress(a0: number, a1: number, a2: number, a3: number): void {
    const { key } = this.table;
    key[0] = a0;
    key[1] = a1;
    key[2] = a2;
    key[3] = a3;
  }

  /** Looks a frontend up at the address that was set, and copies its row to `found`. @returns false when there is none */
  find(port: number, protocol: number, scope: number): boolean {
    const { table, found } = this;
    table.key[4] = pointOf(port, protocol, scope);
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      const slot = table.find();
      const at = slot * table.rowWords + table.valueWord;
      if (slot >= 0) {
        found.frontend = table.rows[at + V_FRONTEND];
        found.block = table.rows[at + V_BLOCK];
        found.flags = table.rows[at + V_FLAG_BITS];
        found.affinitySec = table.rows[at + V_AFFINITY];
      }
      // A writer that died in the middle of a change leaves a table in which all that was there is found.
      if (table.isUnchanged(before) || attempt >= READ_ATTEMPTS) return slot >= 0;
    }
  }

  /** Adds or replaces. @throws {MapFullError} when it is new and there is no room */
  upsert(key: FrontendKey, row: ServiceRow): void {
    const { table } = this;
    this.#setKey(key);
    const slot = table.stage();
    const at = slot * table.rowWords + table.valueWord;
    table.rows[at + V_FRONTEND] = row.frontend;
    table.rows[at + V_BLOCK] = row.block;
    table.rows[at + V_FLAG_BITS] = row.flags;
    table.rows[at + V_AFFINITY] = row.affinitySec;
    table.publish(slot);
  }

  /** Takes a frontend out; false when it was not there. */
  remove(key: FrontendKey): boolean {
    this.#setKey(key);
    return this.table.remove();
  }

  *entries(): Generator<ServiceEntry> {
    yield* this.table.describe((slot) => this.#readEntry(slot));
  }

  #setKey({ address, port, protocol, scope }: FrontendKey): void {
    this.table.key.set(address);
    this.table.key[4] = pointOf(port, protocol, scope);
  }

  #readEntry(slot: number): ServiceEntry {
    const { rows, rowWords, valueWord } = this.table;
    const key = slot * rowWords + ROW_KEY;
    const at = slot * rowWords + valueWord;
    const point = rows[key + 4];
    const flags = rows[at + V_FLAG_BITS];
    return {
      address: addressAt(rows, key),
      port: point & 0xffff,
      protocol: (point >>> 16) & 0xff,
      scope: point >>> 24,
      frontend: rows[at + V_FRONTEND],
      block: rows[at + V_BLOCK],
      flags,
      flagNames: FLAG_NAMES.filter(([flag]) => (flags & flag) !== 0).map(([, name]) => name),
      affinitySec: rows[at + V_AFFINITY],
    };
  }
}

function pointOf(port: number, protocol: number, scope: number): number {
  return port | (protocol << 16) | (scope << 24);
}
