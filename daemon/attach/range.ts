/**
 * Addresses and pod ranges at configuration time: numbers of 128 bits to count and step with, by ip-num. Membership and
 * the strict reading of prefixes are wire/prefix.ts's. Microseconds an operation, never per packet.
 */
import { isIP, SocketAddress } from 'node:net';
import { IPv4, IPv4CidrRange, IPv6, IPv6CidrRange } from 'ip-num';
import { contains, hasHostBits, type Prefix, parseExactPrefix, parsePrefix } from '../../wire/prefix.ts';

/** One address. `text` is canonical (RFC 5952). */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly text: string;
}

/** A range of addresses written as a prefix. */
export interface Range extends Prefix {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Reads an IPv4 or IPv6 address.
 * @throws RangeError when it is none, or carries a zone (`%eth0`)
 */
export function parseAddress(text: string): Address {
  const family = isIP(text);
  if (family === 0 || text.includes('%'))
    throw new RangeError(`read an address: "${text}" is not an IPv4 or IPv6 address`);
  return family === 4 ? addressFrom(4, new IPv4(text).value) : addressFrom(6, new IPv6(text).value);
}

/** The address with this number. */
export function addressFrom(family: 4 | 6, value: bigint): Address {
  const long = family === 4 ? new IPv4(value).toString() : new IPv6(value).toString();
  const text = family === 4 ? long : new SocketAddress({ address: long, family: 'ipv6' }).address;
  return { family, value, text };
}

/**
 * Reads a range such as `10.244.0.0/16`.
 * @throws RangeError when it is none, or has bits beyond its length
 */
export function parseRange(text: string): Range {
  const prefix = parseExactPrefix(text);
  const range = prefix.family === 4 ? IPv4CidrRange.fromCidr(prefix.text) : IPv6CidrRange.fromCidr(prefix.text);
  return { ...prefix, first: range.getFirst().value, last: range.getLast().value };
}

const WANTED = {
  any: 'a range such as 10.244.0.0/16 or fd00::/64',
  4: 'an IPv4 range such as 10.244.0.0/16',
  6: 'an IPv6 range such as fd00:10:244::/64',
} as const;

/** What is wanted instead of `text`, or undefined when it is a sound range (of `family`, when given). */
export function rangeProblem(text: string, family?: 4 | 6): string | undefined {
  const prefix = tryPrefix(text);
  if (prefix === undefined || (family !== undefined && prefix.family !== family)) return WANTED[family ?? 'any'];
  return hasHostBits(text) ? `${prefix.text} (host bits must be zero)` : undefined;
}

function tryPrefix(text: string): Prefix | undefined {
  try {
    return parsePrefix(text);
  } catch {
    return undefined;
  }
}

/** Whether the address lies in the range. */
export function isInside(range: Prefix, address: Address): boolean {
  return contains(range, parsePrefix(address.text, 'host'));
}

/** What an address is that no single machine can have (RFC 6890), or undefined when one can. */
export function reservedUse({ family, value }: Address): string | undefined {
  const top = family === 4 ? value >> 24n : value >> 120n;
  if (family === 4) {
    if (top === 0n) return 'of this network';
    if (top === 127n) return 'loopback';
    return top >= 224n ? 'multicast, reserved or broadcast' : undefined;
  }
  if (value >> 32n === 0n) return 'unspecified, loopback or IPv4-compatible';
  if (value >> 32n === 0xffffn) return 'an IPv4 address in IPv6 clothes';
  if (value >> 118n === 0x3fan) return 'link-local';
  return top === 0xffn ? 'multicast' : undefined;
}

/** The address as a range of one: `/32` or `/128`. */
export function hostPrefix(address: Address): string {
  return `${address.text}/${address.family === 4 ? 32 : 128}`;
}
