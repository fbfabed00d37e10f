/** Names as text, as bytes and as keys of maps; for what is read once, not for questions. */
import { formatIpv4, formatIpv6, isV4Mapped } from '../wire/address.ts';
import { MAX_NAME_BYTES } from '../wire/dns/name.ts';

/** A name in wire form: `kubernetes.default` with a length before each label and a zero behind the last. */
export function wireName(labels: readonly string[]): Uint8Array {
  const text = labels.map((label) => String.fromCharCode(label.length) + label).join('');
  return Uint8Array.from(Buffer.from(`${text}\0`, 'latin1'));
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

/** The labels under in-addr.arpa or ip6.arpa, the last part of an address first. */
export function reverseLabels([word0, word1, word2, word3]: readonly number[]): string[] {
  if (isV4Mapped(word0, word1, word2)) return [...formatIpv4(word3).split('.').reverse(), 'in-addr', 'arpa'];
  const digits = [word0, word1, word2, word3].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  return [...Array.from(digits).reverse(), 'ip6', 'arpa'];
}

/** An address as one label: `10-0-0-7`, `fd00-10--7`. */
export function dashedAddress([word0, word1, word2, word3]: readonly number[]): string {
  const isV4 = isV4Mapped(word0, word1, word2);
  return isV4 ? formatIpv4(word3).replaceAll('.', '-') : formatIpv6(word0, word1, word2, word3).replaceAll(':', '-');
}

/** The text of an address out of such a label; other letters stay, so that it is no address. */
export function addressOfLabel(label: string): string {
  return /^\d{1,3}(?:-\d{1,3}){3}$/.test(label) ? label.replaceAll('-', '.') : label.replaceAll('-', ':');
}

/** Four or sixteen bytes, as A and AAAA records have them. */
export function addressBytes([word0, word1, word2, word3]: readonly number[]): Uint8Array {
  const words = isV4Mapped(word0, word1, word2) ? [word3] : [word0, word1, word2, word3];
  const bytes = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) bytes.writeInt32BE(word, 4 * i);
  return Uint8Array.from(bytes);
}
