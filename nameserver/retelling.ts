/** Records of another server's answer, told again in an answer of ours: below an alias, with names that stood elsewhere. */
import { i32, u16 } from '../wire/bytes.ts';
import { DomainName, DNS_HEADER_BYTES, skipName } from '../wire/dns/name.ts';
import { CLASS_IN } from '../wire/dns/types.ts';
import type { CachedMessage } from './cached-message.ts';
import type { Reply } from './reply.ts';
import { NAME_AT } from './soundness.ts';

/**
 * Writes the answers of a message that was asked for `alias`.
 * @param aliasAt where in our answer that name stands
 */
export function retell(found: CachedMessage, alias: DomainName, aliasAt: number, reply: Reply, nowSec: number): void {
  const { bytes } = found;
  const owner = new DomainName();
  const lessSec = Math.floor(nowSec - found.storedSec);
  let at = skipName(bytes, 0, bytes.length, DNS_HEADER_BYTES) + 4;
  for (let i = 0; i < found.answers; i++) {
    const tail = skipName(bytes, 0, bytes.length, at);
    const type = u16(bytes, tail);
    const isOfAlias = owner.load(bytes, 0, bytes.length, at) && owner.equals(alias.bytes, alias.length);
    const data = dataOf(bytes, type, tail + 10, u16(bytes, tail + 8));
    const ttlSec = Math.max(0, Math.min(found.ttlSec, i32(bytes, tail + 4)) - lessSec);
    at = tail + 10 + u16(bytes, tail + 8);
    if (data === undefined || u16(bytes, tail + 2) !== CLASS_IN) continue;
    const name = owner.bytes.slice(0, owner.length);
    if (!reply.answerOf(isOfAlias ? aliasAt : -1, name, type, ttlSec, data)) return;
  }
}

/** The data with its name whole; undefined when it has none where one should be. */
function dataOf(bytes: Uint8Array, type: number, at: number, length: number): Uint8Array | undefined {
  const before = NAME_AT[type];
  if (before === undefined) return bytes.subarray(at, at + length);
  const name = new DomainName();
  if (length <= before || !name.load(bytes, 0, at + length, at + before)) return undefined;
  const data = new Uint8Array(before + name.length);
  data.set(bytes.subarray(at, at + before));
  data.set(name.bytes.subarray(0, name.length), before);
  return data;
}
