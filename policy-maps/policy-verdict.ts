/** What a policy lookup answers: verdicts, and the identities that stand for many. */

// --- verdicts: negative drop reasons (wire/reasons.ts); above 0 is a proxy port
export const ALLOW = 0;
export const DROP_NO_MATCH = -133;
export const DROP_FRAGMENT = -157;
export const DROP_DENY = -181;
export const DROP_AUTH = -189;
export const DROP_NO_POLICY = -203;

/** The aggregate that an identity falls back to: 11 own cluster, 12 other cluster, 13 CIDR, 14 remote node, else 0. */
export function aggregateOf(identity: number, clusterId: number): number {
  if (identity >>> 0 < 100) return identity >= 11 && identity <= 14 ? identity : 0;
  const scope = identity >>> 24;
  if (scope === 0) return ((identity >>> 16) & 0xff) === clusterId ? 11 : 12;
  return scope === 2 ? 14 : 13;
}
