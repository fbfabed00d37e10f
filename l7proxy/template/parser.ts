/**
 * THE EXAMPLE (docs/adding.md): the parser of a protocol of lines. A request is a line, `WORD ...`, and its answer is a
 * line; answers come in the order of their requests. A denied request goes no further and is answered `DENIED` in its turn.
 *
 * What every parser must do is here: nothing passes before it was judged (a line waits until it is whole), everything is
 * bounded (MAX_LINE, MAX_WAITING), what cannot be understood ends the connection, and a state that cannot be told is not saved.
 */
import { NOBODY, type Operations, type Parser, REQUEST, RESPONSE, type StreamOwner, type Way } from '../parser.ts';
import type { LineJudge } from './rules.ts';

const NEWLINE = 10;
const MAX_LINE = 1024; // bytes
const MAX_WAITING = 8; // requests without an answer
const DENIED = Uint8Array.from(Buffer.from('DENIED\n'));

/** Told of messages (protocol.ts). */
export interface LineRecords {
  /** @param cookie of the rule that allowed the request, -1 when it was denied */
  tellRequest(owner: StreamOwner, line: string, cookie: number): void;
  tellError(owner: StreamOwner): void;
}

export class LineParser implements Parser<LineJudge> {
  readonly #records: LineRecords;
  #judge: LineJudge;
  #owner: StreamOwner = NOBODY;
  /** What is owed to the client, oldest first: true = an answer of ours, false = one of the server. */
  readonly #waiting: boolean[] = [];
  #isBlocked = false; // a request is at hand, but MAX_WAITING are unanswered

  constructor(records: LineRecords, judge: LineJudge) {
    this.#records = records;
    this.#judge = judge;
  }

  begin(judge: LineJudge, owner: StreamOwner): void {
    this.#judge = judge;
    this.#owner = owner;
    this.end();
  }

  setJudge(judge: LineJudge): void {
    this.#judge = judge;
  }

  end(): void {
    this.#waiting.length = 0;
    this.#isBlocked = false;
  }

  onData(way: Way, bytes: Uint8Array, start: number, end: number, _isEnd: boolean, operations: Operations): void {
    for (let at = start; at < end && !operations.isFull; ) {
      const after = bytes.subarray(at, end).indexOf(NEWLINE) + 1 + at;
      const isWhole = after > at;
      if (!isWhole && end - at < MAX_LINE) return; // MORE
      const isNobodys = way === RESPONSE && this.#waiting.length === 0;
      if (!isWhole || after - at > MAX_LINE || isNobodys) {
        this.#fail(operations);
        return;
      }
      if (way === RESPONSE) this.#readAnswer(after - at, operations);
      else if (!this.#mustWait()) this.#readRequest(bytes, at, after, operations);
      else return;
      at = after;
    }
  }

  #mustWait(): boolean {
    this.#isBlocked = this.#waiting.length === MAX_WAITING;
    return this.#isBlocked;
  }

  #readRequest(bytes: Uint8Array, at: number, after: number, operations: Operations): void {
    const line = Buffer.from(bytes.subarray(at, after - 1)).toString('latin1');
    const cookie = this.#judge.judge({ word: line.split(' ', 1)[0] });
    this.#records.tellRequest(this.#owner, line, cookie);
    this.#waiting.push(cookie < 0);
    if (cookie < 0) operations.drop(after - at);
    else operations.pass(after - at);
    this.#answer(operations);
  }

  #readAnswer(length: number, operations: Operations): void {
    operations.pass(length);
    this.#waiting.shift();
    this.#answer(operations);
  }

  /** Answers of ours that are first in the queue now. */
  #answer(operations: Operations): void {
    for (; this.#waiting[0]; this.#waiting.shift()) operations.inject(RESPONSE, DENIED);
  }

  #fail(operations: Operations): void {
    this.#records.tellError(this.#owner);
    operations.reset();
  }

  isWaiting(way: Way): boolean {
    return way === REQUEST && this.#isBlocked;
  }

  isReady(way: Way): boolean {
    return way === REQUEST && this.#isBlocked && this.#waiting.length < MAX_WAITING;
  }

  saveState(words: Int32Array, at: number): boolean {
    if (this.#isBlocked || this.#waiting.includes(true)) return false;
    words[at] = this.#waiting.length;
    return true;
  }

  loadState(words: Int32Array, at: number): boolean {
    const count = words[at] & 0x7fffffff;
    if (count > MAX_WAITING) return false;
    for (let i = 0; i < count; i++) this.#waiting.push(false);
    return true;
  }
}
