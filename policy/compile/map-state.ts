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
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import type { Origin } from '../rule/rule.ts';

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
  /** How narrow the rule was that settled the authentication of one that asks for none itself; see depth(). */
  readonly askedDepth?: number;
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

/** A draft while others may still be joined to it: then `origins` grows, and those of the draft are not all. */
interface Gathered {
  draft: Draft;
  origins: Set<Origin> | undefined;
}

/** Collects drafts by key. Joining one more costs the same however many were joined before. */
export class DraftGatherer {
  readonly #byKey = new Map<number, Gathered>();

  add(draft: Draft): void {
    const key = draftKey(draft);
    const held = this.#byKey.get(key);
    if (held === undefined) this.#byKey.set(key, { draft, origins: undefined });
    else if (held.draft.precedence === draft.precedence) join(held, draft);
    else if (draft.precedence < held.draft.precedence) overrule(held, draft);
    else {
      const strong: Gathered = { draft, origins: undefined };
      overrule(strong, held.draft, held.origins);
      this.#byKey.set(key, strong);
    }
  }

  drafts(): Drafts {
    const drafts: Drafts = new Map();
    for (const [key, { draft, origins }] of this.#byKey) {
      drafts.set(key, origins === undefined ? draft : { ...draft, origins: [...origins] });
    }
    return drafts;
  }
}

/** Of two that weigh the same both say something. */
function join(held: Gathered, other: Draft): void {
  addOrigins(held, other.origins);
  const isNarrower = held.draft.naturalPrefix >= other.naturalPrefix;
  held.draft = isNarrower ? withAuthOf(held.draft, other) : withAuthOf(other, held.draft);
}

/** What weighs less has no say, but in what authentication a stream needs. */
function overrule(strong: Gathered, weak: Draft, weakOrigins: Iterable<Origin> = weak.origins): void {
  const before = strong.draft;
  if (!before.deny) strong.draft = withAuthOf(before, weak);
  if (strong.draft.authType !== before.authType) addOrigins(strong, weakOrigins);
}

function addOrigins(gathered: Gathered, origins: Iterable<Origin>): void {
  gathered.origins ??= new Set(gathered.draft.origins);
  for (const origin of origins) gathered.origins.add(origin);
}

/** What is asked for outright comes before what is not; then what the narrower rule asks for; then the stricter. */
function withAuthOf(kept: Draft, other: Draft): Draft {
  if (!other.hasExplicitAuthType) {
    if (kept.hasExplicitAuthType) return kept;
    const askedDepth = Math.max(kept.askedDepth ?? -1, other.askedDepth ?? -1);
    return { ...kept, authType: Math.max(kept.authType, other.authType), askedDepth };
  }
  if (other.naturalPrefix > kept.naturalPrefix) return asking(kept, other);
  if (other.naturalPrefix < kept.naturalPrefix) {
    if (kept.hasExplicitAuthType) return kept;
    const askedDepth = Math.max(kept.askedDepth ?? -1, depth(other));
    return { ...kept, authType: Math.max(kept.authType, other.authType), askedDepth };
  }
  const authType = kept.hasExplicitAuthType ? Math.max(kept.authType, other.authType) : other.authType;
  return { ...kept, authType, hasExplicitAuthType: true };
}

/** The draft with what a narrower rule asks for outright. */
function asking(draft: Draft, { authType, naturalPrefix }: Draft): Draft {
  return { ...draft, authType, naturalPrefix, hasExplicitAuthType: true };
}

/** Of a table, the drafts that say something of authentication, by key, and which came first. */
export interface Askers {
  readonly byKey: ReadonlyMap<number, { readonly draft: Draft; readonly place: number }>;
  readonly prefixes: readonly number[];
}

/**
 * Authentication that a rule asks for explicitly holds for narrower keys of the same identity that say nothing of it: each
 * takes what the nearest broader one says.
 */
export function inheritAuth(drafts: Drafts): void {
  const askers = askersAmong(drafts);
  if (askers.byKey.size === 0) return;
  for (const [key, draft] of drafts) drafts.set(key, withInherited(draft, askers));
}

export function askersAmong(drafts: Drafts): Askers {
  const asking = [...drafts.values()].filter(({ hasExplicitAuthType, deny }) => hasExplicitAuthType && !deny);
  return {
    byKey: new Map(asking.map((draft, place) => [draftKey(draft), { draft, place }])),
    prefixes: prefixesOf(asking),
  };
}

/** The draft with the authentication that the nearest broader of these asks for, unless it says something itself. */
export function withInherited(draft: Draft, askers: Askers): Draft {
  if (draft.deny || askers.byKey.size === 0) return draft;
  const nearest = nearestAsker(draft, askers);
  if (nearest === undefined || nearest === draft) return draft;
  // Of a rule that is narrower by nature, though its range was not cut as small.
  if (depth(nearest) > depth(draft)) return asking(draft, nearest);
  const wasAskedNearer = (draft.askedDepth ?? -1) >= depth(nearest);
  const isSettled = draft.hasExplicitAuthType || wasAskedNearer || nearest.authType <= draft.authType;
  return isSettled ? draft : { ...draft, authType: nearest.authType };
}

/** Of the broader ones the narrowest by nature; of several the one that came first. */
function nearestAsker(draft: Draft, { byKey, prefixes }: Askers): Draft | undefined {
  let nearest: { draft: Draft; place: number } | undefined;
  for (const key of broaderKeys(draft, prefixes)) {
    const asker = byKey.get(key);
    if (asker === undefined) continue;
    const deeper = nearest === undefined ? 1 : depth(asker.draft) - depth(nearest.draft);
    if (deeper > 0 || (deeper === 0 && asker.place < (nearest?.place ?? 0))) nearest = asker;
  }
  return nearest?.draft;
}

/** Keys of what is said of the draft's ports or more, the draft's own among them. @param prefixes worth looking for */
function broaderKeys({ egress, protocol, port, portPrefix }: Draft, prefixes: readonly number[]): number[] {
  const keys = [keyOf(egress, 0, 0, 0)];
  if (protocol === 0) return keys;
  for (const prefix of prefixes) {
    if (prefix > portPrefix) break;
    keys.push(keyOf(egress, protocol, maskPort(port, prefix), prefix));
  }
  return keys;
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

/** Drafts that may cover others. */
export interface Cover {
  readonly drafts: Drafts;
  readonly prefixes: readonly number[];
}

export function coverOf(drafts: Drafts): Cover {
  return { drafts, prefixes: prefixesOf(drafts.values()) };
}

/** The drafts that no broader one covers. @param wildcard what is said about everyone besides, if anything is */
export function uncovered(drafts: Drafts, wildcard?: Cover): Draft[] {
  const own = coverOf(drafts);
  const isCovered = (draft: Draft): boolean =>
    coversAny(own, draft) || (wildcard !== undefined && coversAny(wildcard, draft));
  return [...drafts.values()].filter((draft) => !isCovered(draft));
}

function coversAny({ drafts, prefixes }: Cover, draft: Draft): boolean {
  for (const key of broaderKeys(draft, prefixes)) if (covers(drafts.get(key), draft)) return true;
  return false;
}

function covers(broad: Draft | undefined, draft: Draft): boolean {
  if (broad === undefined || broad === draft) return false;
  return broad.precedence > draft.precedence || (broad.deny && broad.precedence === draft.precedence);
}

/** Prefix lengths that occur, shortest first: the broader keys worth looking for. */
function prefixesOf(drafts: Iterable<Draft>): number[] {
  const prefixes = new Set<number>();
  for (const { portPrefix } of drafts) prefixes.add(portPrefix);
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
