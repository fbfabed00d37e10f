/**
 * One answer of another server, kept as it came but for its additional records, ready to be sent again: id, flags and question are
 * the asker's then, TTLs are what is left of them, and of several addresses another is the first each time.
 *
 *   | header | question | answers | authority |        OPT is the asker's own
 *                          ^ ttlAt[0]   ^ ttlAt[n-1]
 */
import { i32, setI32, setU16, u16 } from '../wire/bytes.ts';
import {
  type DnsMessage,
  FLAG_CHECKING_DISABLED,
  FLAG_RECURSION_AVAILABLE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  FLAG_TRUNCATED,
  RCODE_NAME_ERROR,
} from '../wire/dns/message.ts';
import { DNS_HEADER_BYTES, skipName } from '../wire/dns/name.ts';
import { emitOpt, FLAG_DNSSEC_OK, MAX_OPT_BYTES } from '../wire/dns/opt.ts';
import { TYPE_A, TYPE_AAAA, TYPE_SOA } from '../wire/dns/types.ts';

const FLAG_AUTHENTIC_DATA = 0x0020;
/** From the beginning of a record's TTL to its data. */
const TTL_TO_DATA = 6;
/** RFC 8767 4: what a stale record is said to live. */
const STALE_TTL_SEC = 30;
const MAX_TTL_SEC = 3_600;
const MAX_NEGATIVE_TTL_SEC = 1_800;
/** What an entry costs beside its bytes, measured with 33,000 small ones. */
const OVERHEAD_BYTES = 1_100;

export class CachedMessage {
  readonly bytes: Uint8Array;
  /** When it came, and how long it is true; seconds of the monotonic clock. */
  readonly storedSec: number;
  readonly ttlSec: number;
  /** What it takes of the cache. */
  readonly cost: number;
  /** For the cache: whether it was asked for since it was last looked at. */
  isUsed = false;
  readonly #ttlAt: Uint16Array;
  readonly #answers: number;
  /** Records ttlAt[from, from + count) are addresses of one name. */
  #rotateFrom = 0;
  #rotateCount = 0;

  /** @param message parsed; it lies in bytes[start, end) and has a question */
  constructor(message: DnsMessage, bytes: Uint8Array, start: number, nowSec: number) {
    this.bytes = bytes.slice(start, message.additionalsAt);
    this.storedSec = nowSec;
    this.#answers = message.answers;
    this.#ttlAt = this.#findTtls(message.recordsAt - start, message.answers + u16(bytes, start + 8));
    this.#findAddresses(message.recordsAt - start);
    this.ttlSec = this.#lifetime();
    this.cost = this.bytes.length + 2 * this.#ttlAt.length + OVERHEAD_BYTES;
    setU16(this.bytes, 10, 0);
  }

  get rcode(): number {
    return u16(this.bytes, 2) & 15;
  }

  get answers(): number {
    return this.#answers;
  }

