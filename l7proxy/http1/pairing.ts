/**
 * What is owed to the client of a connection, oldest first: the traits of a request that was forwarded and is not answered
 * yet, or a reply of our own that waits for the answers before it. A ring; no allocation.
 *
 * An entry has the ticket of its request (http/tickets.ts), and gives it back when it goes.
 */
import type { HttpRecorder } from './shared.ts';
import { MAX_OUTSTANDING } from './syntax.ts';

/** Low four bits of an entry: a reply kind of http1/replies.ts, 0 for a forwarded request. */
export const REPLY_MASK = 15;
export const IS_HEAD = 16;
export const IS_CONNECT = 32;
/** It asks for a websocket. */
export const IS_UPGRADE = 64;
const ENTRY_MASK = 127;

/** Replies of our own stand beside MAX_OUTSTANDING requests. */
const RING = MAX_OUTSTANDING * 2;
const RING_MASK = RING - 1;
/** Requests that fit in a saved state, four bits each. */
const MAX_SAVED = 4;

export class Pairing {
  count = 0;
  #first = 0;
  readonly #entries: Uint8Array = new Uint8Array(RING);
  readonly #tickets: Int32Array = new Int32Array(RING);
  readonly #recorder: HttpRecorder;

  constructor(recorder: HttpRecorder) {
    this.#recorder = recorder;
  }

  clear(): void {
    while (this.count > 0) this.pop();
    this.#first = 0;
  }

  get isFull(): boolean {
    return this.count >= MAX_OUTSTANDING;
  }

  /** The oldest entry. Preconditions: count > 0. */
  get first(): number {
    return this.#entries[this.#first];
  }

  /** Its ticket. */
  get firstTicket(): number {
    return this.#tickets[this.#first];
  }

  /** Its ticket, which is the caller's to give back now. */
  takeFirstTicket(): number {
    const ticket = this.#tickets[this.#first];
    this.#tickets[this.#first] = 0;
    return ticket;
  }

  push(entry: number, ticket: number): void {
    const at = (this.#first + this.count++) & RING_MASK;
    this.#entries[at] = entry & ENTRY_MASK;
    this.#tickets[at] = ticket;
  }

  pop(): void {
    this.#recorder.release(this.#tickets[this.#first]);
    this.#first = (this.#first + 1) & RING_MASK;
    this.count--;
  }

  /** Makes the newest entry a reply of ours: its request was cut off before it was whole. */
  replaceLast(reply: number): void {
    this.#entries[(this.#first + this.count - 1) & RING_MASK] = reply;
  }

  /** True when the newest entry is a forwarded request. */
  get lastIsForwarded(): boolean {
    return this.count > 0 && (this.#entries[(this.#first + this.count - 1) & RING_MASK] & REPLY_MASK) === 0;
  }

  /** The entries as count (3 bits) and four bits each, or -1 when there are too many or a reply of ours is among them. */
  pack(): number {
    if (this.count > MAX_SAVED) return -1;
    let word = this.count;
    for (let i = 0; i < this.count; i++) {
      const entry = this.#entries[(this.#first + i) & RING_MASK];
      if ((entry & REPLY_MASK) !== 0) return -1;
      word |= (entry >>> 4) << (3 + i * 4);
    }
    return word;
  }

  /** Takes up what `pack` answered. @returns false for a number it cannot have answered */
  unpack(word: number): boolean {
    this.clear();
    const count = word & 7;
    if (count > MAX_SAVED) return false;
    for (let i = 0; i < count; i++) this.push(((word >>> (3 + i * 4)) & 15) << 4, 0);
    return true;
  }

  /** Whether an upgrade or a CONNECT is among the entries. */
  get awaitsUpgrade(): boolean {
    for (let i = 0; i < this.count; i++) {
      if ((this.#entries[(this.#first + i) & RING_MASK] & (IS_UPGRADE | IS_CONNECT)) !== 0) return true;
    }
    return false;
  }
}
