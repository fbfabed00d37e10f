/**
 * The policy of one endpoint, as the dataplane asks for it: who (identity), which way, which protocol and port.
 *
 * The file has two halves (policy-half.ts). `publish` builds the idle one and then stores one generation word; its
 * low bit says which half counts. The writer never waits for readers; a reader repeats at most once for each publication
 * (policy-reader.ts). Before the first publication every lookup answers DROP_NO_POLICY: an endpoint without a policy is
 * closed. A policy that does not fit, or has an entry that cannot be, changes nothing.
 */
import { MapFullError } from './table/map-error.ts';
import {
  HEADER_BYTES,
  type MapLayout,
  READ_ATTEMPTS,
  W_COUNT,
  W_FULL,
  W_GENERATION,
  W_UPDATES,
} from './table/map-header.ts';
import type { PolicyEntry } from './policy-entry.ts';
import { halfWords, readRow, ROW_WORDS, sortEntries, writeHalf } from './policy-half.ts';
import { PolicyReader } from './policy-reader.ts';
import type { MapFile } from './table/map-file.ts';

const POLICY_MAP_CAPACITY = 16384;

const LAYOUT: MapLayout = {
  kind: 'policy',
  version: 1,
  keyBytes: 8,
  valueBytes: 12,
  capacity: POLICY_MAP_CAPACITY,
  maxCapacity: 65536,
  fileBytes: (capacity) => HEADER_BYTES + 2 * halfWords(capacity) * 4,
};

export class PolicyMap extends PolicyReader {
  static readonly layout = LAYOUT;

  constructor(file: MapFile) {
    super(file);
    if (!file.writable) return;
    for (const half of [0, 1]) this.#require(half, 0); // an empty policy, which closes the endpoint, never wants for memory
  }

  /** Moves with every publication; 0 before the first. */
  get generation(): number {
    return Atomics.load(this.header, W_GENERATION) >>> 0;
  }

  /** Number of entries published. */
  get count(): number {
    return this.header[W_COUNT];
  }

  /**
   * Replaces the whole policy at once. Entries with the same key: the one of higher precedence stays.
   * @throws {MapFullError} when there are more than `capacity`, or no memory for them; the old policy stays in force
   * @throws {RangeError} when an entry cannot be; the old policy stays in force
   */
  publish(entries: readonly PolicyEntry[]): void {
    const sorted = sortEntries(entries);
    if (sorted.length > this.capacity) {
      this.header[W_FULL]++;
      const mismatch = { what: 'entries', found: sorted.length, wanted: `at most ${this.capacity}` };
      throw new MapFullError('publish policy to', this.file.path, mismatch);
    }
    let next = (this.header[W_GENERATION] + 1) | 0;
    if (next === 0) next = 2; // 0 means "never published"; 2 is the same half
    this.#require(next & 1, sorted.length);
    const start = (next & 1) * this.halfWords;
    writeHalf(this.words.subarray(start, start + this.halfWords), sorted, this.seed);
    this.header[W_COUNT] = sorted.length;
    this.header[W_UPDATES]++;
    Atomics.store(this.header, W_GENERATION, next);
  }

  /** Makes room for a policy in a half. @throws {MapFullError} when there is no memory for it */
  #require(half: number, entries: number): void {
    this.file.require(this.words.byteOffset + half * this.halfWords * 4, halfWords(entries) * 4);
  }

  /** The entries in force, in table order. @throws {MapError} when publications never let it finish */
  entries(): PolicyEntry[] {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (!this.refresh()) return [];
      const entries: PolicyEntry[] = [];
      for (let slot = 0; slot < this.entryCount; slot++) {
        entries.push(readRow(this.words, this.rows + slot * ROW_WORDS, this.words[this.identities + slot]));
      }
      if (Atomics.load(this.header, W_GENERATION) === this.seenGeneration) return entries;
    }
    throw this.file.corrupt('generation', 'one that never rests', 'a policy that stays for one reading');
  }
}
