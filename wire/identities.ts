/** Security identities as people write them: reserved ones have names (Cilium pkg/identity/numericidentity.go). */

/** Names of the reserved identities, by number. */
export const RESERVED_IDENTITIES: readonly string[] = [
  'unknown',
  'host',
  'world',
  'unmanaged',
  'health',
  'init',
  'remote-node',
  'kube-apiserver',
  'ingress',
  'world-ipv4',
  'world-ipv6',
  'aggregate-cluster',
  'aggregate-cluster-mesh',
  'aggregate-world',
  'aggregate-remote-node',
];

/** Identities of this scope are local to the node and stand for prefixes: their labels hold a `cidr:`. */
export function isLocalScope(identity: number): boolean {
  return identity >>> 24 === 1;
}

/** "world" for 2, "1234" for 1234. */
export function identityText(identity: number): string {
  return RESERVED_IDENTITIES[identity] ?? String(identity);
}

/** The number of a reserved name or of decimal digits (0..2^32-1), or -1. */
export function parseIdentity(text: string): number {
  const reserved = RESERVED_IDENTITIES.indexOf(text);
  if (reserved > 0) return reserved;
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : -1;
}
