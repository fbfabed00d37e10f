/** What of a request head matters after it was judged: a word of bits, the low ones of which go into its pairing entry. */
import type { Head } from './head.ts';
import * as pair from './pairing.ts';
import { asksForWebsocket, isMethod } from './start-line.ts';

// Beside the bits of a pairing entry; known only while the head is read.
export const IS_CHUNKED = 256;
export const IS_LAST = 512;
/** It may wait for leave before its content (RFC 9110 10.1.1). */
export const EXPECTS = 1024;
/** HTTP/1.0, which must be told when a connection stays (RFC 9112 C.2.2). */
export const IS_OLD = 2048;

/** Where the verdict of the judge is put beside the traits. */
export const VERDICT_SHIFT = 12;

/** Traits of a request head. */
export function traitsOf(bytes: Uint8Array, head: Head): number {
  const isConnect = isMethod(bytes, head, 'CONNECT');
  // What follows a CONNECT is no request, so that none can be the last.
  const isLast = !isConnect && (head.hasClose || (head.minor === 0 && !head.hasKeepAlive));
  return (
    (isMethod(bytes, head, 'HEAD') ? pair.IS_HEAD : 0) |
    (isConnect ? pair.IS_CONNECT : 0) |
    (asksForWebsocket(bytes, head) ? pair.IS_UPGRADE : 0) |
    (head.isChunked ? IS_CHUNKED : 0) |
    (isLast ? IS_LAST : 0) |
    (head.hasExpect && head.minor === 1 ? EXPECTS : 0) |
    (head.minor === 0 ? IS_OLD : 0)
  );
}
