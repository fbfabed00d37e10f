/**
 * Addresses that a name of the outside must not teach. Who owns `evil.example` says what it resolves to: the cloud's metadata
 * service, a database of the inside, a pod. `toFQDNs` is about the world, so a policy that allows a name is no permission for
 * these. Names of the cluster's own domain may have them.
 */
import { contains, parsePrefix, type Prefix, prefixOf } from '../../wire/prefix.ts';
import { V4_MAPPED, V4_MAPPED_BITS } from '../../wire/address.ts';
import { normalizeName } from '../../wire/fqdn.ts';

/** What is nobody's of the outside world (RFC 6890, and what is private). */
const INSIDE = [
  '0.0.0.0/8', // this network, and unspecified
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared: carriers, clusters, metadata of clouds
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local: metadata of clouds
  '172.16.0.0/12', // private
  '192.168.0.0/16', // private
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '::/96', // unspecified, loopback, IPv4-compatible
  '64:ff9b:1::/48', // translated by a network of its own
  'fc00::/7', // private
  'fe80::/10', // link-local
  'fec0::/10', // site-local
  'ff00::/8', // multicast
].map((text) => parsePrefix(text));

/** Prefixes of IPv6 addresses that mean the IPv4 address that follows. */
const EMBEDDING = ['64:ff9b::/96', '2002::/16'].map((text) => parsePrefix(text));

export interface GuardOptions {
  readonly isOn: boolean;
  /** Names that may have any address: this one and those below it. '' = none. */
  readonly domain: string;
  /** Ranges of pods and services, wherever they lie. */
  readonly own: readonly Prefix[];
  /** Prefixes that any name may have. */
  readonly allowed: readonly Prefix[];
}

/** @returns whether policies must not take an address for the name's. The name is normalized */
export function guardOf({ isOn, domain, own, allowed }: GuardOptions): (name: string, address: Prefix) => boolean {
  const suffix = domain === '' ? '' : normalizeName(domain);
  const isInside = (name: string): boolean => suffix !== '' && (name === suffix || name.endsWith(`.${suffix}`));
  const refused = [...INSIDE, ...own];
  const holds = (prefixes: readonly Prefix[], address: Prefix): boolean =>
    prefixes.some((prefix) => contains(prefix, address));
  return (name, address) => {
    if (!isOn || isInside(name) || holds(allowed, address)) return false;
    const embedded = embeddedIn(address);
    return holds(refused, address) || (embedded !== undefined && holds(refused, embedded));
  };
}

function embeddedIn(address: Prefix): Prefix | undefined {
  const found = EMBEDDING.find((prefix) => contains(prefix, address));
  if (found === undefined) return undefined;
  const [first, second, , last] = address.words;
  const word = found.length === 96 ? last : (first << 16) | (second >>> 16);
  return prefixOf([0, 0, V4_MAPPED, word], V4_MAPPED_BITS + 32);
}
