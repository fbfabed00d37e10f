/**
 * The policy of one endpoint, as the dataplane asks for it: who (identity), which way, which protocol and port.
 *
 * The file has two halves (policy-half.ts). `publish` builds the idle one and then stores one generation word; its
 * low bit says which half counts. A reader notes the generation, looks up, and looks at the generation again: the half
 * it read can only have been written to after the word moved on, so an unchanged word means an unmixed answer. The
 * writer never waits for readers, a reader repeats at most once for each publication.
 *
 * Selection is Cilium's (bpf/lib/policy.h of 1.20):
 *  1. E1 = longest match among the entries of the remote identity itself;
 *     precedence at its maximum (deny of the first priority) ends the search.
 *  2. E2 = longest match among those of its aggregate (11 own cluster, 12 other cluster, 13 CIDR, 14 remote node,
 *     0 for identities below 100); if neither is found, E2 = longest match among those of identity 0.
 *     So a rule for every peer must be stored under 0, 11, 12, 13 and 14 alike: that is the compiler's part.
 *  3. E2 wins when there is no E1, or its precedence is higher, or the same with a longer prefix.
 *  4. The winner's deny drops (181); its auth type, or a greater one of the loser at the same precedence if the
 *     winner's is not explicit, drops (189); its proxy port redirects; else allow.
 *
 * Before the first publication every lookup answers NO_POLICY: an endpoint without a policy is closed.
 */
import {
  AUTH_MASK,
  AUTH_SHIFT,
  DENY_BIT,
  DIRECT_GROUPS,
  EGRESS_BIT,
  EXPLICIT_BIT,
  FULL_BITS,
  groupHash,
  H_DIRECT,
  H_EGRESS_SIZE,
  H_ENTRIES,
  H_INGRESS_SIZE,
  halfWords,
  LENGTH_MASK,
  LENGTH_SHIFT,
  partOffsets,
  POINT_MASK,
  PROTOCOL_BITS,
  ROW_IDENTITY,
  ROW_POINT,
  ROW_PRECEDENCE,
  ROW_VERDICT,
  ROW_WORDS,
  sortEntries,
  writeHalf,
} from './policy-half.ts';
import {
  HEADER_BYTES,
  MapFile,
  type MapLayout,
  type Mapper,
  W_COUNT,
  W_FULL,
  W_GENERATION,
  W_UPDATES,
} from './map-file.ts';
import { MapFullError } from './map-error.ts';
import type { PolicyEntry } from './policy-entry.ts';

// --- specification: verdicts (negative drop reasons, wire/reasons.ts) and match types (bpf/lib/policy.h)
export const ALLOW = 0;
export const DROP_NO_MATCH = -133;
export const DROP_FRAGMENT = -157;
export const DROP_DENY = -181;
export const DROP_AUTH = -189;
export const DROP_NO_POLICY = -203;
export const MATCH_NONE = 0;
export const MATCH_L3_ONLY = 1;
export const MATCH_L3_L4 = 2;
export const MATCH_L4_ONLY = 3;
export const MATCH_ALL = 4;
export const MATCH_L3_PROTO = 5;
export const MATCH_PROTO_ONLY = 6;
export const POLICY_MAP_CAPACITY = 16384;

const MAX_PRECEDENCE = -1; // all ones, as a signed word

// --- implementation
const READ_ATTEMPTS = 1000;
const PARENTS_LIMIT = 32; // deeper than prefixes can nest

const LAYOUT: MapLayout = {
  kind: 'policy',
  version: 1,
  keyBytes: 8,
  valueBytes: 12,
  maxCapacity: 65536,
  fileBytes: (capacity) => HEADER_BYTES + 2 * halfWords(capacity) * 4,
};

export interface PolicyMapOptions {
  /** Entries; default 16384, at most 65536. */
  readonly capacity?: number;
  /** The cluster whose identities have aggregate 11; default 0. */
  readonly clusterId?: number;
  readonly seed?: readonly [number, number];
}

/** The aggregate that an identity falls back to. */
export function aggregateOf(identity: number, clusterId: number): number {
  if (identity >>> 0 < 100) return identity >= 11 && identity <= 14 ? identity : 0;
  const scope = identity >>> 24;
  if (scope === 1) return 13;
  if (scope === 2) return 14;
  return ((identity >>> 16) & 0xff) === clusterId ? 11 : 12;
}

