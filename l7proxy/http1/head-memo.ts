/**
 * Heads that were read and judged before, by their raw bytes.
 *
 * Clients on a kept-alive connection send the same bytes again and again. A head found here costs one comparison instead
 * of a parse, a path normalisation and a match: measured as 60 ns where the long way takes 900. A stored head
 * is whole, so bytes that begin with it are that head: no end has to be looked for, and no collision can lie, for every
 * byte is compared. What a hit means depends on the rules, so the number of the rule context is part of the key.
 *
 * While records are wanted a head is remembered with what is told of it (http/request-note.ts).
 *
 * Direct-mapped: a slot is found by a seeded hash of the first bytes, and the newcomer wins. A fixed slab, no allocation.
 */

import { NoteMemo, type RequestNote } from '../http/request-note.ts';

/** Longer heads are not remembered. */
const MEMO_HEAD_BYTES = 512;
const SLOTS = 1024;
const SLOT_MASK = SLOTS - 1;
const HASHED_BYTES = 40;

export class HeadMemo {
  /** Bytes of the head in each slot, 0 = empty. */
  readonly length: Int32Array = new Int32Array(SLOTS);
  /** What the owner wants to know again. */
  readonly traits: Int32Array = new Int32Array(SLOTS);
  readonly contentLength: Float64Array = new Float64Array(SLOTS);
  readonly #context: Int32Array = new Int32Array(SLOTS);
  readonly #heads: Uint8Array = new Uint8Array(SLOTS * MEMO_HEAD_BYTES);
  readonly #notes = new NoteMemo(SLOTS);
  readonly #seed: number;

  /** @param seed random at start, so that no sender can aim at a slot */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  /** The slot of the head that bytes[start, end) begin with, or -1. */
  find(bytes: Uint8Array, start: number, end: number, context: number): number {
    const slot = this.#slotOf(bytes, start, end, context);
    const length = this.length[slot];
    if (length === 0 || length > end - start || this.#context[slot] !== context) return -1;
    const heads = this.#heads;
    const stored = slot * MEMO_HEAD_BYTES;
    // From the back: heads of one client differ in their last headers as often as in their path, which the hash saw.
    for (let p = start + length - 1, s = stored + length - 1; s >= stored; p--, s--) {
      if (bytes[p] !== heads[s]) return -1;
    }
    return slot;
  }

  /** Fills `note` with what is told of the head in a slot. @returns false when that is not known */
  recall(slot: number, note: RequestNote): boolean {
    return this.#notes.recall(slot, note);
  }

  /** Remembers bytes[start, start + length). @param note what is told of it; null = nobody wants to know now */
  store(
    bytes: Uint8Array,
    start: number,
    length: number,
    context: number,
    traits: number,
    contentLength: number,
    note: RequestNote | null,
  ): void {
    if (length > MEMO_HEAD_BYTES || (note !== null && !NoteMemo.takes(note))) return;
    const slot = this.#slotOf(bytes, start, start + length, context);
    const base = slot * MEMO_HEAD_BYTES;
    for (let i = 0; i < length; i++) this.#heads[base + i] = bytes[start + i];
    this.length[slot] = length;
    this.#context[slot] = context;
    this.traits[slot] = traits;
    this.contentLength[slot] = contentLength;
    if (note === null) this.#notes.forget(slot);
    else this.#notes.keep(slot, note);
  }

  #slotOf(bytes: Uint8Array, start: number, end: number, context: number): number {
    const stop = Math.min(end, start + HASHED_BYTES);
    let hash = this.#seed ^ context;
    for (let p = start; p < stop; p++) hash = (Math.imul(hash, 33) ^ bytes[p]) | 0;
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    return (hash ^ (hash >>> 13)) & SLOT_MASK;
  }
}
