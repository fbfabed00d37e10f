/**
 * The HTTP/1.x parser: one connection, both directions.
 *
 * Requests are judged head by head; responses are only read for their length, so that a reply of our own (403, 400) can be
 * put in its turn. `pairing` holds what is owed to the client, oldest first: a request that was forwarded and is not
 * answered yet, or a reply of ours that waits for the answers before it.
 *
 *     client --> [head] judge -- allow --> PASS head+content   pairing: forwarded
 *                            \-- deny ---> DROP head+content   pairing: reply 403
 *     client <-- PASS head+content <------ [head] pair with the oldest; then those replies of ours that are first now
 *
 * States of one way, and what they allow:
 *   HEAD        at a message boundary: a head is read; on the response side the only state that lets a reply in
 *   CONTENT     inside chunked content (http1/chunks.ts)
 *   UNTIL_CLOSE a response without a length: passed to the end
 *   OPAQUE      behind a websocket that was granted, or a CONNECT that was accepted: anything passes
 *   DISCARD     behind an error, or a last request: anything is dropped
 *   AWAITED     inside content of a length that is dropped, and whose 403 waits for the end of it
 *
 * Content with a length is not read: it is part of the PASS of its head, and what is injected behind it waits for it in the
 * stream editor.
 * Requests behind an upgrade or a CONNECT wait until that is answered, for until then nobody can say what they are; so do
 * requests while MAX_OUTSTANDING are unanswered. The judge takes all other upgrades out of the head. A 101 that grants no
 * websocket that was asked for ends the connection.
 */
import type { Head } from './head.ts';
import { ChunkedContent, CONTENT_DONE } from './chunks.ts';
import { awaits, denialOf } from './denial.ts';
import { HeadScan } from './head-scan.ts';
import * as pair from './pairing.ts';
import * as replies from './replies.ts';
import { editHead } from '../http/headers.ts';
import { ALLOW, ALLOW_EDITED, DENY_CLOSE, type HttpJudge } from '../http/judgement.ts';
import type { Http1Shared } from './shared.ts';
import { grantsWebsocket, parseRequest, parseResponse } from './start-line.ts';
import * as syntax from './syntax.ts';
import { EXPECTS, IS_CHUNKED, IS_LAST, traitsOf, VERDICT_SHIFT } from './traits.ts';
import { Tunnel } from './tunnel.ts';
import { NOBODY, type Operations, type Parser, REQUEST, RESPONSE, type StreamOwner, type Way } from '../parser.ts';

const HEAD = 0;
const CONTENT = 1;
const UNTIL_CLOSE = 2;
const OPAQUE = 3;
const DISCARD = 4;
const AWAITED = 5; // is never saved, for a reply of ours waits

export class Http1Parser implements Parser<HttpJudge> {
  readonly #shared: Http1Shared;
  readonly #pairing: pair.Pairing;
  readonly #requestContent: ChunkedContent = new ChunkedContent(false);
  readonly #responseContent: ChunkedContent = new ChunkedContent(true);
  readonly #requestScan: HeadScan = new HeadScan(false);
  readonly #responseScan: HeadScan = new HeadScan(true);
  #judge: HttpJudge;
  #owner: StreamOwner = NOBODY;
  #requestState = HEAD;
  #responseState = HEAD;
  /** The chunked content of the present request is dropped, it having been denied. */
  #dropsContent = false;
  #contentLeft = 0; // while AWAITED
  #isLastRequest = false; // as the present one said
  #awaitsUpgrade = false;
  #isBlocked = false; // requests are at hand but must wait
  readonly #tunnel: Tunnel;

  constructor(shared: Http1Shared, judge: HttpJudge) {
    this.#shared = shared;
    this.#pairing = new pair.Pairing(shared.recorder);
    this.#tunnel = new Tunnel(shared.recorder);
    this.#judge = judge;
  }

  begin(judge: HttpJudge, owner: StreamOwner): void {
    this.#judge = judge;
    this.#owner = owner;
    this.end();
    this.#requestContent.reset();
    this.#responseContent.reset();
    this.#requestScan.reset();
    this.#responseScan.reset();
    this.#requestState = this.#responseState = HEAD;
    this.#dropsContent = this.#isLastRequest = this.#awaitsUpgrade = this.#isBlocked = false;
  }

  setJudge(judge: HttpJudge): void {
    this.#judge = judge;
  }

  end(): void {
    this.#pairing.clear(); // of its tickets
    this.#tunnel.end();
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST && this.#isBlocked;
  }

