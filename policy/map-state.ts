/**
 * Map state: what the rules say about one remote identity, as entries of the policy map.
 *
 * A draft is an entry without its identity. Drafts are collected by key; of two with the same key
 *   1. the higher precedence stays;
 *   2. at equal precedence they are one, and their rules are joined;
 *   3. unless it denies, what stays asks for the authentication that either asks for, the stricter of both.
 * Then a draft goes when a broader key (fewer port bits, or any protocol; of the same identity or of the wildcard) covers
 * it with a higher precedence, or with an equal one that denies. That is not only thrift: longest prefix match would
 * otherwise find a narrow allow inside a broad deny.
 */
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import type { Origin } from './rule.ts';

export interface Draft {
  readonly egress: boolean;
  readonly protocol: number;
  readonly port: number;
  readonly portPrefix: number;
  /** Of the block of its rule's range that it lies in: less than `portPrefix` where the range was cut (rule sets). */
  readonly naturalPrefix: number;
  readonly deny: boolean;
  readonly proxyPort: number;
  readonly authType: number;
  readonly hasExplicitAuthType: boolean;
  readonly precedence: number;
  readonly origins: readonly Origin[];
}

/** Drafts by `draftKey`. */
export type Drafts = Map<number, Draft>;

/** Equal for drafts that the map could not hold side by side. */
export function draftKey(draft: Pick<Draft, 'egress' | 'protocol' | 'port' | 'portPrefix'>): number {
  return keyOf(draft.egress, draft.protocol, draft.port, draft.portPrefix);
}

/** 1 + 8 + 16 + 5 bits. Any protocol is protocol, port and prefix 0. */
function keyOf(egress: boolean, protocol: number, port: number, portPrefix: number): number {
  return (egress ? 2 ** 29 : 0) + protocol * 2 ** 21 + port * 2 ** 5 + portPrefix;
}

export function addDraft(drafts: Drafts, draft: Draft): void {
  const key = draftKey(draft);
  const held = drafts.get(key);
  if (held === undefined) drafts.set(key, draft);
  else if (held.precedence === draft.precedence) drafts.set(key, join(held, draft));
  else if (draft.precedence > held.precedence) drafts.set(key, overrule(draft, held));
  else drafts.set(key, overrule(held, draft));
}

/** Of two that weigh the same both say something. */
function join(a: Draft, b: Draft): Draft {
  const [narrow, wide] = a.naturalPrefix >= b.naturalPrefix ? [a, b] : [b, a];
  return { ...withAuthOf(narrow, wide), origins: [...new Set([...a.origins, ...b.origins])] };
}

/** What weighs less has no say, but in what authentication a stream needs. */
function overrule(strong: Draft, weak: Draft): Draft {
  const draft = strong.deny ? strong : withAuthOf(strong, weak);
  return draft.authType === strong.authType ? draft : { ...draft, origins: [...strong.origins, ...weak.origins] };
}

/** What is asked for outright comes before what is not; then what the narrower rule asks for; then the stricter. */
function withAuthOf(kept: Draft, other: Draft): Draft {
  if (!other.hasExplicitAuthType) {
    const authType = kept.hasExplicitAuthType ? kept.authType : Math.max(kept.authType, other.authType);
    return { ...kept, authType };
  }
  if (other.naturalPrefix > kept.naturalPrefix) return asking(kept, other);
  if (other.naturalPrefix < kept.naturalPrefix) {
    return kept.hasExplicitAuthType ? kept : { ...kept, authType: Math.max(kept.authType, other.authType) };
  }
  const authType = kept.hasExplicitAuthType ? Math.max(kept.authType, other.authType) : other.authType;
  return { ...kept, authType, hasExplicitAuthType: true };
}

/** The draft with what a narrower rule asks for outright. */
function asking(draft: Draft, { authType, naturalPrefix }: Draft): Draft {
  return { ...draft, authType, naturalPrefix, hasExplicitAuthType: true };
}

/**
 * Authentication that a rule asks for explicitly holds for narrower keys of the same identity that say nothing of it: each
 * takes what the nearest broader one says.
 */
export function inheritAuth(drafts: Drafts): void {
  const askers = askingDrafts(drafts);
  if (askers.length === 0) return;
  for (const [key, draft] of drafts) drafts.set(key, withInherited(draft, askers));
}

/** Those that say something of authentication. */
export function askingDrafts(drafts: Drafts): Draft[] {
  return [...drafts.values()].filter(({ hasExplicitAuthType, deny }) => hasExplicitAuthType && !deny);
}

