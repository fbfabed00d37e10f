/** The addresses that this machine's Node is told of, and its pods as theirs of the host: one of each family. */
import { isIP } from 'node:net';
import type { Manifest } from '../../policy/document/manifest.ts';

interface NodeObject {
  readonly status?: { readonly addresses?: readonly { readonly type?: string; readonly address?: string }[] };
}

interface Found {
  /** The Node of another source; undefined when there is none. */
  readonly node: Manifest | undefined;
  /** Of the machine's interfaces, in their order. */
  readonly interfaces: readonly string[];
  /** What the host is called towards pods. */
  readonly routers: readonly string[];
}

/**
 * What the Node says, else the first address of an interface; those of the routers only on a machine that has no other. Broadcast addresses and
 * prefixes mean this machine too, and are none of its own.
 */
export function nodeAddresses({ node, interfaces, routers }: Found): string[] {
  const { status } = (node ?? {}) as NodeObject;
  const told = (status?.addresses ?? []).flatMap(({ type, address = '' }) => (type === 'InternalIP' ? [address] : []));
  const own = interfaces.filter((address) => !routers.includes(address));
  const all = told.length + own.length > 0 ? [...told, ...own] : routers;
  const first = (family: number) => all.find((address) => isIP(address) === family);
  return [first(4), first(6)].filter((address) => address !== undefined);
}
