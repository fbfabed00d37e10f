/**
 * Drops that came too fast to be told one by one, counted by who was refused what: exact, bounded, and told by whoever reads.
 *
 * ```
 *   | row | row | ... | rest of reason 0 | ... | rest of reason 255 |     half 0    written while the epoch is even
 *   | row | row | ... | rest of reason 0 | ... | rest of reason 255 |     half 1    written while it is odd
 * ```
 *
 * One half is written, the other stands still for the reader. The reader asks for the next epoch when it has told what stands
 * still (CONFIG_DROP_COUNTS_EPOCH); the writer clears that half and goes on there. So nothing is counted twice, and nothing is
 * cleared that was not told. Without a reader one half fills up.
 *
 * A row is found by its key within PROBES places; a drop that finds no place is counted in the row of its reason, so that what
 * a flood of many keys costs and takes is bounded, and every drop is in some row. Times are milliseconds since the epoch.
 */
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';
import { addTo, read64 } from './metrics-map.ts';

// --- specification
const DROP_COUNT_CAPACITY = 4096; // rows of a half, a power of two
const REASONS = 256;
const DROP_KEY_WORDS = 6; // reason and direction and protocol; identities; cookie; endpoints; port
const ROW_WORDS = 16;
const ROW_BYTES = 4 * ROW_WORDS;
const USED = DROP_KEY_WORDS; // 1 for a row that counts
const PACKETS = 8; // two words
const BYTES = 10; // two words
const FIRST_MS = 12; // a double
const LAST_MS = 14; // a double

// --- implementation
const W_EPOCH = 48; // of the file header
const PROBES = 16;
const MIX = 0x9e3779b1;

const LAYOUT: MapLayout = {
  kind: 'drop_counts',
  version: 1,
  isDense: true,
  keyBytes: 4 * DROP_KEY_WORDS,
  valueBytes: ROW_BYTES - 4 * DROP_KEY_WORDS,
  capacity: DROP_COUNT_CAPACITY,
  maxCapacity: 1 << 16,
  isPowerOfTwo: true,
  fileBytes: (capacity) => HEADER_BYTES + 2 * (capacity + REASONS) * ROW_BYTES,
};

