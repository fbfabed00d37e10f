/** Addresses of the interfaces of our own network namespace. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { ipJson } from './netns.ts';

/** What `ip -json route show table local` says of a route. */
interface LocalRoute {
  readonly type: string;
  readonly dst: string;
}

/**
 * All that means this machine, each once: the addresses given, then those of its interfaces, then addresses and prefixes
 * (`10.9.0.0/24`) that the kernel takes for its own: broadcast addresses, and routes that somebody has added. Left out is what
 * no frame can be for: loopback, link-local and multicast.
 * @throws CommandError when the routes cannot be read
 */
export async function hostAddresses(given: readonly string[]): Promise<string[]> {
  const show = (family: string) => ipJson<LocalRoute>('', [family, 'route', 'show', 'table', 'local']);
  // A kernel without IPv6 has no such table.
  const routes = [...(await show('-4')), ...(await show('-6').catch(() => []))];
  const own = routes.filter(({ type }) => type === 'local' || type === 'broadcast' || type === 'anycast');
  const all = [...given, ...interfaceAddresses(), ...own.map(({ dst }) => dst)];
  return [...new Set(all.filter((text) => !ELSEWHERE.test(text)))];
}

const ELSEWHERE = /^(127\.|::1$|fe80:|ff|default$)/;

/** Addresses of all interfaces but loopback and link-local ones, as far as they are up. */
export function interfaceAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flat();
  return all.flatMap((one) => (one === undefined || ELSEWHERE.test(one.address) ? [] : [one.address]));
}

/** Addresses of one interface without link-local ones; none when there is no such interface. */
export function addressesOf(name: string): NetworkInterfaceInfo[] {
  return (networkInterfaces()[name] ?? []).filter(({ address }) => !address.startsWith('fe80:'));
}

/** The link-local IPv6 address of an interface; undefined when it has none. */
export function linkLocalOf(name: string): string | undefined {
  return networkInterfaces()[name]?.find(({ address }) => address.startsWith('fe80:'))?.address;
}
