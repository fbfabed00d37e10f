/**
 * The counters of the dataplane (counters.ts) and of its ports, in a pinned file that everybody may read.
 *
 * ```
 *   | header 256 B | COUNTER_WORDS words | port 0: 8 words | port 1: 8 words | ...
 * ```
 *
 * A word is a 64-bit float: exact up to 2^53, and read whole by others, because an aligned load or store of 8 bytes is one
 * access. So a counter has no high and low half that could be read apart. The row of a port counts from its opening on:
 * the index may have been another pod's before.
 */
import { COUNTER_WORDS, type Counter } from './counter.ts';
import { COUNTERS } from './counters.ts';
import { PORT_CAPACITY } from './port-map.ts';
import type { MapFile } from './table/map-file.ts';
import { HEADER_BYTES, type MapLayout } from './table/map-header.ts';
import { PinnedMap } from './table/pinned-map.ts';

// --- specification: the row of a port, as words
export const PORT_RECEIVED_FRAMES = 0;
/** Ethernet header on, without the virtio-net header. */
export const PORT_RECEIVED_BYTES = 1;
/** Frames lost before the dataplane saw them, as far as the port can tell. */
export const PORT_RECEIVE_DROPS = 2;
export const PORT_SENT_FRAMES = 3;
export const PORT_SENT_BYTES = 4;
/** Frames that the other side did not take: its queue was full, or it refused them. */
export const PORT_SEND_DROPS = 5;

const WORD_BYTES = 8;
const PORT_WORDS = 8; // a cache line
const WORDS = COUNTER_WORDS + PORT_CAPACITY * PORT_WORDS;

const LAYOUT: MapLayout = {
  kind: 'counters',
  version: 1,
  isDense: true,
  keyBytes: 4,
  valueBytes: WORD_BYTES,
  capacity: WORDS,
  minCapacity: WORDS,
  maxCapacity: WORDS,
  fileBytes: (capacity) => HEADER_BYTES + capacity * WORD_BYTES,
};

export interface CounterEntry extends Counter {
  readonly value: number;
}

export interface PortCountersEntry {
  readonly receivedFrames: number;
  readonly receivedBytes: number;
  readonly receiveDrops: number;
  readonly sentFrames: number;
  readonly sentBytes: number;
  readonly sendDrops: number;
}

export class CountersMap extends PinnedMap {
  static readonly layout = LAYOUT;
  /** By number of the counter. */
  readonly words: Float64Array;
  readonly #rows: Float64Array;

  constructor(file: MapFile) {
    super(file);
    this.words = new Float64Array(file.buffer, HEADER_BYTES, COUNTER_WORDS);
    this.#rows = new Float64Array(file.buffer, HEADER_BYTES + COUNTER_WORDS * WORD_BYTES, PORT_CAPACITY * PORT_WORDS);
    if (!file.writable) return;
    for (const { number, isGauge } of COUNTERS) if (isGauge) this.words[number] = 0;
  }

  /** The words of a port: PORT_RECEIVED_FRAMES and so on. @throws {RangeError} when there is no such index */
  portWords(index: number): Float64Array {
    if (!(index >= 0 && index < PORT_CAPACITY))
      throw new RangeError(`counters of port: found ${index}, wanted 0 to ${PORT_CAPACITY - 1}`);
    return this.#rows.subarray(index * PORT_WORDS, (index + 1) * PORT_WORDS);
  }

  /** Every counter, those that are 0 too, by number. */
  *entries(): Generator<CounterEntry> {
    for (const counter of COUNTERS) yield { ...counter, value: this.words[counter.number] };
  }

  /** What a port has counted. Ask for ports that are there only: reading a row takes memory. */
  port(index: number): PortCountersEntry {
    const words = this.portWords(index);
    return {
      receivedFrames: words[PORT_RECEIVED_FRAMES],
      receivedBytes: words[PORT_RECEIVED_BYTES],
      receiveDrops: words[PORT_RECEIVE_DROPS],
      sentFrames: words[PORT_SENT_FRAMES],
      sentBytes: words[PORT_SENT_BYTES],
      sendDrops: words[PORT_SEND_DROPS],
    };
  }
}
