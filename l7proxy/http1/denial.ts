/**
 * Whether a connection outlives the 403 of a request, and when that is sent.
 *
 * It does where both ends know what comes next. Clients differ in what they do when they are answered while they still send
 * (docs/l7.md has what was seen of each): many give the connection up. So the 403 waits for the end of content that is short.
 * A client that asks for leave to send such content (Expect) gets it, a 100, for after a 403 some would send it, some would not, and
 * none says which. Longer content is dropped behind the 403, and ends the connection when leave was asked for it, as chunks do.
 *
 * Behind a refused CONNECT the connection ends: some clients send at once what is meant for the tunnel, and it would be read as
 * requests.
 */
import { DENY_CLOSE } from '../http/judgement.ts';
import * as pair from './pairing.ts';
import * as replies from './replies.ts';
import { MAX_AWAITED_CONTENT_BYTES } from './syntax.ts';
import { EXPECTS, IS_CHUNKED, IS_LAST, IS_OLD, VERDICT_SHIFT } from './traits.ts';

/** The kind of the reply to a denied request. @param content its length; 0 when it has none, or comes in chunks */
export function denialOf(traits: number, content: number): number {
  const head = (traits & pair.IS_HEAD) !== 0 ? 1 : 0;
  if (ends(traits, content)) return replies.REPLY_DENIED_CLOSE + head;
  return ((traits & IS_OLD) !== 0 ? replies.REPLY_DENIED_KEEP_ALIVE : replies.REPLY_DENIED) + head;
}

function ends(traits: number, content: number): boolean {
  if ((traits & (pair.IS_CONNECT | IS_LAST)) !== 0 || traits >>> VERDICT_SHIFT === DENY_CLOSE) return true;
  return (traits & EXPECTS) !== 0 && ((traits & IS_CHUNKED) !== 0 || content > MAX_AWAITED_CONTENT_BYTES);
}

/** Whether `reply`, of denialOf, waits for the end of the content. */
export function awaits(reply: number, content: number): boolean {
  return !replies.closes(reply) && content > 0 && content <= MAX_AWAITED_CONTENT_BYTES;
}
