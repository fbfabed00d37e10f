/**
 * The header blocks of the client: requests, each judged by itself, and trailers. Each block is read, whatever becomes of it, for
 * the client's table goes on (docs/decisions/0013).
 *
 *   allowed     the frames go on as they are, if the block stands alone; else the block is written anew
 *   edited      written anew
 *   denied      the frames go; the answer is put among those of the server, and the stream is over for both
 *   malformed   RST_STREAM; too large: 431
 *
 * A block stands alone when no field of it refers to the dynamic table and it lets none of the server's come to be: the server
 * is told once, in the first block, that its table has no bytes. So the server's table is empty for ever, and it does not matter
 * which blocks the server never sees.
 */
import { ALLOW, ALLOW_EDITED, DENY, DENY_CLOSE } from '../http/judgement.ts';
import { isMethod } from '../http1/start-line.ts';
import * as syntax from '../http1/syntax.ts';
import { REQUEST, RESPONSE } from '../parser.ts';
import { DEFAULT_TABLE_BYTES } from './dynamic-table.ts';
import * as frames from './frames.ts';
import { BLOCK_BOMB, BLOCK_READ } from './hpack-decoder.ts';
import * as replies from './replies.ts';
import { trailersError } from './request-head.ts';
import { writeEdited, writeFields } from './rewriting.ts';
import type { Http2Session } from './session.ts';
import type { Http2Shared } from './shared.ts';
import { CLIENT_ENDED, IS_CONNECT, IS_GRPC, MAX_STREAMS } from './stream-table.ts';

/** Of a request, as the memo keeps them, with the verdict above. */
const ASKS_HEAD = 1;
const ASKS_GRPC = 2;
const ASKS_TUNNEL = 4;
const VERDICT_SHIFT = 3;

/** A block may say everything that is in its table once, and the static names: one that becomes more makes work for nothing. */
const MAX_EXPANSION = DEFAULT_TABLE_BYTES + 2048;

export class RequestHeads {
  readonly #session: Http2Session;
  readonly #shared: Http2Shared;

  constructor(session: Http2Session) {
    this.#session = session;
    this.#shared = session.shared;
  }

  /**
   * Reads the block in `requestBlock`, the frames of which have `total` bytes; `header` is that of the first.
   * @returns `total`, or -1 when the connection is over
   */
  read(total: number): number {
    const session = this.#session;
    const { header } = this.#shared;
    if (header.stream <= session.lastStream) return this.#readTrailers(total);
    session.lastStream = header.stream;
    // Fast path: a block that stands alone was judged before.
    const known = this.#recall();
    if (known >= 0) {
      const { memo, http } = this.#shared;
      http.memoHits++;
      session.decoder.skip();
      const contentLength = memo.contentLength[known];
      if (contentLength > 0 && header.has(frames.END_STREAM)) return this.#refuse(syntax.CONTENT_MISMATCH, total);
      return this.#settle(memo.traits[known], contentLength, total);
    }
    // Slow path.
    const error = this.#decode();
    return error !== 0 ? error : this.#readRequest(total);
  }

  #recall(): number {
    const session = this.#session;
    const { memo, http, requestBlock } = this.#shared;
    const { source, start, end, isPlain } = requestBlock;
    if (!isPlain || !this.#mayRecall()) return -1;
    const slot = memo.find(source, start, end, session.judge.refresh());
    if (slot < 0 || memo.length[slot] !== end - start) return -1;
    return !http.recorder.isOn || memo.recall(slot, http.note) ? slot : -1;
  }

