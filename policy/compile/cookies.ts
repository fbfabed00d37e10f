/**
 * Cookies: small numbers in map entries that lead back to the rules. Equal sets of origins share a number. A number that
 * nobody uses any more can still be asked for until 4096 others have been given up, because events outlive policies.
 */
import type { Origin } from '../rule/rule.ts';

/** An origin by its content, so that a set of many has a short key. */
interface Numbered {
  readonly number: number;
  readonly text: string;
  /** Cookies that have it. */
  uses: number;
}

interface KnownCookie {
  readonly cookie: number;
  readonly key: string;
  readonly origins: readonly Origin[];
  readonly numbered: readonly Numbered[];
  uses: number;
}

const REMEMBERED = 4096; // cookies that nobody uses

export class CookieJar {
  readonly #byKey = new Map<string, KnownCookie>();
  readonly #byCookie = new Map<number, KnownCookie>();
  /** Those that nobody uses, oldest first. */
  readonly #idle = new Set<KnownCookie>();
  readonly #byText = new Map<string, Numbered>();
  /** Of an origin seen before: its number then, which is its number still while a cookie has it. */
  readonly #seen = new WeakMap<Origin, Numbered>();
  #nextNumber = 1;
  #next = 1;
  #added: Map<number, readonly Origin[]> = new Map();
  #removed: number[] = [];

  /** Takes over numbers of another jar, so that equal rules have equal cookies. Call it before the first `acquire`. */
  restore(cookies: Iterable<{ readonly id: number; readonly origins: readonly Origin[] }>): void {
    for (const { id, origins } of cookies) this.#know(id, origins);
  }

  /** The cookie of these origins; 0 for none. Every `acquire` needs a `release`. */
  acquire(origins: readonly Origin[]): number {
    if (origins.length === 0) return 0;
    const known = this.#know(undefined, origins);
    known.uses++;
    this.#idle.delete(known);
    return known.cookie;
  }

  release(cookie: number): void {
    const known = this.#byCookie.get(cookie);
    if (known === undefined || --known.uses > 0) return;
    this.#idle.add(known);
    if (this.#idle.size <= REMEMBERED) return;
    const [oldest] = this.#idle;
    this.#idle.delete(oldest);
    this.#byKey.delete(oldest.key);
    this.#byCookie.delete(oldest.cookie);
    for (const one of oldest.numbered) if (--one.uses === 0) this.#byText.delete(one.text);
    if (!this.#added.delete(oldest.cookie)) this.#removed.push(oldest.cookie);
  }

  /** The rules behind a cookie; empty when it is unknown or long forgotten. */
  origins(cookie: number): readonly Origin[] {
    return this.#byCookie.get(cookie)?.origins ?? [];
  }

  /** All that can be asked for, with their rules. */
  *known(): Generator<readonly [cookie: number, origins: readonly Origin[]]> {
    for (const { cookie, origins } of this.#byCookie.values()) yield [cookie, origins];
  }

  /** Those in use, with their rules. */
  *inUse(): Generator<readonly [cookie: number, origins: readonly Origin[]]> {
    for (const { cookie, origins, uses } of this.#byCookie.values()) if (uses > 0) yield [cookie, origins];
  }

  /** How many cookies are in use. */
  get size(): number {
    return this.#byCookie.size - this.#idle.size;
  }

  /** What changed since the last call. */
  takeChanges(): { added: Map<number, readonly Origin[]>; removed: number[] } {
    const changes = { added: this.#added, removed: this.#removed };
    this.#added = new Map();
    this.#removed = [];
    return changes;
  }

  /** @param cookie the number for origins that are not known yet; a free one unless told */
  #know(cookie: number | undefined, origins: readonly Origin[]): KnownCookie {
    const numbered = origins.map((origin) => this.#number(origin));
    const key = String(numbered.length === 1 ? numbered[0].number : numbered.map(({ number }) => number).sort(rising));
    const before = this.#byKey.get(key);
    if (before !== undefined) return before;
    const known = { cookie: cookie ?? this.#freeNumber(), key, origins, numbered, uses: 0 };
    for (const one of numbered) one.uses++;
    this.#byKey.set(key, known);
    this.#byCookie.set(known.cookie, known);
    this.#added.set(known.cookie, origins);
    return known;
  }

  #number(origin: Origin): Numbered {
    const seen = this.#seen.get(origin);
    if (seen !== undefined && seen.uses > 0) return seen;
    const text = originKey(origin);
    const known = this.#byText.get(text) ?? { number: this.#nextNumber++, text, uses: 0 };
    this.#byText.set(text, known);
    this.#seen.set(origin, known);
    return known;
  }

  #freeNumber(): number {
    while (this.#byCookie.has(this.#next)) this.#next = this.#next === 0xffffffff ? 1 : this.#next + 1;
    return this.#next++;
  }
}

function rising(a: number, b: number): number {
  return a - b;
}

function originKey({ kind, namespace, name, path, file, line, log }: Origin): string {
  return `${kind} ${namespace}/${name} ${path} ${file}:${line} ${log ?? ''}`;
}
