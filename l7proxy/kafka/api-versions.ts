/**
 * The answer that tells which versions of which requests a server speaks. A client uses the highest that both know, so a version
 * that is not read here would be denied all the time: the answer goes on with lower ones in their place. Where ids of topics
 * cannot be learnt (topic-ids.ts), versions that name topics by id are left out too. Requests that are not read here at all, such as
 * those of share groups, are taken out of the list where rules would deny them: a client then says that the server has none of them.
 */
import { i32, setI32, setU16, u16 } from '../../wire/bytes.ts';
import { API_KEY_NAMES } from '../../wire/kafka.ts';
import { namesTopics } from './api-keys.ts';
import { messageOf } from './layout.ts';
import { HIDE_TOPICLESS, HIDE_TOPICS } from './waiting.ts';

/** Size and correlation id. */
const ANSWER_HEADER_BYTES = 8;
const ENTRY_BYTES = 6;
const FLEXIBLE_FROM = 3;

/** Last versions that name topics by their names: Produce, Fetch, OffsetCommit, OffsetFetch. */
const LAST_WITH_NAMES: { readonly [apiKey: number]: number } = { 0: 12, 1: 12, 8: 9, 9: 9 };

/** What limits one answer. */
export interface VersionLimits {
  /** Requests that name topics by id can be judged. */
  readonly knowsIds: boolean;
  /** HIDE_TOPICS and HIDE_TOPICLESS of waiting.ts. */
  readonly hidden: number;
}

/**
 * @param answer the whole message, changed in place @param version of the request
 * @returns its bytes afterwards; 0 when it says nothing of versions, or cannot be read
 */
export function limitVersions(answer: Uint8Array, version: number, limits: VersionLimits): number {
  if (answer.length < ANSWER_HEADER_BYTES + 3) return 0;
  // An answer of this request itself in another version, which brokers write in several ways: the client asks again.
  if (u16(answer, ANSWER_HEADER_BYTES) !== 0) return 0;
  const isFlexible = version >= FLEXIBLE_FROM;
  const countAt = ANSWER_HEADER_BYTES + 2;
  const isLong = isFlexible && answer[countAt] >= 0x80;
  const first = countAt + (isFlexible ? (isLong ? 2 : 1) : 4);
  if (answer.length < first) return 0;
  const count = isFlexible
    ? (answer[countAt] & 0x7f) - 1 + (isLong ? answer[countAt + 1] * 0x80 : 0)
    : i32(answer, countAt);
  if (count < 0 || count > 0x3fff) return 0;
  const entryBytes = ENTRY_BYTES + (isFlexible ? 1 : 0);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const at = first + i * entryBytes;
    if (at + entryBytes > answer.length) return 0;
    if (isFlexible && answer[at + ENTRY_BYTES] !== 0) return 0; // no tagged fields
    if (isHidden(u16(answer, at), limits.hidden)) continue;
    lower(answer, at, limits.knowsIds);
    answer.copyWithin(first + entryBytes * kept++, at, at + entryBytes);
  }
  answer.copyWithin(first + kept * entryBytes, first + count * entryBytes);
  if (!isFlexible) setI32(answer, countAt, kept);
  else {
    answer[countAt] = ((kept + 1) & 0x7f) | (isLong ? 0x80 : 0);
    if (isLong) answer[countAt + 1] = (kept + 1) >>> 7;
  }
  const bytes = answer.length - (count - kept) * entryBytes;
  setI32(answer, 0, bytes - 4);
  return bytes;
}

/** It would be denied whatever it says. Requests that rules can name stay: which of them a rule allows is told when they come. */
function isHidden(apiKey: number, hidden: number): boolean {
  if (apiKey < API_KEY_NAMES.length || messageOf(apiKey) !== undefined) return false;
  return (hidden & (namesTopics(apiKey) ? HIDE_TOPICS : HIDE_TOPICLESS)) !== 0;
}

/** An entry: api key, lowest version, highest version. */
function lower(answer: Uint8Array, at: number, knowsIds: boolean): void {
  const apiKey = u16(answer, at);
  const last = Math.min(messageOf(apiKey)?.last ?? 0x7fff, knowsIds ? 0x7fff : (LAST_WITH_NAMES[apiKey] ?? 0x7fff));
  const lowest = u16(answer, at + 2);
  if (lowest <= last && u16(answer, at + 4) > last) setU16(answer, at + 4, last);
}