  /** Whether what a block says is said by its bytes alone, and it may pass as it is. */
  #mayRecall(): boolean {
    const session = this.#session;
    return (
      session.decoder.isStateless && session.hasToldNoTable && !this.#isTooLate() && session.streams.count < MAX_STREAMS
    );
  }

  /** The server said before that it will not answer this stream. */
  #isTooLate(): boolean {
    return this.#shared.header.stream > this.#session.goAwayStream;
  }

  /** Takes the block into the table and the fields. @returns 0, or -1 when the connection is over */
  #decode(): number {
    const session = this.#session;
    const { requestBlock, fields } = this.#shared;
    const outcome = session.decoder.decode(requestBlock.source, requestBlock.start, requestBlock.end, fields);
    if (outcome === BLOCK_READ) return session.decoder.expansion <= MAX_EXPANSION || session.isCalm() ? 0 : -1;
    if (outcome === BLOCK_BOMB) return session.fail(frames.ENHANCE_YOUR_CALM, syntax.FLOOD);
    return session.fail(frames.COMPRESSION_ERROR, syntax.BAD_HEADER_BLOCK);
  }

  #readRequest(total: number): number {
    const session = this.#session;
    const { header, fields, http, requestHead, turn } = this.#shared;
    if (this.#isTooLate()) {
      session.noteReset(header.stream);
      turn.drop(total);
      return total;
    }
    if (session.streams.count >= MAX_STREAMS) return this.#refuse(syntax.TOO_MANY_STREAMS, total);
    const error = requestHead.build(fields, http.head);
    if (error !== 0) return this.#refuse(error, total);
    if (requestHead.hasProtocol && !session.serverSettings.takesConnectProtocol) {
      return this.#refuse(syntax.BAD_PSEUDO_HEADER, total);
    }
    const { contentLength } = http.head;
    if (contentLength > 0 && header.has(frames.END_STREAM)) return this.#refuse(syntax.CONTENT_MISMATCH, total);
    const context = session.judge.refresh();
    const verdict = session.judge.judge(fields.bytes, http.head, http.judgement);
    if (http.recorder.isOn) http.note.read(fields.bytes, http.head, verdict, http.judgement);
    const isHead = isMethod(fields.bytes, http.head, 'HEAD');
    const kind =
      (isHead ? ASKS_HEAD : 0) | (requestHead.isGrpc ? ASKS_GRPC : 0) | (requestHead.isConnect ? ASKS_TUNNEL : 0);
    const traits = kind | (verdict << VERDICT_SHIFT);
    this.#remember(context, verdict, traits, contentLength);
    return this.#settle(traits, contentLength, total);
  }

  #remember(context: number, verdict: number, traits: number, contentLength: number): void {
    const session = this.#session;
    const { memo, http, requestBlock, requestHead } = this.#shared;
    if (verdict !== ALLOW && verdict !== DENY) return;
    if (!requestBlock.isPlain || requestHead.hasProtocol || session.decoder.sizeUpdate >= 0) return;
    if (!session.decoder.isStateless || !session.hasToldNoTable) return;
    const { source, start, end } = requestBlock;
    memo.store(source, start, end - start, context, traits, contentLength, http.recorder.isOn ? http.note : null);
  }

  /** Does what was decided about the request; `note` has it while records are wanted. */
  #settle(traits: number, contentLength: number, total: number): number {
    const session = this.#session;
    const { header, http } = this.#shared;
    const { recorder } = http;
    const verdict = traits >>> VERDICT_SHIFT;
    const isEnd = header.has(frames.END_STREAM);
    const ticket = recorder.isOn ? recorder.request(session.owner, http.note) : 0;
    if (verdict !== ALLOW && verdict !== ALLOW_EDITED) return this.#deny(verdict, traits, total);
    http.forwarded++;
    const kind = ((traits & ASKS_GRPC) !== 0 ? IS_GRPC : 0) | ((traits & ASKS_TUNNEL) !== 0 ? IS_CONNECT : 0);
    session.streams.add(header.stream, (isEnd ? CLIENT_ENDED : 0) | kind, contentLength, ticket);
    return this.#forward(total, verdict === ALLOW_EDITED);
  }

  /** The block goes on: as it is, or written anew. Preconditions: it is in `fields`, unless it may pass. */
  #forward(total: number, isEdited: boolean): number {
    const session = this.#session;
    const { header, fields, http, scratch, turn } = this.#shared;
    const { decoder } = session;
    const tellsNoTable = decoder.sizeUpdate === 0;
    const standsAlone = !decoder.hasReference && decoder.sizeUpdate <= 0 && (session.hasToldNoTable || tellsNoTable);
    if (standsAlone && !isEdited) turn.pass(total);
    else {
      if (!session.hasToldNoTable) scratch.sizeUpdate(0);
      if (isEdited) writeEdited(scratch, fields, http.judgement.edits);
      else writeFields(scratch, fields);
      turn.drop(total);
      turn.out[REQUEST].headers(scratch, header.stream, header.has(frames.END_STREAM));
    }
    session.hasToldNoTable = true;
    return total;
  }

  #deny(verdict: number, traits: number, total: number): number {
    const session = this.#session;
    const { http, turn } = this.#shared;
    http.denied++;
    turn.drop(total);
    this.#answer(traits);
    this.#endDenied();
    return verdict === DENY_CLOSE ? session.fail(frames.NO_ERROR, 0) : total;
  }

  /** The 403 of the request in `header`. */
  #answer(traits: number): void {
    const session = this.#session;
    const { header, turn, scratch } = this.#shared;
    const into = turn.out[RESPONSE];
    this.#beginAnswer();
    if ((traits & ASKS_GRPC) !== 0) replies.writeHead(into, scratch, header.stream, replies.DENIED_GRPC);
    else if ((traits & ASKS_HEAD) !== 0) replies.writeHead(into, scratch, header.stream, replies.DENIED);
    else if (this.#mayHaveBody()) replies.writeDenied(into, scratch, header.stream);
    else replies.writeHead(into, scratch, header.stream, replies.DENIED_WITHOUT_BODY);
    session.owedTableBytes = -1;
  }

  #beginAnswer(): void {
    const { owedTableBytes } = this.#session;
    if (owedTableBytes >= 0) this.#shared.scratch.sizeUpdate(owedTableBytes);
  }

  #mayHaveBody(): boolean {
    const { clientSettings, window } = this.#session;
    return clientSettings.leastWindowBytes >= replies.DENIED_BODY_BYTES && window.spend(replies.DENIED_BODY_BYTES);
  }

  /** Nothing more of the stream is wanted of the client. */
  #endDenied(): void {
    const session = this.#session;
    const { header, turn } = this.#shared;
    if (header.has(frames.END_STREAM)) return;
    turn.out[RESPONSE].resetStream(header.stream, frames.NO_ERROR);
    session.noteReset(header.stream);
  }

  /** It is no request that anybody may see. */
  #refuse(error: number, total: number): number {
    const session = this.#session;
    const { header, turn, scratch } = this.#shared;
    session.tell(error);
    turn.drop(total);
    if (error === syntax.HEAD_TOO_LARGE || error === syntax.TOO_MANY_HEADERS) {
      this.#beginAnswer();
      replies.writeHead(turn.out[RESPONSE], scratch, header.stream, replies.HEAD_TOO_LARGE);
      session.owedTableBytes = -1;
      this.#endDenied();
      return total;
    }
    const code = error === syntax.TOO_MANY_STREAMS ? frames.REFUSED_STREAM : frames.PROTOCOL_ERROR;
    turn.out[RESPONSE].resetStream(header.stream, code);
    session.noteReset(header.stream);
    return total;
  }

  #readTrailers(total: number): number {
    const session = this.#session;
    const { header, fields, turn } = this.#shared;
    const { streams } = session;
    if (this.#decode() !== 0) return -1;
    const place = streams.find(header.stream);
    if (place < 0 && session.wasReset(header.stream)) {
      turn.drop(total);
      return total;
    }
    if (place < 0 || (streams.flags[place] & CLIENT_ENDED) !== 0) {
      return session.fail(frames.STREAM_CLOSED, syntax.BAD_STREAM);
    }
    let error = header.has(frames.END_STREAM) ? trailersError(fields, session.judge.headerNames) : syntax.BAD_TRAILER;
    if (error === 0 && !session.take(place, 0, true)) error = syntax.CONTENT_MISMATCH;
    if (error === 0) return this.#forward(total, false);
    session.tell(error);
    turn.drop(total);
    return session.resetStream(place, frames.PROTOCOL_ERROR) ? total : -1;
  }
}
