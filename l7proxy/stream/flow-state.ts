/**
 * What of a flow survives the process: the eight words that its conntrack row has for the L7 engine. With them another
 * process takes the connection up where the parser was asked last; without them it is reset on both sides.
 *
 *   0  parser state (http1/parser.ts), and SAVED; 0 = nothing to take up
 *   1  request mark (in)                2  response mark (in)
 *   3  request out - in                 4  response out - in
 *   5  request bytes passed from mark   6  response bytes passed from mark    0xffffffff = to the end
 *   7  slot generation, 8 bits << 24 | response bytes unacknowledged, in KiB, 7 bits << 16 | the same of the request << 9 |
 *      timestamps << 8 | response window scale << 4 | request window scale
 *
 * They are written each time the parser has been asked, before the frame goes on, so they are never ahead of what the
 * receiver may have seen. A state that does not fit (bytes held, a denied body, replies of our own in the queue, FINs,
 * more than four requests outstanding) writes 0. Bytes of content need no write: they move nothing that is told here.
 */
import {
  CT_EGRESS_VERDICT,
  CT_FLAG_RX_CLOSING,
  CT_FLAG_SEEN_REPLY,
  CT_FLAG_TX_CLOSING,
  CT_FLAGS,
  CT_INGRESS_VERDICT,
  CT_L7,
  CT_ROW_WORDS,
  CT_SLOT_GENERATION,
} from '../../policy-maps/conntrack-row.ts';
import { DEFAULT_MSS } from './tcp-stream.ts';
import { type Flow, OPEN } from './flow.ts';
import type { TcpStream } from './tcp-stream.ts';

const SAVED = 1 << 31;
const FOREVER = 0xffffffff;
/** A mark this far behind is moved up, before sequence numbers lose their order. */
const MAX_MARK_AGE = 1 << 29;

const MAX_UNACKED_KIB = 127;

const W_PARSER = 0;
const W_REQUEST_MARK = 1;
const W_RESPONSE_MARK = 2;
const W_REQUEST_SHIFT = 3;
const W_RESPONSE_SHIFT = 4;
const W_REQUEST_AHEAD = 5;
const W_RESPONSE_AHEAD = 6;
const W_MISC = 7;

/** Writes the state of an open flow into its row. */
export function saveFlow(flow: Flow, words: Int32Array): void {
  const at = flow.slot * CT_ROW_WORDS + CT_L7;
  const { request, response } = flow;
  if (!isSavable(flow) || !flow.parser.saveState(words, at)) {
    words[at + W_PARSER] = 0;
    return;
  }
  refreshMark(request);
  refreshMark(response);
  words[at + W_REQUEST_MARK] = request.mark;
  words[at + W_RESPONSE_MARK] = response.mark;
  words[at + W_REQUEST_SHIFT] = (request.dataEnd - request.passedIn) | 0;
  words[at + W_RESPONSE_SHIFT] = (response.dataEnd - response.passedIn) | 0;
  words[at + W_REQUEST_AHEAD] = Math.min(request.markBytes, FOREVER);
  words[at + W_RESPONSE_AHEAD] = Math.min(response.markBytes, FOREVER);
  words[at + W_MISC] =
    (flow.slotGeneration << 24) |
    (unackedKib(response) << 16) |
    (unackedKib(request) << 9) |
    (flow.hasTimestamps ? 256 : 0) |
    (response.windowShift << 4) |
    request.windowShift;
  words[at + W_PARSER] |= SAVED;
}

/** Bytes before the mark that the receiver may still lack, rounded up; more than MAX_UNACKED_KIB are not savable. */
function unackedKib(stream: TcpStream): number {
  const beforeMark = (stream.dataEnd - stream.una) | 0;
  return Math.ceil(Math.max(0, beforeMark) / 1024);
}

function isSavable(flow: Flow): boolean {
  return flow.mode === OPEN && !flow.wantsClose && isStreamSavable(flow.request) && isStreamSavable(flow.response);
}

function isStreamSavable(stream: TcpStream): boolean {
  return (
    stream.dropAhead === 0 &&
    stream.heldBytes === 0 &&
    stream.deferred.length === 0 &&
    !stream.finIn &&
    !stream.finOut &&
    !stream.owes &&
    !stream.isUnsure &&
    unackedKib(stream) <= MAX_UNACKED_KIB &&
    (stream.markBytes < FOREVER || stream.markBytes === Number.POSITIVE_INFINITY)
  );
}

/** A mark is moved up when it is far behind, or bytes were dropped behind it. */
function refreshMark(stream: TcpStream): void {
  const come = (stream.nextIn - stream.mark) | 0;
  const isTrue = stream.markBytes === stream.passAhead + come || stream.passAhead === Number.POSITIVE_INFINITY;
  if (!isTrue || isMarkOld(stream)) stream.setMark();
}

/** Whether the mark of a stream is so far behind that it must be saved anew. */
export function isMarkOld(stream: TcpStream): boolean {
  return ((stream.nextIn - stream.mark) | 0) > MAX_MARK_AGE;
}

/**
 * Takes up a flow from its row.
 * @returns false when there is nothing to take up; the flow is untouched then
 */
export function resumeFlow(flow: Flow, words: Int32Array): boolean {
  const row = flow.slot * CT_ROW_WORDS;
  const at = row + CT_L7;
  const misc = words[at + W_MISC];
  if ((words[at + W_PARSER] & SAVED) === 0) return false;
  if (misc >>> 24 !== (words[row + CT_SLOT_GENERATION] & 0xff)) return false;
  if (!flow.parser.loadState(words, at)) return false;
  const requestUnacked = ((misc >>> 9) & 127) * 1024;
  const responseUnacked = ((misc >>> 16) & 127) * 1024;
  const requestAhead = ahead(words[at + W_REQUEST_AHEAD]);
  const responseAhead = ahead(words[at + W_RESPONSE_AHEAD]);
  flow.request.resume(words[at + W_REQUEST_MARK], requestAhead, words[at + W_REQUEST_SHIFT], requestUnacked);
  flow.response.resume(words[at + W_RESPONSE_MARK], responseAhead, words[at + W_RESPONSE_SHIFT], responseUnacked);
  flow.request.windowShift = misc & 15;
  flow.response.windowShift = (misc >>> 4) & 15;
  flow.request.mss = DEFAULT_MSS;
  flow.response.mss = DEFAULT_MSS;
  flow.hasTimestamps = (misc & 256) !== 0;
  flow.hasPendingSyn = false;
  flow.mode = OPEN;
  return true;
}

/** Whether a row is that of an answered connection under L7 rules which nobody can take up. */
export function isLost(slot: number, words: Int32Array): boolean {
  const row = slot * CT_ROW_WORDS;
  const isRedirected = words[row + CT_EGRESS_VERDICT] > 0 || words[row + CT_INGRESS_VERDICT] > 0;
  const flags = words[row + CT_FLAGS] & (CT_FLAG_SEEN_REPLY | CT_FLAG_RX_CLOSING | CT_FLAG_TX_CLOSING);
  return isRedirected && flags === CT_FLAG_SEEN_REPLY && (words[row + CT_L7 + W_PARSER] & SAVED) === 0;
}

function ahead(word: number): number {
  return word >>> 0 === FOREVER ? Number.POSITIVE_INFINITY : word >>> 0;
}

/** Nothing is to be taken up any more. */
export function forgetFlow(slot: number, words: Int32Array): void {
  words[slot * CT_ROW_WORDS + CT_L7 + W_PARSER] = 0;
}
