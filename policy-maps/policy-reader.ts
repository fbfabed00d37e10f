/**
 * The reading side of a PolicyMap: finding the entry that decides, without allocating, while the agent may publish.
 *
 * A lookup notes the generation, looks up, and looks at the generation again: the half it read can only have been
 * written to after the word moved on, so an unchanged word means an unmixed answer. What comes from the file is used as
 * a position only after it was held to the bounds of its part, and every loop has a limit, so a half that is being
 * rewritten, or is corrupt, costs a wrong guess that the generation check throws away, and nothing else.
 *
 * Selection is Cilium's (bpf/lib/policy.h of 1.20):
 *  1. E1 = longest match among the entries of the remote identity itself;
 *     precedence at its maximum (deny of the first priority) ends the search.
 *  2. E2 = longest match among those of its aggregate (11 own cluster, 12 other cluster, 13 CIDR, 14 remote node,
 *     0 for identities below 100); if neither is found, E2 = longest match among those of identity 0.
 *     So a rule for every peer must be stored under 0, 11, 12, 13 and 14 alike: that is the compiler's part.
 *  3. E2 wins when there is no E1, or its precedence is higher, or the same with a longer prefix.
 *  4. The winner's deny drops (181); its auth type, or a greater one of the loser at the same precedence if the
 *     winner's is not explicit, drops (189); its rule set redirects; else allow.
 */
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, W_GENERATION } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';
import * as half from './policy-half.ts';
import * as verdicts from './policy-verdict.ts';
import * as match from '../wire/match.ts';
import { type Direction, EGRESS } from '../wire/direction.ts';
import { aggregateOf } from '../wire/identities.ts';

// V8 loads and checks an imported or exported constant at every use, but folds a constant of the module's own: worth a
// third of a lookup (bench/policy-maps.bench.ts). So the hot path has its own names for them.
const AUTH_MASK = half.AUTH_MASK;
const AUTH_SHIFT = half.AUTH_SHIFT;
const DENY_BIT = half.DENY_BIT;
const DIRECT_GROUPS = half.DIRECT_GROUPS;
const EXPLICIT_BIT = half.EXPLICIT_BIT;
const FULL_BITS = half.FULL_BITS;
const POINT_MASK = half.POINT_MASK;
const PROTOCOL_BITS = half.PROTOCOL_BITS;
const ROW_COOKIE = half.ROW_COOKIE;
const ROW_POINT = half.ROW_POINT;
const ROW_PRECEDENCE = half.ROW_PRECEDENCE;
const ROW_VERDICT = half.ROW_VERDICT;
const ROW_WORDS = half.ROW_WORDS;
const LENGTH_SHIFT = half.LENGTH_SHIFT;
const LENGTH_MASK = half.LENGTH_MASK;
const DROP_NO_MATCH = verdicts.DROP_NO_MATCH;
const DROP_FRAGMENT = verdicts.DROP_FRAGMENT;
const DROP_DENY = verdicts.DROP_DENY;
const DROP_AUTH = verdicts.DROP_AUTH;
const DROP_NO_POLICY = verdicts.DROP_NO_POLICY;
const MATCH_L3_ONLY = match.MATCH_L3_ONLY;
const MATCH_L3_L4 = match.MATCH_L3_L4;
const MATCH_L4_ONLY = match.MATCH_L4_ONLY;
const MATCH_ALL = match.MATCH_ALL;
const MATCH_L3_PROTO = match.MATCH_L3_PROTO;
const MATCH_PROTO_ONLY = match.MATCH_PROTO_ONLY;
const GENERATION = W_GENERATION;

const MAX_PRECEDENCE = -1; // all ones, as a signed word

// --- implementation
const ATTEMPTS = 1000;
const PARENTS_LIMIT = 32; // deeper than prefixes can nest

/** Identity 0 and the aggregates: entries for peers in general. */
function isWildcard(identity: number): boolean {
  return identity === 0 || (identity >= 11 && identity <= 14);
}

export class PolicyReader extends PinnedMap {
  /**
   * Of the last lookup: MATCH_*, the entry's cookie (a signed word: `>>> 0` to print), its auth type (after propagation)
   * and its row, -1 for none.
   */
  matchType = match.MATCH_NONE;
  cookie = 0;
  authType = 0;
  entrySlot = -1;
  /** Of the last lookup: the key of the chosen entry, as PolicyStatsMap wants it. 0 when none was found. */
  entryIdentity = 0;
  /** bits 0-23 protocol and port, 24-28 prefix length, 29 egress */
  entryPoint = 0;

