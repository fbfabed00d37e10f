/** What of a request head matters after it was judged: a word of bits, the low ones of which go into its pairing entry. */
import type { Head } from './http1-head.ts';
import * as pair from './http1-pairing.ts';
import { isMethod } from './http1-start-line.ts';

// Beside the bits of a pairing entry; known only while the head is read.
export const IS_CHUNKED = 256;
export const IS_LAST = 512;
export const EXPECTS_CONTINUE = 1024;

/** Where the verdict of the judge is put beside the traits. */
export const VERDICT_SHIFT = 12;

/** Traits of a request head. */
export function traitsOf(bytes: Uint8Array, head: Head): number {
  const isLast = head.hasClose || (head.minor === 0 && !head.hasKeepAlive);
  const isUpgrade = head.hasUpgrade && head.hasUpgradeOption && head.minor === 1;
  return (
    (isMethod(bytes, head, 'HEAD') ? pair.IS_HEAD : 0) |
    (isMethod(bytes, head, 'CONNECT') ? pair.IS_CONNECT : 0) |
    (isUpgrade ? pair.IS_UPGRADE : 0) |
    (isUpgrade && head.namesH2c ? pair.NAMES_H2C : 0) |
    (head.isChunked ? IS_CHUNKED : 0) |
    (isLast ? IS_LAST : 0) |
    (head.expectsContinue ? EXPECTS_CONTINUE : 0)
  );
}
