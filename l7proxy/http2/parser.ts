/**
 * The HTTP/2 parser: one connection, both directions (docs/decisions/0013).
 *
 *     client --> requests.ts  --- frames of the server's streams ----------> server
 *                     |   request-heads.ts: judge each; some blocks anew
 *                     v 403, RST_STREAM, GOAWAY, WINDOW_UPDATE
 *     client <------------------- all frames ----------- responses.ts  <--- server
 *
 * Nothing that belongs to one stream holds up another. What an answer of ours needs is there at once, so that the requests of a
 * client wait for one thing only: the server's first SETTINGS, which no frame of ours may come before.
 */
import type { HttpJudge } from '../http/judgement.ts';
import { type Operations, type Parser, type ParserState, REQUEST, type StreamOwner, type Way } from '../parser.ts';
import { Requests } from './requests.ts';
import { Responses } from './responses.ts';
import { loadSession, saveSession } from './saved-session.ts';
import { Http2Session } from './session.ts';
import type { Http2Shared } from './shared.ts';

export class Http2Parser implements Parser<HttpJudge> {
  readonly #session: Http2Session;
  readonly #requests: Requests;
  readonly #responses: Responses;

  constructor(shared: Http2Shared, judge: HttpJudge) {
    this.#session = new Http2Session(shared, judge);
    this.#requests = new Requests(this.#session);
    this.#responses = new Responses(this.#session);
  }

  begin(judge: HttpJudge, owner: StreamOwner): void {
    this.#session.begin(judge, owner);
    this.#requests.isBlocked = false;
    this.#responses.isBlocked = false;
  }

  setJudge(judge: HttpJudge): void {
    this.#session.judge = judge;
  }

  end(): void {
    this.#session.end();
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void {
    const { turn } = this.#session.shared;
    turn.begin(operations, way, bytes, start, end);
    if (way === REQUEST) this.#requests.read(bytes, start, end, isEnd);
    else this.#responses.read(bytes, start, end, isEnd);
    turn.finish();
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST && this.#requests.isBlocked;
  }

  isReady(way: Way): boolean {
    if (way !== REQUEST) return this.#responses.isReady;
    return this.#requests.isBlocked && this.#session.hasServerPreface;
  }

  saveState(_words: Int32Array, _at: number, more: ParserState): boolean {
    return saveSession(this.#session, more);
  }

  loadState(_words: Int32Array, _at: number, more: ParserState): boolean {
    return loadSession(this.#session, more);
  }
}
