/**
 * The answer that tells which versions of which requests a server speaks. A client uses the highest that both know, so a version
 * that is not read here would be denied all the time: the answer goes on with lower ones in their place. Where ids of topics
 * cannot be learnt (topic-ids.ts), versions that name topics by id are left out too.
 */
import { setU16, u16 } from '../../wire/bytes.ts';
import { messageOf } from './layout.ts';

/** Size and correlation id. */
const ANSWER_HEADER_BYTES = 8;
const ENTRY_BYTES = 6;
const FLEXIBLE_FROM = 3;

/** Last versions that name topics by their names: Produce, Fetch, OffsetCommit, OffsetFetch. */
const LAST_WITH_NAMES: { readonly [apiKey: number]: number } = { 0: 12, 1: 12, 8: 9, 9: 9 };

/**
 * @param answer the whole message, changed in place @param version of the request
 * @param knowsIds requests that name topics by id can be judged
 * @returns false when it says nothing of versions, or cannot be read
 */
export function limitVersions(answer: Uint8Array, version: number, knowsIds: boolean): boolean {
  if (answer.length < ANSWER_HEADER_BYTES + 3) return false;
  // An answer of this request itself in another version, which brokers write in several ways: the client asks again.
  if (u16(answer, ANSWER_HEADER_BYTES) !== 0) return false;
  const isFlexible = version >= FLEXIBLE_FROM;
  let at = ANSWER_HEADER_BYTES + 2;
  let count = 0;
  if (isFlexible) {
    const first = answer[at++];
    count = (first & 0x7f) - 1;
    if (first >= 0x80) count += answer[at++] * 0x80;
  } else {
    if (answer.length < at + 4) return false;
    count = u16(answer, at) * 0x10000 + u16(answer, at + 2);
    at += 4;
  }
  if (count < 0 || count > 0x3fff) return false;
  for (let i = 0; i < count; i++, at += ENTRY_BYTES) {
    if (at + ENTRY_BYTES + (isFlexible ? 1 : 0) > answer.length) return false;
    lower(answer, at, knowsIds);
    if (isFlexible && answer[at++ + ENTRY_BYTES] !== 0) return false; // no tagged fields
  }
  return true;
}

/** An entry: api key, lowest version, highest version. */
function lower(answer: Uint8Array, at: number, knowsIds: boolean): void {
  const apiKey = u16(answer, at);
  const last = Math.min(messageOf(apiKey)?.last ?? 0x7fff, knowsIds ? 0x7fff : (LAST_WITH_NAMES[apiKey] ?? 0x7fff));
  const lowest = u16(answer, at + 2);
  if (lowest <= last && u16(answer, at + 4) > last) setU16(answer, at + 4, last);
}
