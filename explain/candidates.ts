/**
 * The entries of a policy map that could decide a packet, and why each but one did not. The winner is the one that the map's own
 * lookup chose; the words for the others follow from Cilium's rules of selection:
 *
 *  1. of the entries of one identity the one with the longest port prefix counts, the others are not looked at;
 *  2. of the identity's and its aggregate's the higher precedence wins, at equal precedence the longer prefix, then the
 *     identity's own;
 *  3. entries of identity 0 are asked only when neither has one (an identity without an aggregate has 0 for it).
 */
import { type Direction, EGRESS } from '../wire/direction.ts';
import type { EndpointChange } from '../policy/cluster.ts';
import type { Origin } from '../policy/rule/rule.ts';
import type { PolicyEntry } from '../policy-maps/policy-entry.ts';
import { aggregateOf } from '../wire/identities.ts';
import type { PolicyWorld } from './world.ts';

export interface Candidate {
  readonly entry: PolicyEntry;
  readonly isWinner: boolean;
  /** Why it won or lost, in words. */
  readonly why: string;
  /** The rules that made it. */
  readonly origins: readonly Origin[];
  /** What the compiler made it for by itself. */
  readonly additions: readonly string[];
}

export interface Packet {
  /** Identity of the other end. */
  readonly remote: number;
  readonly direction: Direction;
  readonly protocol: number;
  readonly port: number;
}

/** All entries that match a packet, the winner first. */
export function candidatesOf(world: PolicyWorld, endpoint: EndpointChange, packet: Packet): Candidate[] {
  const map = world.policyMap(endpoint);
  map.lookup(packet.remote, packet.direction, packet.protocol, packet.port);
  const winner = map.entrySlot < 0 ? undefined : map.entries()[map.entrySlot];
  const aggregate = aggregateOf(packet.remote, 0);
  const identities = [...new Set([packet.remote, aggregate, 0])];
  const matching = endpoint.entries.filter((entry) => identities.includes(entry.identity) && covers(entry, packet));
  return matching
    .map((entry) => {
      const isWinner = winner !== undefined && isSameKey(entry, winner);
      const why = isWinner
        ? wonBecause(entry, matching, packet.remote)
        : lostBecause(entry, { winner, matching, remote: packet.remote });
      const { cookie } = entry;
      return { entry, isWinner, why, origins: world.origins(cookie), additions: world.additions(cookie) };
    })
    .sort((a, b) => Number(b.isWinner) - Number(a.isWinner) || b.entry.precedence - a.entry.precedence);
}

function covers(entry: PolicyEntry, { direction, protocol, port }: Packet): boolean {
  if (entry.egress !== (direction === EGRESS)) return false;
  if (entry.protocol === 0) return true;
  return entry.protocol === protocol && (entry.port ^ port) >>> (16 - entry.portPrefix) === 0;
}

function isSameKey(a: PolicyEntry, b: PolicyEntry): boolean {
  return a.identity === b.identity && a.protocol === b.protocol && a.port === b.port && a.portPrefix === b.portPrefix;
}

function wonBecause(entry: PolicyEntry, matching: readonly PolicyEntry[], remote: number): string {
  if (matching.length === 1) return 'the only entry that matches';
  const rivals = matching.filter((other) => !isLastResort(other, remote) || isLastResort(entry, remote));
  if (rivals.length === 1) return 'the only entry of the identity or its aggregate';
  if (entry.deny) return 'it denies, and nothing of its priority outranks a deny';
  const others = matching.filter((other) => other !== entry);
  if (others.every(({ precedence }) => precedence < entry.precedence)) return 'it has the highest precedence';
  return 'at equal precedence it is the most specific';
}

interface Contest {
  readonly winner: PolicyEntry | undefined;
  readonly matching: readonly PolicyEntry[];
  readonly remote: number;
}

function lostBecause(entry: PolicyEntry, { winner, matching, remote }: Contest): string {
  const longer = matching.find((other) => other.identity === entry.identity && lengthOf(other) > lengthOf(entry));
  if (longer !== undefined) return 'another entry of the same identity names the port more narrowly';
  if (winner === undefined || (isLastResort(entry, remote) && winner.identity !== 0)) {
    return 'the entries of identity 0 are asked only when neither the identity nor its aggregate has one';
  }
  if (winner.precedence > entry.precedence) {
    return winner.deny ? 'the winner denies' : 'the winner has a higher precedence (it redirects)';
  }
  if (lengthOf(winner) > lengthOf(entry)) return 'at equal precedence the winner names the port more narrowly';
  return "at equal precedence the identity's own entry goes before that of its aggregate";
}

/** Asked only when there is nothing else. */
function isLastResort({ identity }: PolicyEntry, remote: number): boolean {
  return identity === 0 && aggregateOf(remote, 0) !== 0;
}

function lengthOf({ protocol, portPrefix }: PolicyEntry): number {
  return protocol === 0 ? 0 : 8 + portPrefix;
}
