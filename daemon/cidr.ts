/**
 * Addresses and ranges at configuration time: parsing with the checks that ip-num leaves out (host bits, zones, bare
 * addresses), membership and stepping. Built on ip-num's BigInt ranges: microseconds an operation, never per packet.
 */
import { isIP, SocketAddress } from 'node:net';
import { IPv4, IPv4CidrRange, IPv6, IPv6CidrRange } from 'ip-num';

/** One address. `text` is canonical (RFC 5952). */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly text: string;
}

/** A range of addresses written as a prefix. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  /** Bits of the prefix, 0..32 or 0..128. */
  readonly length: number;
  readonly text: string;
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
 * @throws RangeError when `cidrProblem` finds something
 */
export function parseCidr(text: string): Cidr {
  const problem = cidrProblem(text);
  if (problem !== undefined) throw new RangeError(`read a range: "${text}" is not ${problem}`);
  return readCidr(text);
}

/** What is wanted instead of `text`, or undefined when it is a sound range (of `family`, when given). */
export function cidrProblem(text: string, family?: 4 | 6): string | undefined {
  const wanted = family === undefined ? 'a range such as 10.244.0.0/16 or fd00::/64' : EXAMPLE[family];
  const [address, length, rest] = text.split('/');
  const found = isIP(address ?? '');
  if (found === 0 || text.includes('%') || rest !== undefined) return wanted;
  if (family !== undefined && found !== family) return wanted;
  if (!/^\d{1,3}$/.test(length ?? '') || Number(length) > (found === 4 ? 32 : 128)) return wanted;
  const range = readCidr(text);
  if (parseAddress(address).value !== range.first) return `${range.text} (host bits must be zero)`;
  return undefined;
}

const EXAMPLE = { 4: 'an IPv4 range such as 10.244.0.0/16', 6: 'an IPv6 range such as fd00:10:244::/64' } as const;

function readCidr(text: string): Cidr {
  const family = text.includes(':') ? 6 : 4;
  const range = family === 4 ? IPv4CidrRange.fromCidr(text) : IPv6CidrRange.fromCidr(text);
  const first = addressFrom(family, range.getFirst().value);
  const length = Number(text.slice(text.indexOf('/') + 1));
  return { family, first: first.value, last: range.getLast().value, length, text: `${first.text}/${length}` };
}

/** Whether the address lies in the range. */
export function contains(cidr: Cidr, address: Address): boolean {
  return cidr.family === address.family && address.value >= cidr.first && address.value <= cidr.last;
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
