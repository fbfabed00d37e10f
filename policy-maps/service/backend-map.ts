/**
 * Backends by id: where a connection to a service really goes. Written by the agent, read by the dataplane. Ids begin at 1;
 * the generation of a row changes with everything that is written there, so who keeps an id keeps the generation beside it,
 * and knows a backend that has gone and whose id is another's by now.
 */
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ArrayTable, arrayTableBytes } from '../table/array-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, type MapLayout, READ_ATTEMPTS, W_COUNT, W_HIGH_WATER } from '../table/map-header.ts';
import { PinnedMap } from '../table/pinned-map.ts';

const BACKEND_CAPACITY = 262144;

/** What a backend takes. */
const BACKEND_GONE = 0;
/** New connections. */
export const BACKEND_ACTIVE = 1;
/** Those it has; new ones only when no other backend takes any. */
export const BACKEND_TERMINATING = 2;
/** Those it has: its health checks fail. */
export const BACKEND_QUARANTINED = 3;
/** Those it has: somebody has taken it out for a while. */
export const BACKEND_MAINTENANCE = 4;
const STATE_NAMES: Readonly<Record<number, string>> = {
  [BACKEND_GONE]: 'gone',
  [BACKEND_ACTIVE]: 'active',
  [BACKEND_TERMINATING]: 'terminating',
  [BACKEND_QUARANTINED]: 'quarantined',
  [BACKEND_MAINTENANCE]: 'maintenance',
};

const ROW_WORDS = 8; // version, then these
const V_ADDRESS = 0;
const V_POINT = 4; // port, protocol << 16
const V_STATE = 5;

const LAYOUT: MapLayout = {
  kind: 'lb_backends',
  version: 1,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: BACKEND_CAPACITY,
  maxCapacity: 1 << 22,
  fileBytes: (capacity) => HEADER_BYTES + arrayTableBytes(ROW_WORDS, capacity),
};

export interface BackendRow {
  readonly address: AddressWords;
  readonly port: number;
  readonly protocol: number;
  /** BACKEND_*. */
  readonly state: number;
}

export interface BackendEntry extends BackendRow {
  readonly id: number;
  readonly stateName: string;
}

export class BackendMap extends PinnedMap {
  static readonly layout = LAYOUT;
  /** The row that `load` has read last, and its generation. */
  readonly loaded = { a0: 0, a1: 0, a2: 0, a3: 0, port: 0, protocol: 0, state: BACKEND_GONE, generation: 0 };
  readonly #table: ArrayTable;
  readonly #row = new Int32Array(ROW_WORDS - 1);

  constructor(file: MapFile) {
    super(file);
    this.#table = new ArrayTable(file, HEADER_BYTES, ROW_WORDS);
  }

  /** Copies the row of a backend to `loaded`. @returns false when there is no such backend, or no more */
  load(id: number): boolean {
    const { words, rowWords, capacity } = this.#table;
    const { loaded } = this;
    if (id < 1 || id >= capacity) return false;
    const at = id * rowWords;
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const version = Atomics.load(words, at);
      const first = at + 1;
      loaded.a0 = words[first + V_ADDRESS];
      loaded.a1 = words[first + V_ADDRESS + 1];
      loaded.a2 = words[first + V_ADDRESS + 2];
      loaded.a3 = words[first + V_ADDRESS + 3];
      loaded.port = words[first + V_POINT] & 0xffff;
      loaded.protocol = (words[first + V_POINT] >>> 16) & 0xff;
      loaded.state = words[first + V_STATE];
      loaded.generation = version;
      if ((version & 1) === 0 && Atomics.load(words, at) === version) return loaded.state !== BACKEND_GONE;
    }
    return false;
  }

  /** Writes a backend; what is there already stays as it is, generation too. @throws {RangeError} for an id out of range */
  set(id: number, { address, port, protocol, state }: BackendRow): void {
    const row = this.#row;
    const isHere = this.#table.get(id, row);
    const point = port | (protocol << 16);
    const isSame = isHere && row[V_POINT] === point && row[V_STATE] === state && address.every((w, i) => row[i] === w);
    if (isSame) return;
    const { header } = this.file;
    if (row[V_STATE] === BACKEND_GONE) header[W_COUNT]++;
    header[W_HIGH_WATER] = Math.max(header[W_HIGH_WATER], id + 1);
    row.fill(0);
    row.set(address, V_ADDRESS);
    row[V_POINT] = point;
    row[V_STATE] = state;
    this.#table.set(id, row);
  }

  /** Takes a backend out: connections to it end. */
  clear(id: number): void {
    if (this.get(id) !== undefined) this.file.header[W_COUNT]--;
    this.#table.set(id, this.#row.fill(0));
  }

  *entries(): Generator<BackendEntry> {
    const end = Math.min(this.file.header[W_HIGH_WATER], this.capacity);
    for (let id = 1; id < end; id++) {
      const entry = this.get(id);
      if (entry !== undefined) yield entry;
    }
  }

  /** A backend for people; undefined when there is none. */
  get(id: number): BackendEntry | undefined {
    const row = this.#row;
    if (id < 1 || id >= this.capacity || !this.#table.get(id, row) || row[V_STATE] === BACKEND_GONE) return undefined;
    return {
      id,
      address: addressAt(row, V_ADDRESS),
      port: row[V_POINT] & 0xffff,
      protocol: row[V_POINT] >>> 16,
      state: row[V_STATE],
      stateName: STATE_NAMES[row[V_STATE]] ?? String(row[V_STATE]),
    };
  }
}
