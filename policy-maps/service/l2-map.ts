/**
 * Addresses that this machine answers for on its links, with the MAC to say on each (Cilium's cilium_l2_responder_v4): those of
 * load balancers, and on an uplink those that pods leave with. Written by the agent; the dataplane asks it for ARP requests
 * and neighbour solicitations, and announces what is new in it (dataplane/announcer.ts).
 */
import type { AddressWords } from '../ipcache.ts';
import { addressAt } from '../ipcache.ts';
import type { MacWords } from '../endpoint-map.ts';
import { ROW_KEY } from '../table/hash-row.ts';
import { HashTable } from '../table/hash-table.ts';
import type { MapFile } from '../table/map-file.ts';
import { HEADER_BYTES } from '../table/map-header.ts';
import { TableMap, tableLayout } from '../table/table-map.ts';

const L2_CAPACITY = 4096;

const KEY_WORDS = 6; // address, MAC
const K_MAC = 4;
const WORDS = { keyWords: KEY_WORDS, valueWords: 0 };
const LAYOUT = tableLayout({ kind: 'l2_responder', capacity: L2_CAPACITY, maxCapacity: 1 << 16 }, WORDS);

export interface L2Entry {
  readonly address: AddressWords;
  readonly mac: MacWords;
}

export class L2Map extends TableMap<HashTable> {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file, new HashTable(file, HEADER_BYTES, { ...WORDS, capacity: file.capacity }));
  }

  /** Moves with every change. */
  get generation(): number {
    return this.table.generation;
  }

  /** Whether who asks for an address at the link of a MAC is to be told that MAC. Allocates nothing. */
  has(a0: number, a1: number, a2: number, a3: number, macHigh: number, macLow: number): boolean {
    if (this.table.count === 0) return false;
    const { key } = this.table;
    key[0] = a0;
    key[1] = a1;
    key[2] = a2;
    key[3] = a3;
    key[K_MAC] = macHigh;
    key[K_MAC + 1] = macLow;
    return this.table.lookup() >= 0;
  }

  /**
   * Makes these the rows, and no others.
   * @throws {MapFullError} when there is no room for all; those before it are there
   */
  set(entries: readonly L2Entry[]): void {
    const wanted = new Set(entries.map(nameOf));
    for (const entry of [...this.entries()]) {
      if (wanted.has(nameOf(entry))) continue;
      this.#setKey(entry);
      this.table.remove();
    }
    for (const entry of entries) {
      this.#setKey(entry);
      if (this.table.find() < 0) this.table.publish(this.table.stage());
    }
  }

  *entries(): Generator<L2Entry> {
    yield* this.table.describe((slot) => {
      const key = slot * this.table.rowWords + ROW_KEY;
      const { rows } = this.table;
      return { address: addressAt(rows, key), mac: { high: rows[key + K_MAC], low: rows[key + K_MAC + 1] } };
    });
  }

  #setKey({ address, mac }: L2Entry): void {
    this.table.key.set([...address, mac.high, mac.low]);
  }
}

function nameOf({ address, mac }: L2Entry): string {
  return [...address, mac.high, mac.low].join();
}
