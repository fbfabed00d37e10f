/** The header of a TLS record (RFC 8446 5.1): type, a version whose first byte is 3, the length of its content. */
import { u16 } from '../../wire/bytes.ts';
import { TLS_BAD_RECORD, TLS_NOT_TLS } from './errors.ts';

export const RECORD_HEADER_BYTES = 5;

const CHANGE_CIPHER_SPEC = 20;
export const HANDSHAKE = 22;
const HEARTBEAT = 24;

const MAX_PLAIN = 16384;
/** What encryption may add (RFC 5246 6.2.3). */
const MAX_ADDED = 2048;

/** @returns why the header at `at` is none, as far as it is there; 0 = nothing is wrong so far */
export function recordError(bytes: Uint8Array, at: number, end: number): number {
  const type = bytes[at];
  if (type < CHANGE_CIPHER_SPEC || type > HEARTBEAT) return TLS_NOT_TLS;
  if (at + 1 < end && bytes[at + 1] !== 3) return TLS_NOT_TLS;
  if (end - at < RECORD_HEADER_BYTES) return 0;
  const length = contentLength(bytes, at);
  // Empty handshake records are forbidden: they cost their receiver, and say nothing.
  const most = type === HANDSHAKE ? MAX_PLAIN : MAX_PLAIN + MAX_ADDED;
  return length > most || (length === 0 && type === HANDSHAKE) ? TLS_BAD_RECORD : 0;
}

export function contentLength(bytes: Uint8Array, at: number): number {
  return u16(bytes, at + 3);
}
