/**
 * What a full ipcache means for the policies that tell its prefixes apart.
 *
 * The addresses of a prefix that found no room have the identity of the next wider one that did, or are plain world. An
 * endpoint that would let them pass as that, and not as what they are, must be closed: it denies the prefix, or allows
 * the wider one except for it. One that treats both alike, or the wider one more narrowly, may stay open.
 */
import type { Ipcache } from '../../policy-maps/ipcache.ts';
import type { PolicyEntry } from '../../policy-maps/policy-entry.ts';
import { aggregateOf, OWN_CLUSTER } from '../../wire/identities.ts';
import { parseExactPrefix } from '../../wire/prefix.ts';

/** A prefix that is missing, what it is, and what its addresses pass for. */
export interface MissingPrefix {
  readonly prefix: string;
  readonly identity: number;
  readonly instead: number;
}

/** One prefix for each pair of identities. @param world identity of an address that nobody knows */
export function missingPrefixes(
  ipcache: Ipcache,
  unplaced: ReadonlyMap<string, number>,
  world: number,
): MissingPrefix[] {
  const found = new Map<string, MissingPrefix>();
  for (const [prefix, identity] of unplaced) {
    const { words, bits } = parseExactPrefix(prefix);
    const instead = ipcache.around(words, bits) || world;
    if (instead !== identity) found.set(`${identity} ${instead}`, { prefix, identity, instead });
  }
  return [...found.values()];
}

/** The first missing prefix that some address would pass a policy by. */
export function passedBy(
  entries: readonly PolicyEntry[],
  missing: readonly MissingPrefix[],
): MissingPrefix | undefined {
  const byIdentity = new Map<number, PolicyEntry[]>();
  for (const entry of entries) {
    const of = byIdentity.get(entry.identity);
    if (of === undefined) byIdentity.set(entry.identity, [entry]);
    else of.push(entry);
  }
  const entriesOf = (identity: number) =>
    [...new Set([identity, aggregateOf(identity, OWN_CLUSTER), 0])].flatMap((one) => byIdentity.get(one) ?? []);
  const keysOf = (identity: number, isDenial: boolean) =>
    new Set(entriesOf(identity).filter(({ deny }) => deny === isDenial).map(keyOf)); // biome-ignore format: one thought
  return missing.find(
    ({ identity, instead }) =>
      hasMore(keysOf(identity, true), keysOf(instead, true)) ||
      hasMore(keysOf(instead, false), keysOf(identity, false)),
  );
}

function hasMore(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  for (const key of one) if (!other.has(key)) return true;
  return false;
}

/** An entry without its peer and its cookie. */
function keyOf({ egress, protocol, port, portPrefix, ruleSet, authType, precedence }: PolicyEntry): string {
  return [egress, protocol, port, portPrefix, ruleSet, authType, precedence].join(' ');
}
