/**
 * A query turned into the answer that refuses it: same id and question, to the letter (resolvers compare the case too), REFUSED or
 * NXDOMAIN, no records. Who sent an OPT record gets one (RFC 6891 6.1.1), which says in an extended error (RFC 8914) that it is a
 * policy that refuses. An answer is turned into SERVFAIL in the same way, where it must not go on.
 */
import { setU16 } from '../bytes.ts';
import {
  type DnsMessage,
  FLAG_CHECKING_DISABLED,
  FLAG_RECURSION_AVAILABLE,
  FLAG_RECURSION_DESIRED,
  FLAG_RESPONSE,
  RCODE_REFUSED,
  RCODE_SERVER_FAILURE,
} from './message.ts';
import { DNS_HEADER_BYTES, MAX_NAME_BYTES } from './name.ts';
import { emitOpt, MAX_OPT_BYTES } from './opt.ts';

const EXTENDED_ERROR_PROHIBITED = 18;
const EXTENDED_ERROR_FILTERED = 17;
const EXTENDED_ERROR_NOT_READY = 14;
/** Longest refusal. */
export const MAX_REFUSAL_BYTES = DNS_HEADER_BYTES + MAX_NAME_BYTES + 4 + MAX_OPT_BYTES;

/**
 * Writes the refusal of a message that was parsed, and has a question, at `to[at]`.
 * @param bytes the message's @param rcode RCODE_REFUSED, RCODE_NAME_ERROR or RCODE_SERVER_FAILURE
 * @returns its length, at most MAX_REFUSAL_BYTES
 */
export function emitRefusal(to: Uint8Array, at: number, query: DnsMessage, bytes: Uint8Array, rcode: number): number {
  const kept = query.flags & (FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);
  setU16(to, at, query.id);
  setU16(to, at + 2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | kept | rcode);
  setU16(to, at + 4, 1);
  setU16(to, at + 6, 0);
  setU16(to, at + 8, 0);
  setU16(to, at + 10, query.hasOpt ? 1 : 0);
  const questionBytes = query.nameBytes + 4;
  for (let i = 0; i < questionBytes; i++) to[at + DNS_HEADER_BYTES + i] = bytes[query.questionAt + i];
  const length = DNS_HEADER_BYTES + questionBytes;
  if (!query.hasOpt) return length;
  return length + emitOpt(to, at + length, query.optFlags, 0, extendedError(rcode));
}

function extendedError(rcode: number): number {
  if (rcode === RCODE_SERVER_FAILURE) return EXTENDED_ERROR_NOT_READY;
  return rcode === RCODE_REFUSED ? EXTENDED_ERROR_PROHIBITED : EXTENDED_ERROR_FILTERED;
}
