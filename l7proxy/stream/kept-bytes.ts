/**
 * Bytes that may have to be sent again, or may not be sent yet.
 *
 * A stream keeps, in one piece of memory, what it has forwarded and the receiver has not acknowledged, and behind that what
 * it holds back:
 *
 *        start                 held                end
 *     ---- | forwarded, unacked | not passed yet    | room ...
 *
 * The memory comes from a pool with a limit over all connections, of which no endpoint gets more than its share (shares.ts), and
 * is given back whenever nothing is kept, so an idle connection costs none. Buffers have sizes 2^11 to 2^21; a connection that keeps more moves to the next size, up to a limit of its own.
 * The live part is moved to the front when room is short and at least half is free, so a byte is moved once on average.
 */
import { copyBytes } from '../../wire/bytes.ts';
import { Shares } from './shares.ts';

const MIN_SHIFT = 11;
const MAX_SHIFT = 21;
/** Free buffers of each size that are not given back to the garbage collector. */
const SPARE_BYTES = 1 << 22;

const NONE = new Uint8Array(0);

export class BytePool {
  /** Of bytes of buffers in use. */
  readonly shares: Shares;
  /** Requests refused because one way of a connection had all that it may have. */
  refusedStreams = 0;
  readonly #free: Uint8Array[][] = Array.from({ length: MAX_SHIFT + 1 }, () => []);

  constructor(limitBytes: number) {
    this.shares = new Shares(limitBytes);
  }

  /** Bytes of buffers in use now. */
  get usedBytes(): number {
    return this.shares.used;
  }

  /** A buffer of at least `bytes`, or null when the share of `owner` is full or no buffer is that large. */
  take(bytes: number, owner: number): Uint8Array | null {
    const shift = Math.max(MIN_SHIFT, 32 - Math.clz32(bytes - 1));
    const size = 1 << shift;
    if (shift > MAX_SHIFT || !this.shares.take(owner, size)) return null;
    return this.#free[shift].pop() ?? new Uint8Array(size);
  }

  give(buffer: Uint8Array, owner: number): void {
    this.shares.give(owner, buffer.length);
    const spare = this.#free[31 - Math.clz32(buffer.length)];
    if ((spare.length + 1) * buffer.length <= SPARE_BYTES) spare.push(buffer);
  }
}

export class KeptBytes {
  bytes: Uint8Array = NONE;
  start = 0;
  held = 0;
  end = 0;
  /** Most that this stream may keep, which is the most that may be under way: no window is told beyond it. */
  readonly limit: number;
  readonly #pool: BytePool;
  #owner = 0;

  constructor(pool: BytePool, limitBytes: number) {
    this.#pool = pool;
    this.limit = limitBytes;
  }

  /** The endpoint whose share of the memory is used. Preconditions: nothing is kept. */
  setOwner(endpoint: number): void {
    this.#owner = endpoint;
  }

  /** Bytes held back. */
  get heldBytes(): number {
    return this.end - this.held;
  }

  /** Makes room for `count` bytes at the end. @returns false when a limit forbids it; nothing has changed then */
  reserve(count: number): boolean {
    if (this.end + count <= this.bytes.length) return true;
    const live = this.end - this.start;
    if (live + count > this.limit) {
      this.#pool.refusedStreams++;
      return false;
    }
    if (live + count <= this.bytes.length && live * 2 <= this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
      this.#moved(0);
      return true;
    }
    return this.#grow(live, live + count);
  }

  #grow(live: number, wanted: number): boolean {
    const old = this.bytes;
    const roomy = this.#pool.take(Math.min(wanted * 2, Math.max(this.limit, wanted)), this.#owner);
    const buffer = roomy ?? this.#pool.take(wanted, this.#owner);
    if (buffer === null) return false;
    if (live > 0) buffer.set(old.subarray(this.start, this.end));
    this.bytes = buffer;
    this.#moved(0);
    if (old.length > 0) this.#pool.give(old, this.#owner);
    return true;
  }

  #moved(start: number): void {
    this.held += start - this.start;
    this.end += start - this.start;
    this.start = start;
  }

  /** Appends source[from, to) to what is held. Preconditions: `reserve` has answered true. */
  hold(source: Uint8Array, from: number, to: number): void {
    this.end = copyBytes(source, from, to, this.bytes, this.end);
  }

  /** Counts the first `count` held bytes as forwarded. */
  passHeld(count: number): void {
    this.held += count;
  }

  /** Takes away the first `count` held bytes. */
  dropHeld(count: number): void {
    this.bytes.copyWithin(this.held, this.held + count, this.end);
    this.end -= count;
    this.#releaseIfEmpty();
  }

  /** Takes away everything held. */
  dropAllHeld(): void {
    this.end = this.held;
    this.#releaseIfEmpty();
  }

  /** Puts `payload` behind what was forwarded, before what is held, as forwarded. Preconditions: as `hold`. */
  insert(payload: Uint8Array): void {
    this.bytes.copyWithin(this.held + payload.length, this.held, this.end);
    this.bytes.set(payload, this.held);
    this.held += payload.length;
    this.end += payload.length;
  }

  /** Forgets the first `count` forwarded bytes: the receiver has them. */
  acknowledge(count: number): void {
    this.start += count;
    this.#releaseIfEmpty();
  }

  /** Whether source[from, to) is what lies `ahead` bytes behind `start`. Preconditions: that much was forwarded. */
  equals(source: Uint8Array, from: number, to: number, ahead: number): boolean {
    const { bytes } = this;
    for (let i = from, j = this.start + ahead; i < to; i++, j++) if (source[i] !== bytes[j]) return false;
    return true;
  }

  release(): void {
    if (this.bytes.length > 0) this.#pool.give(this.bytes, this.#owner);
    this.bytes = NONE;
    this.start = 0;
    this.held = 0;
    this.end = 0;
  }

  #releaseIfEmpty(): void {
    if (this.start === this.end) this.release();
  }
}
