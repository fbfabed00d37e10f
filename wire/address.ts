/**
 * Addresses as text and as words. In memory an IP address is four signed 32-bit words, most significant first; IPv4 is
 * v4-mapped (`0, 0, 0xffff, a.b.c.d`). Prefix lengths of such addresses are 0..128, IPv4's plus 96. Text is RFC 4291 in
 * (strict: no zone, no leading zeros in dotted quads, `::` stands for at least one group) and RFC 5952 out. These
 * functions allocate: they are for configuration, printing and tests, never per frame.
 */

/** Word 2 of every v4-mapped address (words 0 and 1 are 0). */
export const V4_MAPPED = 0xffff;
/** Prefix length of an IPv4 prefix in the mapped space, less its own. */
export const V4_MAPPED_BITS = 96;

/** True when the three upper words are those of a v4-mapped address. */
export function isV4Mapped(word0: number, word1: number, word2: number): boolean {
  return word0 === 0 && word1 === 0 && word2 === V4_MAPPED;
}

/**
 * Parses a dotted quad.
 * @returns the address as 0..2^32-1, or -1 (take `| 0` for a signed word)
 */
function parseIpv4(text: string): number {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return -1;
  let value = 0;
  for (let index = 1; index <= 4; index++) {
    const part = match[index];
    if ((part.length > 1 && part[0] === '0') || Number(part) > 255) return -1;
    value = value * 256 + Number(part);
  }
  return value;
}

/** Parses an IPv6 address into eight groups of 16 bits, or null. */
function parseGroups(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0], halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1], true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** @param isTail a dotted quad may stand at the end of the address, and nowhere else */
function groupsOf(text: string, isTail: boolean): number[] | null {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const quad = isTail && index === parts.length - 1 ? parseIpv4(part) : -1;
    if (quad < 0) return null;
    groups.push(Math.floor(quad / 65536), quad % 65536);
  }
  return groups;
}

/**
 * Parses an IPv4 or IPv6 address into four words.
 * @param into takes the words from index 0 on; untouched on failure
 * @returns 4 or 6 (a v4-mapped IPv6 text counts as 4), or 0 when the text is no address
 */
export function parseIp(text: string, into: Int32Array | number[]): 0 | 4 | 6 {
  const quad = parseIpv4(text);
  if (quad >= 0) {
    setWords(into, 0, 0, V4_MAPPED, quad | 0);
    return 4;
  }
  if (text.length > 45 || !text.includes(':')) return 0;
  const groups = parseGroups(text);
  if (groups === null) return 0;
  const word = (index: number) => (groups[index * 2] << 16) | groups[index * 2 + 1];
  setWords(into, word(0), word(1), word(2), word(3));
  return isV4Mapped(into[0], into[1], into[2]) ? 4 : 6;
}

function setWords(into: Int32Array | number[], word0: number, word1: number, word2: number, word3: number): void {
  into[0] = word0;
  into[1] = word1;
  into[2] = word2;
  into[3] = word3;
}

/** "10.0.0.1" */
export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups (the first of equals) as `::`. */
export function formatIpv6(word0: number, word1: number, word2: number, word3: number): string {
  const groups = [word0, word1, word2, word3].flatMap((word) => [word >>> 16, word & 0xffff]);
  let start = -1;
  let size = 1;
  for (let from = 0; from < 8; from++) {
    let run = 0;
    while (from + run < 8 && groups[from + run] === 0) run++;
    if (run > size) {
      start = from;
      size = run;
    }
  }
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return start < 0 ? text(groups) : `${text(groups.slice(0, start))}::${text(groups.slice(start + size))}`;
}

/** Four words as text: dotted quad when v4-mapped, else IPv6. */
export function formatIp(word0: number, word1: number, word2: number, word3: number): string {
  return isV4Mapped(word0, word1, word2) ? formatIpv4(word3) : formatIpv6(word0, word1, word2, word3);
}

/** "02:00:00:00:00:01" from the high 16 and the low 32 bits. */
export function formatMac(high: number, low: number): string {
  const [a, b, c] = [HEX[(high >>> 8) & 255], HEX[high & 255], HEX[low >>> 24]];
  return `${a}:${b}:${c}:${HEX[(low >>> 16) & 255]}:${HEX[(low >>> 8) & 255]}:${HEX[low & 255]}`;
}

/** Two digits of each byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Parses six pairs of hex digits with colons or dashes.
 * @returns 0..2^48-1, or -1; `macHigh` and `macLow` take it apart
 */
export function parseMac(text: string): number {
  if (!/^[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}$/.test(text)) return -1;
  return Number.parseInt(text.replace(/[:-]/g, ''), 16);
}

/** High 16 bits of a MAC number. */
export function macHigh(mac: number): number {
  return Math.floor(mac / 0x1_0000_0000);
}

/** Low 32 bits of a MAC number, signed. */
export function macLow(mac: number): number {
  return mac | 0;
}

/**
 * A MAC as the maps hold it.
 * @returns the high 16 bits and the low 32, signed; all ones for what is no MAC
 */
export function macWords(text: string): { high: number; low: number } {
  const mac = parseMac(text);
  return { high: macHigh(mac), low: macLow(mac) };
}

/**
 * An address as the maps hold it, IPv4 v4-mapped.
 * @throws RangeError when it is none
 */
export function addressWords(text: string): [number, number, number, number] {
  const words: [number, number, number, number] = [0, 0, 0, 0];
  if (parseIp(text, words) === 0) throw new RangeError(`read an address: "${text}" is not an IPv4 or IPv6 address`);
  return words;
}
