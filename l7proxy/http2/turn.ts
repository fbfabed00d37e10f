/**
 * The answer of a parser to one call, gathered: frames that stay as they are become one PASS, frames that go and what is
 * written in their place one DROP and one INJECT, and what goes the other way one INJECT at the end. For each edit costs room in
 * the stream editor, and a burst of requests may be denied or written anew all at once.
 */
import { type Operations, REQUEST, RESPONSE, type Way } from '../parser.ts';
import { FrameWriter } from './frame-writer.ts';
import { FRAME_HEADER_BYTES, SETTINGS } from './frames.ts';

/** A frame up to this size goes along in the INJECT of those before it: cheaper than an edit more. */
const SMALL_BYTES = 1024;
/** Written to one end in one turn: before more, it is to be seen whether that end can take it. */
const FULL_BYTES = 16_384;

const NONE = new Uint8Array(0);

export class Turn {
  /** Written in place of frames of each way, or between them. */
  readonly out: readonly [FrameWriter, FrameWriter] = [new FrameWriter(), new FrameWriter()];
  /** Bytes that the client may send again, having sent them to nobody. */
  credit = 0;
  #operations: Operations | undefined;
  #way: Way = REQUEST;
  #bytes: Uint8Array = NONE;
  /** The next of `bytes`, and the end of what is at hand. */
  #at = 0;
  #end = 0;
  #dropped = 0;
  #closes = false;

  /** @param bytes what is answered about is bytes[start, end), and what follows it */
  begin(operations: Operations, way: Way, bytes: Uint8Array, start: number, end: number): void {
    this.#operations = operations;
    this.#way = way;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.credit = 0;
    this.#dropped = 0;
    this.#closes = false;
  }

  /** Whether no more should be read in this turn. */
  get isFull(): boolean {
    if (this.out[REQUEST].length > FULL_BYTES || this.out[RESPONSE].length > FULL_BYTES) return true;
    return this.#operations?.isFull === true;
  }

  /** The next bytes of this way go on as they are. */
  pass(bytes: number): void {
    const from = this.#at;
    this.#at += bytes;
    const out = this.out[this.#way];
    if (this.#dropped > 0 && bytes <= SMALL_BYTES && this.#at <= this.#end) {
      out.copy(this.#bytes, from, this.#at);
      this.#dropped += bytes;
      return;
    }
    this.#settle();
    this.#operations?.pass(bytes);
  }

  /** They go; what is written into `out` of this way stands in their place. */
  drop(bytes: number): void {
    this.#at += bytes;
    this.#dropped += bytes;
  }

  /**
   * SETTINGS at bytes[at], with `length` bytes in them, are to say what `settings` holds, which is empty afterwards.
   */
  replaceSettings(settings: FrameWriter, bytes: Uint8Array, at: number, length: number): void {
    const from = at + FRAME_HEADER_BYTES;
    if (settings.equals(bytes, from, from + length)) this.pass(from + length - at);
    else {
      this.drop(from + length - at);
      const out = this.out[this.#way];
      out.header(settings.length, SETTINGS, 0, 0);
      out.copyFrom(settings);
    }
    settings.clear();
  }

  /** The connection ends behind all that was written. */
  close(): void {
    this.#closes = true;
  }

  finish(): void {
    this.#settle();
    if (this.credit > 0) this.out[RESPONSE].windowUpdate(0, this.credit);
    this.#inject(this.#way === REQUEST ? RESPONSE : REQUEST);
    this.#inject(this.#way);
    if (this.#closes) this.#operations?.close();
    this.#operations = undefined;
    this.#bytes = NONE;
  }

  #settle(): void {
    if (this.#dropped > 0) this.#operations?.drop(this.#dropped);
    this.#dropped = 0;
    this.#inject(this.#way);
  }

  #inject(way: Way): void {
    if (this.out[way].length > 0) this.#operations?.inject(way, this.out[way].take());
  }
}
