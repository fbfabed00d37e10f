/**
 * L7 rule sets by id (the `ruleSet` of a policy entry), as JSON in a slab.
 *
 * ```
 *   directory: 65536 words, id -> unit + 1 (0 = none)        slab: units of 64 bytes
 *                    |                                       | id | generation | length | checksum | JSON ... |
 *                    +-------------------------------------> ^
 * ```
 *
 * A new rule set is written to free units and then published by its one directory word; the units of the old one are
 * free from then on. A reader copies the JSON out, and takes it only if the directory word, the id, the generation and
 * the checksum say before and after that it is one and the same blob. Generations count all changes of the map and are
 * never used twice, so a reader that has parsed a rule set knows it again by its generation without reading it.
 *
 * The agent publishes a rule set before the policy entries that name it, and removes it after they are gone.
 */
import { TextDecoder, TextEncoder } from 'node:util';
import type { L7RuleSet } from './l7-rules.ts';
import type { MapFile } from './table/map-file.ts';
import {
  HEADER_BYTES,
  type MapLayout,
  W_COUNT,
  W_FULL,
  W_GENERATION,
  W_REMOVALS,
  W_UPDATES,
} from './table/map-header.ts';
import { MapFullError } from './table/map-error.ts';
import { PinnedMap } from './table/pinned-map.ts';

/** Default size of the slab that all rule sets share: 16 MiB in units of 64 bytes. */
const L7_RULE_CAPACITY = 262144;
const L7_RULE_MAX_ID = 65535;

// --- implementation
const UNIT_BYTES = 64;
const UNIT_WORDS = UNIT_BYTES / 4;
const IDS = L7_RULE_MAX_ID + 1;
const BLOB_HEADER_BYTES = 16;
const B_ID = 0;
const B_GENERATION = 1;
const B_LENGTH = 2;
const B_CHECKSUM = 3;
const READ_ATTEMPTS = 100;

const LAYOUT: MapLayout = {
  kind: 'l7_rules',
  version: 1,
  keyBytes: 4,
  valueBytes: UNIT_BYTES,
  capacity: L7_RULE_CAPACITY,
  maxCapacity: 1 << 22,
  fileBytes: (capacity) => HEADER_BYTES + IDS * 4 + capacity * UNIT_BYTES,
};

export interface L7RuleEntry {
  readonly id: number;
  /** Different for every version of every rule set. */
  readonly generation: number;
  readonly ruleSet: L7RuleSet;
}

interface Extent {
  readonly unit: number;
  readonly units: number;
}