  protected readonly header: Int32Array;
  protected readonly words: Int32Array;
  protected readonly halfWords: number;
  protected readonly seed: number;
  readonly #clusterId: number;

  // --- where the parts of the current half lie, in words; kept until the generation moves
  protected seenGeneration = 0;
  protected entryCount = 0;
  protected rows = 0;
  protected identities = 0;
  #direct = 0;
  #directBits = 0;
  #ingress = 0;
  #ingressMask = 0;
  #egress = 0;
  #egressMask = 0;
  #parents = 0;

  constructor(file: MapFile) {
    super(file);
    this.header = file.header;
    this.halfWords = half.halfWords(file.capacity);
    this.words = file.words(HEADER_BYTES, 2 * this.halfWords);
    this.seed = file.seed0;
    this.#clusterId = file.parameter;
  }

  /**
   * The verdict for a packet.
   * @param identity security identity of the remote
   * @param direction INGRESS or EGRESS of wire/direction.ts
   * @param dport destination port, or the ICMP type
   * @returns rule set (> 0: redirect), ALLOW, or a negative drop reason; the fields above tell the rest
   */
  lookup(identity: number, direction: Direction, protocol: number, dport: number): number {
    return this.#watch(identity | 0, direction, (protocol << 16) | dport, FULL_BITS);
  }

  /** The verdict for a fragment whose ports are not known: only entries for every port can match. */
  lookupFragment(identity: number, direction: Direction, protocol: number): number {
    const verdict = this.#watch(identity | 0, direction, protocol << 16, PROTOCOL_BITS);
    return verdict === DROP_NO_MATCH ? DROP_FRAGMENT : verdict;
  }

