/** Addresses of the interfaces of our own network namespace. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

/**
 * All addresses that mean this machine, each once: those that are given, then what its interfaces have beside loopback and
 * link-local ones.
 */
export function hostAddresses(given: readonly string[]): string[] {
  const own = Object.keys(networkInterfaces()).flatMap(addressesOf);
  return [...new Set([...given, ...own.filter(({ internal }) => !internal).map(({ address }) => address)])];
}

/** Addresses of one interface without link-local ones; none when there is no such interface. */
export function addressesOf(name: string): NetworkInterfaceInfo[] {
  return (networkInterfaces()[name] ?? []).filter(({ address }) => !address.startsWith('fe80:'));
}

/** The link-local IPv6 address of an interface; undefined when it has none. */
export function linkLocalOf(name: string): string | undefined {
  return networkInterfaces()[name]?.find(({ address }) => address.startsWith('fe80:'))?.address;
}
