/**
 * What is told of a request: the fields of its record (wire/l7-record.ts), in the order in which they may be cut, and what was decided.
 * It is made of a head that was read, or found in a memo of heads, and used for one request after the other.
 */
import {
  FIELD_HOST,
  FIELD_METHOD,
  FIELD_NAME,
  FIELD_PATH,
  FIELD_VALUE,
  FieldBlock,
  MAX_FIELD_BYTES,
} from '../../wire/l7-record.ts';
import type { Head } from '../http1/head.ts';
import { type HeaderEdits, latin1, UNTOLD } from './headers.ts';
import { ALLOW, ALLOW_EDITED, type Judgement, NO_EDITS } from './judgement.ts';
import type { Asked } from './tickets.ts';

/** Of a path, and of a header's value: what is longer is cut. */
const MAX_PATH_BYTES = 2048;
const MAX_VALUE_BYTES = 1024;
const MAX_TOLD_NAME = 255;
const UNTOLD_BYTES = Uint8Array.from(Buffer.from(UNTOLD));

export class RequestNote implements Asked {
  /** The fields: bytes[start, end), of which those up to `urlEnd` say what is asked for, and the others are headers. */
  bytes: Uint8Array;
  start = 0;
  urlEnd = 0;
  end = 0;
  isCut = false;
  version = 0;
  isAllowed = false;
  deniedBy = 0;
  egressCookie = 0;
  ingressCookie = 0;
  edits: HeaderEdits = NO_EDITS;
  readonly #block = new FieldBlock(MAX_FIELD_BYTES);

  constructor() {
    this.bytes = this.#block.bytes;
  }

  /** Takes down a request that was read and judged. @param verdict as HttpJudge.judge has it */
  read(bytes: Uint8Array, head: Head, verdict: number, judgement: Judgement): void {
    const block = this.#block;
    block.clear();
    block.field(FIELD_METHOD, bytes, head.methodStart, head.methodEnd, MAX_TOLD_NAME);
    if (head.host >= 0)
      block.field(FIELD_HOST, bytes, head.valueStart[head.host], head.valueEnd[head.host], MAX_TOLD_NAME);
    block.field(FIELD_PATH, bytes, head.pathStart, head.pathEnd, MAX_PATH_BYTES);
    this.urlEnd = block.end;
    for (let i = 0; i < head.headerCount; i++) {
      if (i === head.host) continue; // in the URL
      block.field(FIELD_NAME, bytes, head.nameStart[i], head.nameEnd[i], MAX_TOLD_NAME);
      if (isSecret(bytes, head, i, judgement.secretNames))
        block.field(FIELD_VALUE, UNTOLD_BYTES, 0, UNTOLD_BYTES.length, MAX_VALUE_BYTES);
      else block.field(FIELD_VALUE, bytes, head.valueStart[i], head.valueEnd[i], MAX_VALUE_BYTES);
    }
    this.bytes = block.bytes;
    this.start = 0;
    this.end = block.end;
    this.isCut = block.isCut;
    this.version = head.major === 2 ? 0x20 : 0x10 | head.minor;
    this.isAllowed = verdict === ALLOW || verdict === ALLOW_EDITED;
    this.deniedBy = judgement.deniedBy;
    this.egressCookie = judgement.egressCookie;
    this.ingressCookie = judgement.ingressCookie;
    this.edits = isNothing(judgement.edits) ? NO_EDITS : judgement.edits;
  }
}

function isSecret(bytes: Uint8Array, head: Head, index: number, names: ReadonlySet<string>): boolean {
  if (names.size === 0) return false;
  return names.has(latin1(bytes, head.nameStart[index], head.nameEnd[index]).toLowerCase());
}

function isNothing({ remove, add, missing, rejected }: HeaderEdits): boolean {
  return remove.size === 0 && add.length === 0 && isEmpty(missing) && isEmpty(rejected);
}

function isEmpty(lists: Readonly<Record<string, unknown>>): boolean {
  for (const _ in lists) return false;
  return true;
}

/** Notes beside the heads of a memo, by its slots; those with edits, or too long, are not kept. */
export class NoteMemo {
  readonly #bytes: Uint8Array;
  readonly #urlLength: Uint16Array;
  /** 0 = none is kept. */
  readonly #length: Uint16Array;
  readonly #facts: Uint16Array;
  readonly #egressCookie: Int32Array;
  readonly #ingressCookie: Int32Array;

  constructor(slots: number) {
    this.#bytes = new Uint8Array(slots * MEMO_NOTE_BYTES);
    this.#urlLength = new Uint16Array(slots);
    this.#length = new Uint16Array(slots);
    this.#facts = new Uint16Array(slots);
    this.#egressCookie = new Int32Array(slots);
    this.#ingressCookie = new Int32Array(slots);
  }

  /** Whether it could be kept. */
  static takes(note: RequestNote): boolean {
    return note.edits === NO_EDITS && !note.isCut && note.end - note.start <= MEMO_NOTE_BYTES;
  }

  forget(slot: number): void {
    this.#length[slot] = 0;
  }

  /** Preconditions: `takes(note)`. */
  keep(slot: number, note: RequestNote): void {
    const { bytes, start, end } = note;
    let to = slot * MEMO_NOTE_BYTES;
    for (let from = start; from < end; ) this.#bytes[to++] = bytes[from++];
    this.#length[slot] = end - start;
    this.#urlLength[slot] = note.urlEnd - start;
    this.#facts[slot] = (note.version << 3) | (note.isAllowed ? 4 : 0) | note.deniedBy;
    this.#egressCookie[slot] = note.egressCookie;
    this.#ingressCookie[slot] = note.ingressCookie;
  }

  /** Fills `note` with what is kept. @returns false when nothing is */
  recall(slot: number, note: RequestNote): boolean {
    const length = this.#length[slot];
    if (length === 0) return false;
    const start = slot * MEMO_NOTE_BYTES;
    const facts = this.#facts[slot];
    note.bytes = this.#bytes;
    note.start = start;
    note.urlEnd = start + this.#urlLength[slot];
    note.end = start + length;
    note.isCut = false;
    note.version = facts >>> 3;
    note.isAllowed = (facts & 4) !== 0;
    note.deniedBy = facts & 3;
    note.egressCookie = this.#egressCookie[slot];
    note.ingressCookie = this.#ingressCookie[slot];
    note.edits = NO_EDITS;
    return true;
  }
}

/** Of one note in a memo: that of a head of 512 bytes, written out. */
const MEMO_NOTE_BYTES = 1024;
