/**
 * Whether a pod's interface is still as it was made, and what puts it back. Made is what podScript() of attachment.ts does: up, our
 * MAC, the pod's addresses, a way to the router and a default route. Whatever else is in the namespace (other interfaces,
 * further addresses, other routes, the MTU) is its owner's: a default route by another interface counts as one.
 *
 * What a namespace has is read from /proc/net as one of its threads sees it: of a hundred pods that is some milliseconds, where a
 * program in each would be seconds. A table too long to be read (64 KiB) is taken to have everything.
 */
import { isIP } from 'node:net';
import { parsePrefix } from '../wire/prefix.ts';
import { netTable } from '../dataplane/native/index.ts';
import { addressLines, type AttachmentSpec, POD_INTERFACE, podInterfaceOf, podSysctlLines } from './attachment.ts';
import { findLink, macText } from './links.ts';

/** What is not as it was made. */
export interface LinkFaults {
  readonly isDown: boolean;
  /** Another MAC than ours: the pod takes no frame. */
  readonly hasOtherMac: boolean;
  /** Addresses that it lacks. */
  readonly addresses: readonly string[];
  /** Families with an address and without any default route. */
  readonly routes: readonly (4 | 6)[];
}

/** What a namespace says of itself; undefined for a table that could not be read. */
export interface NetnsTables {
  readonly fibTrie: string | undefined;
  readonly route: string | undefined;
  readonly inet6: string | undefined;
  readonly route6: string | undefined;
}

/**
 * Looks into the pod's namespace.
 * @returns undefined when all is as it was made; `missing` when there is no such interface
 */
export function podLinkFaults(spec: AttachmentSpec): LinkFaults | 'missing' | undefined {
  const link = findLink(podInterfaceOf(spec), spec.netns);
  if (link === undefined) return 'missing';
  const read = (name: string) => tableOf(name, spec.netns);
  const found = faultsIn(spec, {
    fibTrie: read('fib_trie'),
    route: read('route'),
    inet6: read('if_inet6'),
    route6: read('ipv6_route'),
  });
  const faults = { isDown: !link.isUp, hasOtherMac: macText(link.mac) !== spec.mac, ...found };
  const isWell = !faults.isDown && !faults.hasOtherMac && faults.addresses.length === 0 && faults.routes.length === 0;
  return isWell ? undefined : faults;
}

/** Undefined without it: a kernel without IPv6 has no tables of it. */
function tableOf(name: string, netns: string): string | undefined {
  try {
    return netTable(name, netns);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the tables lack. */
export function faultsIn(
  { addresses, podInterface = POD_INTERFACE }: Pick<AttachmentSpec, 'addresses' | 'podInterface'>,
  { fibTrie, route, inet6, route6 }: NetnsTables,
): Pick<LinkFaults, 'addresses' | 'routes'> {
  const families = new Set(addresses.map((address) => isIP(address) as 4 | 6));
  const lacks4 = route !== undefined && !route.split('\n').some(isDefault4);
  const lacks6 = route6 !== undefined && !route6.split('\n').some(isDefault6);
  const isThere = (address: string): boolean =>
    isIP(address) === 4
      ? fibTrie === undefined || hasAddress4(fibTrie, address)
      : inet6 === undefined || hasAddress6(inet6, address, podInterface);
  return {
    addresses: addresses.filter((address) => !isThere(address)),
    routes: [...(families.has(4) && lacks4 ? [4 as const] : []), ...(families.has(6) && lacks6 ? [6 as const] : [])],
  };
}

/** `|-- 10.244.0.2` and, a line further, `/32 host LOCAL`. */
function hasAddress4(fibTrie: string, address: string): boolean {
  return (
    fibTrie.includes(`|-- ${address}\n`) &&
    new RegExp(`\\|-- ${address.replaceAll('.', '\\.')}\\n\\s+/32 host LOCAL`).test(fibTrie)
  );
}

/** A line: address as 32 digits, index, prefix length, scope, flags, interface. */
function hasAddress6(inet6: string, address: string, device: string): boolean {
  const { words } = parsePrefix(address, 'host');
  const digits = [...words].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  return inet6.split('\n').some((line) => line.startsWith(digits) && line.trimEnd().endsWith(` ${device}`));
}

/** Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
function isDefault4(line: string): boolean {
  const [, destination, , , , , , mask] = line.split('\t');
  return destination === '00000000' && mask === '00000000';
}

/** Destination, its length, source, its length, next hop, metric, counts, flags, interface; lo has one that refuses all. */
function isDefault6(line: string): boolean {
  const [destination = '', length, ...rest] = line.trim().split(/ +/);
  return /^0{32}$/.test(destination) && length === '00' && rest.at(-1) !== 'lo';
}

/** What is wrong, in words. */
export function faultsText({ isDown, hasOtherMac, addresses, routes }: LinkFaults, device = POD_INTERFACE): string {
  const parts = [
    ...(isDown ? ['is down'] : []),
    ...(hasOtherMac ? ['has another MAC'] : []),
    ...(addresses.length === 0 ? [] : [`lacks ${addresses.join(', ')}`]),
    ...routes.map((family) => `has no default route of IPv${family}`),
  ];
  return `${device} ${parts.join(', ')}`;
}

/** The shell script that puts back what is lacking, run in the pod's namespace. Of what is there, nothing is changed. */
export function mendScript(spec: AttachmentSpec, { isDown, hasOtherMac, addresses, routes }: LinkFaults): string {
  const lines: string[] = [];
  const device = podInterfaceOf(spec);
  if (hasOtherMac) lines.push(`link set ${device} address ${spec.mac}`);
  // A link that goes down loses its routes, and its IPv6 addresses.
  if (isDown) lines.push(`link set ${device} up`);
  for (const address of spec.addresses) {
    const family = isIP(address) as 4 | 6;
    const [own, ...ways] = addressLines(address, spec);
    if (addresses.includes(address)) lines.push(own);
    // Half of them may be there.
    if (routes.includes(family)) lines.push(...ways.map((way) => way.replace('route add', 'route replace')));
  }
  // IPv6 may be switched off there, which is why an address is lacking.
  const sysctls = addresses.some((address) => isIP(address) === 6) ? podSysctlLines(device) : '';
  return `${sysctls}ip -force -batch - <<'END'\n${lines.join('\n')}\nEND\n`;
}
