/**
 * The contract between a protocol parser and the stream editor: a parser knows a protocol and nothing of TCP.
 *
 * The editor hands a parser the bytes of one direction, in order and without a gap, and the parser answers with
 * operations on exactly those bytes. What no operation covers stays where it is and is handed over again, from its first
 * byte, when more has arrived: no byte moves before an operation says so.
 *
 *   PASS n    the next n bytes of this direction go on. n may exceed what is at hand (a body of known length, or
 *             Infinity): the editor then lets them through as they come and asks again behind them.
 *   DROP n    the next n bytes are taken away; the other side never sees them. n as for PASS.
 *   INJECT    bytes of the parser's own, in either direction, behind everything passed there so far.
 *   CLOSE     both directions end: behind what was passed and injected the requester gets a FIN, the responder a reset.
 *   RESET     both directions are reset at once.
 *
 * An INJECT or CLOSE waits until all that was passed in its direction (for CLOSE: to the requester) is through.
 * Nothing at all means MORE: what is at hand is not enough to say. Operations are applied in order. They are held in
 * plain arrays that are used over and over, and a PASS behind a PASS is added to it, so a body of a thousand chunks costs
 * one operation and nothing is allocated.
 */

/** Directions of a stream: from the initiator (requests), from the responder (responses). */
export const REQUEST = 0;
export const RESPONSE = 1;
export type Direction = 0 | 1;

export const PASS = 1;
export const DROP = 2;
export const INJECT = 3;
export const CLOSE = 4;
export const RESET = 5;

/** Operations of one onData call; more than this never arise, since a full list ends the call. */
export const MAX_OPERATIONS = 128;

const NOTHING = new Uint8Array(0);

export class Operations {
  count = 0;
  readonly code: Uint8Array = new Uint8Array(MAX_OPERATIONS);
  /** The direction an INJECT goes in; PASS and DROP are always of the direction that was read. */
  readonly direction: Uint8Array = new Uint8Array(MAX_OPERATIONS);
  /** Bytes of a PASS or DROP. */
  readonly amount: Float64Array = new Float64Array(MAX_OPERATIONS);
  readonly payload: Uint8Array[] = new Array<Uint8Array>(MAX_OPERATIONS).fill(NOTHING);

  clear(): void {
    this.count = 0;
  }

  /** True when the parser must return before it reads another message, which may set free as many replies as wait. */
  get isFull(): boolean {
    return this.count > MAX_OPERATIONS / 2;
  }

  pass(bytes: number): void {
    this.#stretch(PASS, bytes);
  }

  drop(bytes: number): void {
    this.#stretch(DROP, bytes);
  }

  inject(direction: Direction, payload: Uint8Array): void {
    this.code[this.count] = INJECT;
    this.direction[this.count] = direction;
    this.payload[this.count] = payload;
    this.count++;
  }

  close(): void {
    this.code[this.count++] = CLOSE;
  }

  reset(): void {
    this.code[this.count++] = RESET;
  }

  #stretch(code: number, bytes: number): void {
    if (bytes <= 0) return;
    if (this.count > 0 && this.code[this.count - 1] === code) {
      this.amount[this.count - 1] += bytes;
      return;
    }
    this.code[this.count] = code;
    this.amount[this.count] = bytes;
    this.count++;
  }
}

/** One stream of one protocol. A parser object serves one flow at a time and is used again for others. */
export interface Parser {
  /**
   * Reads bytes[start, end) of `direction`: all that has arrived and is not yet covered by operations.
   * @param isEnd nothing follows these bytes in this direction (FIN); start === end then is allowed
   * @param operations the answer; cleared by the caller
   */
  onData(
    direction: Direction,
    bytes: Uint8Array,
    start: number,
    end: number,
    isEnd: boolean,
    operations: Operations,
  ): void;

  /**
   * True when `direction` could now be read further without new bytes, because the other direction moved on (a pipelined
   * request waited for an upgrade to be answered). The editor then hands over what it holds of `direction` again.
   */
  isReady(direction: Direction): boolean;

  /** True when the state between messages can be told in `saveState` and nothing else need be remembered. */
  saveState(words: Int32Array, at: number): boolean;

  /** Takes up a state that `saveState` wrote. @returns false when the words make no sense */
  loadState(words: Int32Array, at: number): boolean;
}
