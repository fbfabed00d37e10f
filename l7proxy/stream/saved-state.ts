/**
 * What of a connection survives the process: the eight words that its conntrack row has for the L7 engine. With them another
 * process takes the connection up where the parser was asked last; without them it is reset on both sides.
 *
 *   0  state of the parser, and SAVED; 0 = nothing to take up
 *   1  request mark (in)                2  response mark (in)
 *   3  request out - in                 4  response out - in
 *   5  request bytes passed from mark   6  response bytes passed from mark    0xffffffff = to the end
 *   7  slot generation, 8 bits << 24 | number of the protocol, 3 bits << 21 | response bytes unacknowledged, in units of
 *      2 KiB, 6 bits << 15 | the same of the request << 9 | timestamps << 8 | response window scale << 4 | that of the request
 *
 * They are written each time the parser has been asked, before the frame goes on, so they are never ahead of what the
 * receiver may have seen. A state that does not fit (bytes held or dropped ahead, injections that wait, FINs, a parser that
 * cannot say) writes 0. Bytes of content need no write: they move nothing that is told here. A parser whose state needs more
 * than a word has room in a pinned map (ParserState).
 */
import type { ConnectionRows } from '../../policy-maps/connection-rows.ts';
import type { ParserState } from '../parser.ts';
import { type Connection, OPEN } from './connection.ts';
import type { Parsers } from './parsers.ts';
import type { SavedStream } from './stream-state.ts';
import type { TcpStream } from './tcp-stream.ts';

const SAVED = 1 << 31;
const FOREVER = 0xffffffff;
/** A mark this far behind is moved up, before sequence numbers lose their order. */
const MAX_MARK_AGE = 1 << 29;

const UNACKED_UNIT = 2048; // bytes
const MAX_UNACKED = 63; // units

const W_PARSER = 0;
const W_REQUEST_MARK = 1;
const W_RESPONSE_MARK = 2;
const W_REQUEST_SHIFT = 3;
const W_RESPONSE_SHIFT = 4;
const W_REQUEST_AHEAD = 5;
const W_RESPONSE_AHEAD = 6;
const W_MISC = 7;

/** Writes the state of an open connection into its row. @param more of the parser, when a word does not do */
export function saveConnection(connection: Connection, rows: ConnectionRows, more: ParserState): void {
  const { words } = rows;
  const at = rows.l7At(connection.slot);
  const { request, response } = connection;
  if (!isSavable(connection) || !connection.parser.saveState(words, at, more)) {
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
    (connection.slotGeneration << 24) |
    (connection.protocol.number << 21) |
    (unackedUnits(response) << 15) |
    (unackedUnits(request) << 9) |
    (connection.hasTimestamps ? 256 : 0) |
    (response.windowShift << 4) |
    request.windowShift;
  words[at + W_PARSER] |= SAVED;
}

/** Bytes before the mark that the receiver may still lack, rounded up; more than MAX_UNACKED are not savable. */
function unackedUnits(stream: TcpStream): number {
  const beforeMark = (stream.dataEnd - stream.una) | 0;
  return Math.ceil(Math.max(0, beforeMark) / UNACKED_UNIT);
}

function isSavable(connection: Connection): boolean {
  return (
    connection.mode === OPEN &&
    !connection.wantsClose &&
    isStreamSavable(connection.request) &&
    isStreamSavable(connection.response)
  );
}

function isStreamSavable(stream: TcpStream): boolean {
  return (
    stream.dropAhead === 0 &&
    stream.heldBytes === 0 &&
    !stream.hasDeferred &&
    !stream.finIn &&
    !stream.finOut &&
    !stream.owes &&
    !stream.isUnsure &&
    unackedUnits(stream) <= MAX_UNACKED &&
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
 * Takes up a connection from its row, and has it read in the protocol that it was read in.
 * @returns false when there is nothing to take up; it is not open then
 */
export function resumeConnection(
  connection: Connection,
  rows: ConnectionRows,
  parsers: Parsers,
  more: ParserState,
): boolean {
  const { words } = rows;
  const at = rows.l7At(connection.slot);
  const misc = words[at + W_MISC];
  if ((words[at + W_PARSER] & SAVED) === 0) return false;
  if (misc >>> 24 !== (rows.generation(connection.slot) & 0xff)) return false;
  if (!parsers.assignNumbered(connection, (misc >>> 21) & 7)) return false;
  if (!connection.parser.loadState(words, at, more)) return false;
  const request: SavedStream = {
    mark: words[at + W_REQUEST_MARK],
    markBytes: ahead(words[at + W_REQUEST_AHEAD]),
    shift: words[at + W_REQUEST_SHIFT],
    unacked: ((misc >>> 9) & MAX_UNACKED) * UNACKED_UNIT,
    windowShift: misc & 15,
  };
  const response: SavedStream = {
    mark: words[at + W_RESPONSE_MARK],
    markBytes: ahead(words[at + W_RESPONSE_AHEAD]),
    shift: words[at + W_RESPONSE_SHIFT],
    unacked: ((misc >>> 15) & MAX_UNACKED) * UNACKED_UNIT,
    windowShift: (misc >>> 4) & 15,
  };
  connection.resume({ request, response, hasTimestamps: (misc & 256) !== 0 });
  return true;
}

/** Whether a row is that of an answered connection under L7 rules which nobody can take up. */
export function isLost(slot: number, rows: ConnectionRows): boolean {
  const isRedirected = rows.egressRuleSet(slot) !== 0 || rows.ingressRuleSet(slot) !== 0;
  return isRedirected && rows.isInTalk(slot) && (rows.words[rows.l7At(slot) + W_PARSER] & SAVED) === 0;
}

function ahead(word: number): number {
  return word >>> 0 === FOREVER ? Number.POSITIVE_INFINITY : word >>> 0;
}

/** Nothing is to be taken up any more. */
export function forgetConnection(slot: number, rows: ConnectionRows): void {
  rows.words[rows.l7At(slot) + W_PARSER] = 0;
}
