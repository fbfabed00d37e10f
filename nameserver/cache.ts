/**
 * Answers of other servers, by question, bounded by what they take. Room is made from the oldest on; one that was asked for since it
 * was last looked at goes to the end instead (a clock: a hit costs a flag, not a move). What has expired stays for a while, to be
 * served when no server answers any more (RFC 8767).
 */
import type { CachedMessage } from './cached-message.ts';

/** Default room. */
export const CACHE_BYTES: number = 16 << 20;
/** How long after its end an answer may still be served when nobody answers. */
const STALE_SEC = 3_600;

export class AnswerCache {
  /** Made room for others. */
  evictions = 0;
  #bytes = 0;
  readonly #capacity: number;
  readonly #entries = new Map<string, CachedMessage>();

  /** @param capacity bytes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What is there, true or stale: `isFresh` says which. */
  get(key: string): CachedMessage | undefined {
    const found = this.#entries.get(key);
    if (found !== undefined) found.isUsed = true;
    return found;
  }

  set(key: string, message: CachedMessage): void {
    this.delete(key);
    if (message.cost + key.length > this.#capacity / 8) return;
    this.#entries.set(key, message);
    this.#bytes += message.cost + key.length;
    while (this.#bytes > this.#capacity) this.#makeRoom();
  }

  delete(key: string): void {
    const found = this.#entries.get(key);
    if (found === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= found.cost + key.length;
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  /** One step: the oldest entry goes, or to the end. */
  #makeRoom(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (entry.isUsed) {
        entry.isUsed = false;
        this.#entries.set(key, entry);
        continue;
      }
      this.#bytes -= entry.cost + key.length;
      this.evictions++;
      return;
    }
  }
}

/** Whether an answer is still true. */
export function isFresh(message: CachedMessage, nowSec: number): boolean {
  return nowSec < message.storedSec + message.ttlSec;
}

/** Whether one that is not true any more may be served in need. */
export function isServable(message: CachedMessage, nowSec: number): boolean {
  return nowSec < message.storedSec + message.ttlSec + STALE_SEC;
}
