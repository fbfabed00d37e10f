/**
 * What clients of a frontend believe to talk to, by the frontend's id: the address and port that replies must come from.
 * Written by the agent, read by the dataplane for every reply of a translated connection.
 *
 * A connection keeps a `handle`: the id, and 12 bits of the row's generation. So it is never told the address of another
 * service that has the id by now.
 */
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ArrayTable, arrayTableBytes } from '../table/array-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, type MapLayout, W_COUNT, W_HIGH_WATER } from '../table/map-header.ts';
import { PinnedMap } from '../table/pinned-map.ts';

const REVERSE_NAT_CAPACITY = 65536;

const ROW_WORDS = 8; // version, then these
const V_ADDRESS = 0;
const V_POINT = 4; // port, protocol << 16; 0 for none
const ID_BITS = 20;
const ID_MASK = (1 << ID_BITS) - 1;

const LAYOUT: MapLayout = {
  kind: 'lb_reverse_nat',
  version: 1,
  keyBytes: 4,
  valueBytes: ROW_WORDS * 4,
  capacity: REVERSE_NAT_CAPACITY,
  maxCapacity: 1 << ID_BITS,
  fileBytes: (capacity) => HEADER_BYTES + arrayTableBytes(ROW_WORDS, capacity),
};

export interface ReverseNatRow {
  readonly address: AddressWords;
  readonly port: number;
  readonly protocol: number;
}

export interface ReverseNatEntry extends ReverseNatRow {
  readonly frontend: number;
}

export class ReverseNatMap extends PinnedMap {
  static readonly layout = LAYOUT;
  /** All rows: `at(handle)` is where the four words of an address begin, and the port's after them. */
  readonly words: Int32Array;
  readonly #table: ArrayTable;
  readonly #row = new Int32Array(ROW_WORDS - 1);

  constructor(file: MapFile) {
    super(file);
    this.#table = new ArrayTable(file, HEADER_BYTES, ROW_WORDS);
    this.words = this.#table.words;
  }

  /** The handle of a frontend as it is now; never 0. Preconditions: 1 <= id < capacity */
  handleOf(frontend: number): number {
    return frontend | ((this.words[frontend * ROW_WORDS] >>> 1) << ID_BITS);
  }

  /** The frontend that a handle names. */
  static frontendOf(handle: number): number {
    return handle & ID_MASK;
  }

  /**
   * Word of `words` where the address of a frontend begins; its port is the low half of the fifth word.
   * @returns -1 when the frontend of the handle has gone, or has been given to another service
   */
  at(handle: number): number {
    const frontend = handle & ID_MASK;
    if (frontend < 1 || frontend >= this.capacity) return -1;
    const version = this.words[frontend * ROW_WORDS];
    if ((version & 1) !== 0 || (version >>> 1) << ID_BITS !== (handle & ~ID_MASK)) return -1;
    return frontend * ROW_WORDS + 1;
  }

  /** Writes a frontend; what is there already stays as it is, handle too. @throws {RangeError} for an id out of range */
  set(frontend: number, { address, port, protocol }: ReverseNatRow): void {
    const row = this.#row;
    const point = port | (protocol << 16);
    const isHere = this.#table.get(frontend, row);
    if (isHere && row[V_POINT] === point && address.every((word, i) => row[i] === word)) return;
    const { header } = this.file;
    if (row[V_POINT] === 0) header[W_COUNT]++;
    header[W_HIGH_WATER] = Math.max(header[W_HIGH_WATER], frontend + 1);
    row.fill(0);
    row.set(address, V_ADDRESS);
    row[V_POINT] = point;
    this.#table.set(frontend, row);
  }

  /** Takes a frontend out: replies of its connections have no way back. */
  clear(frontend: number): void {
    if (this.get(frontend) !== undefined) this.file.header[W_COUNT]--;
    this.#table.set(frontend, this.#row.fill(0));
  }

  *entries(): Generator<ReverseNatEntry> {
    const end = Math.min(this.file.header[W_HIGH_WATER], this.capacity);
    for (let frontend = 1; frontend < end; frontend++) {
      const entry = this.get(frontend);
      if (entry !== undefined) yield entry;
    }
  }

  /** A frontend for people; undefined when there is none. */
  get(frontend: number): ReverseNatEntry | undefined {
    const row = this.#row;
    if (frontend < 1 || frontend >= this.capacity || !this.#table.get(frontend, row) || row[V_POINT] === 0)
      return undefined;
    const point = row[V_POINT];
    return { frontend, address: addressAt(row, V_ADDRESS), port: point & 0xffff, protocol: point >>> 16 };
  }
}
