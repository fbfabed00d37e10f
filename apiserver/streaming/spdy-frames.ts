/**
 * Frames of SPDY/3.1: eight bytes of header, then a payload. Control frames (the highest bit is set) are collected whole and
 * are short; the payload of a data frame is handed on as it comes, so that nothing here waits for 16 MiB.
 *
 *   control: 1 | version (15) | type (16) | flags (8) | length (24)
 *   data:    0 | stream (31)              | flags (8) | length (24)
 */

const SPDY_VERSION = 3;
const FRAME_HEADER_BYTES = 8;
/** Of a control frame, bytes: a header block as long as `BLOCK_LIMIT` allows, not compressed at all, fits. */
const CONTROL_LIMIT = 32 * 1024;
/** Of a data frame that is sent, bytes. */
export const MAX_DATA_BYTES = 0xffffff;

export const FRAME = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
} as const;

export const FLAG_FIN = 1;

/** Why a stream is reset. */
export const RESET = { PROTOCOL_ERROR: 1, REFUSED_STREAM: 3, CANCEL: 5, INTERNAL_ERROR: 6 } as const;
/** Why a connection ends. */
export const GOAWAY = { OK: 0, PROTOCOL_ERROR: 1 } as const;

/** What the reader tells of. */
export interface FrameListener {
  control: (type: number, flags: number, payload: Buffer) => void;
  /** Part of the payload of a data frame. @param isLast whether it is the end of a frame that ends the stream */
  data: (stream: number, bytes: Buffer, isLast: boolean) => void;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #listener: FrameListener;
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES);
  #headerLength = 0;
  /** Bytes of the payload that have not come yet. */
  #missing = 0;
  #collected: Buffer[] = [];

  constructor(listener: FrameListener) {
    this.#listener = listener;
  }

  /** @throws Error when these are not frames that a peer may send: the connection cannot go on */
  read(bytes: Buffer): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#headerLength < FRAME_HEADER_BYTES) {
        const taken = bytes.copy(this.#header, this.#headerLength, offset);
        this.#headerLength += taken;
        offset += taken;
        if (this.#headerLength < FRAME_HEADER_BYTES) return;
        this.#begin();
      }
      const end = Math.min(bytes.length, offset + this.#missing);
      this.#missing -= end - offset;
      this.#payload(bytes.subarray(offset, end));
      offset = end;
    }
  }

  get #isControl(): boolean {
    return (this.#header[0] & 0x80) !== 0;
  }

  #begin(): void {
    this.#missing = this.#header.readUInt32BE(4) & MAX_DATA_BYTES;
    if (!this.#isControl) {
      if (this.#header.readUInt32BE(0) === 0) throw new Error('read a data frame: found stream 0');
      return;
    }
    const version = this.#header.readUInt16BE(0) & 0x7fff;
    if (version !== SPDY_VERSION) throw new Error(`read a frame: found SPDY/${version}, wanted SPDY/${SPDY_VERSION}`);
    if (this.#missing > CONTROL_LIMIT)
      throw new Error(`read a control frame: found ${this.#missing} bytes, wanted at most ${CONTROL_LIMIT}`);
  }

  /** Takes some of the payload, maybe none of it, and the frame ends when nothing is missing. */
  #payload(bytes: Buffer): void {
    const isDone = this.#missing === 0;
    const flags = this.#header[4];
    if (isDone) this.#headerLength = 0;
    if (!this.#isControl) {
      this.#listener.data(this.#header.readUInt32BE(0), bytes, isDone && (flags & FLAG_FIN) !== 0);
      return;
    }
    this.#collected.push(bytes);
    if (!isDone) return;
    const payload = this.#collected.length === 1 ? this.#collected[0] : Buffer.concat(this.#collected);
    this.#collected = [];
    this.#listener.control(this.#header.readUInt16BE(2), flags, payload);
  }
}

/** The header of a data frame. */
export function dataHeader(stream: number, length: number, flags: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32BE(stream, 0);
  header.writeUInt32BE(length, 4);
  header[4] = flags;
  return header;
}

/** A control frame of numbers of 32 bits, and bytes after them. */
export function controlFrame(
  type: number,
  flags: number,
  words: readonly number[],
  rest: Buffer = Buffer.alloc(0),
): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + 4 * words.length);
  frame.writeUInt16BE(0x8000 | SPDY_VERSION, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt32BE(4 * words.length + rest.length, 4);
  frame[4] = flags;
  words.forEach((word, i) => frame.writeUInt32BE(word, FRAME_HEADER_BYTES + 4 * i));
  return rest.length === 0 ? frame : Buffer.concat([frame, rest]);
}