export class PolicyMap {
  /** Of the last lookup: MATCH_*, the entry's cookie, its auth type (after propagation) and its row, -1 for none. */
  matchType = MATCH_NONE;
  cookie = 0;
  authType = 0;
  entrySlot = -1;
  /** Of the last lookup: the key of the chosen entry, as PolicyStatsMap wants it. 0 when none was found. */
  entryIdentity = 0;
  /** bits 0-23 protocol and port, 24-28 prefix length, 29 egress */
  entryPoint = 0;

  readonly file: MapFile;
  readonly #clusterId: number;
  readonly #seed: number;
  readonly #header: Int32Array;
  readonly #words: Int32Array;
  readonly #halfWords: number;

  // --- where the parts of the current half lie, in words of #words; kept until the generation moves
  #generation = 0;
  #half = 0;
  #entries = 0;
  #ingress = 0;
  #ingressMask = 0;
  #egress = 0;
  #egressMask = 0;
  #rows = 0;
  #cookies = 0;
  #parents = 0;

  private constructor(file: MapFile) {
    this.file = file;
    this.#clusterId = file.parameter;
    this.#seed = file.seed0;
    this.#header = file.header;
    this.#halfWords = halfWords(file.capacity);
    this.#words = file.words(HEADER_BYTES, 2 * this.#halfWords);
  }

  static create(path: string, options: PolicyMapOptions, mapper: Mapper): PolicyMap {
    const capacity = options.capacity ?? POLICY_MAP_CAPACITY;
    const parameter = options.clusterId ?? 0;
    return new PolicyMap(MapFile.create(path, LAYOUT, { ...options, capacity, parameter }, mapper));
  }

  static open(path: string, mapper: Mapper, options: { writable?: boolean } = {}): PolicyMap {
    return new PolicyMap(MapFile.open(path, LAYOUT, mapper, options.writable ?? false));
  }

  close(): void {
    this.file.close();
  }

