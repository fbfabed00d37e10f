/**
 * One recording of whole frames: which ones, and those that nobody has fetched yet. The agent makes the file when somebody begins to
 * record, and removes it at the end; CONFIG_RECORDING says that there is one. The dataplane writes frames, and whoever records
 * (`sluice record`) reads them.
 *
 * ```
 *     header | rows (wire/frame-filter.ts) | ........ | frame | frame | fill | ......................... |
 *                                                     ^ fetched              ^ committed
 *   a frame:  u32 bytes of all this   u32 bytes of the frame that follow   u32 its number   u32 0
 *             64 bytes as an event record begins (wire/event.ts)   the frame, from the Ethernet header on
 * ```
 *
 * Both positions count bytes modulo 2^32. The writer never waits and never overwrites what was not fetched: a frame that finds no room is
 * lost. Frames are numbered in the order in which they were chosen, so that the reader sees where some are missing. A frame does not go
 * round the end of the ring: what is left there is filled (a frame of -1 bytes).
 *
 * Nothing outlives who asked for it. The agent keeps the connection of whoever records, and while it has it, puts off the end
 * of the recording (`W_UNTIL`) every second; at that end the dataplane lets go by itself. An agent that begins knows of no recording.
 *
 * Each word has one writer. The reader may be any program of root's, so neither side believes the other's position or lengths.
 */
import { i32le, setI32le } from '../wire/bytes.ts';
import { PAYLOAD_OFFSET } from '../wire/event.ts';
import { FRAME_ROW_WORDS, MAX_FRAME_ROWS } from '../wire/frame-filter.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification
/** Name of the file in the folder of the maps. */
export const RECORDING_FILE = 'recording';
export const MIN_RECORDING_BYTES = 1 << 20;
export const MAX_RECORDING_BYTES = 1 << 28;
const RECORDING_BYTES = 1 << 25;
/** Of a frame: more than any has. */
export const MAX_SNAP_BYTES = 1 << 18;
/** Bytes before the frame of each record. */
export const RECORD_HEAD_BYTES = 16 + PAYLOAD_OFFSET;
const ALIGN = 16;

// --- implementation: words of the file header
const W_NUMBER = 48; // by the agent: which recording this is
const W_UNTIL = 49; // by the agent: monotonic ms
const W_SNAP = 50; // by the agent: bytes of a frame that are kept
const W_ROWS = 51; // by the agent: rows that are in force
const W_ROWS_GENERATION = 52; // by the agent: odd while it writes rows
const W_TAKEN_UP = 53; // by the dataplane: the number of the recording that it works on
const W_COMMITTED = 54; // by the dataplane
const W_SEQUENCE = 55; // by the dataplane: frames chosen
const W_LOST = 56; // by the dataplane: those that found no room
const W_FETCHED = 57; // by the reader

const ROWS_BYTES = MAX_FRAME_ROWS * FRAME_ROW_WORDS * 4;
const FILL = -1;

const LAYOUT: MapLayout = {
  kind: 'recording',
  version: 1,
  isDense: true,
  keyBytes: 0,
  valueBytes: RECORD_HEAD_BYTES,
  capacity: RECORDING_BYTES,
  minCapacity: MIN_RECORDING_BYTES,
  maxCapacity: MAX_RECORDING_BYTES,
  isPowerOfTwo: true,
  fileBytes: (capacity) => HEADER_BYTES + ROWS_BYTES + capacity,
  exclusive: false,
};

export class RecordingMap extends PinnedMap {
  static readonly layout = LAYOUT;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly #rows: Int32Array;
  readonly #header: Int32Array;

  constructor(file: MapFile) {
    super(file);
    this.#header = file.header;
    this.#rows = file.words(HEADER_BYTES, ROWS_BYTES / 4);
    const from = HEADER_BYTES + ROWS_BYTES;
    this.bytes = new Uint8Array(file.buffer, from, file.capacity);
    this.words = file.words(from, file.capacity / 4);
  }

