/**
 * Slow twins of the tables: obviously right, allocating freely, in memory only. Tests run both under one suite and
 * compare them; nothing else uses these.
 */
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';

/** Twin of HashTable: refuses a new key when it has `capacity` keys. */
export class ReferenceHash {
  readonly #entries = new Map<string, { key: readonly number[]; value: readonly number[] }>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: readonly number[]): readonly number[] | undefined {
    return this.#entries.get(key.join())?.value;
  }

  /** False when it is full. */
  set(key: readonly number[], value: readonly number[]): boolean {
    if (!this.#entries.has(key.join()) && this.size >= this.#capacity) return false;
    this.#entries.set(key.join(), { key: [...key], value: [...value] });
    return true;
  }

  delete(key: readonly number[]): boolean {
    return this.#entries.delete(key.join());
  }

  keys(): string[] {
    return [...this.#entries.keys()].sort();
  }
}

/** Twin of LruHashTable: gives up the key used longest ago. Reading does not count as use, `set` and `touch` do. */
export class ReferenceLru {
  readonly #used = new Map<string, readonly number[]>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#used.size;
  }

  get(key: readonly number[]): readonly number[] | undefined {
    return this.#used.get(key.join());
  }

  set(key: readonly number[], value: readonly number[]): boolean {
    const name = key.join();
    if (!this.#used.delete(name) && this.size >= this.#capacity) {
      for (const oldest of this.#used.keys()) {
        this.#used.delete(oldest);
        break;
      }
    }
    this.#used.set(name, [...value]);
    return true;
  }

  delete(key: readonly number[]): boolean {
    return this.#used.delete(key.join());
  }

  keys(): string[] {
    return [...this.#used.keys()].sort();
  }
}

/** Twin of LpmTable: looks at every prefix. */
export class ReferenceLpm {
  readonly #prefixes = new Map<string, { bits: string; value: number }>();

  get size(): number {
    return this.#prefixes.size;
  }

  set(address: readonly number[], length: number, value: number): void {
    const bits = toBits(address).slice(0, length);
    this.#prefixes.set(bits, { bits, value });
  }

  delete(address: readonly number[], length: number): boolean {
    return this.#prefixes.delete(toBits(address).slice(0, length));
  }

  /** The value of the longest prefix that holds the address. */
  match(address: readonly number[]): number | undefined {
    const wanted = toBits(address);
    let best: { bits: string; value: number } | undefined;
    for (const prefix of this.#prefixes.values()) {
      if (wanted.startsWith(prefix.bits) && (best === undefined || prefix.bits.length > best.bits.length))
        best = prefix;
    }
    return best?.value;
  }
}

function toBits(words: readonly number[]): string {
  return words.map((word) => (word >>> 0).toString(2).padStart(32, '0')).join('');
}

/** Twin of ArrayTable. */
export class ReferenceArray {
  readonly #rows = new Map<number, readonly number[]>();
  readonly #width: number;

  constructor(width: number) {
    this.#width = width;
  }

  set(index: number, row: readonly number[]): void {
    this.#rows.set(index, [...row]);
  }

  get(index: number): readonly number[] {
    return this.#rows.get(index) ?? new Array<number>(this.#width).fill(0);
  }
}

/** Twin of EventRing with one reader: keeps everything, and hands out only what a ring would still have. */
export class ReferenceRing {
  readonly #records: number[] = [];
  readonly #capacity: number;
  #position = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  write(record: number): void {
    this.#records.push(record);
  }

  read(limit: number): { records: number[]; lost: number } {
    const oldest = Math.max(this.#position, this.#records.length - this.#capacity);
    const lost = oldest - this.#position;
    const records = this.#records.slice(oldest, oldest + limit);
    this.#position = oldest + records.length;
    return { records, lost };
  }
}

/** What a policy lookup asks for; `port` undefined = a fragment whose ports are not known. */
export interface ReferenceQuery {
  readonly identity: number;
  readonly egress: boolean;
  readonly protocol: number;
  readonly port: number | undefined;
  readonly clusterId: number;
}

export interface ReferenceVerdict {
  readonly verdict: number;
  readonly matchType: number;
  readonly entry: PolicyEntry | undefined;
  readonly authType: number;
}

/** Twin of PolicyMap.lookup: every entry is looked at, in the words of cilium's bpf/lib/policy.h. */
export function referenceVerdict(entries: readonly PolicyEntry[], query: ReferenceQuery): ReferenceVerdict {
  const specific = longest(entries, query, query.identity);
  const aggregateId = referenceAggregate(query.identity, query.clusterId);
  let general = specific?.precedence === 0xffffffff ? undefined : longest(entries, query, aggregateId);
  if (specific === undefined && general === undefined) general = longest(entries, query, 0);
  if (specific === undefined && general === undefined) {
    return { verdict: query.port === undefined ? -157 : -133, matchType: 0, entry: undefined, authType: 0 };
  }
  const isGeneral =
    specific === undefined ||
    (general !== undefined &&
      (general.precedence > specific.precedence ||
        (general.precedence === specific.precedence && lengthOf(general) > lengthOf(specific))));
  const chosen = (isGeneral ? general : specific) as PolicyEntry;
  const other = isGeneral ? specific : general;
  return judge(chosen, other);
}

function judge(chosen: PolicyEntry, other: PolicyEntry | undefined): ReferenceVerdict {
  const isAny = [0, 11, 12, 13, 14].includes(chosen.identity);
  const length = lengthOf(chosen);
  const matchType = length === 0 ? (isAny ? 4 : 1) : length <= 8 ? (isAny ? 6 : 5) : isAny ? 3 : 2;
  if (chosen.deny) return { verdict: -181, matchType, entry: chosen, authType: 0 };
  const inherits = !chosen.hasExplicitAuthType && other?.precedence === chosen.precedence;
  const authType = inherits ? Math.max(chosen.authType, other.authType) : chosen.authType;
  return { verdict: authType !== 0 ? -189 : chosen.ruleSet, matchType, entry: chosen, authType };
}

function longest(entries: readonly PolicyEntry[], query: ReferenceQuery, identity: number): PolicyEntry | undefined {
  let best: PolicyEntry | undefined;
  for (const entry of entries) {
    if (entry.identity !== identity || entry.egress !== query.egress || !holds(entry, query)) continue;
    if (best === undefined || lengthOf(entry) > lengthOf(best)) best = entry;
  }
  return best;
}

function holds(entry: PolicyEntry, query: ReferenceQuery): boolean {
  if (entry.protocol === 0) return true;
  if (entry.protocol !== query.protocol) return false;
  if (entry.portPrefix === 0) return true;
  return query.port !== undefined && entry.port >> (16 - entry.portPrefix) === query.port >> (16 - entry.portPrefix);
}

function lengthOf(entry: PolicyEntry): number {
  return entry.protocol === 0 ? 0 : 8 + entry.portPrefix;
}

function referenceAggregate(identity: number, clusterId: number): number {
  if (identity >= 11 && identity <= 14) return identity;
  if (identity < 100) return 0;
  if (identity >= 0x02000000) return 14;
  if (identity >= 0x01000000) return 13;
  return Math.floor(identity / 65536) === clusterId ? 11 : 12;
}
