/**
 * Which zombies somebody is connected to: one walk over the connections of the dataplane, which are in its two pinned tables.
 * A connection counts while its entry lives, from the endpoint that learnt the address to that address; for what no endpoint
 * learnt (a pre-cache), from whoever.
 */
import type { ConntrackMap } from '../../policy-maps/conntrack-map.ts';
import { CT_FLAG_INITIATOR_HIGH, CT_FLAGS, CT_HIGH_ADDRESS, CT_LIFETIME, CT_LOW_ADDRESS, CT_ROW_WORDS, CT_SOURCE_ENDPOINT } from '../../policy-maps/conntrack-row.ts'; // biome-ignore format: one line
import type { Lookup } from '../../policy/fqdn/name-cache.ts';

/** @param nowSec second of the dataplane's clock, the monotonic one */
export function connectedOf(
  zombies: Iterable<Lookup>,
  tables: readonly Pick<ConntrackMap, 'words' | 'slots'>[],
  nowSec: number,
): Set<Lookup> {
  const connected = new Set<Lookup>();
  // By the last word of the address, which differs most: the walk makes no text of an address.
  const byLast = new Map<number, Lookup[]>();
  for (const lookup of zombies) {
    const last = lookup.pair.prefix.words[3];
    const others = byLast.get(last);
    if (others === undefined) byLast.set(last, [lookup]);
    else others.push(lookup);
  }
  if (byLast.size === 0) return connected;
  for (const { words, slots } of tables.map((table) => ({ words: table.words, slots: table.slots() }))) {
    for (const slot of slots) {
      const base = slot * CT_ROW_WORDS;
      if (words[base + CT_LIFETIME] - nowSec < 0) continue;
      const isInitiatorHigh = (words[base + CT_FLAGS] & CT_FLAG_INITIATOR_HIGH) !== 0;
      const to = base + (isInitiatorHigh ? CT_LOW_ADDRESS : CT_HIGH_ADDRESS);
      for (const lookup of byLast.get(words[to + 3]) ?? []) {
        const { endpoint, pair } = lookup;
        const [w0, w1, w2] = pair.prefix.words;
        const isIts = endpoint === 0 || endpoint === words[base + CT_SOURCE_ENDPOINT];
        if (isIts && words[to] === w0 && words[to + 1] === w1 && words[to + 2] === w2) connected.add(lookup);
      }
    }
  }
  return connected;
}
