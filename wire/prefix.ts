/**
 * IP prefixes: one type for policies, pod ranges, maps and filters. Kept as words like addresses, so that holding one
 * inside another is a few comparisons; IPv4 lies in the mapped space (`10.0.0.0/8` has 104 bits there). A v4-mapped IPv6
 * text is the IPv4 prefix that it stands for, since the maps cannot tell the two apart. For configuration and printing:
 * these functions allocate, but for `holdsWords`.
 */
import { formatIp, formatIpv6, isV4Mapped, parseIp, V4_MAPPED_BITS } from './address.ts';

export interface Prefix {
  readonly family: 4 | 6;
  /** Four signed words in the mapped space, host bits cleared. */
  readonly words: readonly [number, number, number, number];
  /** Leading bits of the words that count: 0..128, for IPv4 96 more than its length. */
  readonly bits: number;
  /** Length as people write it: 0..32 or 0..128. */
  readonly length: number;
  /** Canonical text: `10.0.0.0/8`, `2001:db8::/32`. */
  readonly text: string;
}

/**
 * Reads `address/length`; host bits are cleared.
 * @param bare how a text without `/length` is taken: 'host' = the full length, 'refuse' = throw (the default)
 * @throws RangeError with found and wanted, ready to be shown
 */
export function parsePrefix(text: string, bare: 'host' | 'refuse' = 'refuse'): Prefix {
  const slash = text.indexOf('/');
  const words: [number, number, number, number] = [0, 0, 0, 0];
  const family = parseIp(slash < 0 ? text : text.slice(0, slash), words);
  if (family === 0) {
    throw new RangeError(`found ${JSON.stringify(text)}, wanted an address and a length like 10.0.0.0/8`);
  }
  const most = text.includes(':') ? 128 : 32;
  if (slash < 0 && bare === 'refuse') {
    throw new RangeError(`found ${JSON.stringify(text)} without a length, wanted ${text}/${most}`);
  }
  const length = slash < 0 ? String(most) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > most) {
    throw new RangeError(`found length ${JSON.stringify(length)}, wanted 0 to ${most}`);
  }
  return prefixOf(words, Number(length) + (most === 32 ? V4_MAPPED_BITS : 0));
}

/**
 * Reads `address/length` or a bare address, as `parsePrefix` with 'host' does.
 * @throws RangeError also for bits beyond the length, like `10.0.0.1/8`
 */
export function parseExactPrefix(text: string): Prefix {
  const prefix = parsePrefix(text, 'host');
  if (hasHostBits(text)) {
    throw new RangeError(`found ${JSON.stringify(text)} with bits beyond its length, wanted ${prefix.text}`);
  }
  return prefix;
}

/** Was the text written with bits beyond its length, like `10.0.0.1/8`? @throws RangeError when it is no prefix */
export function hasHostBits(text: string): boolean {
  const { words } = parsePrefix(text, 'host');
  const address = parsePrefix(text.split('/')[0], 'host');
  return address.words.some((word, index) => word !== words[index]);
}

/** The prefix of the first `bits` bits of four words. */
export function prefixOf(words: ArrayLike<number>, bits: number): Prefix {
  const masked = [0, 1, 2, 3].map((index) => words[index] & maskWord(bits, index)) as [number, number, number, number];
  const family = bits >= V4_MAPPED_BITS && isV4Mapped(masked[0], masked[1], masked[2]) ? 4 : 6;
  const length = family === 4 ? bits - V4_MAPPED_BITS : bits;
  const address = family === 4 ? formatIp(...masked) : formatIpv6(...masked);
  return { family, words: masked, bits, length, text: `${address}/${length}` };
}

/** The mask of word `index` (0..3) for a prefix of `bits` bits, as a signed word. */
export function maskWord(bits: number, index: number): number {
  const within = bits - index * 32;
  if (within <= 0) return 0;
  return within >= 32 ? -1 : -1 << (32 - within);
}

/** Does `outer` hold all of `inner`? Never across families: `::/0` holds no IPv4. */
export function contains(outer: Prefix, inner: Prefix): boolean {
  return outer.family === inner.family && outer.bits <= inner.bits && matches(outer, inner.words);
}

/** Does the prefix hold the address of these words? Never across families. */
export function holdsAddress(prefix: Prefix, words: ArrayLike<number>): boolean {
  return (prefix.family === 4) === isV4Mapped(words[0], words[1], words[2]) && matches(prefix, words);
}

/**
 * Does the prefix whose four words stand in `words` from `at` on hold this address? For tables of words and the way of a
 * frame: nothing is allocated. The mapped space keeps the families apart but for prefixes of fewer than 96 bits.
 */
export function holdsWords(
  words: ArrayLike<number>,
  at: number,
  bits: number,
  w0: number,
  w1: number,
  w2: number,
  w3: number,
): boolean {
  return (
    ((w0 ^ words[at]) & maskWord(bits, 0)) === 0 &&
    ((w1 ^ words[at + 1]) & maskWord(bits, 1)) === 0 &&
    ((w2 ^ words[at + 2]) & maskWord(bits, 2)) === 0 &&
    ((w3 ^ words[at + 3]) & maskWord(bits, 3)) === 0
  );
}

function matches({ words, bits }: Prefix, other: ArrayLike<number>): boolean {
  return holdsWords(words, 0, bits, other[0], other[1], other[2], other[3]);
}
