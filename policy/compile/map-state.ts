/**
 * Map state: what the rules say about one remote identity, as entries of the policy map.
 *
 * A draft is an entry without its identity. The gatherer collects drafts by key. Of two drafts with the same key
 *   1. the one with the higher precedence stays;
 *   2. at equal precedence the two become one, which has the rules of both;
 *   3. the draft that stays, unless it denies, asks for the stricter authentication of the two.
 * Then `uncovered` removes each draft that a broader draft covers. A draft is broader when its key has fewer port bits or
 * any protocol, and when it is of the same identity or of the wildcard. It covers with a higher precedence, or with an equal
 * one when it denies. The removal is needed, and no mere saving: a longest prefix match would find the narrow allow inside a
 * broad deny.
 *
 * Authentication follows rules of its own, as in Cilium. A rule that asks for a mode binds the narrower drafts of the same
 * identity that ask for none (`inheritAuth`). "Narrower" is measured by the rule's own port range (`naturalPrefix`), not by the
 * block that the range was cut into.
 */
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import type { Origin } from '../rule/rule.ts';

export interface Draft {
  readonly egress: boolean;
  readonly protocol: number;
  readonly port: number;
  readonly portPrefix: number;
  /** Prefix of the block that the rule's own range has there; shorter than `portPrefix` where a rule set cut the range. */
  readonly naturalPrefix: number;
  readonly deny: boolean;
  readonly ruleSet: number;
  readonly authType: number;
  readonly hasExplicitAuthType: boolean;
  /** Of a draft that asks for no authentication itself: `depth()` of the rule that it took the mode from. */
  readonly authDepth?: number;
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

/** At equal precedence both drafts count. */
function join(held: Gathered, other: Draft): void {
  addOrigins(held, other.origins);
  const isNarrower = held.draft.naturalPrefix >= other.naturalPrefix;
  held.draft = isNarrower ? withAuthOf(held.draft, other) : withAuthOf(other, held.draft);
}

/** Of the draft with the lower precedence only the authentication counts. */
function overrule(strong: Gathered, weak: Draft, weakOrigins: Iterable<Origin> = weak.origins): void {
  const before = strong.draft;
  if (!before.deny) strong.draft = withAuthOf(before, weak);
  if (strong.draft.authType !== before.authType) addOrigins(strong, weakOrigins);
}

function addOrigins(gathered: Gathered, origins: Iterable<Origin>): void {
  gathered.origins ??= new Set(gathered.draft.origins);
  for (const origin of origins) gathered.origins.add(origin);
}

/** An explicit mode beats a default one; then the mode of the narrower rule counts; then the stricter mode. */
function withAuthOf(kept: Draft, other: Draft): Draft {
  if (!other.hasExplicitAuthType) {
    if (kept.hasExplicitAuthType) return kept;
    const authDepth = Math.max(kept.authDepth ?? -1, other.authDepth ?? -1);
    return { ...kept, authType: Math.max(kept.authType, other.authType), authDepth };
  }
  if (other.naturalPrefix > kept.naturalPrefix) return withAuthFrom(kept, other);
  if (other.naturalPrefix < kept.naturalPrefix) {
    if (kept.hasExplicitAuthType) return kept;
    const authDepth = Math.max(kept.authDepth ?? -1, depth(other));
    return { ...kept, authType: Math.max(kept.authType, other.authType), authDepth };
  }
  const authType = kept.hasExplicitAuthType ? Math.max(kept.authType, other.authType) : other.authType;
  return { ...kept, authType, hasExplicitAuthType: true };
}

/** The draft with the explicit mode of a narrower rule. */
function withAuthFrom(draft: Draft, { authType, naturalPrefix }: Draft): Draft {
  return { ...draft, authType, naturalPrefix, hasExplicitAuthType: true };
}

/** The drafts of a table that ask for authentication, by key. */
export interface AuthDrafts {
  /** `order` says which of two came first. */
  readonly byKey: ReadonlyMap<number, { readonly draft: Draft; readonly order: number }>;
  readonly prefixes: readonly number[];
}

/** A draft that asks for no authentication takes the mode of the nearest broader draft of its identity that does. */
export function inheritAuth(drafts: Drafts): void {
  const auth = authDraftsOf(drafts);
  if (auth.byKey.size === 0) return;
  for (const [key, draft] of drafts) drafts.set(key, withInherited(draft, auth));
}

export function authDraftsOf(drafts: Drafts): AuthDrafts {
  const explicit = [...drafts.values()].filter(({ hasExplicitAuthType, deny }) => hasExplicitAuthType && !deny);
  return {
    byKey: new Map(explicit.map((draft, order) => [draftKey(draft), { draft, order }])),
    prefixes: prefixesOf(explicit),
  };
}

/** The draft with the mode of the nearest broader of these, unless it asks for one itself. */
export function withInherited(draft: Draft, auth: AuthDrafts): Draft {
  if (draft.deny || auth.byKey.size === 0) return draft;
  const nearest = nearestAuth(draft, auth);
  if (nearest === undefined || nearest === draft) return draft;
  // `nearest` has a broader key than this draft, and still its rule may be the narrower one: a rule set cut this draft's
  // range into smaller blocks than its rule has. The narrower rule decides.
  if (depth(nearest) > depth(draft)) return withAuthFrom(draft, nearest);
  const hasNearerMode = (draft.authDepth ?? -1) >= depth(nearest);
  const isSettled = draft.hasExplicitAuthType || hasNearerMode || nearest.authType <= draft.authType;
  return isSettled ? draft : { ...draft, authType: nearest.authType };
}

/** Of the broader drafts the one whose rule is narrowest; of several the one that came first. */
function nearestAuth(draft: Draft, { byKey, prefixes }: AuthDrafts): Draft | undefined {
  let nearest: { draft: Draft; order: number } | undefined;
  for (const key of broaderKeys(draft, prefixes)) {
    const found = byKey.get(key);
    if (found === undefined) continue;
    const deeper = nearest === undefined ? 1 : depth(found.draft) - depth(nearest.draft);
    if (deeper > 0 || (deeper === 0 && found.order < (nearest?.order ?? 0))) nearest = found;
  }
  return nearest?.draft;
}

/** Keys of drafts about the same ports or more, the draft's own key among them. @param prefixes lengths that occur */
function broaderKeys({ egress, protocol, port, portPrefix }: Draft, prefixes: readonly number[]): number[] {
  const keys = [keyOf(egress, 0, 0, 0)];
  if (protocol === 0) return keys;
  for (const prefix of prefixes) {
    if (prefix > portPrefix) break;
    keys.push(keyOf(egress, protocol, maskPort(port, prefix), prefix));
  }
  return keys;
}

/** How narrow the rule behind a draft is, in bits that a lookup compares: none, 8 of the protocol, then those of the port. */
function depth({ protocol, naturalPrefix }: Draft): number {
  return protocol === 0 ? 0 : 8 + naturalPrefix;
}

/**
 * A rule set cuts a range, and then the drafts of the range have longer prefixes than its rule. Without the cut, a lookup
 * would have preferred a rule about the identity's aggregate whose own range is narrower. Both redirect to the same rule
 * set, so this function gives the draft the one thing that differs: the authentication of the aggregate's rule.
 * @param general finds the draft that the aggregate of the identity has under a key
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

/** Drafts, ready to be asked whether they cover another one. */
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
  const { egress, protocol, port, portPrefix, deny, ruleSet, authType, hasExplicitAuthType, precedence } = draft;
  return {
    identity,
    egress,
    protocol,
    port,
    portPrefix,
    deny,
    ruleSet,
    authType,
    hasExplicitAuthType,
    precedence,
    cookie,
  };
}
