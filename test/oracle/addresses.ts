/** Addresses and prefixes as big integers. */

interface Address {
  readonly bits: bigint;
  readonly width: 32 | 128;
}

const known = new Map<string, Address>();

function parse(text: string): Address {
  let address = known.get(text);
  if (address === undefined) known.set(text, (address = text.includes(':') ? parseV6(text) : parseV4(text)));
  return address;
}

function parseV4(text: string): Address {
  return { bits: text.split('.').reduce((bits, octet) => bits * 256n + BigInt(octet), 0n), width: 32 };
}

function parseV6(text: string): Address {
  const [left, right] = text.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = right === undefined ? left : [...left, ...Array(8 - left.length - right.length).fill('0'), ...right];
  return { bits: groups.reduce((bits, group) => bits * 65536n + BigInt(`0x${group}`), 0n), width: 128 };
}

export const isV6 = (ip: string): boolean => ip.includes(':');

/** @param cidr `10.0.0.0/8`, or an address for itself alone */
export function isInside(ip: string, cidr: string): boolean {
  const address = parse(ip);
  const network = parse(cidr.split('/')[0]);
  if (address.width !== network.width) return false;
  const length = cidr.includes('/') ? Number(cidr.split('/')[1]) : network.width;
  const rest = BigInt(network.width - length);
  return address.bits >> rest === network.bits >> rest;
}
