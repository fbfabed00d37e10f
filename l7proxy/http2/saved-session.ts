/**
 * What of an HTTP/2 connection survives the process. Once header blocks stand alone both ways, no table has anything in it, and
 * what is left is a few numbers and the streams that are open. Before that, which is the first exchange, or for ever with a
 * client that keeps using its table, nothing is saved: the connection is reset after a restart.
 */
import type { ParserState } from '../parser.ts';
import { DEFAULT_TABLE_BYTES } from './dynamic-table.ts';
import * as frames from './frames.ts';
import type { Http2Session } from './session.ts';
import { MAX_STREAMS, SAVED_FLAGS } from './stream-table.ts';

// Words of a saved state. The number of the layout comes first, so that another one is not mistaken for it.
const SAVED_LAYOUT = 1;
const W_LAYOUT = 0;
const W_LAST_STREAM = 1;
const W_GOAWAY_STREAM = 2;
const W_WINDOW_LEFT = 3;
const W_WINDOW_DEBT = 4;
const W_ANSWER_TABLE = 5;
const W_OWED_TABLE = 6;
const W_CLIENT_TABLE = 7;
const W_DECODER_TABLE = 8;
const W_CLIENT_WINDOW = 9;
const W_CLIENT_FRAME = 10;
const W_SERVER_FRAME = 11;
const W_REQUEST_PINGS = 12;
const W_RESPONSE_PINGS = 13;
const W_FLAGS = 14;
const W_COUNT = 15;
const W_STREAMS = 16;
/** Of a stream: id, flags, remaining content as two halves of a number; -1 -1 = it has none. */
const STREAM_WORDS = 4;

const HAS_TOLD_NO_TABLE = 1;
const TAKES_CONNECT_PROTOCOL = 2;
const HALF = 2 ** 31;

const words = new Int32Array(W_STREAMS + MAX_STREAMS * STREAM_WORDS);

function isSavable(session: Http2Session): boolean {
  const { clientSettings, serverSettings, decoder } = session;
  if (session.isOver || clientSettings.isFirst || serverSettings.isFirst) return false;
  return clientSettings.pending === 0 && serverSettings.pending === 0 && decoder.table.count === 0;
}

/** @returns false when it cannot be told now, or there is no room */
export function saveSession(session: Http2Session, more: ParserState): boolean {
  if (!isSavable(session)) return false;
  const { clientSettings, serverSettings, window, streams, owner } = session;
  words[W_LAYOUT] = SAVED_LAYOUT;
  words[W_LAST_STREAM] = session.lastStream;
  words[W_GOAWAY_STREAM] = session.goAwayStream;
  words[W_WINDOW_LEFT] = window.left;
  words[W_WINDOW_DEBT] = window.debt;
  words[W_ANSWER_TABLE] = session.answerTableBytes;
  words[W_OWED_TABLE] = session.owedTableBytes;
  words[W_CLIENT_TABLE] = clientSettings.tableBytes;
  words[W_DECODER_TABLE] = session.decoder.table.maxBytes;
  words[W_CLIENT_WINDOW] = clientSettings.windowBytes;
  words[W_CLIENT_FRAME] = clientSettings.maxFrameBytes;
  words[W_SERVER_FRAME] = serverSettings.maxFrameBytes;
  words[W_REQUEST_PINGS] = session.pings[0];
  words[W_RESPONSE_PINGS] = session.pings[1];
  words[W_FLAGS] =
    (session.hasToldNoTable ? HAS_TOLD_NO_TABLE : 0) |
    (serverSettings.takesConnectProtocol ? TAKES_CONNECT_PROTOCOL : 0);
  words[W_COUNT] = streams.count;
  let at = W_STREAMS;
  for (let place = 0; place < streams.id.length; place++) {
    if (streams.id[place] === 0) continue;
    const remaining = streams.remaining[place];
    words[at] = streams.id[place];
    words[at + 1] = streams.flags[place] & SAVED_FLAGS;
    words[at + 2] = remaining < 0 ? -1 : Math.floor(remaining / HALF);
    words[at + 3] = remaining < 0 ? -1 : remaining % HALF;
    at += STREAM_WORDS;
  }
  return more.save(owner.slot, owner.slotGeneration, words, at);
}

/** Preconditions: the session has just begun. @returns false when there is nothing that makes sense */
export function loadSession(session: Http2Session, more: ParserState): boolean {
  const { clientSettings, serverSettings, window, streams, owner } = session;
  const count = more.load(owner.slot, owner.slotGeneration, words);
  const isWhole = count >= W_STREAMS && count === W_STREAMS + words[W_COUNT] * STREAM_WORDS;
  if (!isWhole || words[W_LAYOUT] !== SAVED_LAYOUT || !areWithin(words)) return false;
  session.hasPreface = true;
  session.lastStream = words[W_LAST_STREAM];
  session.resumedStream = session.lastStream;
  session.goAwayStream = words[W_GOAWAY_STREAM];
  window.left = words[W_WINDOW_LEFT];
  window.debt = words[W_WINDOW_DEBT];
  session.answerTableBytes = words[W_ANSWER_TABLE];
  session.owedTableBytes = words[W_OWED_TABLE];
  session.decoder.table.resize(words[W_DECODER_TABLE]);
  clientSettings.isFirst = serverSettings.isFirst = false;
  clientSettings.tableBytes = words[W_CLIENT_TABLE];
  clientSettings.windowBytes = words[W_CLIENT_WINDOW];
  clientSettings.maxFrameBytes = words[W_CLIENT_FRAME];
  serverSettings.maxFrameBytes = words[W_SERVER_FRAME];
  serverSettings.takesConnectProtocol = (words[W_FLAGS] & TAKES_CONNECT_PROTOCOL) !== 0;
  session.hasToldNoTable = (words[W_FLAGS] & HAS_TOLD_NO_TABLE) !== 0;
  session.pings[0] = words[W_REQUEST_PINGS];
  session.pings[1] = words[W_RESPONSE_PINGS];
  for (let at = W_STREAMS; at < count; at += STREAM_WORDS) {
    const isStream = (words[at] & 1) === 1 && words[at] > 0 && words[at] <= session.lastStream;
    if (!isStream || streams.find(words[at]) >= 0) return false;
    const remaining = words[at + 2] < 0 ? -1 : words[at + 2] * HALF + words[at + 3];
    streams.add(words[at], words[at + 1] & SAVED_FLAGS, remaining, 0);
  }
  return true;
}

function areWithin(saved: Int32Array): boolean {
  return (
    saved[W_COUNT] >= 0 &&
    saved[W_COUNT] <= MAX_STREAMS &&
    saved[W_LAST_STREAM] >= 0 &&
    saved[W_DECODER_TABLE] >= 0 &&
    saved[W_DECODER_TABLE] <= DEFAULT_TABLE_BYTES &&
    saved[W_CLIENT_FRAME] >= frames.MIN_MAX_FRAME_BYTES &&
    saved[W_SERVER_FRAME] >= frames.MIN_MAX_FRAME_BYTES &&
    saved[W_WINDOW_DEBT] >= 0
  );
}
