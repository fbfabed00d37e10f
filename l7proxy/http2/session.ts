/**
 * What is known of one HTTP/2 connection, by both halves of its parser. Whatever ends the connection ends it here: the client
 * gets GOAWAY with the reason, behind it a FIN; the server a reset.
 */
import type { HttpJudge } from '../http/judgement.ts';
import * as syntax from '../http1/syntax.ts';
import { NOBODY, REQUEST, RESPONSE, type StreamOwner } from '../parser.ts';
import { Allowance } from './allowance.ts';
import { AnswerWindow } from './answer-window.ts';
import { DEFAULT_TABLE_BYTES } from './dynamic-table.ts';
import * as frames from './frames.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { Settings } from './settings.ts';
import type { Http2Shared } from './shared.ts';
import { CLIENT_ENDED, SERVER_ENDED, StreamTable } from './stream-table.ts';

/** Streams that were reset and of which more may be under way. */
const RECENT_RESETS = 256;
const FIRST_RESETS = 16;
/** PINGs without an answer. */
const MAX_PINGS = 64;

const NO_GOAWAY = 0x7fffffff;
const NO_RESETS = new Int32Array(0);

export class Http2Session {
  readonly shared: Http2Shared;
  judge: HttpJudge;
  owner: StreamOwner = NOBODY;
  /** Of the client's header blocks. */
  readonly decoder: HpackDecoder = new HpackDecoder();
  readonly streams: StreamTable;
  readonly clientSettings: Settings = new Settings(false);
  readonly serverSettings: Settings = new Settings(true);
  readonly window: AnswerWindow = new AnswerWindow();
  /** Over: all that comes is dropped. */
  isOver = false;
  hasPreface = false;
  /** The newest stream of the client. */
  lastStream = 0;
  /** The newest stream when another process took the connection up: which of them were reset is not known any more. */
  resumedStream = 0;
  /** The last stream that the server will answer, as its GOAWAY says. */
  goAwayStream = NO_GOAWAY;
  /** The server was told that the table of its decoder has no bytes, and nothing else since. */
  hasToldNoTable = false;
  /** Bytes of the client's table for header blocks of the server, as far as it was told. */
  answerTableBytes = DEFAULT_TABLE_BYTES;
  /** The next header block to the client must begin with a size update, to this or less; -1 = it need not. */
  owedTableBytes = -1;
  /** By the way of the PING. */
  readonly pings: [number, number] = [0, 0];
  /** Streams that the client gave up before they were answered; that the server did; frames that do nothing. */
  readonly clientResets: Allowance = new Allowance();
  readonly serverResets: Allowance = new Allowance();
  readonly idleFrames: Allowance = new Allowance();
  /** A ring of ids, which grows as they come. */
  #recentResets: Int32Array = NO_RESETS;
  #resets = 0;

  constructor(shared: Http2Shared, judge: HttpJudge) {
    this.shared = shared;
    this.streams = new StreamTable(shared.http.recorder);
    this.judge = judge;
  }

  begin(judge: HttpJudge, owner: StreamOwner): void {
    this.judge = judge;
    this.owner = owner;
    this.decoder.reset();
    this.streams.clear();
    this.clientSettings.reset();
    this.serverSettings.reset();
    this.window.reset();
    this.isOver = this.hasPreface = this.hasToldNoTable = false;
    this.lastStream = 0;
    this.resumedStream = 0;
    this.goAwayStream = NO_GOAWAY;
    this.answerTableBytes = DEFAULT_TABLE_BYTES;
    this.owedTableBytes = -1;
    this.pings.fill(0);
    this.clientResets.reset();
    this.serverResets.reset();
    this.idleFrames.reset();
    this.#recentResets = NO_RESETS;
    this.#resets = 0;
  }

  end(): void {
    this.decoder.reset();
    this.streams.clear();
    this.#recentResets = NO_RESETS;
    this.#resets = 0;
  }

  /** The server's first words have gone to the client: now others may. */
  get hasServerPreface(): boolean {
    return !this.serverSettings.isFirst;
  }