/** What was dropped alike. Of the rest of a reason, everything but the reason is 0. */
export interface DropCount {
  readonly reason: number;
  /** 1 ingress, 2 egress, 0 neither. */
  readonly direction: number;
  /** IP protocol. */
  readonly protocol: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
  /** Leads to the policies. */
  readonly cookie: number;
  readonly srcEndpoint: number;
  readonly dstEndpoint: number;
  /** Index of the port that the frames came in by. */
  readonly port: number;
  readonly packets: number;
  readonly bytes: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export class DropCountMap extends PinnedMap {
  static readonly layout = LAYOUT;
  /** Of the drop to be counted: fill it, then `add`. See `setKey`. */
  readonly key = new Int32Array(DROP_KEY_WORDS);
  readonly #words: Int32Array;
  readonly #times: Float64Array;
  readonly #header: Int32Array;
  readonly #mask: number;

  constructor(file: MapFile) {
    super(file);
    const rows = 2 * (file.capacity + REASONS);
    this.#words = file.words(HEADER_BYTES, rows * ROW_WORDS);
    this.#times = new Float64Array(file.buffer, HEADER_BYTES, (rows * ROW_BYTES) / 8);
    this.#header = file.header;
    this.#mask = file.capacity - 1;
  }

  /** Counts up from 0, modulo 2^32; the half that is written is the one of its last bit. */
  get epoch(): number {
    return Atomics.load(this.#header, W_EPOCH);
  }

  /** Goes on in the other half, if that is asked for. @param wanted the epoch that a reader has asked for */
  follow(wanted: number): void {
    const next = (this.epoch + 1) | 0;
    if ((wanted | 0) !== next) return;
    const from = this.#half(next) * ROW_WORDS;
    this.#words.fill(0, from, from + (this.file.capacity + REASONS) * ROW_WORDS);
    Atomics.store(this.#header, W_EPOCH, next);
  }

  /** @param ends endpoint of the source, and that of the destination in the high half */
  setKey(kind: number, srcIdentity: number, dstIdentity: number, cookie: number, ends: number, port: number): void {
    const { key } = this;
    key[0] = kind;
    key[1] = srcIdentity;
    key[2] = dstIdentity;
    key[3] = cookie;
    key[4] = ends;
    key[5] = port;
  }

  /** Counts one frame under `key`. */
  add(bytes: number, epochMs: number): void {
    const row = this.#find();
    const at = row * ROW_WORDS;
    if (this.#words[at + USED] === 0) {
      this.#words.set(this.key, at);
      this.#times[(at + FIRST_MS) >> 1] = epochMs;
      this.#words[at + USED] = 1;
    }
    addTo(this.#words, at + PACKETS, 1);
    addTo(this.#words, at + BYTES, bytes);
    this.#times[(at + LAST_MS) >> 1] = epochMs;
  }

  /** Whether anything has been counted in the half that is written. */
  get hasCounted(): boolean {
    for (const _ of this.#rows(this.epoch)) return true;
    return false;
  }

  /** What stands still: the half of the epoch before this one. */
  *settled(): Generator<DropCount> {
    for (const row of this.#rows((this.epoch - 1) | 0)) yield this.#describe(row);
  }

  /** All there is, for people: what stands still and what is being counted. */
  *entries(): Generator<DropCount> {
    yield* this.settled();
    for (const row of this.#rows(this.epoch)) yield this.#describe(row);
  }

  #half(epoch: number): number {
    return (epoch & 1) * (this.file.capacity + REASONS);
  }

  /** The row of `key`, or one that is free, or that of its reason. */
  #find(): number {
    const half = this.#half(this.epoch);
    const { key } = this;
    const words = this.#words;
    let hash = 0;
    for (let i = 0; i < DROP_KEY_WORDS; i++) hash = Math.imul(hash ^ key[i] ^ (hash >>> 15), MIX);
    for (let probe = 0; probe < PROBES; probe++) {
      const row = half + (((hash >>> 8) + probe) & this.#mask);
      const at = row * ROW_WORDS;
      if (words[at + USED] === 0) return row;
      if (
        words[at] === key[0] &&
        words[at + 1] === key[1] &&
        words[at + 2] === key[2] &&
        words[at + 3] === key[3] &&
        words[at + 4] === key[4] &&
        words[at + 5] === key[5]
      ) {
        return row;
      }
    }
    this.setKey(key[0] & 0xff, 0, 0, 0, 0, 0);
    return half + this.file.capacity + key[0];
  }

  *#rows(epoch: number): Generator<number> {
    const from = this.#half(epoch);
    for (let row = from; row < from + this.file.capacity + REASONS; row++) {
      if (this.#words[row * ROW_WORDS + USED] !== 0) yield row;
    }
  }

  #describe(row: number): DropCount {
    const at = row * ROW_WORDS;
    const words = this.#words;
    return {
      reason: words[at] & 0xff,
      direction: (words[at] >>> 8) & 0xff,
      protocol: (words[at] >>> 16) & 0xff,
      srcIdentity: words[at + 1] >>> 0,
      dstIdentity: words[at + 2] >>> 0,
      cookie: words[at + 3] >>> 0,
      srcEndpoint: words[at + 4] & 0xffff,
      dstEndpoint: words[at + 4] >>> 16,
      port: words[at + 5] >>> 0,
      packets: read64(words, at + PACKETS),
      bytes: read64(words, at + BYTES),
      firstMs: this.#times[(at + FIRST_MS) >> 1],
      lastMs: this.#times[(at + LAST_MS) >> 1],
    };
  }
}
