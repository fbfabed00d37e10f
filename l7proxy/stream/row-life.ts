/**
 * What the L7 engine says of the life of a conntrack row. The dataplane sees the segments that pass, and knows from their FINs
 * and RSTs that a connection ends. What we end ourselves it cannot see: the segments are ours, or are held back here.
 */
import {
  CT_CREATED,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_LIFETIME,
  CT_ROW_WORDS,
  CT_TX_FLAGS_SEEN,
} from '../../policy-maps/conntrack-row.ts';
import * as tcp from '../../wire/header/tcp.ts';

const CLOSING = CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING;

/** The connection has ended on both sides: the row lives until second `untilSec`, and a SYN makes a new one of it. */
export function closeRow(words: Int32Array, slot: number, untilSec: number): void {
  const row = slot * CT_ROW_WORDS;
  if ((words[row + CT_FLAGS] & CLOSING) === CLOSING) return;
  words[row + CT_FLAGS] |= CLOSING;
  words[row + CT_LIFETIME] = untilSec;
}

/** Whether a connection has ended on both sides. */
export function isRowClosed(words: Int32Array, slot: number): boolean {
  return (words[slot * CT_ROW_WORDS + CT_FLAGS] & CLOSING) === CLOSING;
}

/** Whether the initiator has not answered the SYN-ACK yet: nothing says that there is a peer who wants a connection. */
export function isRowHalfOpen(words: Int32Array, slot: number): boolean {
  return (words[slot * CT_ROW_WORDS + CT_TX_FLAGS_SEEN] & tcp.ACK) === 0;
}

/** The second in which the row was made. */
export function rowCreatedSec(words: Int32Array, slot: number): number {
  return words[slot * CT_ROW_WORDS + CT_CREATED];
}
