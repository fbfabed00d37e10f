/**
 * How the entries of one policy lie in one half of a PolicyMap, and how they get there.
 *
 * ```
 *   | header 64 | ingress groups 2 x size | egress groups 2 x size | rows 4 x n | parents n | identities n |
 * ```
 *
 * Entries are sorted by direction, identity, first (protocol, port) they cover, longest last; those of one direction and
 * identity are a group. A group is found by hash (two words: identity, then first row and length), or at once in the
 * header for the identities every lookup asks for (0 and the aggregates). Within a group the port prefixes are nested or
 * apart, never crossing, so the longest match is: the last entry that begins at or before the packet's (protocol, port),
 * or the nearest of its parents that covers it. That needs no hash and no probe for each prefix length, and the
 * parts are only as long as the policy needs, so a small policy stays within one page.
 */
import { AGGREGATE_CLUSTER, isAggregate } from '../wire/identities.ts';
import type { PolicyEntry } from './policy-entry.ts';

// --- specification: what a row holds (policy map value)
export const ROW_WORDS = 4;
/** bits 0-23 protocol and port, 24-28 prefix length (0, 8, 9..24), 29 egress */
export const ROW_POINT = 0;
export const ROW_PRECEDENCE = 1;
/** bits 0-15 rule set, 16-22 auth type, 23 explicit auth type, 24 deny */
export const ROW_VERDICT = 2;
export const ROW_COOKIE = 3;
export const POINT_MASK = 0xffffff;
export const LENGTH_SHIFT = 24;
export const LENGTH_MASK = 31;
const EGRESS_BIT = 1 << 29;
export const AUTH_SHIFT = 16;
export const AUTH_MASK = 127;
export const EXPLICIT_BIT = 1 << 23;
export const DENY_BIT = 1 << 24;
/** Bits of protocol, of protocol and port. */
export const PROTOCOL_BITS = 8;
export const FULL_BITS = 24;

// --- implementation: the header of a half
const HALF_HEADER_WORDS = 64;
export const H_ENTRIES = 0;
export const H_INGRESS_SIZE = 1;
export const H_EGRESS_SIZE = 2;
/** Groups of identity 0 and of 11 to 14, ingress then egress: bit n says that word H_DIRECT + n holds one. */
export const H_DIRECT_BITS = 3;
export const H_DIRECT = 8;
export const DIRECT_GROUPS = 5;
const NO_PARENT = -1;

/** The largest a half can be: group tables of less than 4 x 2 words a group, rows, parents, identities. */
export function halfWords(capacity: number): number {
  return HALF_HEADER_WORDS + 2 * GROUPS_MIN * 2 + capacity * (8 + ROW_WORDS + 2);
}

const GROUPS_MIN = 4;

/** Table size for a number of groups: a power of two, at most half full. */
function groupTableSize(groups: number): number {
  const wanted = Math.max(GROUPS_MIN, Math.ceil(groups * 2));
  return 1 << (32 - Math.clz32(wanted - 1));
}

/** Place of a group in the header, or -1 when it is found by hash. */
function directGroup(identity: number, egress: boolean): number {
  const place = identity === 0 ? 0 : isAggregate(identity) ? identity - AGGREGATE_CLUSTER + 1 : -1;
  return place >= 0 && egress ? place + DIRECT_GROUPS : place;
}

/** First place to look for a group: identities are given out by the agent, so that spreading them is enough. */
export function groupHash(identity: number, seed: number): number {
  const h = Math.imul(identity ^ seed, 0x9e3779b1);
  return h ^ (h >>> 16);
}

/** Where the parts of a half begin, in words from its start. */
export function partOffsets(entries: number, ingressSize: number, egressSize: number) {
  const ingress = HALF_HEADER_WORDS;
  const egress = ingress + 2 * ingressSize;
  const rows = egress + 2 * egressSize;
  const parents = rows + ROW_WORDS * entries;
  return { ingress, egress, rows, parents, identities: parents + entries, end: parents + 2 * entries };
}

/**
 * Checks entries and gives them back in table order, without double keys (the one of higher precedence stays, then the
 * later one).
 * @throws {RangeError} naming the entry and the field that is out of range
 */
export function sortEntries(entries: readonly PolicyEntry[]): PolicyEntry[] {
  for (const entry of entries) checkEntry(entry);
  const sorted = [...entries].sort(compareEntries);
  return sorted.filter((entry, i) => i + 1 === sorted.length || !isSameKey(entry, sorted[i + 1]));
}

/** Prefix length of an entry over protocol and port: 0, 8, or 9 to 24. */
function prefixLength(entry: PolicyEntry): number {
  return entry.protocol === 0 ? 0 : PROTOCOL_BITS + entry.portPrefix;
}

function startPoint(entry: PolicyEntry): number {
  return (entry.protocol << 16) | entry.port;
}

function compareEntries(a: PolicyEntry, b: PolicyEntry): number {
  return (
    Number(a.egress) - Number(b.egress) ||
    a.identity - b.identity ||
    startPoint(a) - startPoint(b) ||
    prefixLength(a) - prefixLength(b) ||
    a.precedence - b.precedence
  );
}

function isSameKey(a: PolicyEntry, b: PolicyEntry): boolean {
  return (
    a.egress === b.egress &&
    a.identity === b.identity &&
    startPoint(a) === startPoint(b) &&
    prefixLength(a) === prefixLength(b)
  );
}