  /**
   * Writes it at `to[at]` as the answer to a query with the same name, type and class.
   * @param limit bytes that it may have; what is beyond is left out by whole records, and TC set
   * @param error an extended error (RFC 8914), -1 = none; with one, TTLs are those of a stale answer @returns its length
   */
  // eslint-disable-next-line max-params -- one answer among millions, without an object for it
  write(
    query: DnsMessage,
    bytes: Uint8Array,
    to: Uint8Array,
    at: number,
    limit: number,
    nowSec: number,
    error = -1,
  ): number {
    const room = limit - (query.hasOpt ? MAX_OPT_BYTES : 0);
    const isWhole = this.bytes.length <= room;
    const kept = isWhole ? this.#ttlAt.length : this.#fitting(room);
    const length = isWhole ? this.bytes.length : this.#endOf(kept - 1);
    if (isWhole) to.set(this.bytes, at);
    else to.set(this.bytes.subarray(0, length), at);
    this.#writeHead(query, bytes, to, at, kept);
    const lessSec = error < 0 ? Math.floor(nowSec - this.storedSec) : -1;
    for (let i = 0; i < kept; i++) this.#writeTtl(to, at + this.#ttlAt[i], lessSec);
    if (kept >= this.#rotateFrom + this.#rotateCount && this.#rotateCount > 1) this.#rotate(to, at);
    return query.hasOpt ? length + emitOpt(to, at + length, query.optFlags, 0, error) : length;
  }

  #writeHead(query: DnsMessage, bytes: Uint8Array, to: Uint8Array, at: number, kept: number): void {
    const copied = u16(this.bytes, 2) & (15 | (query.optFlags & FLAG_DNSSEC_OK ? FLAG_AUTHENTIC_DATA : 0));
    const asked = query.flags & (FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);
    const cut = kept < this.#ttlAt.length ? FLAG_TRUNCATED : 0;
    setU16(to, at, query.id);
    setU16(to, at + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | asked | copied | cut);
    if (cut !== 0) {
      setU16(to, at + 6, Math.min(kept, this.#answers));
      setU16(to, at + 8, Math.max(0, kept - this.#answers));
    }
    setU16(to, at + 10, query.hasOpt ? 1 : 0);
    for (let i = 0; i < query.nameBytes; i++) to[at + DNS_HEADER_BYTES + i] = bytes[query.questionAt + i];
  }

  #writeTtl(to: Uint8Array, at: number, lessSec: number): void {
    const ttl = i32(to, at);
    setI32(to, at, lessSec < 0 ? STALE_TTL_SEC : Math.max(0, Math.min(ttl, MAX_TTL_SEC) - lessSec));
  }

  #rotate(to: Uint8Array, at: number): void {
    const shift = Math.floor(Math.random() * this.#rotateCount);
    const size = u16(this.bytes, this.#ttlAt[this.#rotateFrom] + 4);
    for (let i = 0; i < this.#rotateCount; i++) {
      const from = this.#ttlAt[this.#rotateFrom + ((i + shift) % this.#rotateCount)] + TTL_TO_DATA;
      const into = at + this.#ttlAt[this.#rotateFrom + i] + TTL_TO_DATA;
      for (let j = 0; j < size; j++) to[into + j] = this.bytes[from + j];
    }
  }

  #findTtls(recordsAt: number, records: number): Uint16Array {
    const found = new Uint16Array(records);
    for (let i = 0, at = recordsAt; i < records; i++) {
      found[i] = skipName(this.bytes, 0, this.bytes.length, at) + 4;
      at = this.#end(found[i]);
    }
    return found;
  }

  /** The first run of answers that are addresses of one type and owner. */
  #findAddresses(recordsAt: number): void {
    const startOf = (i: number) => (i === 0 ? recordsAt : this.#endOf(i - 1));
    for (let i = 0; i < this.#answers && this.#rotateCount < 2; i += Math.max(1, this.#rotateCount)) {
      this.#rotateFrom = i;
      this.#rotateCount = 0;
      const type = u16(this.bytes, this.#ttlAt[i] - 4);
      if (type !== TYPE_A && type !== TYPE_AAAA) continue;
      let next = i + 1;
      while (next < this.#answers && this.#isLike(startOf(i), startOf(next), this.#ttlAt[i] + TTL_TO_DATA - startOf(i)))
        next++;
      this.#rotateCount = next - i;
    }
  }

  /** Whether two records have the same owner, type, class and length, written alike; their TTLs may differ. */
  #isLike(one: number, other: number, length: number): boolean {
    for (let i = 0; i < length; i++) {
      const isTtl = i >= length - TTL_TO_DATA && i < length - 2;
      if (!isTtl && this.bytes[one + i] !== this.bytes[other + i]) return false;
    }
    return true;
  }

  /** The least TTL; with a SOA, which only negative answers have, that and its last number too (RFC 2308 5); of a negative one without it 0. */
  #lifetime(): number {
    const { bytes } = this;
    const ttls = [...this.#ttlAt].slice(0, this.#answers).map((at) => Math.max(0, i32(bytes, at)));
    const soa = this.#ttlAt.subarray(this.#answers).find((at) => u16(bytes, at - 4) === TYPE_SOA);
    if (soa === undefined || u16(bytes, soa + 4) < 22) {
      const isNegative = this.#answers === 0 || this.rcode === RCODE_NAME_ERROR;
      return isNegative ? 0 : Math.min(MAX_TTL_SEC, ...ttls.slice(0, 1024));
    }
    const least = Math.min(i32(bytes, soa), i32(bytes, this.#end(soa) - 4));
    return Math.max(0, Math.min(MAX_NEGATIVE_TTL_SEC, least, ...ttls.slice(0, 1024)));
  }

  /** How many records fit. */
  #fitting(room: number): number {
    let count = this.#ttlAt.length;
    while (count > 0 && this.#endOf(count - 1) > room) count--;
    return count;
  }

  #endOf(record: number): number {
    return record < 0 ? this.#questionEnd() : this.#end(this.#ttlAt[record]);
  }

  #questionEnd(): number {
    return skipName(this.bytes, 0, this.bytes.length, DNS_HEADER_BYTES) + 4;
  }

  #end(ttlAt: number): number {
    return ttlAt + TTL_TO_DATA + u16(this.bytes, ttlAt + 4);
  }
}