export class L7RuleMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly #directory: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** Reader: what was parsed last, by id. */
  readonly #parsed = new Map<number, L7RuleEntry>();
  /** Writer: the units in use, by id. */
  readonly #extents = new Map<number, Extent>();

  constructor(file: MapFile) {
    super(file);
    this.#directory = file.words(HEADER_BYTES, IDS);
    this.#words = file.words(HEADER_BYTES + IDS * 4, file.capacity * UNIT_WORDS);
    this.#bytes = new Uint8Array(file.buffer, HEADER_BYTES + IDS * 4, file.capacity * UNIT_BYTES);
    if (!file.writable) return;
    file.require(this.#directory.byteOffset, this.#directory.byteLength);
    if (file.header[W_COUNT] > 0) this.#learnExtents();
  }

  /** Moves with every change of any rule set. */
  get generation(): number {
    return Atomics.load(this.file.header, W_GENERATION) >>> 0;
  }

  get count(): number {
    return this.file.header[W_COUNT];
  }

  /**
   * Adds or replaces a rule set.
   * @param id 1 to 65535
   * @throws {MapFullError} when slab or memory has no room for it beside the old one, which stays in force
   * @throws {RangeError} when the id is out of range
   */
  put(id: number, ruleSet: L7RuleSet): void {
    checkId(id);
    const json = new TextEncoder().encode(JSON.stringify(ruleSet));
    const units = Math.ceil((BLOB_HEADER_BYTES + json.length) / UNIT_BYTES);
    const unit = this.#findRoom(units);
    if (unit < 0) {
      this.file.header[W_FULL]++;
      const mismatch = { what: `units for rule set ${id}`, found: 'no gap that long', wanted: units };
      throw new MapFullError('put into map', this.file.path, mismatch);
    }
    this.file.require(this.#bytes.byteOffset + unit * UNIT_BYTES, units * UNIT_BYTES);
    const generation = (this.file.header[W_GENERATION] + 1) | 0;
    const at = unit * UNIT_WORDS;
    this.#words[at + B_ID] = id;
    this.#words[at + B_GENERATION] = generation;
    this.#words[at + B_LENGTH] = json.length;
    this.#words[at + B_CHECKSUM] = checksum(json);
    this.#bytes.set(json, unit * UNIT_BYTES + BLOB_HEADER_BYTES);
    Atomics.store(this.#directory, id, unit + 1);
    if (!this.#extents.has(id)) this.file.header[W_COUNT]++;
    this.#extents.set(id, { unit, units });
    this.file.header[W_UPDATES]++;
    Atomics.store(this.file.header, W_GENERATION, generation);
  }

  /** Takes a rule set out; false when there was none. */
  remove(id: number): boolean {
    checkId(id);
    if (!this.#extents.delete(id)) return false;
    Atomics.store(this.#directory, id, 0);
    this.file.header[W_COUNT]--;
    this.file.header[W_REMOVALS]++;
    Atomics.add(this.file.header, W_GENERATION, 1);
    return true;
  }

  /**
   * The rule set in force under an id. The same object as long as it has not changed.
   * @returns undefined when there is none, or when what is there cannot be read (treat both as "deny")
   */
  get(id: number): L7RuleEntry | undefined {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const word = Atomics.load(this.#directory, id & L7_RULE_MAX_ID);
      if (word <= 0 || word > this.file.capacity) break;
      const known = this.#parsed.get(id);
      const at = (word - 1) * UNIT_WORDS;
      if (
        known !== undefined &&
        this.#words[at + B_ID] === id &&
        this.#words[at + B_GENERATION] >>> 0 === known.generation
      )
        return known;
      const entry = this.#readBlob(id, word);
      if (entry === undefined) continue;
      this.#parsed.set(id, entry);
      return entry;
    }
    this.#parsed.delete(id);
    return undefined;
  }

  *entries(): Generator<L7RuleEntry> {
    for (let id = 0; id < IDS; id++) {
      if (this.#directory[id] === 0) continue;
      const entry = this.get(id);
      if (entry !== undefined) yield entry;
    }
  }

  /** A rule set read whole, or undefined when it changed meanwhile or cannot be. */
  #readBlob(id: number, word: number): L7RuleEntry | undefined {
    const unit = word - 1;
    const at = unit * UNIT_WORDS;
    const generation = this.#words[at + B_GENERATION];
    const length = this.#words[at + B_LENGTH];
    const first = unit * UNIT_BYTES + BLOB_HEADER_BYTES;
    if (length < 0 || first + length > this.#bytes.length) return undefined;
    const json = this.#bytes.slice(first, first + length);
    const isWhole = this.#words[at + B_ID] === id && this.#words[at + B_CHECKSUM] === checksum(json);
    const isSame = Atomics.load(this.#directory, id) === word && this.#words[at + B_GENERATION] === generation;
    if (!isWhole || !isSame) return undefined;
    try {
      return { id, generation: generation >>> 0, ruleSet: JSON.parse(new TextDecoder().decode(json)) as L7RuleSet };
    } catch {
      return undefined;
    }
  }

  /** First gap of `units` units between the blobs in use, or -1. */
  #findRoom(units: number): number {
    const used = [...this.#extents.values()].sort((a, b) => a.unit - b.unit);
    let from = 0;
    for (const extent of used) {
      if (extent.unit - from >= units) return from;
      from = Math.max(from, extent.unit + extent.units);
    }
    return from + units <= this.file.capacity ? from : -1;
  }

  /** A writer that opens an existing map finds the units in use through the directory; what cannot be is dropped. */
  #learnExtents(): void {
    for (let id = 1; id < IDS; id++) {
      const word = this.#directory[id];
      if (word === 0) continue;
      if (word > 0 && word <= this.file.capacity && this.#readBlob(id, word) !== undefined) {
        const length = this.#words[(word - 1) * UNIT_WORDS + B_LENGTH];
        this.#extents.set(id, { unit: word - 1, units: Math.ceil((BLOB_HEADER_BYTES + length) / UNIT_BYTES) });
      } else {
        this.#directory[id] = 0;
      }
    }
    this.file.header[W_COUNT] = this.#extents.size;
  }
}

function checkId(id: number): void {
  if (!(Number.isInteger(id) && id >= 1 && id <= L7_RULE_MAX_ID))
    throw new RangeError(`rule set id: found ${id}, wanted 1 to ${L7_RULE_MAX_ID}`);
}

/** FNV-1a. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash;
}
