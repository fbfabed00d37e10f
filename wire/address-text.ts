/**
 * Texts of IPv4 addresses that are told again and again: the last ones, so that the same address is mostly the same string. Each
 * has one place, which it shares with others, so that a flood of strangers costs what making all of them anew does.
 */
import { formatIp, formatIpv4, isV4Mapped } from './address.ts';

const PLACE_BITS = 12;
const PLACES = 1 << PLACE_BITS;

const words = new Int32Array(PLACES);
const texts = new Array<string>(PLACES).fill('');

/** @param word of the address, signed */
export function ipv4Text(word: number): string {
  const place = Math.imul(word, 0x9e3779b1) >>> (32 - PLACE_BITS);
  const known = texts[place];
  if (words[place] === word && known !== '') return known;
  const text = formatIpv4(word);
  words[place] = word;
  texts[place] = text;
  return text;
}

/** As formatIp. */
export function ipText(word0: number, word1: number, word2: number, word3: number): string {
  return isV4Mapped(word0, word1, word2) ? ipv4Text(word3) : formatIp(word0, word1, word2, word3);
}