  isReady(way: Way): boolean {
    return way === REQUEST && this.#isBlocked && this.#mayRead();
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, ops: Operations): void {
    let at = start;
    while (at >= 0 && !ops.isFull) {
      if (way === REQUEST) at = this.#readRequest(bytes, at, end, isEnd, ops);
      else at = this.#readResponse(bytes, at, end, isEnd, ops);
      if (at >= end) at = -1;
    }
  }

  /** Reads one step. @returns the position after what operations cover (beyond `end` for content to come), or -1 */
  #readRequest(bytes: Uint8Array, at: number, end: number, isEnd: boolean, ops: Operations): number {
    this.#isBlocked = false;
    switch (this.#requestState) {
      case HEAD:
        return this.#readRequestHead(bytes, at, end, isEnd, ops);
      case CONTENT:
        return this.#readRequestContent(bytes, at, end, ops);
      case AWAITED:
        return this.#dropAwaited(at, end, isEnd, ops);
      case OPAQUE:
        return this.#tunnel.pass(REQUEST, end - at, isEnd, ops);
      default:
        ops.drop(Number.POSITIVE_INFINITY);
        return -1;
    }
  }

  #readRequestHead(bytes: Uint8Array, at: number, end: number, isEnd: boolean, ops: Operations): number {
    this.#isBlocked = !this.#mayRead();
    if (at >= end || this.#isBlocked) return -1;
    const shared = this.#shared;
    const context = this.#judge.refresh();
    // Fast path: these bytes were judged before.
    const { head, judgement, recorder, memo, note } = shared;
    const isTold = recorder.isOn;
    const slot = this.#requestScan.isFresh ? memo.find(bytes, at, end, context) : -1;
    if (slot >= 0 && (!isTold || memo.recall(slot, note))) {
      shared.memoHits++;
      return this.#settle(at, memo.length[slot], memo.traits[slot], memo.contentLength[slot], ops);
    }
    // Slow path.
    const worth = this.#requestScan.isWorthParsing(bytes, at, end);
    const after = worth === 1 ? parseRequest(head, bytes, at, end) : worth;
    if (after <= 0) return this.#missRequest(after, bytes, at, end, isEnd, ops);
    this.#requestScan.reset();
    const verdict = this.#judge.judge(bytes, head, judgement);
    if (isTold) note.read(bytes, head, verdict, judgement);
    const traits = traitsOf(bytes, head) | (verdict << VERDICT_SHIFT);
    if (verdict === ALLOW_EDITED) judgement.editedHead = editHead(bytes, head, judgement.edits);
    if (verdict !== ALLOW_EDITED && verdict !== DENY_CLOSE) {
      memo.store(bytes, at, after - at, context, traits, head.contentLength, isTold ? note : null);
    }
    return this.#settle(at, after - at, traits, head.contentLength, ops);
  }

  /** A head that is not whole, or never will be. */
  #missRequest(outcome: number, bytes: Uint8Array, at: number, end: number, isEnd: boolean, ops: Operations): number {
    if (outcome < 0) return this.#failRequest(-outcome, ops);
    const error = this.#requestScan.miss(bytes, at, end);
    if (error !== 0) return this.#failRequest(error, ops);
    return isEnd ? this.#failRequest(syntax.TRUNCATED, ops) : -1;
  }

  /** Does what was decided about the request at `at`; `note` has it while records are wanted. */
  #settle(at: number, length: number, traits: number, contentLength: number, ops: Operations): number {
    const { recorder, note } = this.#shared;
    const ticket = recorder.isOn ? recorder.request(this.#owner, note) : 0;
    const verdict = traits >>> VERDICT_SHIFT;
    const content = contentLength > 0 ? contentLength : 0;
    this.#isLastRequest = (traits & IS_LAST) !== 0;
    if (verdict !== ALLOW && verdict !== ALLOW_EDITED) return this.#deny(at, length, content, traits, ops);
    this.#shared.forwarded++;
    this.#pairing.push(traits & ~pair.REPLY_MASK, ticket);
    if ((traits & (pair.IS_UPGRADE | pair.IS_CONNECT)) !== 0) this.#awaitsUpgrade = true;
    if (verdict === ALLOW_EDITED) {
      ops.drop(length);
      ops.inject(REQUEST, this.#shared.judgement.editedHead);
      ops.pass(content);
    } else ops.pass(length + content);
    this.#dropsContent = false;
    this.#enterContent(traits);
    return at + length + content;
  }

  #deny(at: number, length: number, content: number, traits: number, ops: Operations): number {
    this.#shared.denied++;
    const reply = denialOf(traits, content);
    const isAwaited = awaits(reply, content);
    if (isAwaited && (traits & EXPECTS) !== 0) this.#pairing.push(replies.REPLY_CONTINUE, 0);
    this.#pairing.push(reply, 0);
    if (replies.closes(reply)) return this.#discardRequests(ops);
    this.#dropsContent = true;
    this.#enterContent(traits);
    const covered = isAwaited ? length : length + content;
    ops.drop(covered);
    if (isAwaited) this.#requestState = AWAITED;
    this.#contentLeft = content;
    this.#reply(ops);
    return at + covered;
  }

  #dropAwaited(at: number, end: number, isEnd: boolean, ops: Operations): number {
    const count = Math.min(this.#contentLeft, end - at);
    ops.drop(count);
    this.#contentLeft -= count;
    if (this.#contentLeft > 0 && !isEnd) return -1;
    this.#requestState = this.#contentLeft > 0 ? DISCARD : HEAD;
    this.#reply(ops);
    return at + count;
  }

  #enterContent(traits: number): void {
    if ((traits & IS_CHUNKED) !== 0) this.#requestState = CONTENT;
    else this.#requestState = this.#isLastRequest ? DISCARD : HEAD;
  }

  #readRequestContent(bytes: Uint8Array, at: number, end: number, ops: Operations): number {
    this.#requestContent.judged = this.#judge.headerNames;
    const outcome = this.#requestContent.read(bytes, at, end, this.#dropsContent, ops);
    if (outcome < 0) return this.#failRequest(-outcome, ops);
    if (outcome !== CONTENT_DONE) return -1;
    this.#requestState = this.#isLastRequest ? DISCARD : HEAD;
    return this.#requestContent.at;
  }

  /** Refuses what the client sends from here on; the reply comes in its turn. */
  #failRequest(error: number, ops: Operations): number {
    const shared = this.#shared;
    shared.errors[error]++;
    if (shared.recorder.isOn) shared.recorder.error(this.#owner, error, 0x11);
    const reply = replies.replyOfStatus(syntax.HTTP_ERRORS[error].status);
    const isCutOff = this.#requestState === CONTENT && !this.#dropsContent && this.#pairing.lastIsForwarded;
    if (isCutOff) this.#pairing.replaceLast(reply);
    else this.#pairing.push(reply, 0);
    this.#requestContent.state = 0;
    return this.#discardRequests(ops);
  }

  #discardRequests(ops: Operations): number {
    this.#requestState = DISCARD;
    ops.drop(Number.POSITIVE_INFINITY);
    this.#reply(ops);
    return -1;
  }

  /** Injects the replies of ours that are first in the queue, when the response side is between messages. */
  #reply(ops: Operations): void {
    if (this.#responseState !== HEAD) return;
    while (this.#pairing.count > 0) {
      const reply = this.#pairing.first & pair.REPLY_MASK;
      if (reply === 0 || (this.#requestState === AWAITED && this.#pairing.count === 1)) return;
      this.#pairing.pop();
      ops.inject(RESPONSE, replies.REPLIES[reply]);
      if (replies.closes(reply)) {
        this.#responseState = DISCARD;
        ops.close();
        return;
      }
    }
  }

  #readResponse(bytes: Uint8Array, at: number, end: number, isEnd: boolean, ops: Operations): number {
    switch (this.#responseState) {
      case HEAD:
        return this.#readResponseHead(bytes, at, end, isEnd, ops);
      case CONTENT:
        return this.#readResponseContent(bytes, at, end, ops);
      case DISCARD:
        ops.drop(Number.POSITIVE_INFINITY);
        return -1;
      case OPAQUE:
        return this.#tunnel.pass(RESPONSE, end - at, isEnd, ops);
      default:
        ops.pass(Number.POSITIVE_INFINITY);
        return -1;
    }
  }

  #readResponseHead(bytes: Uint8Array, at: number, end: number, isEnd: boolean, ops: Operations): number {
    if (at >= end) return -1;
    if (this.#pairing.count === 0) return this.#failResponse(syntax.UNSOLICITED_RESPONSE, ops);
    const head = this.#shared.head;
    const worth = this.#responseScan.isWorthParsing(bytes, at, end);
    const after = worth === 1 ? parseResponse(head, bytes, at, end) : worth;
    if (after < 0) return this.#failResponse(-after, ops);
    if (after === 0) {
      const error = this.#responseScan.miss(bytes, at, end) || (isEnd ? syntax.TRUNCATED : 0);
      return error === 0 ? -1 : this.#failResponse(error, ops);
    }
    this.#responseScan.reset();
    return this.#pairResponse(head, after, ops);
  }

  /** Finds out what content the response in `head` has, by the request it answers (RFC 9112 6.3). */
  #pairResponse(head: Head, after: number, ops: Operations): number {
    const entry = this.#pairing.first;
    const { status } = head;
    const isAccepted = (entry & pair.IS_CONNECT) !== 0 && status >= 200 && status < 300;
    const isUpgraded = status === 101;
    if (isUpgraded && (entry & pair.IS_UPGRADE) === 0) return this.#failResponse(syntax.BAD_STATUS_LINE, ops);
    if (isUpgraded && !grantsWebsocket(head)) return this.#failResponse(syntax.UNJUDGEABLE_UPGRADE, ops);
    const { recorder } = this.#shared;
    if (recorder.isOn) recorder.response(this.#owner, this.#pairing.firstTicket, status, 0x10 | head.minor, null);
    ops.pass(after - head.start);
    if (status < 200 && !isUpgraded) return after;
    this.#shared.responses++;
    if (isUpgraded || isAccepted) {
      this.#tunnel.open(this.#pairing.takeFirstTicket());
      this.#answered();
      this.#requestState = this.#responseState = OPAQUE;
      return after;
    }
    const hasNoContent = (entry & pair.IS_HEAD) !== 0 || status === 204 || status === 304;
    return this.#passResponse(head, hasNoContent, after, ops);
  }

  #passResponse(head: Head, hasNoContent: boolean, after: number, ops: Operations): number {
    if (!hasNoContent && head.isChunked) {
      this.#responseState = CONTENT;
      return after;
    }
    if (!hasNoContent && head.contentLength < 0) {
      this.#answered();
      ops.pass(Number.POSITIVE_INFINITY);
      this.#responseState = UNTIL_CLOSE;
      return -1;
    }
    const content = hasNoContent ? 0 : head.contentLength;
    ops.pass(content);
    this.#answered();
    this.#reply(ops);
    return after + content;
  }

  #readResponseContent(bytes: Uint8Array, at: number, end: number, ops: Operations): number {
    const outcome = this.#responseContent.read(bytes, at, end, false, ops);
    if (outcome < 0) return this.#failResponse(-outcome, ops);
    if (outcome !== CONTENT_DONE) return -1;
    this.#responseState = HEAD;
    this.#answered();
    this.#reply(ops);
    return this.#responseContent.at;
  }

  /** The oldest request has its answer. */
  #answered(): void {
    this.#pairing.pop();
    if (this.#awaitsUpgrade) this.#awaitsUpgrade = this.#pairing.awaitsUpgrade;
  }

  /** The responder cannot be understood: nothing more of it reaches the client, which gets a 502 if one is owed. */
  #failResponse(error: number, ops: Operations): number {
    const shared = this.#shared;
    shared.errors[error]++;
    if (shared.recorder.isOn) shared.recorder.error(this.#owner, error, 0x11);
    ops.drop(Number.POSITIVE_INFINITY);
    if (this.#responseState === HEAD && this.#pairing.count > 0) {
      ops.inject(RESPONSE, replies.REPLIES[replies.REPLY_BAD_GATEWAY]);
    }
    this.#requestState = this.#responseState = DISCARD;
    ops.close();
    return -1;
  }

  #mayRead(): boolean {
    if (this.#requestState !== HEAD) return true;
    return !this.#awaitsUpgrade && !this.#pairing.isFull;
  }

  saveState(words: Int32Array, at: number): boolean {
    const packed = this.#pairing.pack();
    if (packed < 0 || (this.#requestState === HEAD && this.#isBlocked)) return false;
    words[at] =
      packed |
      (this.#requestState << 19) |
      (this.#responseState << 22) |
      (this.#requestContent.state << 25) |
      (this.#responseContent.state << 27) |
      (this.#dropsContent ? 1 << 29 : 0) |
      (this.#isLastRequest ? 1 << 30 : 0);
    return true;
  }

  loadState(words: Int32Array, at: number): boolean {
    const word = words[at];
    this.#requestState = (word >>> 19) & 7;
    this.#responseState = (word >>> 22) & 7;
    const isKnown = this.#requestState <= DISCARD && this.#responseState <= DISCARD;
    if (!isKnown || !this.#pairing.unpack(word & 0x7ffff)) return false;
    this.#requestContent.state = (word >>> 25) & 3;
    this.#responseContent.state = (word >>> 27) & 3;
    this.#dropsContent = (word & (1 << 29)) !== 0;
    this.#isLastRequest = (word & (1 << 30)) !== 0;
    this.#awaitsUpgrade = this.#pairing.awaitsUpgrade;
    return this.#requestContent.state < 3 && this.#responseContent.state < 3;
  }
}
