/**
 * Queries under way over UDP: an answer is let through only to the conversation that asked its question under its id, and as
 * often as it was asked. What comes late, twice or unasked is nobody's answer, whoever sent it.
 *
 * Each endpoint that asks has a table of its own, made at its first query: buckets of BUCKET_ROWS rows by a keyed hash. A bucket that
 * is full forgets its oldest query, so who floods (a resolver that tries all its search domains, a scanner) displaces only
 * queries of its own. A query is forgotten after LIFETIME_MS. Nothing of this outlives the process: answers that come after its
 * death are dropped, and resolvers ask again.
 */
import type { StreamOwner } from '../parser.ts';

const BUCKET_ROWS = 16; // with 4, one of 10,000 queries was displaced while only 100 were under way (dnsperf)
const BUCKETS = 128; // of each endpoint
const ROW_WORDS = 5; // slot, its generation, id and how often it was asked, hash of the question, when
const MAX_ENDPOINTS = 4096; // 40 KiB each
const LIFETIME_MS = 20_000;
const COUNT_SHIFT = 16;

export class QueriesUnderWay {
  /** Queries forgotten before their time, for others of the same endpoint. */
  displaced = 0;
  readonly #tables = new Map<number, Int32Array>();
  /** The endpoint asked about last: most queries come in a row. */
  #endpoint = -1;
  #rows: Int32Array = new Int32Array(0);

  /** A query goes on. @param question a keyed hash of it @param nowMs monotonic */
  add(owner: StreamOwner, id: number, question: number, nowMs: number): void {
    const rows = this.#tableOf(owner.srcEndpoint);
    let at = this.#find(rows, owner, id, question, nowMs | 0);
    if (at < 0) at = this.#makeRoom(rows, bucketAt(owner.slot, id, question), nowMs | 0);
    const count = Math.min(rows[at + 2] >>> COUNT_SHIFT, 0xfe) + 1;
    rows[at] = owner.slot;
    rows[at + 1] = owner.slotGeneration;
    rows[at + 2] = (count << COUNT_SHIFT) | id;
    rows[at + 3] = question;
    rows[at + 4] = nowMs;
  }

  /** An answer came. @returns whether its question is under way; it is answered once now */
  take(owner: StreamOwner, id: number, question: number, nowMs: number): boolean {
    const rows = this.#tables.get(owner.srcEndpoint);
    if (rows === undefined) return false;
    const at = this.#find(rows, owner, id, question, nowMs | 0);
    if (at < 0) return false;
    rows[at + 2] -= 1 << COUNT_SHIFT;
    return true;
  }

  #tableOf(endpoint: number): Int32Array {
    if (endpoint === this.#endpoint) return this.#rows;
    let rows = this.#tables.get(endpoint);
    if (rows === undefined) {
      if (this.#tables.size === MAX_ENDPOINTS) this.#forgetOne();
      rows = new Int32Array(BUCKETS * BUCKET_ROWS * ROW_WORDS);
      this.#tables.set(endpoint, rows);
    }
    this.#endpoint = endpoint;
    this.#rows = rows;
    return rows;
  }

  #forgetOne(): void {
    for (const oldest of this.#tables.keys()) {
      this.#tables.delete(oldest);
      return;
    }
  }

  #find(rows: Int32Array, owner: StreamOwner, id: number, question: number, nowMs: number): number {
    const first = bucketAt(owner.slot, id, question);
    for (let at = first; at < first + BUCKET_ROWS * ROW_WORDS; at += ROW_WORDS) {
      const isSame =
        rows[at + 3] === question &&
        rows[at] === owner.slot &&
        rows[at + 1] === owner.slotGeneration &&
        (rows[at + 2] & 0xffff) === id;
      if (isSame && isAlive(rows, at, nowMs)) return at;
    }
    return -1;
  }

  /** A free row of the bucket, or that of its oldest query. */
  #makeRoom(rows: Int32Array, first: number, nowMs: number): number {
    let oldest = first;
    for (let at = first; at < first + BUCKET_ROWS * ROW_WORDS; at += ROW_WORDS) {
      if (!isAlive(rows, at, nowMs)) {
        rows[at + 2] = 0;
        return at;
      }
      if (((rows[at + 4] - rows[oldest + 4]) | 0) < 0) oldest = at;
    }
    this.displaced++;
    rows[oldest + 2] = 0;
    return oldest;
  }
}

function isAlive(rows: Int32Array, at: number, nowMs: number): boolean {
  return rows[at + 2] >>> COUNT_SHIFT !== 0 && ((nowMs - rows[at + 4]) | 0) < LIFETIME_MS;
}

/** Ids of a client are often in a row, and the question is the same with another type: both are mixed in. */
function bucketAt(slot: number, id: number, question: number): number {
  const mixed = Math.imul(question ^ Math.imul(id ^ (slot << 8), 0x9e3779b1), 0x85ebca6b);
  return ((mixed >>> 16) & (BUCKETS - 1)) * BUCKET_ROWS * ROW_WORDS;
}
