/** IP prefixes at configuration time: parsed strictly, compared by containment. Never used per frame. */
import { isIPv4, isIPv6 } from 'node:net';
import { collapseIPv6Number, IPv4, IPv6 } from 'ip-num';

export interface Prefix {
  readonly family: 4 | 6;
  /** Network address as a number, host bits cleared. */
  readonly network: bigint;
  /** Leading bits that count: 0..32 or 0..128. */
  readonly length: number;
  /** Canonical text, e.g. `10.0.0.0/8`, `2001:db8::/32`. */
  readonly text: string;
}

/**
 * Reads `address/length`; host bits are cleared.
 * @param bare how a text without `/length` is taken: 'host' = the full length, 'refuse' = throw (the default)
 * @throws RangeError with found and wanted, ready to be shown
 */
export function parsePrefix(text: string, bare: 'host' | 'refuse' = 'refuse'): Prefix {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const family = isIPv4(address) ? 4 : isIPv6(address) && !address.includes('%') ? 6 : 0;
  if (family === 0)
    throw new RangeError(`found ${JSON.stringify(text)}, wanted an address and a length like 10.0.0.0/8`);
  const bits = family === 4 ? 32 : 128;
  if (slash < 0 && bare === 'refuse') {
    throw new RangeError(`found ${JSON.stringify(text)} without a length, wanted ${text}/${bits}`);
  }
  const lengthText = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > bits) {
    throw new RangeError(`found length ${JSON.stringify(lengthText)}, wanted 0 to ${bits}`);
  }
  return makePrefix(family, addressNumber(address, family), Number(lengthText));
}

/** Was the text written with bits beyond its length, like `10.0.0.1/8`? */
export function hasHostBits(text: string): boolean {
  const address = text.split('/')[0];
  const prefix = parsePrefix(text, 'host');
  return addressNumber(address, prefix.family) !== prefix.network;
}

function addressNumber(address: string, family: 4 | 6): bigint {
  return family === 4 ? IPv4.fromString(address).getValue() : IPv6.fromString(address).getValue();
}

function makePrefix(family: 4 | 6, address: bigint, length: number): Prefix {
  const hostBits = BigInt((family === 4 ? 32 : 128) - length);
  const network = (address >> hostBits) << hostBits;
  return { family, network, length, text: `${formatAddress(family, network)}/${length}` };
}

function formatAddress(family: 4 | 6, value: bigint): string {
  return family === 4 ? IPv4.fromNumber(value).toString() : collapseIPv6Number(IPv6.fromBigInt(value).toString());
}

/** Does `outer` hold all of `inner`? */
export function contains(outer: Prefix, inner: Prefix): boolean {
  if (outer.family !== inner.family || outer.length > inner.length) return false;
  const shift = BigInt((outer.family === 4 ? 32 : 128) - outer.length);
  return outer.network >> shift === inner.network >> shift;
}

/** The prefix as a label key: `:` is written `-`, an end that would be empty is written `0` (`0--1/128`). */
export function prefixLabelKey(prefix: Prefix): string {
  if (prefix.family === 4) return prefix.text;
  const [address, length] = prefix.text.split('/');
  let key = address.replaceAll(':', '-');
  if (key.startsWith('-')) key = `0${key}`;
  if (key.endsWith('-')) key = `${key}0`;
  return `${key}/${length}`;
}

/** The opposite of `prefixLabelKey`; undefined when the key is not a prefix. */
export function prefixFromLabelKey(key: string): Prefix | undefined {
  try {
    return parsePrefix(key.replaceAll('-', ':'), 'host');
  } catch {
    return undefined;
  }
}
