/**
 * Numbers of security identities, as Cilium has them (pkg/identity/numericidentity.go): 0 is any or unknown, 1 to 10 are
 * reserved, 11 to 14 are aggregates that stand for many in policy maps. The upper 8 bits are a scope: 0 workloads, whose
 * next 8 bits are the cluster; 1 prefixes and names, local to the node; 2 remote nodes with labels of their own.
 */

export const IDENTITY_HOST = 1;
export const IDENTITY_WORLD = 2;
export const IDENTITY_HEALTH = 4;
export const IDENTITY_INIT = 5;
export const IDENTITY_REMOTE_NODE = 6;
export const IDENTITY_KUBE_APISERVER = 7;
export const IDENTITY_WORLD_IPV4 = 9;
export const IDENTITY_WORLD_IPV6 = 10;
/** The last reserved identity that a frame can have. */
export const IDENTITY_LAST_RESERVED = IDENTITY_WORLD_IPV6;

export const AGGREGATE_CLUSTER = 11;
export const AGGREGATE_CLUSTER_MESH = 12;
export const AGGREGATE_WORLD = 13;
export const AGGREGATE_REMOTE_NODE = 14;

/** The cluster id in this cluster's identities. */
export const OWN_CLUSTER = 0;

const SCOPE_LOCAL = 1;
const SCOPE_REMOTE_NODE = 2;
/** Identities of prefixes and names are this plus 1 .. 65535. */
export const LOCAL_SCOPE = SCOPE_LOCAL << 24;
/** Identities of remote nodes with labels of their own are this plus 1 .. 65535. */
export const REMOTE_NODE_SCOPE = SCOPE_REMOTE_NODE << 24;

/** Names of the reserved identities and aggregates, by number. */
export const RESERVED_NAMES: readonly string[] = [
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
  return identity >>> 24 === SCOPE_LOCAL;
}

/** True for 11 to 14. */
export function isAggregate(identity: number): boolean {
  return identity >= AGGREGATE_CLUSTER && identity <= AGGREGATE_REMOTE_NODE;
}

/** The aggregate that an identity falls back to: 11 own cluster, 12 other cluster, 13 CIDR, 14 remote node, else 0. */
export function aggregateOf(identity: number, clusterId: number): number {
  if (identity >>> 0 < 100) return isAggregate(identity) ? identity : 0;
  const scope = identity >>> 24;
  if (scope === 0) return ((identity >>> 16) & 0xff) === clusterId ? AGGREGATE_CLUSTER : AGGREGATE_CLUSTER_MESH;
  return scope === SCOPE_REMOTE_NODE ? AGGREGATE_REMOTE_NODE : AGGREGATE_WORLD;
}

/** `world` for 2; undefined for an identity that is not reserved. */
export function reservedName(identity: number): string | undefined {
  return RESERVED_NAMES[identity];
}

/** `world` for 2, `1234` for 1234. */
export function identityText(identity: number): string {
  return RESERVED_NAMES[identity] ?? String(identity);
}

/** The number of a reserved name or of decimal digits (0..2^32-1), or -1. */
export function parseIdentity(text: string): number {
  const reserved = RESERVED_NAMES.indexOf(text);
  if (reserved > 0) return reserved;
  return /^\d{1,10}$/.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : -1;
}
