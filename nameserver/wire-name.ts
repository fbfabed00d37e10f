/** Names as text, as bytes and as keys of maps, and the addresses that some of them say. */
import { formatIpv4, formatIpv6, isV4Mapped, parseIp, V4_MAPPED } from '../wire/address.ts';
import { type DomainName, MAX_NAME_BYTES } from '../wire/dns/name.ts';

/** A label in wire form, as a string. */
export function labelKey(label: string): string {
  return String.fromCharCode(label.length) + label;
}

/** A name in wire form: `kubernetes`, `default` with a length before each and a zero behind the last. */
export function wireName(labels: readonly string[]): Uint8Array {
  return wireOf(labels.map(labelKey).join(''));
}

/** As wireName(), of labels that are keys already. */
export function wireOf(keys: string): Uint8Array {
  return new Uint8Array(Buffer.from(`${keys}\0`, 'latin1'));
}

export function labelsOf(domain: string): string[] {
  return domain.split('.');
}

/** Whether a name in wire form is short enough to be one. */
export function isName(wire: Uint8Array): boolean {
  return wire.length <= MAX_NAME_BYTES;
}

/** The bytes of a name as a string, for maps. */
export function nameKey(wire: Uint8Array): string {
  return Buffer.from(wire.buffer, wire.byteOffset, wire.length).toString('latin1');
}

/** An address as a string, for maps. */
export function addressKey([word0, word1, word2, word3]: readonly number[]): string {
  const isV4 = isV4Mapped(word0, word1, word2);
  const units = (isV4 ? [word3] : [word0, word1, word2, word3]).flatMap((word) => [word >>> 16, word & 0xffff]);
  return String.fromCharCode(...units);
}

/** The labels under in-addr.arpa or ip6.arpa, the last part of an address first. */
export function reverseLabels([word0, word1, word2, word3]: readonly number[]): string[] {
  if (isV4Mapped(word0, word1, word2)) return [...formatIpv4(word3).split('.').reverse(), 'in-addr', 'arpa'];
  const digits = [word0, word1, word2, word3].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  return [...Array.from(digits).reverse(), 'ip6', 'arpa'];
}

/**
 * The address that a name under arpa says.
 * @returns `piece` for the end of such a name, undefined for what is none
 */
export function reverseAddress(name: DomainName): number[] | 'piece' | undefined {
  const labels = name.text().slice(0, -1).split('.').reverse();
  const isV4 = labels[1] === 'in-addr';
  if (!isV4 && labels[1] !== 'ip6') return undefined;
  const parts = labels.slice(2);
  const isPart = isV4 ? isByte : isDigit;
  const whole = isV4 ? 4 : 32;
  if (parts.length > whole || !parts.every(isPart)) return undefined;
  if (parts.length < whole) return 'piece';
  if (isV4) return [0, 0, V4_MAPPED, parts.reduce((word, part) => (word << 8) | Number(part), 0)];
  return [0, 8, 16, 24].map((at) => Number.parseInt(parts.slice(at, at + 8).join(''), 16) | 0);
}

const isByte = (text: string) => /^(?:0|[1-9]\d{0,2})$/.test(text) && Number(text) < 256;
const isDigit = (text: string) => /^[\da-f]$/.test(text);

/** An address as one label: `10-0-0-7`, `fd00-10--7`. */
export function dashedAddress([word0, word1, word2, word3]: readonly number[]): string {
  const isV4 = isV4Mapped(word0, word1, word2);
  return isV4 ? formatIpv4(word3).replaceAll('.', '-') : formatIpv6(word0, word1, word2, word3).replaceAll(':', '-');
}

/** The address that such a label says. */
export function podAddress(label: string): number[] | undefined {
  const words = [0, 0, 0, 0];
  const text = /^\d{1,3}(?:-\d{1,3}){3}$/.test(label) ? label.replaceAll('-', '.') : label.replaceAll('-', ':');
  return parseIp(text, words) === 0 ? undefined : words;
}

/** Four or sixteen bytes, as A and AAAA records have them. */
export function addressBytes([word0, word1, word2, word3]: readonly number[]): Uint8Array {
  const words = isV4Mapped(word0, word1, word2) ? [word3] : [word0, word1, word2, word3];
  return Uint8Array.from(
    words.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word].map((byte) => byte & 255)),
  );
}
