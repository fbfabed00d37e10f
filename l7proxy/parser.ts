/**
 * The contract between a protocol parser and the stream editor: a parser knows a protocol and nothing of TCP.
 *
 * The editor hands a parser the bytes of one way of a connection, in order and without a gap, and the parser answers with
 * operations on exactly those bytes. What no operation covers stays where it is and is handed over again, from its first
 * byte, when more has arrived: no byte moves before an operation says so.
 *
 *   PASS n    the next n bytes of this way go on. n may exceed what is at hand (a body of known length, or
 *             Infinity): the editor then lets them through as they come and asks again behind them.
 *   DROP n    the next n bytes are taken away; the other side never sees them. n as for PASS.
 *   INJECT    bytes of the parser's own, either way, behind everything passed there so far.
 *   CLOSE     both ways end: behind what was passed and injected the requester gets a FIN, the responder a reset.
 *   RESET     both ways are reset at once.
 *
 * An INJECT or CLOSE waits until all that was passed its way (for CLOSE: to the requester) is through.
 * Nothing at all means MORE: what is at hand is not enough to say. Operations are applied in order. They are held in
 * plain arrays that are used over and over, and a PASS behind a PASS is added to it, so a body of a thousand chunks costs
 * one operation and nothing is allocated.
 */

/** The two ways of a connection: from the initiator (requests), from the responder (responses). */
export const REQUEST = 0;
export const RESPONSE = 1;
export type Way = 0 | 1;

export const PASS = 1;
export const DROP = 2;
export const INJECT = 3;
export const CLOSE = 4;
export const RESET = 5;

/** Operations of one onData call; more than this never arise, since a full list ends the call. */
const MAX_OPERATIONS = 128;
/** Enough for one call: what it lets pile up is not asked about again before. */
const FULL_OPERATIONS = 16;

const NOTHING = new Uint8Array(0);

export class Operations {
  count = 0;
  readonly code: Uint8Array = new Uint8Array(MAX_OPERATIONS);
  /** The way an INJECT goes; PASS and DROP are always of the way that was read. */
  readonly way: Uint8Array = new Uint8Array(MAX_OPERATIONS);
  /** Bytes of a PASS or DROP. */
  readonly amount: Float64Array = new Float64Array(MAX_OPERATIONS);
  readonly payload: Uint8Array[] = new Array<Uint8Array>(MAX_OPERATIONS).fill(NOTHING);

  clear(): void {
    this.count = 0;
  }

  /** True when the parser must return before it reads another message, which may set free as many replies as wait. */
  get isFull(): boolean {
    return this.count > FULL_OPERATIONS;
  }

  pass(bytes: number): void {
    this.#stretch(PASS, bytes);
  }

  drop(bytes: number): void {
    this.#stretch(DROP, bytes);
  }

  inject(way: Way, payload: Uint8Array): void {
    this.code[this.count] = INJECT;
    this.way[this.count] = way;
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

/** What a judge is for: the rule sets of a connection and its two ends. Rule set 0 = none on that side. */
export interface JudgeKey {
  readonly egressRuleSet: number;
  readonly ingressRuleSet: number;
  readonly srcIdentity: number;
  readonly dstIdentity: number;
}

/** The connection that a parser reads, as far as records of it must name it. Valid while the parser reads it. */
export interface StreamOwner extends JudgeKey {
  /** Row of the connection in conntrack, and CT_SLOT_GENERATION of it. */
  readonly slot: number;
  readonly slotGeneration: number;
  readonly srcEndpoint: number;
  readonly dstEndpoint: number;
  /** Its messages are UDP datagrams, its row one of the table of what is not TCP; absent = TCP. */
  readonly isDatagram?: boolean;
}

/** The owner of a parser between two connections. */
export const NOBODY: StreamOwner = {
  slot: -1,
  slotGeneration: 0,
  egressRuleSet: 0,
  ingressRuleSet: 0,
  srcIdentity: 0,
  dstIdentity: 0,
  srcEndpoint: 0,
  dstEndpoint: 0,
};

/**
 * The rules in force for connections of one kind. How a message is judged is between the judges and the parsers of one
 * protocol: each adds a method of its own.
 */
export interface Judge {
  /** Whether the rules are there, and are of this protocol. */
  readonly isUsable: boolean;
  /** Reads the rules again if they changed. @returns a number that stands for them: what it says for one never differs */
  refresh(): number;
}

/**
 * Room for a state that does not fit into one word. policy-maps' L7StateMap is one. What is kept belongs to a connection:
 * its slot, and the generation of that.
 */
export interface ParserState {
  /** Keeps state[0, count) in place of what was kept before. @returns false when there is no room: nothing is kept then */
  save(slot: number, generation: number, state: Int32Array, count: number): boolean;
  /** Copies what was kept to the front of `state`. @returns how many words, -1 when nothing was kept, or too much */
  load(slot: number, generation: number, state: Int32Array): number;
  /** Nothing is kept any more. @returns whether anything was */
  forget(slot: number): boolean;
}

/** No room: only connections whose state fits into a word outlive the process. */
export const NO_STATE: ParserState = { save: () => false, load: () => -1, forget: () => false };

/**
 * One connection of one protocol. A parser reads one connection at a time, from `begin` to `end`, and then others.
 * J is the judge of its protocol.
 */
export interface Parser<J extends Judge = Judge> {
  /** A connection begins: all state is that of a new one. `owner` is only for records. */
  begin(judge: J, owner: StreamOwner): void;

  /** Another judge, from the next message on. */
  setJudge(judge: J): void;

  /** The connection is over: whatever the parser keeps for it is given back. */
  end(): void;

  /**
   * Reads bytes[start, end) of `way`: all that has arrived and is not yet covered by operations.
   * @param isEnd nothing follows these bytes this way (FIN); start === end then is allowed
   * @param operations the answer; cleared by the caller
   */
  onData(way: Way, bytes: Uint8Array, start: number, end: number, isEnd: boolean, operations: Operations): void;

  /**
   * True when `way` could now be read further without new bytes, because the other way moved on (a pipelined request waited
   * for an upgrade to be answered). The editor then hands over what it holds of `way` again.
   */
  isReady(way: Way): boolean;

  /** True while what is held of `way` is whole, and waits for the other way: no clock runs against its sender. */
  isWaiting(way: Way): boolean;

  /**
   * Tells all that the parser must know to go on from here in another process: in words[at], bit 31 of which is not the
   * parser's, and in `more` (under the slot and generation of its owner) if that is too small.
   * @returns false when it cannot be told now; after a restart the connection is reset then
   */
  saveState(words: Int32Array, at: number, more: ParserState): boolean;

  /** Takes up a state that `saveState` wrote; `begin` was called before. @returns false when it makes no sense */
  loadState(words: Int32Array, at: number, more: ParserState): boolean;
}