/** The draft with the authentication that the nearest broader of these asks for, unless it says something itself. */
export function withInherited(draft: Draft, askers: readonly Draft[]): Draft {
  if (draft.deny) return draft;
  let nearest: Draft | undefined;
  for (const broad of askers) {
    if (isBroader(broad, draft) && (nearest === undefined || depth(nearest) < depth(broad))) nearest = broad;
  }
  if (nearest === undefined || nearest === draft) return draft;
  // Of a rule that is narrower by nature, though its range was not cut as small.
  if (depth(nearest) > depth(draft)) return asking(draft, nearest);
  const isSettled = draft.hasExplicitAuthType || nearest.authType <= draft.authType;
  return isSettled ? draft : { ...draft, authType: nearest.authType };
}

/** How narrow the rule behind a draft is, as lookups count: none, protocol, bits of the port. */
function depth({ protocol, naturalPrefix }: Draft): number {
  return protocol === 0 ? 0 : 8 + naturalPrefix;
}

/**
 * A range that was cut has longer prefixes than its rule. Where a rule for everyone is narrower by nature, a lookup would
 * have chosen that one; both redirect to the same rules, so that what differs is the authentication.
 * @param general finds what the aggregate of the identity has, by draft key
 */
export function withGeneralAuth(draft: Draft, general: (key: number) => Draft | undefined): Draft {
  const { egress, protocol, port, portPrefix, naturalPrefix } = draft;
  if (naturalPrefix === portPrefix || draft.deny) return draft;
  let rival: Draft | undefined;
  for (let prefix = portPrefix; prefix > naturalPrefix && rival === undefined; prefix--) {
    rival = general(keyOf(egress, protocol, maskPort(port, prefix), prefix));
  }
  if (rival === undefined || rival.precedence !== draft.precedence || depth(rival) <= depth(draft)) return draft;
  const authType = rival.hasExplicitAuthType ? rival.authType : Math.max(rival.authType, draft.authType);
  return { ...draft, authType, hasExplicitAuthType: true };
}

function isBroader(broad: Draft, narrow: Draft): boolean {
  if (broad.egress !== narrow.egress) return false;
  if (broad.protocol === 0) return true;
  const isShorter = broad.protocol === narrow.protocol && broad.portPrefix <= narrow.portPrefix;
  return isShorter && maskPort(narrow.port, broad.portPrefix) === broad.port;
}

/** The drafts that no broader one covers. @param wildcard what is said about everyone; may be `drafts` itself */
export function uncovered(drafts: Drafts, wildcard: Drafts): Draft[] {
  const prefixes = prefixesIn(drafts, wildcard);
  return [...drafts.values()].filter((draft) => !isCovered(draft, [drafts, wildcard], prefixes));
}

function isCovered(draft: Draft, tables: readonly Drafts[], prefixes: readonly number[]): boolean {
  const { egress, protocol, port } = draft;
  for (const table of tables) {
    if (covers(table.get(keyOf(egress, 0, 0, 0)), draft)) return true;
    if (protocol === 0) continue;
    for (const prefix of prefixes) {
      if (prefix > draft.portPrefix) break;
      if (covers(table.get(keyOf(egress, protocol, maskPort(port, prefix), prefix)), draft)) return true;
    }
  }
  return false;
}

function covers(broad: Draft | undefined, draft: Draft): boolean {
  if (broad === undefined || broad === draft) return false;
  return broad.precedence > draft.precedence || (broad.deny && broad.precedence === draft.precedence);
}

/** Prefix lengths that occur, shortest first: the broader keys worth looking for. */
function prefixesIn(...tables: readonly Drafts[]): number[] {
  const prefixes = new Set<number>();
  for (const table of tables) for (const { portPrefix } of table.values()) prefixes.add(portPrefix);
  return [...prefixes].sort((a, b) => a - b);
}

function maskPort(port: number, prefix: number): number {
  return prefix === 0 ? 0 : port & (0xffff << (16 - prefix)) & 0xffff;
}

/** A draft about one identity. @param cookie of its origins */
export function entryOf(draft: Draft, identity: number, cookie: number): PolicyEntry {
  const { egress, protocol, port, portPrefix, deny, proxyPort, authType, hasExplicitAuthType, precedence } = draft;
  return {
    identity,
    egress,
    protocol,
    port,
    portPrefix,
    deny,
    proxyPort,
    authType,
    hasExplicitAuthType,
    precedence,
    cookie,
  };
}
