/** The OPT record of an answer (RFC 6891), with an extended error (RFC 8914) where there is one. Options of the query are not echoed. */
import { setU16 } from '../bytes.ts';
import { TYPE_OPT } from './types.ts';

/** What we take over UDP, and send at most: dnsflagday.net/2020. */
export const UDP_BYTES = 1232;
/** Of OPT: signatures are wanted. */
export const FLAG_DNSSEC_OK = 0x8000;
const OPTION_EXTENDED_ERROR = 15;
const OPT_BYTES = 11;
/** Longest that is written: with an extended error. */
export const MAX_OPT_BYTES: number = OPT_BYTES + 6;

/**
 * Writes it at `to[at]`.
 * @param flags of the query's: DO is kept @param upperRcode bits 4 to 11 of the response code
 * @param error an extended error, -1 = none @returns its length
 */
export function emitOpt(to: Uint8Array, at: number, flags: number, upperRcode: number, error: number): number {
  to[at] = 0; // the root
  setU16(to, at + 1, TYPE_OPT);
  setU16(to, at + 3, UDP_BYTES);
  to[at + 5] = upperRcode;
  to[at + 6] = 0; // version
  setU16(to, at + 7, flags & FLAG_DNSSEC_OK);
  setU16(to, at + 9, error < 0 ? 0 : 6);
  if (error < 0) return OPT_BYTES;
  setU16(to, at + 11, OPTION_EXTENDED_ERROR);
  setU16(to, at + 13, 2);
  setU16(to, at + 15, error);
  return MAX_OPT_BYTES;
}