  noteReset(stream: number): void {
    if (this.#resets === this.#recentResets.length && this.#resets < RECENT_RESETS) {
      const ids = new Int32Array(Math.max(FIRST_RESETS, this.#resets * 4));
      ids.set(this.#recentResets);
      this.#recentResets = ids;
    }
    this.#recentResets[this.#resets++ % RECENT_RESETS] = stream;
  }

  wasReset(stream: number): boolean {
    return stream <= this.resumedStream || this.#recentResets.includes(stream);
  }

  /** The client has acknowledged what the server said of its table, or the server what the client did. */
  noteTable(): void {
    const { tableBytes } = this.clientSettings;
    if (tableBytes < this.answerTableBytes) {
      this.owedTableBytes = this.owedTableBytes < 0 ? tableBytes : Math.min(this.owedTableBytes, tableBytes);
      this.answerTableBytes = tableBytes;
    }
  }

  /** A PING, or the answer to one. @param way of the PING @returns false when that makes no sense, or is one too many */
  notePing(way: number, isAnswer: boolean): boolean {
    const { pings } = this;
    pings[way] += isAnswer ? -1 : 1;
    return pings[way] >= 0 && pings[way] <= MAX_PINGS;
  }

  /** A stream goes on no more. @param place in `streams` */
  forget(place: number): void {
    this.noteReset(this.streams.id[place]);
    this.streams.remove(place);
  }

  /** Content of a request has come. @returns false when it is more than was said, or ends before @param place in `streams` */
  take(place: number, bytes: number, isEnd: boolean): boolean {
    if (this.streams.tunnels > 0) this.streams.carried(place, true, bytes);
    const { remaining } = this.streams;
    if (remaining[place] >= 0) {
      remaining[place] -= bytes;
      if (remaining[place] < 0 || (isEnd && remaining[place] > 0)) return false;
    }
    if (isEnd) this.endClient(place);
    return true;
  }

  endClient(place: number): void {
    const { flags } = this.streams;
    if ((flags[place] & SERVER_ENDED) !== 0) this.streams.remove(place);
    else flags[place] |= CLIENT_ENDED;
  }

  endServer(place: number): void {
    const { flags } = this.streams;
    this.shared.http.responses++;
    if ((flags[place] & CLIENT_ENDED) !== 0) this.streams.remove(place);
    else flags[place] |= SERVER_ENDED;
  }

  /** Something came that does nothing. @returns false when it was too much of that: the connection is over */
  isCalm(): boolean {
    if (this.idleFrames.take(this.shared.clock.nowMs)) return true;
    this.fail(frames.ENHANCE_YOUR_CALM, syntax.FLOOD);
    return false;
  }

  /** The client gives a stream up. @param place in `streams` @returns false when that was once too often: the connection is over */
  giveUp(place: number): boolean {
    const isAnswered = (this.streams.flags[place] & SERVER_ENDED) !== 0;
    if (!isAnswered && !this.clientResets.take(this.shared.clock.nowMs)) {
      this.fail(frames.ENHANCE_YOUR_CALM, syntax.FLOOD);
      return false;
    }
    this.forget(place);
    return true;
  }

  /**
   * Ends both sides of one stream that was allowed, for what its client did: to the server it is one that the client gave up.
   * @param place in `streams` @returns false when the connection is over
   */
  resetStream(place: number, code: number): boolean {
    const stream = this.streams.id[place];
    if (!this.giveUp(place)) return false;
    const { out } = this.shared.turn;
    out[REQUEST].resetStream(stream, code);
    out[RESPONSE].resetStream(stream, code);
    return true;
  }

  /** Notes what is wrong. @param error of http1/syntax.ts */
  tell(error: number): void {
    const { http } = this.shared;
    http.errors[error]++;
    if (http.recorder.isOn) http.recorder.error(this.owner, error, 0x20);
  }

  /** The connection ends. @param code for the client @param error of http1/syntax.ts, 0 = it is nobody's fault @returns -1 */
  fail(code: number, error: number): number {
    const { turn } = this.shared;
    if (error !== 0) this.tell(error);
    this.isOver = true;
    this.streams.clear();
    turn.drop(Number.POSITIVE_INFINITY);
    if (!this.hasServerPreface) turn.out[RESPONSE].header(0, frames.SETTINGS, 0, 0);
    turn.out[RESPONSE].goAway(this.lastStream, code);
    turn.close();
    return -1;
  }

  /** The server cannot be understood. @returns -1 */
  failServer(): number {
    return this.fail(frames.INTERNAL_ERROR, syntax.BAD_SERVER_FRAME);
  }
}
