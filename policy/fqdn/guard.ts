/**
 * Addresses that a name of the outside must not teach. Who owns `evil.example` says what it resolves to: the cloud's metadata
 * service, a database of the inside, a pod. `toFQDNs` is about the world, so a policy that allows a name is no permission for
 * these. Names of the cluster's own domain may have private addresses, and those of pods and services; but an alias (ExternalName) may
 * lead from them to a name of whomever, and a pod may ask a server that says anything of them, so what belongs to one machine or
 * to one link is not theirs either.
 */
import { contains, parsePrefix, type Prefix, prefixOf } from '../../wire/prefix.ts';
import { V4_MAPPED, V4_MAPPED_BITS } from '../../wire/address.ts';
import { normalizeName } from '../../wire/fqdn.ts';

const prefixes = (texts: readonly string[]): Prefix[] => texts.map((text) => parsePrefix(text));

/** What belongs to a machine, a link, a cloud's machinery or nobody (RFC 6890): of no name at all. */
const NEVER = prefixes([
  '0.0.0.0/8', // this network, and unspecified
  '100.100.100.200/32', // metadata of a cloud
  '127.0.0.0/8', // loopback
  '168.63.129.16/32', // the platform of a cloud, from each of its machines
  '169.254.0.0/16', // link-local: metadata of clouds
  '192.0.0.0/24', // of protocols, metadata of a cloud
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  'fd00:ec2::/32', // metadata of a cloud
]);

/** What is private: of names of the inside only. */
const PRIVATE = prefixes([
  '10.0.0.0/8',
  '100.64.0.0/10', // shared: carriers, clusters
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
]);

/** All of IPv6 that was given out to the world; besides it there are only links, multicast, and IPv4 in many clothes. */
const WORLD = parsePrefix('2000::/3');
const PRIVATE_V6 = parsePrefix('fc00::/7');

/** Prefixes of IPv6 addresses that mean the IPv4 address that follows; of Teredo the last word, turned round. */
const TRANSLATED = parsePrefix('64:ff9b::/96');
const SIX_TO_FOUR = parsePrefix('2002::/16');
const TEREDO = parsePrefix('2001::/32');

export interface GuardOptions {
  readonly isOn: boolean;
  /** Names that may have addresses of the inside: this one and those below it. '' = none. */
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
  const inside = [...PRIVATE, ...own];
  return (name, address) => {
    if (!isOn || holds(allowed, address)) return false;
    const meant = embeddedIn(address) ?? address;
    if (isInside(name)) return isNobodys(meant) && !holds(own, meant);
    return holds(inside, address) || holds(inside, meant) || isNobodys(meant);
  };
}

function isNobodys(address: Prefix): boolean {
  if (holds(NEVER, address)) return true;
  return address.family === 6 && !contains(WORLD, address) && !contains(PRIVATE_V6, address);
}

function holds(ranges: readonly Prefix[], address: Prefix): boolean {
  return ranges.some((range) => contains(range, address));
}

function embeddedIn(address: Prefix): Prefix | undefined {
  const [first, second, , last] = address.words;
  if (contains(TRANSLATED, address)) return ofV4(last);
  if (contains(SIX_TO_FOUR, address)) return ofV4((first << 16) | (second >>> 16));
  return contains(TEREDO, address) ? ofV4(~last) : undefined;
}

function ofV4(word: number): Prefix {
  return prefixOf([0, 0, V4_MAPPED, word], V4_MAPPED_BITS + 32);
}
