/** Frames of HTTP/2 (RFC 9113 sections 4, 6 and 7). */
import { i32, u16 } from '../../wire/bytes.ts';
import { ascii } from '../http1/syntax.ts';

// --- specification
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const ACK = 1;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const PADDED = 8;
export const HAS_PRIORITY = 0x20;

export const NO_ERROR = 0;
export const PROTOCOL_ERROR = 1;
export const INTERNAL_ERROR = 2;
export const FLOW_CONTROL_ERROR = 3;
export const STREAM_CLOSED = 5;
export const FRAME_SIZE_ERROR = 6;
export const REFUSED_STREAM = 7;
export const COMPRESSION_ERROR = 9;
export const ENHANCE_YOUR_CALM = 11;

export const FRAME_HEADER_BYTES = 9;
/** What every receiver takes. */
export const MIN_MAX_FRAME_BYTES = 16_384;
export const MAX_WINDOW = 0x7fffffff;
export const DEFAULT_WINDOW = 65_535;

/** What a client of prior knowledge says first (3.4). */
export const PREFACE: Uint8Array = ascii('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** The header of a frame; one object is used for all. */
export class FrameHeader {
  /** Bytes of the payload. */
  length = 0;
  type = 0;
  flags = 0;
  stream = 0;

  /** Preconditions: FRAME_HEADER_BYTES are there. */
  read(bytes: Uint8Array, at: number): void {
    this.length = (u16(bytes, at) << 8) | bytes[at + 2];
    this.type = bytes[at + 3];
    this.flags = bytes[at + 4];
    this.stream = i32(bytes, at + 5) & 0x7fffffff;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}