  #watch(identity: number, direction: Direction, point: number, maxLength: number): number {
    const { header } = this;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const generation = header[GENERATION];
      if (generation !== this.seenGeneration && !this.refresh()) break;
      if (this.seenGeneration === 0) break;
      const verdict = this.#decide(identity, direction, point, maxLength);
      if (Atomics.load(header, GENERATION) === this.seenGeneration) return verdict;
    }
    this.#noMatch();
    return DROP_NO_POLICY;
  }

  #decide(identity: number, direction: Direction, point: number, maxLength: number): number {
    const { words } = this;
    const e1 = this.#longestMatch(identity, direction, point, maxLength);
    if (e1 >= 0 && words[e1 + ROW_PRECEDENCE] === MAX_PRECEDENCE) return this.#judge(e1, -1, identity);
    let aggregate = aggregateOf(identity, this.#clusterId);
    let e2 = aggregate === identity ? -1 : this.#longestMatch(aggregate, direction, point, maxLength);
    if (e1 < 0 && e2 < 0) {
      if (aggregate !== 0) e2 = this.#longestMatch(0, direction, point, maxLength);
      if (e2 < 0) {
        this.#noMatch();
        return DROP_NO_MATCH;
      }
      aggregate = 0;
    }
    if (e1 < 0) return this.#judge(e2, -1, aggregate);
    if (e2 < 0) return this.#judge(e1, -1, identity);
    const p1 = words[e1 + ROW_PRECEDENCE] >>> 0;
    const p2 = words[e2 + ROW_PRECEDENCE] >>> 0;
    if (p2 > p1) return this.#judge(e2, e1, aggregate);
    const isLonger = p2 === p1 && lengthOf(words[e2 + ROW_POINT]) > lengthOf(words[e1 + ROW_POINT]);
    return isLonger ? this.#judge(e2, e1, aggregate) : this.#judge(e1, e2, identity);
  }

  /** What the chosen entry, one of `identity`, says; `other` is the one that lost, -1 for none. */
  #judge(chosen: number, other: number, identity: number): number {
    const { words } = this;
    const point = words[chosen + ROW_POINT];
    const verdict = words[chosen + ROW_VERDICT];
    const length = lengthOf(point);
    const isAny = isWildcard(identity);
    this.entrySlot = (chosen - this.rows) >> 2;
    this.entryIdentity = identity;
    this.entryPoint = point;
    this.cookie = words[chosen + ROW_COOKIE];
    if (length > PROTOCOL_BITS) this.matchType = isAny ? MATCH_L4_ONLY : MATCH_L3_L4;
    else if (length > 0) this.matchType = isAny ? MATCH_PROTO_ONLY : MATCH_L3_PROTO;
    else this.matchType = isAny ? MATCH_ALL : MATCH_L3_ONLY;
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
    this.matchType = match.MATCH_NONE;
    this.cookie = 0;
    this.authType = 0;
    this.entrySlot = -1;
    this.entryIdentity = 0;
    this.entryPoint = 0;
  }

  /** Word of the row that matches longest among the entries of one identity, or -1. */
  #longestMatch(identity: number, direction: Direction, point: number, maxLength: number): number {
    const { words, rows } = this;
    const group = this.#findGroup(identity, direction);
    if (group < 0) return -1;
    const span = words[group];
    let low = span >>> 16;
    let left = (span & 0xffff) + 1;
    if (low + left > this.entryCount) return -1; // not a group of this half: the generation check will tell
    // Binary search without a branch to guess wrong: -1 >>> 31 is 1, so `step & -0` or `step & -1` is added.
    while (left > 1) {
      const step = left >>> 1;
      const start = words[rows + (low + step) * ROW_WORDS + ROW_POINT] & POINT_MASK;
      low += step & -(((point - start) >>> 31) ^ 1);
      left -= step;
    }
    for (let steps = 0; steps < PARENTS_LIMIT; steps++) {
      const row = rows + low * ROW_WORDS;
      const start = words[row + ROW_POINT];
      const length = lengthOf(start);
      if (((start ^ point) & POINT_MASK) >>> (FULL_BITS - length) === 0 && length <= maxLength) return row;
      low = words[this.#parents + low];
      if (low < 0 || low >= this.entryCount) return -1;
    }
    return -1;
  }

  /** Word that holds the group's span, or -1. */
  #findGroup(identity: number, direction: Direction): number {
    const { words } = this;
    if (identity < 15 && isWildcard(identity)) {
      const direct = (identity === 0 ? 0 : identity - 10) + (direction === EGRESS ? DIRECT_GROUPS : 0);
      return (this.#directBits & (1 << direct)) === 0 ? -1 : this.#direct + direct;
    }
    const table = direction === EGRESS ? this.#egress : this.#ingress;
    const mask = direction === EGRESS ? this.#egressMask : this.#ingressMask;
    let at = half.groupHash(identity, this.seed) & mask;
    for (let probes = 0; probes <= mask; probes++) {
      const found = words[table + 2 * at];
      if (found === identity) return table + 2 * at + 1;
      if (found === 0) return -1;
      at = (at + 1) & mask;
    }
    return -1;
  }

  /** Learns where the parts of the published half lie. False when nothing is published or the half cannot be. */
  protected refresh(): boolean {
    const { header, words } = this;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const generation = Atomics.load(header, GENERATION);
      const start = (generation & 1) * this.halfWords;
      const entries = words[start + half.H_ENTRIES];
      const ingressSize = words[start + half.H_INGRESS_SIZE];
      const egressSize = words[start + half.H_EGRESS_SIZE];
      const directBits = words[start + half.H_DIRECT_BITS];
      if (Atomics.load(header, GENERATION) !== generation) continue;
      this.seenGeneration = 0;
      if (generation === 0 || !isTableSize(ingressSize) || !isTableSize(egressSize)) return false;
      const offsets = half.partOffsets(entries, ingressSize, egressSize);
      if (entries < 0 || entries > this.file.capacity || offsets.end > this.halfWords) return false;
      this.entryCount = entries;
      this.rows = start + offsets.rows;
      this.identities = start + offsets.identities;
      this.#direct = start + half.H_DIRECT;
      this.#directBits = directBits;
      this.#ingress = start + offsets.ingress;
      this.#ingressMask = ingressSize - 1;
      this.#egress = start + offsets.egress;
      this.#egressMask = egressSize - 1;
      this.#parents = start + offsets.parents;
      this.seenGeneration = generation;
      return true;
    }
    return false;
  }
}

function isTableSize(size: number): boolean {
  return size > 0 && size <= 1 << 20 && (size & (size - 1)) === 0;
}

function lengthOf(point: number): number {
  return (point >> LENGTH_SHIFT) & LENGTH_MASK;
}