  /** Number of publications; 0 before the first. Wraps at 2^32. */
  get generation(): number {
    return Atomics.load(this.#header, W_GENERATION) >>> 0;
  }

  /** Number of entries published. */
  get count(): number {
    return this.#header[W_COUNT];
  }

  get capacity(): number {
    return this.file.capacity;
  }

  /**
   * Replaces the whole policy at once. Entries with the same key: the one of higher precedence stays.
   * @throws {MapFullError} when there are more than `capacity`; the old policy stays in force
   * @throws {RangeError} when an entry cannot be; the old policy stays in force
   */
  publish(entries: readonly PolicyEntry[]): void {
    const sorted = sortEntries(entries);
    if (sorted.length > this.capacity) {
      this.#header[W_FULL]++;
      const mismatch = { what: 'entries', found: sorted.length, wanted: `at most ${this.capacity}` };
      throw new MapFullError('publish policy to', this.file.path, mismatch);
    }
    let next = (this.#header[W_GENERATION] + 1) | 0;
    if (next === 0) next = 2; // 0 means "never published"; 2 is the same half
    const start = (next & 1) * this.#halfWords;
    writeHalf(this.#words.subarray(start, start + this.#halfWords), sorted, this.#seed);
    this.#header[W_COUNT] = sorted.length;
    this.#header[W_UPDATES]++;
    Atomics.store(this.#header, W_GENERATION, next);
  }

  /**
   * The verdict for a packet.
   * @param identity security identity of the remote
   * @param isEgress 1 when the endpoint sends, 0 when it receives
   * @param dport destination port, or the ICMP type
   * @returns proxy port (> 0: redirect), ALLOW, or a negative drop reason; the fields above tell the rest
   */
  lookup(identity: number, isEgress: number, protocol: number, dport: number): number {
    return this.#watch(identity, isEgress, (protocol << 16) | dport, FULL_BITS);
  }

  /** The verdict for a fragment whose ports are not known: only entries for every port can match. */
  lookupFragment(identity: number, isEgress: number, protocol: number): number {
    const verdict = this.#watch(identity, isEgress, protocol << 16, PROTOCOL_BITS);
    return verdict === DROP_NO_MATCH ? DROP_FRAGMENT : verdict;
  }

  /** The entries in force, in table order. */
  entries(): PolicyEntry[] {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (!this.#refresh()) return [];
      const rows: PolicyEntry[] = [];
      for (let slot = 0; slot < this.#entries; slot++) rows.push(this.#readEntry(slot));
      if (Atomics.load(this.#header, W_GENERATION) === this.#generation) return rows;
    }
    throw this.file.corrupt('generation', 'one that never rests', 'a policy that stays for one reading');
  }

  #watch(identity: number, isEgress: number, point: number, maxLength: number): number {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      if (this.#header[W_GENERATION] !== this.#generation && !this.#refresh()) break;
      if (this.#generation === 0) break;
      const verdict = this.#decide(identity | 0, isEgress, point, maxLength);
      if (Atomics.load(this.#header, W_GENERATION) === this.#generation) return verdict;
    }
    this.#noMatch();
    return DROP_NO_POLICY;
  }

  #decide(identity: number, isEgress: number, point: number, maxLength: number): number {
    const words = this.#words;
    const e1 = this.#longestMatch(identity, isEgress, point, maxLength);
    if (e1 >= 0 && words[e1 + ROW_PRECEDENCE] === MAX_PRECEDENCE) return this.#judge(e1, -1);
    const aggregate = aggregateOf(identity, this.#clusterId);
    let e2 = aggregate === identity ? -1 : this.#longestMatch(aggregate, isEgress, point, maxLength);
    if (e1 < 0 && e2 < 0) {
      if (aggregate !== 0) e2 = this.#longestMatch(0, isEgress, point, maxLength);
      if (e2 < 0) {
        this.#noMatch();
        return DROP_NO_MATCH;
      }
    }
    if (e1 < 0) return this.#judge(e2, -1);
    if (e2 < 0) return this.#judge(e1, -1);
    const p1 = words[e1 + ROW_PRECEDENCE] >>> 0;
    const p2 = words[e2 + ROW_PRECEDENCE] >>> 0;
    if (p2 > p1) return this.#judge(e2, e1);
    return p2 === p1 && lengthOf(words[e2 + ROW_POINT]) > lengthOf(words[e1 + ROW_POINT])
      ? this.#judge(e2, e1)
      : this.#judge(e1, e2);
  }

  /** What the chosen entry says; `other` is the one that lost, -1 for none. */
  #judge(chosen: number, other: number): number {
    const words = this.#words;
    const point = words[chosen + ROW_POINT];
    const identity = words[chosen + ROW_IDENTITY];
    const verdict = words[chosen + ROW_VERDICT];
    const slot = (chosen - this.#rows) >> 2;
    const length = lengthOf(point);
    const isWildcard = identity === 0 || (identity >= 11 && identity <= 14);
    this.entrySlot = slot;
    this.entryIdentity = identity;
    this.entryPoint = point;
    this.cookie = words[this.#cookies + slot] >>> 0;
    if (length > PROTOCOL_BITS) this.matchType = isWildcard ? MATCH_L4_ONLY : MATCH_L3_L4;
    else if (length > 0) this.matchType = isWildcard ? MATCH_PROTO_ONLY : MATCH_L3_PROTO;
    else this.matchType = isWildcard ? MATCH_ALL : MATCH_L3_ONLY;
    this.authType = 0;
    if ((verdict & DENY_BIT) !== 0) return DROP_DENY;
    let auth = (verdict >>> AUTH_SHIFT) & AUTH_MASK;
    if (
      other >= 0 &&
      (verdict & EXPLICIT_BIT) === 0 &&
      words[other + ROW_PRECEDENCE] === words[chosen + ROW_PRECEDENCE]
    ) {
      auth = Math.max(auth, (words[other + ROW_VERDICT] >>> AUTH_SHIFT) & AUTH_MASK);
    }
    this.authType = auth;
    return auth !== 0 ? DROP_AUTH : verdict & 0xffff;
  }

  #noMatch(): void {
    this.matchType = MATCH_NONE;
    this.cookie = 0;
    this.authType = 0;
    this.entrySlot = -1;
    this.entryIdentity = 0;
    this.entryPoint = 0;
  }

  /** Word of the row that matches longest among the entries of one identity, or -1. */
  #longestMatch(identity: number, isEgress: number, point: number, maxLength: number): number {
    const words = this.#words;
    const group = this.#findGroup(identity, isEgress);
    if (group < 0) return -1;
    const span = words[group + 1];
    const first = span >>> 16;
    let low = first;
    let high = first + (span & 0xffff) + 1;
    if (high > this.#entries) return -1; // not a group of this half: the generation check will tell
    const rows = this.#rows;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((words[rows + middle * ROW_WORDS + ROW_POINT] & POINT_MASK) <= point) low = middle;
      else high = middle;
    }
    for (let steps = 0; steps < PARENTS_LIMIT; steps++) {
      const row = rows + low * ROW_WORDS;
      const start = words[row + ROW_POINT];
      const length = lengthOf(start);
      if (((start ^ point) & POINT_MASK) >>> (FULL_BITS - length) === 0 && length <= maxLength) return row;
      low = words[this.#parents + low];
      if (low < 0 || low >= this.#entries) return -1;
    }
    return -1;
  }

  /** Word of the group's entry in its table, or -1. */
  #findGroup(identity: number, isEgress: number): number {
    const words = this.#words;
    if (identity === 0 || (identity >= 11 && identity <= 14)) {
      const direct = identity === 0 ? 0 : identity - 10;
      const at = this.#half + H_DIRECT + 2 * (isEgress !== 0 ? DIRECT_GROUPS + direct : direct);
      return words[at] === 0 ? -1 : at;
    }
    const table = isEgress !== 0 ? this.#egress : this.#ingress;
    const mask = isEgress !== 0 ? this.#egressMask : this.#ingressMask;
    let at = groupHash(identity, this.#seed) & mask;
    for (let probes = 0; probes <= mask; probes++) {
      const found = words[table + 2 * at];
      if (found === identity) return table + 2 * at;
      if (found === 0) return -1;
      at = (at + 1) & mask;
    }
    return -1;
  }

  /** Learns where the parts of the published half lie. False when nothing is published or the half cannot be. */
  #refresh(): boolean {
    for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
      const generation = Atomics.load(this.#header, W_GENERATION);
      const half = (generation & 1) * this.#halfWords;
      const words = this.#words;
      const entries = words[half + H_ENTRIES];
      const ingressSize = words[half + H_INGRESS_SIZE];
      const egressSize = words[half + H_EGRESS_SIZE];
      if (Atomics.load(this.#header, W_GENERATION) !== generation) continue;
      this.#generation = 0;
      if (generation === 0 || !isTableSize(ingressSize) || !isTableSize(egressSize)) return false;
      const offsets = partOffsets(entries, ingressSize, egressSize);
      if (entries < 0 || entries > this.capacity || offsets.end > this.#halfWords) return false;
      this.#half = half;
      this.#entries = entries;
      this.#ingress = half + offsets.ingress;
      this.#ingressMask = ingressSize - 1;
      this.#egress = half + offsets.egress;
      this.#egressMask = egressSize - 1;
      this.#rows = half + offsets.rows;
      this.#cookies = half + offsets.cookies;
      this.#parents = half + offsets.parents;
      this.#generation = generation;
      return true;
    }
    return false;
  }

  #readEntry(slot: number): PolicyEntry {
    const words = this.#words;
    const row = this.#rows + slot * ROW_WORDS;
    const point = words[row + ROW_POINT];
    const verdict = words[row + ROW_VERDICT];
    const length = lengthOf(point);
    return {
      identity: words[row + ROW_IDENTITY] >>> 0,
      egress: (point & EGRESS_BIT) !== 0,
      protocol: (point >>> 16) & 0xff,
      port: point & 0xffff,
      portPrefix: length > PROTOCOL_BITS ? length - PROTOCOL_BITS : 0,
      deny: (verdict & DENY_BIT) !== 0,
      proxyPort: verdict & 0xffff,
      authType: (verdict >>> AUTH_SHIFT) & AUTH_MASK,
      hasExplicitAuthType: (verdict & EXPLICIT_BIT) !== 0,
      precedence: words[row + ROW_PRECEDENCE] >>> 0,
      cookie: words[this.#cookies + slot] >>> 0,
    };
  }
}

function lengthOf(point: number): number {
  return (point >>> LENGTH_SHIFT) & LENGTH_MASK;
}

function isTableSize(size: number): boolean {
  return size > 0 && size <= 1 << 20 && (size & (size - 1)) === 0;
}