function checkEntry(entry: PolicyEntry): void {
  const hasPort = entry.protocol !== 0;
  checkField(entry, 'identity', 0xffffffff);
  checkField(entry, 'protocol', 255);
  checkField(entry, 'port', hasPort ? 0xffff : 0);
  checkField(entry, 'portPrefix', hasPort ? 16 : 0);
  checkField(entry, 'ruleSet', 0xffff);
  checkField(entry, 'authType', AUTH_MASK);
  checkField(entry, 'precedence', 0xffffffff);
  checkField(entry, 'cookie', 0xffffffff);
  if ((entry.port & (0xffff >> entry.portPrefix)) !== 0) {
    throw new RangeError(`policy entry ${JSON.stringify(entry)}: port: found bits beyond the prefix, wanted them 0`);
  }
}

function checkField(entry: PolicyEntry, field: keyof PolicyEntry, max: number): void {
  const value = entry[field];
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new RangeError(`policy entry ${JSON.stringify(entry)}: ${field}: found ${String(value)}, wanted 0 to ${max}`);
}

/** Writes sorted entries into `half` (the words of one half). Stale words beyond what is written do not matter. */
export function writeHalf(half: Int32Array, sorted: readonly PolicyEntry[], seed: number): void {
  const groups = groupRuns(sorted);
  const egressFrom = groups.findIndex((group) => sorted[group.first].egress);
  const ingressGroups = egressFrom < 0 ? groups.length : egressFrom;
  const ingressSize = groupTableSize(ingressGroups);
  const egressSize = groupTableSize(groups.length - ingressGroups);
  const offsets = partOffsets(sorted.length, ingressSize, egressSize);
  half.fill(0, 0, offsets.rows);
  half[H_ENTRIES] = sorted.length;
  half[H_INGRESS_SIZE] = ingressSize;
  half[H_EGRESS_SIZE] = egressSize;
  for (const { first, length } of groups) {
    const { identity, egress } = sorted[first];
    const word = (first << 16) | (length - 1);
    const direct = directGroup(identity, egress);
    if (direct < 0) {
      insertGroup(half, egress ? offsets.egress : offsets.ingress, egress ? egressSize : ingressSize, {
        identity,
        word,
        seed,
      });
    } else {
      half[H_DIRECT_BITS] |= 1 << direct;
      half[H_DIRECT + direct] = word;
    }
    writeParents(half, offsets.parents, sorted, first, length);
  }
  sorted.forEach((entry, i) => {
    writeRow(half, offsets.rows + i * ROW_WORDS, entry);
    half[offsets.identities + i] = entry.identity;
  });
}

function groupRuns(sorted: readonly PolicyEntry[]): { first: number; length: number }[] {
  const runs: { first: number; length: number }[] = [];
  for (let first = 0; first < sorted.length; ) {
    let end = first + 1;
    while (
      end < sorted.length &&
      sorted[end].identity === sorted[first].identity &&
      sorted[end].egress === sorted[first].egress
    )
      end++;
    runs.push({ first, length: end - first });
    first = end;
  }
  return runs;
}

function insertGroup(
  half: Int32Array,
  table: number,
  size: number,
  group: { identity: number; word: number; seed: number },
): void {
  let at = groupHash(group.identity, group.seed) & (size - 1);
  while (half[table + 2 * at] !== 0) at = (at + 1) & (size - 1);
  half[table + 2 * at] = group.identity;
  half[table + 2 * at + 1] = group.word;
}

function writeRow(half: Int32Array, at: number, entry: PolicyEntry): void {
  half[at + ROW_COOKIE] = entry.cookie;
  half[at + ROW_POINT] = startPoint(entry) | (prefixLength(entry) << LENGTH_SHIFT) | (entry.egress ? EGRESS_BIT : 0);
  half[at + ROW_PRECEDENCE] = entry.precedence;
  half[at + ROW_VERDICT] =
    entry.ruleSet |
    (entry.authType << AUTH_SHIFT) |
    (entry.hasExplicitAuthType ? EXPLICIT_BIT : 0) |
    (entry.deny ? DENY_BIT : 0);
}

/** The entry that a row holds, given the identity of its group. */
export function readRow(words: Int32Array, at: number, identity: number): PolicyEntry {
  const point = words[at + ROW_POINT];
  const verdict = words[at + ROW_VERDICT];
  const length = lengthOf(point);
  return {
    identity: identity >>> 0,
    egress: (point & EGRESS_BIT) !== 0,
    protocol: (point >>> 16) & 0xff,
    port: point & 0xffff,
    portPrefix: length > PROTOCOL_BITS ? length - PROTOCOL_BITS : 0,
    deny: (verdict & DENY_BIT) !== 0,
    ruleSet: verdict & 0xffff,
    authType: (verdict >>> AUTH_SHIFT) & AUTH_MASK,
    hasExplicitAuthType: (verdict & EXPLICIT_BIT) !== 0,
    precedence: words[at + ROW_PRECEDENCE] >>> 0,
    cookie: words[at + ROW_COOKIE] >>> 0,
  };
}

/** Prefix length in a ROW_POINT word. */
function lengthOf(point: number): number {
  return (point >> LENGTH_SHIFT) & LENGTH_MASK;
}

/** The parent of an entry is the last one before it that covers it: found with a stack, since prefixes nest. */
function writeParents(
  half: Int32Array,
  parents: number,
  sorted: readonly PolicyEntry[],
  first: number,
  length: number,
): void {
  const open: number[] = [];
  for (let i = first; i < first + length; i++) {
    while (open.length > 0 && !covers(sorted[open[open.length - 1]], sorted[i])) open.pop();
    half[parents + i] = open.length > 0 ? open[open.length - 1] : NO_PARENT;
    open.push(i);
  }
}

function covers(wide: PolicyEntry, narrow: PolicyEntry): boolean {
  return (startPoint(wide) ^ startPoint(narrow)) >>> (FULL_BITS - prefixLength(wide)) === 0;
}
