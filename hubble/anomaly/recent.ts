/**
 * What anomaly rules remember, all of it bounded: a table that forgets what was not used lately, and a set of different
 * values within a window. Keys come from traffic, so both will be flooded; what is forgotten before its time is counted.
 */

const SUBJECTS = 4096;
/** Some 40 bytes each. */
const VALUES = 100_000;

/**
 * A map of at most `capacity` keys, in two generations: a key that is used goes to the young one; when that is full, it becomes the
 * old one, and what nobody has used since is forgotten. (One Map in order of use costs ten times as much when it is full.)
 */
export class Recent<V> {
  readonly #half: number;
  readonly #onForget: (value: V) => void;
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  /** Keys that made room for others. */
  forgotten = 0;

  /** @param onForget takes the value of a key that makes room */
  constructor(capacity: number, onForget: (value: V) => void = () => undefined) {
    this.#half = capacity >> 1;
    this.#onForget = onForget;
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    this.#old.delete(key);
    if (this.#young.size >= this.#half && !this.#young.has(key)) this.#age();
    this.#young.set(key, value);
  }

  /** The value of a key, made when there is none. */
  of(key: string, make: () => V): V {
    const found = this.get(key);
    if (found !== undefined) return found;
    const made = make();
    this.set(key, made);
    return made;
  }

  delete(key: string): void {
    if (!this.#young.delete(key)) this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }

  *[Symbol.iterator](): IterableIterator<[string, V]> {
    yield* this.#old;
    yield* this.#young;
  }

  #age(): void {
    const gone = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    this.forgotten += gone.size;
    for (const value of gone.values()) this.#onForget(value);
  }
}

/** How many different numbers came within a window; it never holds more than the limit. */
class DistinctWindow {
  readonly #seenMs = new Map<number, number>();
  readonly #limit: number;
  readonly #windowMs: number;
  /** Times are whole and count from here: small integers need no heap. */
  #firstMs = Number.NaN;

  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** @returns whether the limit is reached; then it begins anew */
  add(value: number, timeMs: number): boolean {
    if (Number.isNaN(this.#firstMs)) this.#firstMs = timeMs;
    const nowMs = Math.round(timeMs - this.#firstMs);
    this.#seenMs.delete(value);
    this.#seenMs.set(value, nowMs);
    if (this.#seenMs.size < this.#limit) return false;
    for (const [oldest, atMs] of this.#seenMs) {
      // A clock that was set back makes times of the future: these are no better than old ones.
      if (Math.abs(nowMs - atMs) <= this.#windowMs) break;
      this.#seenMs.delete(oldest);
    }
    if (this.#seenMs.size < this.#limit) return false;
    this.#seenMs.clear();
    return true;
  }
}

/** A window for each of many subjects. With a higher limit there are fewer, so that all together hold VALUES at most. */
export class Windows {
  readonly #windows: Recent<DistinctWindow>;
  readonly #make: () => DistinctWindow;

  /** @param limit different values that fill a window, at least 1 */
  constructor(limit: number, windowMs: number) {
    this.#windows = new Recent(Math.min(SUBJECTS, Math.floor(VALUES / limit)));
    this.#make = () => new DistinctWindow(limit, windowMs);
  }

  /** Subjects that made room for others. */
  get forgotten(): number {
    return this.#windows.forgotten;
  }

  /** @returns whether the subject has reached the limit; then its window begins anew */
  add(subject: string, value: number, nowMs: number): boolean {
    return this.#windows.of(subject, this.#make).add(value, nowMs);
  }
}

/** FNV-1a over UTF-16. @param seed secret, so that nobody makes names that fall together @returns 32 bits, signed */
export function seededHash(text: string, seed: number): number {
  let hash = seed ^ 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash;
}
