/**
 * SETTINGS on their way (RFC 9113 6.5): checked, written anew where they would ask for what cannot be judged, and remembered
 * until they are acknowledged, for that is from where on they hold.
 *
 *   HEADER_TABLE_SIZE       0 both ways: header blocks that come after stand alone (docs/decisions/0013)
 *   ENABLE_PUSH             0 to the server: what it pushed nobody would have asked for
 *   MAX_CONCURRENT_STREAMS  to the client no more than are kept
 *   unknown ones            taken out: what they would allow is not understood here
 */
import { i32, u16 } from '../../wire/bytes.ts';
import type { FrameWriter } from './frame-writer.ts';
import * as frames from './frames.ts';
import { DEFAULT_TABLE_BYTES } from './dynamic-table.ts';
import { MAX_STREAMS } from './stream-table.ts';

// --- specification
const HEADER_TABLE_SIZE = 1;
const ENABLE_PUSH = 2;
const MAX_CONCURRENT_STREAMS = 3;
const INITIAL_WINDOW_SIZE = 4;
const MAX_FRAME_SIZE = 5;
const MAX_HEADER_LIST_SIZE = 6;
const ENABLE_CONNECT_PROTOCOL = 8;
const NO_RFC7540_PRIORITIES = 9;

const SETTING_BYTES = 6;
const MAX_MAX_FRAME_BYTES = 0xffffff;

// --- implementation
const MAX_SETTINGS = 64;
/** SETTINGS that are not acknowledged yet. */
const MAX_PENDING = 16;
const UNSET = -1;

const NONE = new Int32Array(0);

/** What one end has told the other. */
export class Settings {
  readonly isServer: boolean;
  /** As the other end has acknowledged them. */
  tableBytes = DEFAULT_TABLE_BYTES;
  windowBytes = frames.DEFAULT_WINDOW;
  maxFrameBytes = frames.MIN_MAX_FRAME_BYTES;
  /** Of a server: takes extended CONNECT (RFC 8441). Never taken back. */
  takesConnectProtocol = false;
  isFirst = true;
  pending = 0;
  /** Of each SETTINGS that is pending: table, window, frame. There is none most of the time: then it has no memory. */
  #values: Int32Array = NONE;

  constructor(isServer: boolean) {
    this.isServer = isServer;
  }

  reset(): void {
    this.tableBytes = DEFAULT_TABLE_BYTES;
    this.windowBytes = frames.DEFAULT_WINDOW;
    this.maxFrameBytes = frames.MIN_MAX_FRAME_BYTES;
    this.takesConnectProtocol = false;
    this.isFirst = true;
    this.pending = 0;
    this.#values = NONE;
  }

  /** The smallest window that a new stream may have, acknowledged or not. */
  get leastWindowBytes(): number {
    let least = this.windowBytes;
    for (let i = 0; i < this.pending; i++) {
      const window = this.#values[i * 3 + 1];
      if (window !== UNSET && window < least) least = window;
    }
    return least;
  }

  /**
   * Reads the payload bytes[start, end) of SETTINGS, and writes what is to be sent instead.
   * @returns NO_ERROR, or the error that the connection ends with
   */
  read(bytes: Uint8Array, start: number, end: number, into: FrameWriter): number {
    const count = (end - start) / SETTING_BYTES;
    if (!Number.isInteger(count)) return frames.FRAME_SIZE_ERROR;
    if (count > MAX_SETTINGS || this.pending === MAX_PENDING) return frames.ENHANCE_YOUR_CALM;
    const at = this.pending * 3;
    if (this.pending === 0) this.#values = new Int32Array(MAX_PENDING * 3);
    this.#values.fill(UNSET, at, at + 3);
    into.clear();
    let said = 0;
    for (let p = start; p < end; p += SETTING_BYTES) {
      const setting = u16(bytes, p);
      const error = this.#check(setting, i32(bytes, p + 2) >>> 0, at);
      if (error !== frames.NO_ERROR) return error;
      said |= this.#write(setting, i32(bytes, p + 2) >>> 0, into);
    }
    if (this.isFirst) this.#writeMissing(said, into);
    this.isFirst = false;
    this.pending++;
    return frames.NO_ERROR;
  }

  /** The other end has acknowledged the oldest that is pending. @returns false when none is */
  acknowledge(): boolean {
    if (this.pending === 0) return false;
    const values = this.#values;
    if (values[0] !== UNSET) this.tableBytes = values[0];
    if (values[1] !== UNSET) this.windowBytes = values[1];
    if (values[2] !== UNSET) this.maxFrameBytes = values[2];
    values.copyWithin(0, 3);
    this.pending--;
    if (this.pending === 0) this.#values = NONE;
    return true;
  }

  /** @param at where its values are kept */
  #check(setting: number, value: number, at: number): number {
    const values = this.#values;
    switch (setting) {
      case HEADER_TABLE_SIZE:
        values[at] = Math.min(value, DEFAULT_TABLE_BYTES, values[at] === UNSET ? DEFAULT_TABLE_BYTES : values[at]);
        return frames.NO_ERROR;
      case ENABLE_PUSH:
        return value > 1 || (this.isServer && value === 1) ? frames.PROTOCOL_ERROR : frames.NO_ERROR;
      case INITIAL_WINDOW_SIZE:
        values[at + 1] = value;
        return value > frames.MAX_WINDOW ? frames.FLOW_CONTROL_ERROR : frames.NO_ERROR;
      case MAX_FRAME_SIZE:
        values[at + 2] = value;
        if (value < frames.MIN_MAX_FRAME_BYTES || value > MAX_MAX_FRAME_BYTES) return frames.PROTOCOL_ERROR;
        return frames.NO_ERROR;
      case ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (this.takesConnectProtocol && value === 0)) return frames.PROTOCOL_ERROR;
        this.takesConnectProtocol ||= this.isServer && value === 1;
        return frames.NO_ERROR;
      default:
        return frames.NO_ERROR;
    }
  }

  /** @returns a bit for the setting */
  #write(setting: number, value: number, into: FrameWriter): number {
    switch (setting) {
      case HEADER_TABLE_SIZE:
      case ENABLE_PUSH:
        writeSetting(into, setting, 0);
        break;
      case MAX_CONCURRENT_STREAMS:
        writeSetting(into, setting, this.isServer ? Math.min(value, MAX_STREAMS) : value);
        break;
      case INITIAL_WINDOW_SIZE:
      case MAX_FRAME_SIZE:
      case MAX_HEADER_LIST_SIZE:
      case ENABLE_CONNECT_PROTOCOL:
      case NO_RFC7540_PRIORITIES:
        writeSetting(into, setting, value);
        break;
      default:
        return 0;
    }
    return 1 << setting;
  }

  /** What the first SETTINGS must say, because the defaults say otherwise. */
  #writeMissing(said: number, into: FrameWriter): void {
    if ((said & (1 << HEADER_TABLE_SIZE)) === 0) writeSetting(into, HEADER_TABLE_SIZE, 0);
    const other = this.isServer ? MAX_CONCURRENT_STREAMS : ENABLE_PUSH;
    if ((said & (1 << other)) === 0) writeSetting(into, other, this.isServer ? MAX_STREAMS : 0);
  }
}

function writeSetting(into: FrameWriter, setting: number, value: number): void {
  into.byte(setting >>> 8);
  into.byte(setting);
  into.word(value);
}
