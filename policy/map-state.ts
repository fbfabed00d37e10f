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
  return { ...withAuthOf(a, b), origins: [...new Set([...a.origins, ...b.origins])] };
}

/** What weighs less has no say, but in what authentication a stream needs. */
function overrule(strong: Draft, weak: Draft): Draft {
  const draft = strong.deny ? strong : withAuthOf(strong, weak);
  return draft.authType === strong.authType ? draft : { ...draft, origins: [...strong.origins, ...weak.origins] };
}

/** What is asked for outright comes before what is not; then the stricter. */
function withAuthOf(a: Draft, b: Draft): Draft {
  if (a.hasExplicitAuthType && !b.hasExplicitAuthType) return a;
  const authType = a.hasExplicitAuthType === b.hasExplicitAuthType ? Math.max(a.authType, b.authType) : b.authType;
  return { ...a, authType, hasExplicitAuthType: a.hasExplicitAuthType || b.hasExplicitAuthType };
}

/**
 * Authentication that a rule asks for explicitly holds for narrower keys of the same identity that say nothing of it: each
 * takes what the nearest broader one says.
 */
export function inheritAuth(drafts: Drafts): void {
  const asking = askingDrafts(drafts);
  if (asking.length === 0) return;
  for (const [key, draft] of drafts) drafts.set(key, withInherited(draft, asking));
}

/** Those that say something of authentication. */
export function askingDrafts(drafts: Drafts): Draft[] {
  return [...drafts.values()].filter(({ hasExplicitAuthType, deny }) => hasExplicitAuthType && !deny);
}

/** The draft with the authentication that the nearest broader of these asks for, unless it says something itself. */
export function withInherited(draft: Draft, asking: readonly Draft[]): Draft {
  if (draft.hasExplicitAuthType || draft.deny) return draft;
  let nearest: Draft | undefined;
  for (const broad of asking) {
    if (isBroader(broad, draft) && (nearest === undefined || isBroader(nearest, broad))) nearest = broad;
  }
  return nearest === undefined || nearest.authType <= draft.authType ? draft : { ...draft, authType: nearest.authType };
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

export function maskPort(port: number, prefix: number): number {
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