  /** Says which recording this is, and how much of a frame it keeps. For the agent. */
  begin(number: number, snapBytes: number): void {
    this.#header[W_SNAP] = snapBytes;
    Atomics.store(this.#header, W_NUMBER, number);
  }

  get number(): number {
    return Atomics.load(this.#header, W_NUMBER);
  }

  get snapBytes(): number {
    return this.#header[W_SNAP];
  }

  /** The recording that the dataplane has taken up. */
  get takenUp(): number {
    return Atomics.load(this.#header, W_TAKEN_UP);
  }

  set takenUp(number: number) {
    Atomics.store(this.#header, W_TAKEN_UP, number);
  }

  /** Puts the end off. @param untilMs monotonic */
  extend(untilMs: number): void {
    Atomics.store(this.#header, W_UNTIL, untilMs | 0);
  }

  /** Whether nobody has put the end off in time. @param nowMs monotonic */
  isOver(nowMs: number): boolean {
    return ((Atomics.load(this.#header, W_UNTIL) - (nowMs | 0)) | 0) < 0;
  }

  /** Publishes rows. For the agent. @param count at most MAX_FRAME_ROWS */
  setRows(rows: Int32Array, count: number): void {
    Atomics.add(this.#header, W_ROWS_GENERATION, 1);
    this.#rows.set(rows.subarray(0, count * FRAME_ROW_WORDS));
    this.#header[W_ROWS] = count;
    Atomics.add(this.#header, W_ROWS_GENERATION, 1);
  }

  get rowsGeneration(): number {
    return Atomics.load(this.#header, W_ROWS_GENERATION);
  }

  /** Copies the rows. @returns how many; -1 while they are being written */
  readRows(into: Int32Array): number {
    const before = this.rowsGeneration;
    into.set(this.#rows);
    const count = this.#header[W_ROWS];
    if ((before & 1) !== 0 || this.rowsGeneration !== before) return -1;
    return Math.min(Math.max(count, 0), MAX_FRAME_ROWS);
  }

  /** Frames that were chosen and found no room. */
  get lost(): number {
    return Atomics.load(this.#header, W_LOST) >>> 0;
  }

  /** The dataplane's end. */
  writer(): RecordingWriter {
    return new RecordingWriter(this, this.#header);
  }

  /** The end of whoever records. */
  reader(): RecordingReader {
    return new RecordingReader(this, this.#header);
  }
}

class RecordingWriter {
  readonly map: RecordingMap;
  readonly #header: Int32Array;
  readonly #mask: number;
  /** Where the record under way ends, if one is. */
  #end = 0;
  #isTaken = false;

  constructor(map: RecordingMap, header: Int32Array) {
    this.map = map;
    this.#header = header;
    this.#mask = map.capacity - 1;
  }

  /**
   * Takes room for the next frame, numbers it, and writes how long it is. What was taken before and not settled is committed.
   * @param bytes of the frame that are kept
   * @returns where in `bytes` of the map the event record is to begin, its frame PAYLOAD_OFFSET behind; -1 when there is no room
   */
  take(bytes: number): number {
    const { map } = this;
    this.commit();
    const sequence = Atomics.add(this.#header, W_SEQUENCE, 1);
    const length = (RECORD_HEAD_BYTES + bytes + ALIGN - 1) & -ALIGN;
    const from = this.#header[W_COMMITTED];
    const used = (from - Atomics.load(this.#header, W_FETCHED)) | 0;
    let at = from & this.#mask;
    const left = map.capacity - at;
    const fill = length > left ? left : 0;
    if (used < 0 || used + fill + length > map.capacity) {
      Atomics.add(this.#header, W_LOST, 1);
      return -1;
    }
    if (fill > 0) {
      setI32le(map.bytes, at, fill);
      setI32le(map.bytes, at + 4, FILL);
      at = 0;
    }
    this.#end = (from + fill + length) | 0;
    this.#isTaken = true;
    setI32le(map.bytes, at, length);
    setI32le(map.bytes, at + 4, bytes);
    setI32le(map.bytes, at + 8, sequence);
    setI32le(map.bytes, at + 12, 0);
    return at + ALIGN;
  }

  /** Lets the reader have what was taken. */
  commit(): void {
    if (this.#isTaken) Atomics.store(this.#header, W_COMMITTED, this.#end);
    this.#isTaken = false;
  }

  /** What was taken is none of the recording after all: its number is free again. */
  giveBack(): void {
    if (!this.#isTaken) return;
    this.#isTaken = false;
    Atomics.sub(this.#header, W_SEQUENCE, 1);
  }
}

export type { RecordingWriter };

/** A frame of a recording. */
export interface RecordedFrame {
  /** The beginning of an event record at `at`, its frame behind it. Good until the callback returns. */
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly frameBytes: number;
  /** Frames before this one that were lost. */
  readonly lost: number;
}

class RecordingReader {
  readonly #map: RecordingMap;
  readonly #header: Int32Array;
  readonly #mask: number;
  #next = 0;

  constructor(map: RecordingMap, header: Int32Array) {
    this.#map = map;
    this.#header = header;
    this.#mask = map.capacity - 1;
  }

  /**
   * Hands over what has come, and gives its room back.
   * @param most bytes that one call hands over
   * @throws MapError for what no writer writes: then there is nothing more to be had
   */
  read(onFrame: (frame: RecordedFrame) => void, most = MIN_RECORDING_BYTES): void {
    const committed = Atomics.load(this.#header, W_COMMITTED);
    let at = this.#header[W_FETCHED];
    for (let read = 0; read < most && at !== committed; ) {
      const length = this.#frameAt(at & this.#mask, (committed - at) | 0, onFrame);
      at = (at + length) | 0;
      read += length;
      Atomics.store(this.#header, W_FETCHED, at);
    }
  }

  /** Whether all that there is has been handed over. */
  get isDry(): boolean {
    return this.#header[W_FETCHED] === Atomics.load(this.#header, W_COMMITTED);
  }

  #frameAt(at: number, there: number, onFrame: (frame: RecordedFrame) => void): number {
    const { bytes } = this.#map;
    const length = i32le(bytes, at);
    const frameBytes = i32le(bytes, at + 4);
    const isSound = length >= ALIGN && length <= there && at + length <= bytes.length && length % ALIGN === 0;
    if (!isSound || frameBytes > length - RECORD_HEAD_BYTES) {
      throw this.#map.file.corrupt(
        `record at ${at}`,
        `${length} bytes with ${frameBytes} of frame`,
        `at most ${there}`,
      );
    }
    if (frameBytes < 0) return length;
    const sequence = i32le(bytes, at + 8);
    const lost = (sequence - this.#next) >>> 0;
    this.#next = (sequence + 1) | 0;
    onFrame({ bytes, at: at + ALIGN, frameBytes, lost });
    return length;
  }
}
