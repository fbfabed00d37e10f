/**
 * Which clients a service is for (loadBalancerSourceRanges): prefixes by frontend id. Written by the agent, asked by the
 * dataplane for the first frame of a connection to a frontend that has any. A lookup tries every prefix length that the
 * family has: 33 or 129 hashes, 2 or 8 us, once a connection to such a service.
 */
import { V4_MAPPED } from '../../wire/address.ts';
import { type AddressWords, addressAt } from '../ipcache.ts';
import { ROW_KEY } from '../table/hash-row.ts';
import { HashTable } from '../table/hash-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES, READ_ATTEMPTS } from '../table/map-header.ts';
import { wordMask } from '../table/lpm-table.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const SOURCE_RANGE_CAPACITY = 65536;

const KEY_WORDS = 6; // frontend, prefix length, address
const VALUE_WORDS = 0;
const V4_SHORTEST = 96;

const WORDS = { keyWords: KEY_WORDS, valueWords: VALUE_WORDS };
const LAYOUT = tableLayout({ kind: 'lb_source_range', capacity: SOURCE_RANGE_CAPACITY, maxCapacity: 1 << 20 }, WORDS);

export interface SourceRange {
  readonly address: AddressWords;
  /** 0 to 128; an IPv4 /24 is 120. */
  readonly prefixLength: number;
}

export interface SourceRangeEntry extends SourceRange {
  readonly frontend: number;
}

export class SourceRangeMap extends TableMap<HashTable> {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** Whether a prefix of the frontend holds the client's address. */
  holds(frontend: number, a0: number, a1: number, a2: number, a3: number): boolean {
    const { table } = this;
    const shortest = a0 === 0 && a1 === 0 && a2 === V4_MAPPED ? V4_SHORTEST : 0;
    for (let attempt = 0; ; attempt++) {
      const before = table.readGeneration;
      let isHeld = false;
      for (let length = 128; length >= shortest && !isHeld; length--) {
        this.#setKey(frontend, length, a0, a1, a2, a3);
        isHeld = table.find() >= 0;
      }
      if (table.isUnchanged(before) || attempt >= READ_ATTEMPTS) return isHeld;
    }
  }

  /** @throws {MapFullError} when it is new and there is no room */
  add(frontend: number, { address, prefixLength }: SourceRange): void {
    this.#setKey(frontend, prefixLength, ...address);
    if (this.table.find() < 0) this.table.publish(this.table.stage());
  }

  /** Takes a prefix out; false when it was not there. */
  remove(frontend: number, { address, prefixLength }: SourceRange): boolean {
    this.#setKey(frontend, prefixLength, ...address);
    return this.table.remove();
  }

  *entries(): Generator<SourceRangeEntry> {
    yield* this.table.describe((slot) => {
      const key = slot * this.table.rowWords + ROW_KEY;
      const { rows } = this.table;
      return { frontend: rows[key], prefixLength: rows[key + 1], address: addressAt(rows, key + 2) };
    });
  }

  #setKey(frontend: number, length: number, a0: number, a1: number, a2: number, a3: number): void {
    const { key } = this.table;
    key[0] = frontend;
    key[1] = length;
    key[2] = a0 & wordMask(length);
    key[3] = a1 & wordMask(length - 32);
    key[4] = a2 & wordMask(length - 64);
    key[5] = a3 & wordMask(length - 96);
  }
}
